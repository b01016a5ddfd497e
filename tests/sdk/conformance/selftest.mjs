// The comparison finds what it is there to find: bodies that must pass, and each with one thing wrong that must not.
import assert from 'node:assert/strict';
import { Comparison } from './compare.mjs';
import { accepted, eventShapes } from './exceptions.mjs';
import { compareWithSample } from './samples.mjs';
import { eventSchemas, keys, responseSchema, validator } from './schemas.mjs';

const types = eventSchemas();
let failed = 0;

function test(name, run) {
  try {
    run();
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok ${name}: ${String(error.message).replaceAll('\n', ' | ')}`);
  }
}

/** What is found in a body: `PLACE: WHAT`. */
function found(name, schema, body) {
  const comparison = new Comparison(accepted);
  comparison.compare(name, validator(schema), body);
  return [...comparison.findings.keys()].map((it) => it.slice(name.length + 1));
}

const event = (kind, body) => found(kind, types.get(kind), body);
const TS = '1700000000.000100';
const message = { type: 'message', channel: 'C00000000001', user: 'U00000000001', text: 'hello', ts: TS, event_ts: TS, team: 'T00000000001' };

test('a message as RTM has it', () => {
  assert.deepEqual(event('message', { ...message, thread_ts: TS, reply_count: 1, edited: { user: message.user, ts: TS } }), []);
});

test('keys of a wrong type are found, those of an exception too', () => {
  const wrong = { text: 42, user: {}, reactions: 'wrong', reply_count: '1', edited: { user: message.user, ts: TS, by: 'x' }, app_id: 7 };
  for (const [key, value] of Object.entries(wrong)) {
    const findings = event('message', { ...message, [key]: value });
    assert.ok(findings.some((it) => it.startsWith(`/${key}`)), `${key}: ${findings}`);
  }
});

test('keys that nobody knows, and required ones that are not there, are found', () => {
  assert.deepEqual(event('message', { ...message, colour: 'red' }), ['/colour: not a key of the type']);
  const { user, ...nobody } = message;
  assert.deepEqual(event('message', nobody), ['/user: is missing']);
  assert.deepEqual(event('message me_message', { ...nobody, subtype: 'me_message' }), ['/user: is missing']);
});

test('an exception is for the kinds that it names', () => {
  const pin = { of: 'pin_added', at: '/pin_count' };
  assert.ok(accepted.some((it) => it.of.includes(pin.of) && it.at === pin.at));
  assert.deepEqual(found('reaction_added', types.get('reaction_added'), { type: 'reaction_added', user: 'U1', reaction: 'x', item_user: 'U2', event_ts: TS, item: { type: 'message', channel: 'C1', ts: TS }, pin_count: 1 }), ['/pin_count: not a key of the type']);
});

test('a whole conversation in place of a part is checked as a whole', () => {
  const texts = { topic: { value: '', creator: '', last_set: 0 }, purpose: { value: '', creator: '', last_set: 0 } };
  const flags = Object.fromEntries(['channel', 'group', 'im', 'mpim', 'private', 'archived', 'org_shared'].map((it) => [`is_${it}`, false]));
  const channel = { id: 'D00000000001', created: 1, updated: 1, context_team_id: 'T00000000001', user: 'U00000000001', ...flags, ...texts };
  const schema = responseSchema('conversations.open');
  assert.deepEqual(found('conversations.open', schema, { ok: true, channel }), []);
  for (const wrong of [{ topic: 'x' }, { colour: 'red' }, { is_im: 'true' }, { id: 'D1' }]) {
    assert.equal(found('conversations.open', schema, { ok: true, channel: { ...channel, ...wrong } }).length, 1, JSON.stringify(wrong));
  }
});

test('blocks are checked as @slack/types has them', () => {
  const rich = (element) => ({ ok: true, message: { blocks: [{ type: 'rich_text', elements: [{ type: 'rich_text_section', elements: [element] }] }] } });
  const check = (element) => found('chat.postMessage', responseSchema('chat.postMessage'), rich(element));
  assert.deepEqual(check({ type: 'text', text: 'x', style: { bold: true } }), []);
  assert.notDeepEqual(check({ type: 'text', text: 'x', style: 'bold' }), []);
  assert.notDeepEqual(check({ type: 'telepathy' }), []);
});

test('events without a type of Slack\'s have one of ours', () => {
  const marked = eventShapes.find((it) => it.of.includes('thread_marked')).as;
  const subscription = { type: 'thread', channel: 'C00000000001', thread_ts: TS, last_read: TS, active: true };
  assert.deepEqual(found('thread_marked', marked, { type: 'thread_marked', event_ts: TS, subscription }), []);
  assert.deepEqual(found('thread_marked', marked, { type: 'thread_marked', event_ts: TS, subscription: { ...subscription, active: 1 } }), ['/subscription/active: must be boolean']);
});

test('samples: types, and keys that none has', () => {
  const anywhere = new Map([['id', new Set(['string'])], ['n', new Set(['number'])]]);
  const check = (body) => {
    const findings = [];
    compareWithSample(body, { list: [{ id: '' }] }, anywhere, (at) => findings.push(at));
    return findings;
  };
  assert.deepEqual(check({ list: [{ id: 'x', n: 1 }, { id: null }] }), []);
  assert.deepEqual(check({ list: [{ id: 1, n: '1', m: 1 }] }), ['/list/[]/id', '/list/[]/n', '/list/[]/m']);
  assert.deepEqual(check({ list: {} }), ['/list']);
});

test('only events are events, and a type\'s keys are two levels of them', () => {
  assert.deepEqual(['button', 'divider', 'rich_text', 'modal'].filter((it) => types.has(it)), []);
  assert.ok(types.size > 80);
  assert.ok(!keys(types.get('message')).has('/subtype'));
  assert.ok(keys(responseSchema('auth.test')).has('/user_id'));
});

process.exit(failed === 0 ? 0 : 1);
