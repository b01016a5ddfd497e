// @slack/web-api, unmodified, against a started server.
import assert from 'node:assert/strict';
import { ErrorCode, WebClient } from '@slack/web-api';
import { api, finish, general, seed, test, unique } from './common.mjs';

const options = { slackApiUrl: api, retryConfig: { retries: 0 } };
const bot = new WebClient(seed.bot.token, options);
const [ann, bo, cy] = seed.people.map((person) => new WebClient(person.token, options));
const [annId, boId, cyId] = seed.people.map((person) => person.id);

async function channelOf(client, words = {}) {
  return (await client.conversations.create({ name: unique('node'), ...words })).channel.id;
}

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    assert.equal(error.code, ErrorCode.PlatformError, String(error));
    return error.data.error;
  }
  throw new Error('was not refused');
}

await test('api.test echoes', async () => {
  assert.deepEqual((await bot.api.test({ foo: 'bar' })).args, { foo: 'bar' });
  assert.equal(await refused(bot.api.test({ error: 'mine' })), 'mine');
});

await test('auth.test says who one is', async () => {
  const me = await bot.auth.test();
  assert.equal(me.user_id, seed.bot.user_id);
  assert.equal(me.bot_id, seed.bot.bot_id);
  assert.equal(me.team_id, seed.workspace.id);
  assert.ok(me.url.endsWith('/'), me.url);
  assert.ok(me.response_metadata.scopes.includes('chat:write'), 'scopes from the header');
  assert.equal((await ann.auth.test()).user_id, annId);
});

await test('a bad token is a platform error', async () => {
  assert.equal(await refused(new WebClient('xoxb-nope', options).auth.test()), 'invalid_auth');
});

await test('post and read back', async () => {
  const channel = await channelOf(bot);
  const text = 'héllo <@' + annId + '> 🦀 & *bold* _x_ `code`';
  const posted = await bot.chat.postMessage({ channel, text });
  assert.equal(posted.channel, channel);
  assert.match(posted.ts, /^\d{10}\.\d{6}$/);
  assert.equal(posted.message.bot_id, seed.bot.bot_id);
  const { messages } = await bot.conversations.history({ channel, limit: 1 });
  assert.equal(messages[0].ts, posted.ts);
  assert.equal(messages[0].text, posted.message.text);
  const one = await bot.conversations.history({ channel, latest: posted.ts, oldest: posted.ts, inclusive: true });
  assert.equal(one.messages.length, 1);
});

await test('blocks travel as structures', async () => {
  const blocks = [
    { type: 'section', block_id: 'b1', text: { type: 'mrkdwn', text: '*hi*' } },
    { type: 'divider' },
    { type: 'context', elements: [{ type: 'plain_text', text: 'small' }] },
  ];
  const channel = await channelOf(bot);
  const posted = await bot.chat.postMessage({ channel, text: 'fallback', blocks });
  const { messages } = await bot.conversations.history({ channel, limit: 1 });
  assert.equal(messages[0].ts, posted.ts);
  assert.equal(messages[0].blocks.length, 3);
  assert.equal(messages[0].blocks[0].text.text, '*hi*');
});

await test('one client_msg_id is one message', async () => {
  const channel = await channelOf(ann);
  const client_msg_id = crypto.randomUUID();
  const first = await ann.chat.postMessage({ channel, text: 'once', client_msg_id });
  const again = await ann.chat.postMessage({ channel, text: 'once', client_msg_id });
  assert.equal(again.ts, first.ts);
  await ann.chat.delete({ channel, ts: first.ts });
  assert.equal((await ann.chat.postMessage({ channel, text: 'once', client_msg_id })).ts, first.ts);
  const { messages } = await ann.conversations.history({ channel });
  assert.ok(!messages.some((message) => message.text === 'once'));
});

