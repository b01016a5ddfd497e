// Where what the server says differs from the TypeScript types of @slack/web-api and @slack/types, and why.
//
// An exception excuses one thing: a key that the type lacks, or has differently, if what is there is what `as` says (a JSON
// schema, see shapes.mjs); or a required key that is not there (`missing`). `of` are methods, or event types with their
// subtypes; `at` is the one place. Each name of `of` must meet its exception, or the list outlives its reasons: only one
// of them must with `each: false`, and none with `sometimes` (met only when all tests have run, or by chance).
import * as shape from './shapes.mjs';

const SAMPLED = 'the SDK made this type from recorded answers, which did not have the key; Slack documents it';
const OURS = 'ours';
const NUMBERS = 'empty texts in most samples, numbers in that of files.completeUploadExternal and in what Slack documents';
const FILE_ANSWERS = ['files.info', 'files.revokePublicURL', 'files.sharedPublicURL', 'files.upload'];

/** Methods without a response type, with what they are: ours, and those of Slack's own client. */
export const untyped = [
  { of: /^parlance\./, why: 'ours' },
  { of: /^realtime\.connect$/, why: 'ours' },
  { of: /^client\./, why: 'of Slack\'s own client' },
  { of: /^subscriptions\.thread\./, why: 'of Slack\'s own client' },
  { of: /^users\.prefs\./, why: 'of Slack\'s own client' },
  { of: /^presence\.set$/, why: 'of Slack\'s own client' },
  { of: /^activity\.mentions$/, why: 'of Slack\'s own client' },
];

/** Kinds of events without a type in @slack/types, and what they are here; those of `sometimes` need not be met. */
export const eventShapes = [
  { of: ['hello'], as: shape.object({ type: shape.string, 'protocol?': shape.integer, 'heartbeat_ms?': shape.integer, 'session?': shape.string, 'team?': shape.id('T'), 'user?': shape.id('UW') }) },
  { of: ['channel_joined', 'group_joined', 'mpim_joined'], as: event({ channel: shape.conversation }) },
  { of: ['channel_marked'], as: event({ channel: shape.id('CDG'), ts: shape.ts, ...unreads() }) },
  { of: ['group_marked', 'im_marked', 'mpim_marked'], as: event({ channel: shape.id('CDG'), ts: shape.ts, ...unreads() }), sometimes: true },
  { of: ['mpim_open', 'mpim_close'], as: event({ channel: shape.id('CDG'), user: shape.id('UW') }), sometimes: true },
  { of: ['channel_convert_to_private'], as: event({ channel: shape.id('CDG') }) },
  {
    of: ['message channel_convert_to_private', 'message channel_convert_to_public'],
    as: event({ subtype: shape.string, channel: shape.id('CDG'), team: shape.id('T'), user: shape.id('UW'), text: shape.string, ts: shape.ts }),
  },
  // Only inside of a change: what is left of a deleted message that has replies.
  { of: ['message tombstone'], as: shape.object({ type: shape.string, subtype: shape.string, channel: shape.id('CDG'), ts: shape.ts, text: shape.string, ...shape.threadKeys, team: shape.id('T'), user: shape.id('U'), hidden: shape.isTrue }), sometimes: true },
  { of: ['thread_marked', 'thread_subscribed', 'thread_unsubscribed'], as: event({ subscription: shape.subscription }) },
  { of: ['team_pref_change'], as: event({ name: shape.string, value: shape.either(shape.string, shape.boolean, shape.number, shape.list(shape.string)) }) },
  { of: ['pref_change'], as: event({ name: shape.string, value: shape.either(shape.string, shape.boolean, shape.number) }) },
  { of: ['presence_change'], as: shape.either(presence({ user: shape.id('UW') }), presence({ users: shape.list(shape.id('UW')) })) },
  { of: ['manual_presence_change'], as: event({ presence: { enum: ['active', 'away'] } }) },
  { of: ['user_typing'], as: shape.object({ type: shape.string, channel: shape.id('CDG'), user: shape.id('UW') }) },
  // RTM numbers what it refuses, our own protocol names it.
  { of: ['error'], as: shape.object({ type: shape.string, 'reply_to?': shape.either(shape.string, shape.number), error: shape.object({ code: shape.either(shape.string, shape.integer), msg: shape.string }) }), sometimes: true },
  { of: ['goodbye'], as: shape.object({ type: shape.string, 'reconnect_ms?': shape.integer }), sometimes: true },
];

