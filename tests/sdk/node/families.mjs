// Each family of methods the way its documentation shows, with @slack/web-api.
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { WebClient } from '@slack/web-api';
import { api, finish, general, seed, test, unique, within } from './common.mjs';

/** The SDK's client, which also keeps what it is answered, if somebody asks for that. */
class Client extends WebClient {
  async apiCall(method, options) {
    const answer = await super.apiCall(method, options);
    const folder = process.env.PARLANCE_RECORD;
    if (folder) {
      // The SDK puts into the answer what it finds in its head.
      const { scopes, acceptedScopes, ...response_metadata } = answer.response_metadata ?? {};
      const { response_metadata: _, ...body } = answer;
      if (Object.keys(response_metadata).length > 0) body.response_metadata = response_metadata;
      appendFileSync(`${folder}/node-${process.pid}.jsonl`, `${JSON.stringify({ kind: 'response', name: method, body })}\n`);
    }
    return answer;
  }
}

const options = { slackApiUrl: api, retryConfig: { retries: 0 } };
const bot = new Client(seed.bot.token, options);
const [ann, bo, cy] = seed.people.map((person) => new Client(person.token, options));
const [annId, boId] = seed.people.map((person) => person.id);

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error.data.error;
  }
  throw new Error('was not refused');
}

async function channelOf(client, words = {}) {
  return (await client.conversations.create({ name: unique('family'), ...words })).channel.id;
}

await test('a profile is set and read', async () => {
  const status = { status_text: 'riding a train', status_emoji: ':mountain_railway:', status_expiration: 0 };
  const set = await bo.users.profile.set({ profile: status });
  assert.equal(set.profile.status_text, status.status_text);
  await bo.users.profile.set({ name: 'title', value: 'Engineer' });
  const { profile } = await ann.users.profile.get({ user: boId });
  assert.deepEqual([profile.status_emoji, profile.title], [status.status_emoji, 'Engineer']);
  assert.equal(await refused(cy.users.profile.set({ user: annId, profile: { title: 'x' } })), 'not_admin');
});

await test('a photo is set, seen by whoever has its address, and taken away', async () => {
  const picture = async (address) => {
    const response = await fetch(address);
    return [response.status, response.headers.get('content-type')?.split('/')[0]];
  };
  const before = (await ann.users.info({ user: boId })).user.profile;
  assert.deepEqual(await picture(before.image_48), [200, 'image'], 'who has none has a pattern');
  // A PNG of 2 × 1 pixels.
  const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAADUlEQVR4nGP4zwAE/wEHAAH/4iOeWQAAAABJRU5ErkJggg==', 'base64');
  const set = await bo.users.setPhoto({ image: png, crop_x: '0', crop_y: '0', crop_w: '1' });
  const { profile } = (await ann.users.info({ user: boId })).user;
  assert.deepEqual([profile.is_custom_image, profile.image_512], [true, set.profile.image_512]);
  for (const edge of [24, 32, 48, 72, 192, 512, 1024, 'original']) assert.deepEqual(await picture(profile[`image_${edge}`]), [200, 'image']);
  assert.equal(await refused(bo.users.setPhoto({ image: Buffer.from('no picture') })), 'bad_image');
  assert.equal(await refused(bot.users.setPhoto({ image: png })), 'not_allowed_token_type');
  await bo.users.deletePhoto();
  assert.equal((await ann.users.info({ user: boId })).user.profile.image_48, before.image_48);
});

await test('people and bots are found', async () => {
  const { user } = await bot.users.lookupByEmail({ email: seed.people[0].email });
  assert.equal(user.id, annId);
  assert.equal(await refused(bot.users.lookupByEmail({ email: 'nobody@example.org' })), 'users_not_found');
  assert.equal((await bot.bots.info({ bot: seed.bot.bot_id })).bot.user_id, seed.bot.user_id);
  const members = [];
  for await (const page of bot.paginate('users.list', { limit: 3 })) members.push(...page.members);
  assert.ok(members.length > 3);
});

