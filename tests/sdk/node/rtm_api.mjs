// @slack/rtm-api 7.0.1, unmodified, against a started server.
import assert from 'node:assert/strict';
import { LogLevel, RTMClient } from '@slack/rtm-api';
import { WebClient } from '@slack/web-api';
import { api, finish, general, seed, test, unique, within } from './common.mjs';

const options = { slackApiUrl: api, retryConfig: { retries: 0 } };
const [ann, bo] = seed.people.map((person) => new WebClient(person.token, options));
const [annId, boId] = seed.people.map((person) => person.id);
const bot = new WebClient(seed.bot.token, options);

/** An RTM client that remembers every event, with a way to wait for one. */
class Listener {
  constructor(token) {
    this.rtm = new RTMClient(token, { slackApiUrl: api, logLevel: LogLevel.ERROR });
    this.events = [];
    this.waiting = [];
    this.rtm.on('slack_event', (type, event) => {
      this.events.push(event);
      this.waiting = this.waiting.filter((waiter) => !waiter(event));
    });
  }

  async start() {
    const ready = new Promise((resolve) => this.rtm.once('ready', resolve));
    const started = await within(10_000, 'the connection', this.rtm.start());
    await within(10_000, 'ready', ready);
    return started;
  }

  /** The first event, past or to come, that `wanted` accepts. */
  event(what, wanted) {
    const past = this.events.find(wanted);
    if (past) return past;
    const coming = new Promise((resolve) => {
      this.waiting.push((event) => (wanted(event) ? (resolve(event), true) : false));
    });
    return within(10_000, what, coming);
  }
}

const hers = new Listener(seed.people[0].token);
const his = new Listener(seed.people[1].token);

await test('start says who and where one is', async () => {
  const started = await hers.start();
  assert.equal(started.self.id, annId);
  assert.equal(started.team.id, seed.workspace.id);
  assert.equal(hers.rtm.activeUserId, annId);
  await his.start();
});

const { channel } = await bo.conversations.create({ name: unique('rtm'), is_private: true });

await test('an invitation brings group_joined and member_joined_channel', async () => {
  await bo.conversations.invite({ channel: channel.id, users: annId });
  const joined = await hers.event('group_joined', (event) => event.type === 'group_joined');
  assert.equal(joined.channel.id, channel.id);
  const member = await his.event('member_joined_channel', (event) =>
    event.type === 'member_joined_channel' && event.channel === channel.id && event.user === annId);
  assert.equal(member.inviter, boId);
});

await test('a public channel: channel_created, channel_joined, channel_left', async () => {
  const made = (await bo.conversations.create({ name: unique('rtm') })).channel;
  const created = await hers.event('channel_created', (event) => event.type === 'channel_created' && event.channel.id === made.id);
  assert.equal(created.channel.creator, boId);
  await ann.conversations.join({ channel: made.id });
  await hers.event('channel_joined', (event) => event.type === 'channel_joined' && event.channel.id === made.id);
  await ann.conversations.leave({ channel: made.id });
  await hers.event('channel_left', (event) => event.type === 'channel_left' && event.channel === made.id);
  const left = await his.event('member_left_channel', (event) =>
    event.type === 'member_left_channel' && event.channel === made.id);
  assert.equal(left.user, annId);
});

await test('subscribePresence, and what one says wins', async () => {
  await hers.rtm.subscribePresence([boId]);
  const told = (presence) => hers.event(`presence_change ${presence}`, (event) =>
    event.type === 'presence_change' && event.user === boId && event.presence === presence);
  await told('active');
  await bo.users.setPresence({ presence: 'away' });
  await told('away');
  const own = await his.event('manual_presence_change', (event) => event.type === 'manual_presence_change');
  assert.equal(own.presence, 'away');
  hers.events = hers.events.filter((event) => event.type !== 'presence_change');
  await bo.users.setPresence({ presence: 'auto' });
  await told('active');
  await hers.rtm.subscribePresence([]);
});

await test('a message typed over RTM is acknowledged and not echoed', async () => {
  const text = unique('typed');
  const ack = await hers.rtm.sendMessage(text, channel.id);
  assert.equal(ack.ok, true);
  assert.equal(ack.text, text);
  const event = await his.event('the message', (event) => event.type === 'message' && event.ts === ack.ts);
  assert.equal(event.text, text);
  assert.equal(event.user, annId);
  const fence = await ann.chat.postMessage({ channel: channel.id, text: unique('fence') });
  await hers.event('the fence', (event) => event.ts === fence.ts);
  assert.ok(!hers.events.some((event) => event.type === 'message' && event.ts === ack.ts), 'it was echoed');
  const { messages } = await bo.conversations.history({ channel: channel.id });
  assert.ok(messages.some((message) => message.ts === ack.ts), 'it is in the history');
});