function event(keys) {
  return shape.object({ type: shape.string, event_ts: shape.ts, ...keys });
}

/** Who is there is said beside the order of events: without `event_ts`. */
function presence(keys) {
  return shape.object({ type: shape.string, presence: { enum: ['active', 'away'] }, ...keys });
}

function unreads() {
  const counts = ['unread_count', 'unread_count_display', 'num_mentions', 'num_mentions_display', 'mention_count', 'mention_count_display'];
  return { has_unreads: shape.boolean, ...Object.fromEntries(counts.map((it) => [it, shape.integer])) };
}

const CHANGED_CHANNEL = ['conversations.create', 'conversations.invite', 'conversations.join', 'conversations.rename', 'conversations.setPurpose', 'conversations.setTopic'];

/** Every kind of message event. */
const MESSAGES = ['', ' bot_message', ' channel_archive', ' channel_join', ' channel_leave', ' channel_name', ' channel_purpose', ' channel_topic', ' channel_unarchive', ' file_share', ' me_message', ' message_changed', ' message_deleted', ' message_replied', ' thread_broadcast'].map((it) => `message${it}`);

/** One exception for each of several keys of one object. */
function keys(of, at, shapes, why, more = {}) {
  return Object.entries(shapes).map(([key, as]) => ({ of, at: `${at}/${key}`, as, why, ...more }));
}

/** Events with a type that come, but not in the tests that the page is made of. */
export const elsewhere = ['message bot_message', 'team_join', 'user_profile_changed', 'user_status_changed'];