await test('do not disturb', async () => {
  assert.equal((await bo.dnd.setSnooze({ num_minutes: 20 })).snooze_enabled, true);
  assert.equal((await bo.dnd.info({ user: boId })).snooze_enabled, true);
  assert.equal((await ann.dnd.teamInfo({ users: `${boId},${annId}` })).users[boId].dnd_enabled, true);
  assert.equal((await bo.dnd.endSnooze()).snooze_enabled, false);
  await bo.dnd.setSnooze({ num_minutes: 20 });
  assert.equal((await bo.dnd.endDnd()).ok, true);
});

await test('a channel lives its life', async () => {
  const channel = await channelOf(ann);
  const name = unique('renamed');
  assert.equal((await ann.conversations.rename({ channel, name })).channel.name, name);
  await ann.conversations.setTopic({ channel, topic: 'a topic' });
  await ann.conversations.setPurpose({ channel, purpose: 'a purpose' });
  await ann.conversations.invite({ channel, users: boId });
  assert.ok((await ann.conversations.members({ channel })).members.includes(boId));
  await ann.conversations.kick({ channel, user: boId });
  await ann.conversations.archive({ channel });
  await ann.conversations.unarchive({ channel });
  await ann.admin.conversations.convertToPrivate({ channel_id: channel });
  assert.equal((await ann.conversations.info({ channel })).channel.is_private, true);
  await ann.admin.conversations.convertToPublic({ channel_id: channel });
  await bo.conversations.join({ channel });
  await bo.conversations.leave({ channel });
  assert.equal((await bo.users.conversations({ types: 'public_channel' })).channels.some((it) => it.id === channel), false);
});

await test('a DM is opened and closed', async () => {
  const { channel } = await ann.conversations.open({ users: boId, return_im: true });
  assert.equal(channel.is_im, true);
  await ann.conversations.close({ channel: channel.id });
  assert.equal((await ann.conversations.close({ channel: channel.id })).already_closed, true);
});

await test('pins', async () => {
  const channel = await channelOf(bot);
  const { ts } = await bot.chat.postMessage({ channel, text: 'important' });
  await bot.pins.add({ channel, timestamp: ts });
  const { items } = await bot.pins.list({ channel });
  assert.equal(items[0].message.ts, ts);
  await bot.pins.remove({ channel, timestamp: ts });
  assert.equal(await refused(bot.pins.remove({ channel, timestamp: ts })), 'no_pin');
});

await test('reactions', async () => {
  const { ts } = await ann.chat.postMessage({ channel: general, text: 'react to this' });
  await bo.reactions.add({ channel: general, timestamp: ts, name: 'thumbsup' });
  const got = await bo.reactions.get({ channel: general, timestamp: ts, full: true });
  assert.equal(got.message.reactions[0].name, 'thumbsup');
  const { items } = await bo.reactions.list({ user: boId, limit: 5 });
  assert.equal(items[0].message.ts, ts);
  await bo.reactions.remove({ channel: general, timestamp: ts, name: 'thumbsup' });
});

await test('a message is scheduled and taken back', async () => {
  const channel = await channelOf(bot);
  const post_at = Math.floor(Date.now() / 1000) + 3600;
  const made = await bot.chat.scheduleMessage({ channel, text: 'later', post_at });
  assert.equal(made.post_at, post_at);
  const text = await bot.chat.scheduleMessage({ channel, text: 'as a text', post_at: String(post_at) });
  const list = await bot.chat.scheduledMessages.list({ channel });
  assert.deepEqual(list.scheduled_messages.map((it) => it.text).sort(), ['as a text', 'later']);
  for (const it of [made, text]) {
    await bot.chat.deleteScheduledMessage({ channel, scheduled_message_id: it.scheduled_message_id });
  }
  assert.equal(await refused(bot.chat.scheduleMessage({ channel, text: 'x', post_at: 1 })), 'time_in_past');
});