await test('a message that is refused is an error with a code', async () => {
  await assert.rejects(hers.rtm.sendMessage('', channel.id), (error) => {
    assert.equal(error.code, 'slack_rtmapi_send_message_platform_error');
    assert.equal(error.data.error.msg, 'message text is missing');
    return true;
  });
  await assert.rejects(hers.rtm.sendMessage('x', 'C0NOTTHERE00'));
});

await test('message, message_changed, message_deleted', async () => {
  const { ts } = await bo.chat.postMessage({ channel: channel.id, text: 'one' });
  const posted = await hers.event('message', (event) => event.type === 'message' && event.ts === ts);
  assert.equal(posted.text, 'one');
  assert.equal(posted.channel, channel.id);
  await bo.chat.update({ channel: channel.id, ts, text: 'uno' });
  const changed = await hers.event('message_changed', (event) =>
    event.subtype === 'message_changed' && event.message.ts === ts);
  assert.equal(changed.message.text, 'uno');
  assert.equal(changed.previous_message.text, 'one');
  await bo.chat.delete({ channel: channel.id, ts });
  const deleted = await hers.event('message_deleted', (event) =>
    event.subtype === 'message_deleted' && event.deleted_ts === ts);
  assert.equal(deleted.channel, channel.id);
});

await test('replies and broadcasts', async () => {
  const { ts } = await bo.chat.postMessage({ channel: channel.id, text: 'parent' });
  const reply = await bo.chat.postMessage({ channel: channel.id, text: 'reply', thread_ts: ts });
  const event = await hers.event('the reply', (event) => event.ts === reply.ts && event.type === 'message');
  assert.equal(event.thread_ts, ts);
});

await test('reaction_added and reaction_removed', async () => {
  const { ts } = await ann.chat.postMessage({ channel: channel.id, text: 'react' });
  await bo.reactions.add({ channel: channel.id, timestamp: ts, name: 'eyes' });
  const added = await hers.event('reaction_added', (event) => event.type === 'reaction_added' && event.item.ts === ts);
  assert.equal(added.reaction, 'eyes');
  assert.equal(added.user, boId);
  assert.equal(added.item_user, annId);
  assert.equal(added.item.channel, channel.id);
  await bo.reactions.remove({ channel: channel.id, timestamp: ts, name: 'eyes' });
  await hers.event('reaction_removed', (event) => event.type === 'reaction_removed' && event.item.ts === ts);
});

await test('typing', async () => {
  await his.rtm.sendTyping(channel.id);
  const typing = await hers.event('user_typing', (event) => event.type === 'user_typing');
  assert.equal(typing.user, boId);
  assert.equal(typing.channel, channel.id);
});

await test('a mark reaches the other device', async () => {
  const { ts } = await bo.chat.postMessage({ channel: channel.id, text: 'read me' });
  await ann.conversations.mark({ channel: channel.id, ts });
  const marked = await hers.event('group_marked', (event) =>
    (event.type === 'group_marked' || event.type === 'channel_marked') && event.ts === ts);
  assert.equal(marked.channel, channel.id);
  assert.equal(marked.type, 'group_marked');
});

await test('a DM that did not exist: im_created and its first message', async () => {
  const person = new WebClient(seed.members[0].token, options);
  const opened = await person.conversations.open({ users: annId });
  const { ts } = await person.chat.postMessage({ channel: opened.channel.id, text: 'hi' });
  const event = await hers.event('the DM', (event) => event.type === 'message' && event.ts === ts);
  assert.equal(event.channel, opened.channel.id);
  await hers.event('im_created', (event) => event.type === 'im_created' && event.channel.id === opened.channel.id);
});

await test('topic, purpose and archive', async () => {
  const made = (await ann.conversations.create({ name: unique('rtm') })).channel;
  await bo.conversations.join({ channel: made.id });
  await ann.conversations.setTopic({ channel: made.id, topic: 'weather' });
  const topic = await his.event('channel_topic', (event) =>
    event.subtype === 'channel_topic' && event.channel === made.id);
  assert.equal(topic.topic, 'weather');
  await ann.conversations.setPurpose({ channel: made.id, purpose: 'small talk' });
  await his.event('channel_purpose', (event) => event.subtype === 'channel_purpose' && event.channel === made.id);
  await ann.conversations.archive({ channel: made.id });
  await his.event('channel_archive', (event) => event.type === 'channel_archive' && event.channel === made.id);
});

await test('a private channel: group_left and group_archive', async () => {
  const made = (await ann.conversations.create({ name: unique('rtm'), is_private: true })).channel;
  await ann.conversations.invite({ channel: made.id, users: boId });
  await his.event('group_joined', (event) => event.type === 'group_joined' && event.channel.id === made.id);
  await ann.conversations.kick({ channel: made.id, user: boId });
  const left = await his.event('group_left', (event) => event.type === 'group_left' && event.channel === made.id);
  assert.equal(left.actor_id, annId);
  await ann.conversations.archive({ channel: made.id });
  const archived = await hers.event('group_archive', (event) => event.type === 'group_archive' && event.channel === made.id);
  assert.equal(archived.user, annId);
  assert.ok(!his.events.some((event) => event.type === 'group_archive' && event.channel === made.id), 'who left heard of it');
});