/** Findings that are as they should be. */
export const accepted = [
  // Answers.
  { of: ['conversations.history', 'conversations.replies'], at: '/_p', as: shape.object({ t: shape.string, g: shape.integer, s: shape.integer }), why: `${OURS}: the position at which the page was read, when it is asked for` },
  { of: ['chat.postMessage'], at: '/message/blocks/[]', as: shape.block, why: 'the blocks of responses are typed by samples that knew few elements of rich texts; @slack/types has them' },
  { of: ['conversations.history'], at: '/messages/[]/blocks/[]', as: shape.block, why: 'as in chat.postMessage' },
  { of: ['chat.postMessage'], at: '/message/metadata/event_payload', as: { type: 'object' }, why: 'what is in a payload is the sender\'s business' },
  { of: ['conversations.history'], at: '/messages/[]/metadata/event_payload', as: { type: 'object' }, why: 'as in chat.postMessage' },
  { of: ['chat.postMessage'], at: '/message/client_msg_id', as: shape.string, why: SAMPLED },
  ...keys(['chat.update'], '/message', { ...shape.threadKeys, ts: shape.ts, subtype: shape.string, attachments: shape.list(shape.attachment) }, SAMPLED),
  { of: ['chat.update'], at: '/message/parent_user_id', as: shape.id('UW'), why: SAMPLED, sometimes: true },
  { of: ['chat.update'], at: '/message/reactions', as: shape.reactions, why: SAMPLED, sometimes: true },
  ...keys(['chat.update', 'reactions.get'], '/message', { pinned_info: shape.pinnedInfo, pinned_to: shape.list(shape.id('CDG')) }, SAMPLED, { sometimes: true }),
  ...keys(['reactions.get'], '/message', { ...shape.threadKeys, edited: shape.edited }, SAMPLED, { sometimes: true }),
  { of: CHANGED_CHANNEL, at: '/channel/num_members', as: shape.integer, why: `${OURS}: a conversation looks the same wherever it is shown` },
  { of: ['users.conversations'], at: '/channels/[]/num_members', as: shape.integer, why: `${OURS}: a conversation looks the same wherever it is shown` },
  { of: ['users.conversations'], at: '/channels/[]/is_member', as: shape.boolean, why: `${OURS}: a conversation looks the same wherever it is shown` },
  { of: ['conversations.open'], at: '/channel', as: shape.conversation, why: 'with return_im the whole conversation comes, of which the type has a part' },
  { of: ['conversations.info'], at: '/channel/priority', as: shape.number, why: SAMPLED },
  { of: ['conversations.info'], at: '/channel/user', as: shape.id('UW'), why: SAMPLED },
  { of: ['conversations.leave'], at: '/not_in_channel', as: shape.isTrue, why: SAMPLED },
  ...keys(['conversations.history'], '/messages/[]', { name: shape.string, old_name: shape.string, pinned_info: shape.pinnedInfo, pinned_to: shape.list(shape.id('CDG')) }, SAMPLED),
  ...keys(['conversations.replies'], '/messages/[]', { hidden: shape.boolean, subtype: shape.string }, SAMPLED),
  ...keys(['conversations.replies'], '/messages/[]', { pinned_info: shape.pinnedInfo, pinned_to: shape.list(shape.id('CDG')) }, SAMPLED, { sometimes: true }),
  { of: ['dnd.info'], at: '/snooze_enabled', as: shape.boolean, why: SAMPLED },
  ...keys(['dnd.info'], '', { snooze_endtime: shape.integer, snooze_remaining: shape.integer, snooze_is_indefinite: shape.boolean }, SAMPLED),
  { of: ['conversations.history'], at: '/channel_actions_ts', as: shape.nothing, why: 'Slack documents null when there are none' },
  { of: ['pins.list'], at: '/count', as: shape.integer, why: SAMPLED },
  { of: ['pins.list'], at: '/items/[]/message/pinned_info', as: shape.pinnedInfo, why: SAMPLED },
  { of: ['auth.revoke'], at: '/revoked', as: shape.boolean, why: SAMPLED },
  { of: ['api.test'], at: '/args', as: { type: 'object' }, why: 'an echo of what was sent', sometimes: true },
  { of: ['conversations.list'], at: '/channels/[]/is_open', as: shape.boolean, why: 'a closed DM or group DM, which the samples did not have', sometimes: true },
  ...keys(['conversations.setTopic'], '/channel', { is_open: shape.boolean, priority: shape.number, user: shape.id('UW') }, 'the topic of a DM, which the samples did not have', { sometimes: true }),

  // Files.
  ...keys(FILE_ANSWERS, '/file', shape.sizes, NUMBERS, { sometimes: true }),
  ...keys(['files.list', 'files.completeUploadExternal'], '/files/[]', shape.sizes, NUMBERS, { sometimes: true }),
  ...keys(['conversations.history', 'conversations.replies'], '/messages/[]/files/[]', shape.sizes, NUMBERS, { sometimes: true }),
  ...keys(['chat.postMessage', 'chat.update'], '/message/files/[]', shape.sizes, NUMBERS, { sometimes: true }),
  { of: ['files.list', 'files.completeUploadExternal'], at: '/files/[]/shares', as: shape.shares, why: 'as in files.info', each: false },
  { of: ['files.completeUploadExternal'], at: '/files/[]/updated', as: shape.integer, why: SAMPLED },
  { of: ['file_change'], at: '/event_ts', as: shape.ts, why: 'every event of RTM has it' },
  { of: ['message file_share'], at: '/files/[]', as: shape.file, why: '@slack/types has the file of one sample; what of it is there depends on what the file is, and a deleted one is a tombstone' },

  // Messages.
  { of: MESSAGES, each: false, at: '/channel_type', missing: true, why: 'the Events API adds it; RTM does not have it' },
  ...keys(MESSAGES, '', shape.messageKeys, 'the types of message events have the keys that some kinds had in samples; any message can be in a thread, edited, pinned', { each: false, sometimes: true }),
  { of: ['message channel_join'], at: '/inviter', missing: true, why: 'nobody invited who came by themselves' },
  { of: ['message thread_broadcast'], at: '/root', missing: true, why: 'NOT YET: the parent of a broadcast reply is not in its event' },
  { of: ['message thread_broadcast'], at: '/client_msg_id', missing: true, why: 'only what was sent with one has it' },
  { of: ['message message_changed', 'message message_deleted'], at: '/previous_message', missing: true, why: 'an event that is read again has what the message is now, not what it was' },

  // Other events.
  { of: ['group_unarchive'], at: '/user', as: shape.id('UW'), why: 'RTM has it, the Events API calls it actor_id' },
  { of: ['im_created'], at: '/channel', as: shape.conversation, why: 'RTM has the whole conversation' },
  { of: ['im_created'], at: '/event_ts', as: shape.ts, why: 'every event of RTM has it' },
  { of: ['member_left_channel'], at: '/actor_id', as: shape.id('UW'), why: `${OURS}: who removed them` },
  { of: ['dnd_updated'], at: '/dnd_status/snooze_is_indefinite', as: shape.boolean, why: SAMPLED },
  { of: ['pin_added', 'pin_removed'], at: '/pin_count', as: shape.integer, why: 'a string in @slack/types, a number in the Java SDK and in what Slack sends' },
  { of: ['pin_added', 'pin_removed'], at: '/item/message', as: shape.message, why: 'any message has these keys; NOT YET: permalink' },
  ...['user_change', 'user_profile_changed'].flatMap((kind) => {
    // What happens to a profile over the connection of those that look at it comes in some tests only.
    const sometimes = kind === 'user_profile_changed';
    const missing = (key, why) => ({ of: [kind], at: `/user/profile/${key}`, missing: true, why, sometimes });
    return [
      missing('fields', 'NOT YET: custom fields'),
      { of: [kind], at: '/user/profile/pronouns', as: shape.string, why: SAMPLED, sometimes },
    ];
  }),
  ...['huddle_state', 'huddle_state_expiration_ts'].map((key) => ({ of: ['user_profile_changed'], at: `/user/profile/${key}`, missing: true, why: 'huddles are not here', sometimes: true })),
];