await test('edit', async () => {
  const channel = await channelOf(bot);
  const { ts } = await bot.chat.postMessage({ channel, text: 'befor' });
  const edited = await bot.chat.update({ channel, ts, text: 'before' });
  assert.equal(edited.text, 'before');
  assert.equal(edited.ts, ts);
  const { messages } = await bot.conversations.history({ channel, limit: 1 });
  assert.equal(messages[0].text, 'before');
  assert.equal(messages[0].edited.user, seed.bot.user_id);
});

await test('delete', async () => {
  const channel = await channelOf(bot);
  const { ts } = await bot.chat.postMessage({ channel, text: 'gone' });
  assert.equal((await bot.chat.delete({ channel, ts })).ts, ts);
  const { messages } = await bot.conversations.history({ channel });
  assert.ok(!messages.some((message) => message.ts === ts));
  assert.equal(await refused(bot.chat.delete({ channel, ts })), 'message_not_found');
  assert.equal(await refused(bot.chat.update({ channel, ts, text: 'back' })), 'message_not_found');
});

await test('reactions', async () => {
  const channel = await channelOf(ann);
  await ann.conversations.invite({ channel, users: boId });
  const { ts: timestamp } = await ann.chat.postMessage({ channel, text: 'react' });
  await ann.reactions.add({ channel, timestamp, name: 'thumbsup' });
  await bo.reactions.add({ channel, timestamp, name: 'thumbsup' });
  assert.equal(await refused(bo.reactions.add({ channel, timestamp, name: 'thumbsup' })), 'already_reacted');
  assert.equal(await refused(bo.reactions.add({ channel, timestamp, name: 'no emoji!' })), 'invalid_name');
  const { message } = await ann.reactions.get({ channel, timestamp, full: true });
  assert.equal(message.reactions.length, 1);
  assert.equal(message.reactions[0].count, 2);
  assert.deepEqual(new Set(message.reactions[0].users), new Set([annId, boId]));
  await ann.reactions.remove({ channel, timestamp, name: 'thumbsup' });
  assert.equal(await refused(ann.reactions.remove({ channel, timestamp, name: 'thumbsup' })), 'no_reaction');
  const { messages } = await ann.conversations.history({ channel, limit: 1 });
  assert.deepEqual(messages[0].reactions[0].users, [boId]);
});

await test('threads', async () => {
  const channel = await channelOf(ann);
  await ann.conversations.invite({ channel, users: boId });
  const { ts } = await ann.chat.postMessage({ channel, text: 'parent' });
  const one = await bo.chat.postMessage({ channel, text: 'one', thread_ts: ts });
  const two = await ann.chat.postMessage({ channel, text: 'two', thread_ts: ts });
  const shown = await bo.chat.postMessage({ channel, text: 'three', thread_ts: ts, reply_broadcast: true });
  assert.equal(one.message.thread_ts, ts);
  const { messages } = await ann.conversations.replies({ channel, ts });
  assert.deepEqual(messages.map((message) => message.ts), [ts, one.ts, two.ts, shown.ts]);
  assert.equal(messages[0].reply_count, 3);
  assert.equal(messages[0].latest_reply, shown.ts);
  assert.deepEqual(new Set(messages[0].reply_users), new Set([annId, boId]));
  const top = (await ann.conversations.history({ channel })).messages.map((message) => message.ts);
  assert.ok(top.includes(ts) && top.includes(shown.ts) && !top.includes(one.ts), 'replies are not in the channel');
});

await test('an ephemeral message is not kept', async () => {
  const channel = await channelOf(bot);
  await bot.conversations.invite({ channel, users: annId });
  const { message_ts } = await bot.chat.postEphemeral({ channel, user: annId, text: 'psst' });
  assert.match(message_ts, /^\d+\.\d{6}$/);
  const { messages } = await ann.conversations.history({ channel });
  assert.ok(!messages.some((message) => message.text === 'psst'));
});