await test('a group DM: mpim_joined and mpim_marked', async () => {
  const { channel: group } = await bo.conversations.open({ users: `${annId},${seed.members[0].id}` });
  const joined = await hers.event('mpim_joined', (event) => event.type === 'mpim_joined' && event.channel.id === group.id);
  assert.equal(joined.channel.is_mpim, true);
  const { ts } = await bo.chat.postMessage({ channel: group.id, text: 'all of you' });
  await hers.event('its message', (event) => event.type === 'message' && event.ts === ts);
  await ann.conversations.mark({ channel: group.id, ts });
  const marked = await hers.event('mpim_marked', (event) => event.type === 'mpim_marked' && event.channel === group.id);
  assert.equal(marked.ts, ts);
});

await test('a DM: im_marked', async () => {
  const { channel: dm } = await bo.conversations.open({ users: annId });
  const { ts } = await bo.chat.postMessage({ channel: dm.id, text: 'just you' });
  await hers.event('its message', (event) => event.type === 'message' && event.ts === ts);
  await ann.conversations.mark({ channel: dm.id, ts });
  const marked = await hers.event('im_marked', (event) => event.type === 'im_marked' && event.channel === dm.id);
  assert.equal(marked.ts, ts);
});

await test('a parent that is deleted leaves a tombstone', async () => {
  const { ts } = await bo.chat.postMessage({ channel: channel.id, text: 'parent' });
  await ann.chat.postMessage({ channel: channel.id, text: 'reply', thread_ts: ts });
  await bo.chat.delete({ channel: channel.id, ts });
  const changed = await hers.event('the tombstone', (event) =>
    event.subtype === 'message_changed' && event.message.ts === ts && event.message.subtype === 'tombstone');
  assert.equal(changed.message.user, 'USLACKBOT');
});

await test('a reply that is shown in the channel too: thread_broadcast', async () => {
  const { ts } = await bo.chat.postMessage({ channel: channel.id, text: 'parent' });
  const shown = await ann.chat.postMessage({ channel: channel.id, text: 'to all', thread_ts: ts, reply_broadcast: true });
  const event = await his.event('thread_broadcast', (event) => event.ts === shown.ts && event.subtype === 'thread_broadcast');
  assert.equal(event.thread_ts, ts);
});

await test('an ephemeral message is for one person', async () => {
  await bo.conversations.invite({ channel: channel.id, users: seed.bot.user_id });
  const text = unique('psst');
  await bot.chat.postEphemeral({ channel: channel.id, user: annId, text });
  await hers.event('the ephemeral message', (event) => event.type === 'message' && event.text === text);
  const { ts } = await ann.chat.postMessage({ channel: channel.id, text: 'fence' });
  await his.event('the fence', (event) => event.ts === ts);
  assert.ok(!his.events.some((event) => event.text === text), 'somebody else got it');
});

await test('a bot hears others and its own posts of the API', async () => {
  const listener = new Listener(seed.bot.token);
  await listener.start();
  const own = await bot.chat.postMessage({ channel: channel.id, text: 'mine' });
  const other = await bo.chat.postMessage({ channel: channel.id, text: 'yours' });
  const mine = await listener.event('own', (event) => event.ts === own.ts);
  assert.equal(mine.bot_id, seed.bot.bot_id);
  await listener.event('other', (event) => event.ts === other.ts);
  await listener.rtm.disconnect();
});

await test('JSON pings keep a quiet connection', async () => {
  // The client pings after 6 s of silence and reconnects when no pong comes.
  let lost = 0;
  his.rtm.on('reconnecting', () => { lost += 1; });
  await new Promise((resolve) => setTimeout(resolve, 13_000));
  assert.equal(lost, 0);
  assert.equal(his.rtm.connected, true);
});

await test('disconnect and start again', async () => {
  await within(10_000, 'the end', hers.rtm.disconnect());
  assert.equal(hers.rtm.connected, false);
  await hers.start();
  const { ts } = await bo.chat.postMessage({ channel: channel.id, text: 'back again' });
  await hers.event('a message after the reconnect', (event) => event.ts === ts);
  await hers.rtm.sendMessage('me too', general);
});

await test('a bad token does not start', async () => {
  const nobody = new Listener('xoxb-nope');
  await assert.rejects(within(10_000, 'a refusal', nobody.rtm.start()), /invalid_auth/);
});

await hers.rtm.disconnect();
await his.rtm.disconnect();
finish();