/** Keys of responses that do not make a method partial when no test has seen them. */
export const neverHere = [
  { keys: ['ok', 'error', 'needed', 'provided', 'warning', 'response_metadata', 'arg'], why: 'part of the envelope' },
  { keys: ['errors', 'detail', 'deprecated_argument', 'callstack'], why: 'in refusals' },
];

/** Where the samples of the Java SDK differ: methods or kinds of events, the place with all below it, why. */
export const sampled = [
  { of: ['api.test'], at: '/args', why: 'an echo of what was sent', sometimes: true },
  { of: ['auth.revoke'], at: '/revoked', why: SAMPLED },
  { of: ['channel_created'], at: '/channel/is_frozen', why: 'in @slack/types' },
  // Only channels are marked in every run.
  ...['channel_marked', 'group_marked', 'im_marked', 'mpim_marked'].flatMap((kind) => {
    const sometimes = kind !== 'channel_marked';
    return [
      { of: [kind], at: '/has_unreads', why: `${OURS}: a client need not count`, sometimes },
      ...['num_mentions', 'num_mentions_display', 'mention_count', 'mention_count_display'].map((it) => ({ of: [kind], at: `/${it}`, why: 'what Slack sends its own client', sometimes })),
    ];
  }),
  { of: ['chat.postMessage'], at: '/message/blocks/[]', why: 'the sample has one kind of block; the types have all' },
  { of: ['chat.postMessage'], at: '/message/metadata/event_payload', why: 'what is in a payload is the sender\'s business' },
  { of: ['conversations.history'], at: '/messages/[]/metadata/event_payload', why: 'as in chat.postMessage' },
  { of: ['conversations.history', 'conversations.replies'], at: '/_p', why: `${OURS}: the position at which the page was read, when it is asked for` },
  { of: ['conversations.leave'], at: '/not_in_channel', why: SAMPLED },
  { of: ['dnd.teamInfo'], at: '/users', why: 'its keys are ids' },
  ...Object.keys(shape.sizes).flatMap((key) => [
    { of: FILE_ANSWERS, at: `/file/${key}`, why: NUMBERS, sometimes: true },
    { of: ['files.list'], at: `/files/[]/${key}`, why: NUMBERS, sometimes: true },
    { of: ['conversations.history', 'conversations.replies'], at: `/messages/[]/files/[]/${key}`, why: NUMBERS, sometimes: true },
  ]),
  { of: FILE_ANSWERS, at: '/file/shares', why: 'its keys are ids' },
  { of: ['files.completeUploadExternal', 'files.list'], at: '/files/[]/shares', why: 'its keys are ids' },
  { of: ['goodbye'], at: '/reconnect_ms', why: `${OURS}: in our own protocol`, sometimes: true },
  ...['heartbeat_ms', 'protocol', 'session'].map((it) => ({ of: ['hello'], at: `/${it}`, why: `${OURS}: in our own protocol` })),
  { of: ['pref_change', 'team_pref_change'], at: '/value', why: 'a preference has the type that it has; the sample has a string' },
];