await test('a scheduled message comes at its time', async () => {
  const channel = await channelOf(bot);
  await bot.chat.scheduleMessage({ channel, text: 'soon', post_at: Math.floor(Date.now() / 1000) + 2 });
  const came = async () => {
    for (;;) {
      const { messages } = await bot.conversations.history({ channel });
      if (messages.some((it) => it.text === 'soon')) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  await within(15_000, 'the message', came());
});

await test('me-messages, threads, permalinks', async () => {
  const channel = await channelOf(ann);
  const me = await ann.chat.meMessage({ channel, text: 'waves' });
  const { ts } = await ann.chat.postMessage({ channel, text: 'parent' });
  await ann.chat.postMessage({ channel, thread_ts: ts, text: 'reply', reply_broadcast: true });
  const { messages } = await ann.conversations.replies({ channel, ts });
  assert.deepEqual(messages.map((it) => it.text), ['parent', 'reply']);
  assert.equal(messages[0].subscribed, true);
  const { permalink } = await ann.chat.getPermalink({ channel, message_ts: ts });
  assert.match(permalink, new RegExp(`/archives/${channel}/p`));
  await ann.chat.update({ channel, ts, text: 'edited' });
  await ann.chat.postEphemeral({ channel, user: annId, text: 'only you' });
  await ann.chat.delete({ channel, ts: me.ts });
  await ann.conversations.mark({ channel, ts });
});

await test('blocks and attachments are checked', async () => {
  const channel = await channelOf(bot);
  const blocks = [
    { type: 'header', text: { type: 'plain_text', text: 'Title' } },
    { type: 'section', text: { type: 'mrkdwn', text: '*bold*' }, accessory: { type: 'button', text: { type: 'plain_text', text: 'ok' }, action_id: 'a' } },
    { type: 'context', elements: [{ type: 'mrkdwn', text: 'context' }] },
    { type: 'rich_text', elements: [{ type: 'rich_text_section', elements: [{ type: 'text', text: 'rich', style: { bold: true } }] }] },
  ];
  const posted = await bot.chat.postMessage({ channel, blocks, attachments: [{ text: 'attached', color: '#00ff00' }] });
  assert.equal(posted.message.blocks.length, 4);
  assert.ok(posted.message.blocks.every((it) => it.block_id));
  const many = Array.from({ length: 51 }, () => ({ type: 'divider' }));
  assert.equal(await refused(bot.chat.postMessage({ channel, blocks: many })), 'invalid_blocks');
});

await test('presence is said and read', async () => {
  assert.equal((await ann.users.getPresence({ user: boId })).presence, 'away');
  const own = await bo.users.getPresence();
  assert.deepEqual([own.online, own.manual_away, own.connection_count], [false, false, 0]);
  await bo.users.setPresence({ presence: 'away' });
  assert.equal((await bo.users.getPresence()).manual_away, true);
  await bo.users.setPresence({ presence: 'auto' });
  assert.equal((await bo.apiCall('users.setActive')).ok, true);
  await bo.apiCall('presence.set', { presence: 'active' });
  assert.equal(await refused(bo.users.setPresence({ presence: 'busy' })), 'invalid_presence');
});

await test('the methods of Slack\'s own client', async () => {
  const channel = await channelOf(ann);
  const { ts } = await ann.chat.postMessage({ channel, text: 'parent' });
  await ann.chat.postMessage({ channel, thread_ts: ts, text: 'reply' });
  const thread = { channel, thread_ts: ts };
  await ann.apiCall('subscriptions.thread.mark', { ...thread, ts, read: 1 });
  assert.equal((await ann.apiCall('subscriptions.thread.get', thread)).subscribed, true);
  assert.ok((await ann.apiCall('subscriptions.thread.getView', { limit: 5 })).threads.length > 0);
  await ann.apiCall('subscriptions.thread.remove', thread);
  await ann.apiCall('subscriptions.thread.add', thread);
  assert.ok(Array.isArray((await ann.apiCall('client.counts')).channels));
  assert.equal((await ann.apiCall('client.userBoot')).self.id, annId);
  await ann.apiCall('users.prefs.set', { name: 'time24', value: true });
  assert.equal((await ann.apiCall('users.prefs.get', { prefs: 'time24' })).prefs.time24, true);
});

await test('what is left of the directory', async () => {
  assert.equal((await bot.api.test({ foo: 'bar' })).args.foo, 'bar');
  assert.equal((await bot.auth.test()).user_id, seed.bot.user_id);
  assert.equal((await bot.team.info()).team.id, seed.workspace.id);
  assert.ok((await bot.users.info({ user: annId, include_locale: true })).user.locale);
  assert.ok((await bot.conversations.list({ types: 'public_channel' })).channels.length > 0);
  assert.ok((await bot.rtm.connect({})).url);
  assert.equal((await bo.auth.revoke({ test: true })).revoked, false);
});

finish();