await test('permalinks', async () => {
  const { ts: message_ts } = await bot.chat.postMessage({ channel: await channelOf(bot), text: 'x' }).then(
    async (posted) => ({ ts: posted.ts, channel: posted.channel }),
  );
  const channel = (await bot.chat.postMessage({ channel: await channelOf(bot), text: 'link' })).channel;
  const { messages } = await bot.conversations.history({ channel, limit: 1 });
  const { permalink } = await bot.chat.getPermalink({ channel, message_ts: messages[0].ts });
  assert.equal(permalink, `${(await bot.auth.test()).url}archives/${channel}/p${messages[0].ts.replace('.', '')}`);
  assert.equal(await refused(bot.chat.getPermalink({ channel, message_ts })), 'message_not_found');
});

await test('channels: create, name, topic, purpose, archive', async () => {
  const name = unique('node');
  const { channel } = await bot.conversations.create({ name });
  assert.equal(channel.name, name);
  assert.equal(typeof channel.created, 'number');
  assert.equal(await refused(bot.conversations.create({ name })), 'name_taken');
  assert.match(await refused(bot.conversations.create({ name: 'No Good!' })), /^invalid_name/);
  await bot.conversations.setTopic({ channel: channel.id, topic: 'a topic' });
  await bot.conversations.setPurpose({ channel: channel.id, purpose: 'a purpose' });
  const info = (await bot.conversations.info({ channel: channel.id, include_num_members: true })).channel;
  assert.equal(info.topic.value, 'a topic');
  assert.equal(info.purpose.value, 'a purpose');
  assert.equal(info.num_members, 1);
  await bot.conversations.archive({ channel: channel.id });
  assert.equal((await bot.conversations.info({ channel: channel.id })).channel.is_archived, true);
  assert.equal(await refused(bot.chat.postMessage({ channel: channel.id, text: 'x' })), 'is_archived');
  assert.equal(await refused(bot.conversations.archive({ channel: channel.id })), 'already_archived');
});

await test('members: join, leave, invite, kick', async () => {
  const channel = await channelOf(ann);
  await bo.conversations.join({ channel });
  await ann.conversations.invite({ channel, users: cyId });
  const members = async () => new Set((await ann.conversations.members({ channel })).members);
  assert.deepEqual(await members(), new Set([annId, boId, cyId]));
  assert.equal(await refused(ann.conversations.invite({ channel, users: cyId })), 'already_in_channel');
  await ann.conversations.kick({ channel, user: cyId });
  await bo.conversations.leave({ channel });
  assert.deepEqual(await members(), new Set([annId]));
  assert.equal(await refused(ann.conversations.kick({ channel, user: annId })), 'cant_kick_self');
  assert.equal(await refused(bo.chat.postMessage({ channel, text: 'x' })), 'not_in_channel');
});

await test('a DM and a group DM are opened once', async () => {
  const dm = (await ann.conversations.open({ users: boId })).channel.id;
  assert.match(dm, /^D/);
  assert.equal((await bo.conversations.open({ users: annId })).channel.id, dm);
  await bo.chat.postMessage({ channel: dm, text: 'between us' });
  assert.equal((await ann.conversations.history({ channel: dm, limit: 1 })).messages[0].text, 'between us');
  assert.equal(await refused(cy.conversations.history({ channel: dm })), 'channel_not_found');
  const group = (await ann.conversations.open({ users: `${boId},${cyId}` })).channel.id;
  assert.equal((await cy.conversations.open({ users: `${annId},${boId}` })).channel.id, group);
  const open = await ann.conversations.open({ channel: dm, return_im: true });
  assert.equal(open.channel.user, boId);
});

await test('a mark moves what is unread', async () => {
  const channel = await channelOf(ann);
  await ann.conversations.invite({ channel, users: boId });
  const { ts } = await ann.chat.postMessage({ channel, text: 'read me' });
  await bo.conversations.mark({ channel, ts });
  assert.equal((await bo.conversations.info({ channel })).channel.last_read, ts);
});

await test('people and the team', async () => {
  const { user } = await bot.users.info({ user: annId });
  assert.equal(user.id, annId);
  assert.equal(user.is_bot, false);
  assert.ok(user.profile.real_name.length > 0);
  assert.equal(await refused(bot.users.info({ user: 'U0NOTTHERE00' })), 'user_not_found');
  const { team } = await bot.team.info();
  assert.equal(team.id, seed.workspace.id);
  const { channels } = await ann.users.conversations({ types: 'public_channel', limit: 1000 });
  assert.ok(channels.some((channel) => channel.id === general));
});

async function all(client, method, options, key) {
  const found = [];
  let pages = 0;
  for await (const page of client.paginate(method, options)) {
    pages += 1;
    assert.ok(page[key].length <= options.limit, `${page[key].length} on a page of ${options.limit}`);
    found.push(...page[key]);
  }
  assert.ok(pages > 1, `${method} came on one page`);
  const ids = found.map((item) => item.ts ?? item.id ?? item);
  assert.equal(new Set(ids).size, ids.length, `${method} repeats items across pages`);
  return ids;
}

await test('paginate channels', async () => {
  const made = [];
  for (let n = 0; n < 7; n += 1) made.push(await channelOf(bot));
  const ids = await all(bot, 'conversations.list', { limit: 3, types: 'public_channel' }, 'channels');
  for (const id of [...made, general]) assert.ok(ids.includes(id), `${id} is on no page`);
});

await test('paginate users', async () => {
  const ids = await all(bot, 'users.list', { limit: 4 }, 'members');
  for (const one of [...seed.people, ...seed.members]) assert.ok(ids.includes(one.id), `${one.id} is on no page`);
});

await test('paginate members', async () => {
  const ids = await all(ann, 'conversations.members', { channel: general, limit: 4 }, 'members');
  for (const one of [...seed.people, ...seed.members]) assert.ok(ids.includes(one.id), `${one.id} is on no page`);
});

await test('paginate history', async () => {
  const channel = await channelOf(bot);
  const sent = [];
  for (let n = 0; n < 25; n += 1) sent.push((await bot.chat.postMessage({ channel, text: `m${n}` })).ts);
  const ids = await all(bot, 'conversations.history', { channel, limit: 10 }, 'messages');
  assert.deepEqual(ids.filter((ts) => sent.includes(ts)), sent.toReversed());
});

await test('paginate replies', async () => {
  const channel = await channelOf(bot);
  const { ts } = await bot.chat.postMessage({ channel, text: 'parent' });
  const sent = [];
  for (let n = 0; n < 12; n += 1) sent.push((await bot.chat.postMessage({ channel, thread_ts: ts, text: `r${n}` })).ts);
  const found = [];
  for await (const page of bot.paginate('conversations.replies', { channel, ts, limit: 5 })) {
    assert.equal(page.messages[0].ts, ts, 'the parent is first on every page');
    found.push(...page.messages.slice(1).map((message) => message.ts));
  }
  assert.deepEqual(found, sent);
});

await test('errors have codes', async () => {
  const channel = general;
  assert.equal(await refused(bot.chat.postMessage({ channel: 'C0NOTTHERE00', text: 'x' })), 'channel_not_found');
  assert.equal(await refused(bot.chat.postMessage({ channel, text: '' })), 'no_text');
  assert.equal(await refused(bot.apiCall('no.such.method')), 'unknown_method');
  assert.equal(await refused(new WebClient(undefined, options).auth.test()), 'not_authed');
});

await test('a text that is too long is cut with a warning', async () => {
  const channel = await channelOf(bot);
  const answer = await bot.chat.postMessage({ channel, text: 'x'.repeat(50_000) });
  assert.ok(answer.response_metadata.warnings.includes('message_truncated'));

});

finish();
