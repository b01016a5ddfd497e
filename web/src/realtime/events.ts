import type { SharedFile } from "../wire/files";
import type { Channel, Message, Position, Reaction, ThreadParent, Ts, User, WireEvent } from "../wire/types";
import { TS_ZERO, compareTs, maxTs } from "../wire/types";
import { change, put, remove } from "./log";
import type { Log } from "./log";
import { applyPersonalEvent, applyToThreads } from "./personal";
import type { ThreadChange } from "./personal";
import { COUNTED_MAX, channelOf, inChannel, isNotice, isReply, logKey } from "./state";
import type { Conversation, LogKey, State } from "./state";

/** What the outside has to do after a step. */
export type Effect =
  /** Ask for the events of a topic after `s`. */
  | { kind: "pull"; t: string; g: number; s: number }
  /** Call `client.userBoot`: what is known of the conversations is not enough. */
  | { kind: "boot" }
  /** Fetch somebody who is not known yet. */
  | { kind: "user"; id: string }
  /** Fetch the newest page of followed threads. */
  | { kind: "threads" }
  /** A channel's event was applied: it changes messages that are stored, too. */
  | { kind: "event"; event: WireEvent; s: number }
  /** Nothing of a channel's messages may be shown any more: they leave the store, too. */
  | { kind: "drop"; channel: string };

/**
 * Applies one event to everything it touches. Each part of the state knows the seq up to which it is
 * known and ignores what it already contains, so applying an event again, or after a snapshot that
 * contains it, changes nothing.
 */
export function applyEvent(state: State, event: WireEvent, seq: number, effects: Effect[]): State {
  switch (event.type) {
    case "message":
      return applyMessage(state, event, seq, effects);
    case "reaction_added":
    case "reaction_removed":
      return applyReaction(state, event, seq);
    case "pin_added":
    case "pin_removed":
      return applyPin(state, event, seq);
    case "channel_marked":
    case "group_marked":
    case "im_marked":
    case "mpim_marked":
      return applyMark(state, event, seq, effects);
    case "channel_joined":
    case "group_joined":
    case "mpim_joined":
    case "im_created":
      return applyJoined(state, event, seq, effects);
    case "channel_left":
    case "group_left":
      return applyLeft(state, event, effects);
    case "member_joined_channel":
    case "member_left_channel":
      return inConversation(state, event.channel, seq, (it) => countMembers(it, event._p?.members));
    case "im_open":
    case "mpim_open":
      return withChannel(state, event.channel, { is_open: true });
    case "im_close":
    case "mpim_close":
      return withChannel(state, event.channel, { is_open: false });
    case "team_join":
    case "user_change":
      return putUsers(state, [event.user as User]);
    case "file_change":
    case "file_created":
    case "file_shared":
    case "file_unshared":
    case "file_public":
    case "file_deleted":
      return applyFile(state, event, seq);
    case "team_pref_change":
      return state.team === undefined ? state : { ...state, team: { ...state.team, prefs: { ...state.team.prefs, [event["name"] as string]: event["value"] } } };
    default: {
      const personal = applyPersonalEvent(state.personal, event, seq, state.self?.id, effects);
      return personal === state.personal ? state : { ...state, personal };
    }
  }
}

/** Takes people in; of two versions the later change holds. */
export function putUsers(state: State, users: readonly User[]): State {
  const next: Record<string, User> = { ...state.users };
  let self = state.self;
  for (const user of users) {
    if (typeof user !== "object" || user === null) continue;
    const known = next[user.id];
    if (known !== undefined && (known.updated ?? 0) > (user.updated ?? 0)) continue;
    next[user.id] = user;
    if (self?.id === user.id) self = user;
  }
  return self === undefined ? { ...state, users: next } : { ...state, users: next, self };
}

/** A conversation as a snapshot at `v` (channel's topic) and `uv` (personal topic) has it. */
export function conversationOf(channel: Channel, v: number, uv: number): Conversation {
  const latest = typeof channel.latest === "object" ? (channel.latest?.ts ?? TS_ZERO) : (channel.latest ?? TS_ZERO);
  return {
    channel,
    v,
    uv,
    lastRead: channel.last_read ?? latest,
    latest,
    ownTs: TS_ZERO,
    markTs: TS_ZERO,
    deletedTs: TS_ZERO,
    counted: [],
    mentionsBase: channel.mention_count ?? 0,
    mentionsUpTo: latest,
    mentions: [],
    gone: false,
  };
}

function applyMessage(state: State, event: WireEvent, seq: number, effects: Effect[]): State {
  const channel = event.channel as string;
  const parent = event._p?.parent;
  let next = state;
  const told = threadChange(event);
  if (told !== undefined) {
    const self = state.self?.id;
    const message = told.kind === "deleted" ? undefined : told.message;
    const personal = applyToThreads(state.personal, channel, told, parent, message?.user !== undefined && message.user === self, self !== undefined && mentions(message?.text, self), effects);
    if (personal !== state.personal) next = { ...next, personal };
  }
  if (event.subtype === "message_changed") {
    const message = event.message as Message;
    next = mapLogs(next, channel, (log) => change(log, message.ts, seq, (old) => edited(old, message)));
    // A deleted parent stays as a tombstone, but it is nothing to read any more.
    next = inConversation(next, channel, seq, (it) => (message.subtype === "tombstone" ? uncount(it, message.ts, event.previous_message as Message | undefined, event, state, effects) : it));
  } else if (event.subtype === "message_deleted") {
    const ts = (event.deleted_ts ?? (event.previous_message as Message | undefined)?.ts) as Ts;
    const previous = event.previous_message as Message | undefined;
    next = mapLogs(next, channel, (log) => remove(log, ts, seq));
    next = unsend(next, channel, ts);
    next = inConversation(next, channel, seq, (it) => uncount(it, ts, previous, event, next, effects));
  } else if (event.subtype !== "message_replied") {
    next = applyNew(next, channel, named(next, channel, messageOf(event)), seq, effects);
  }
  return parent === undefined ? next : applyParent(next, channel, parent, seq);
}

/** What a message event changes in a thread; undefined: nothing. */
function threadChange(event: WireEvent): ThreadChange | undefined {
  if (event.subtype === "message_changed") return { kind: "changed", message: event.message as Message };
  if (event.subtype === "message_deleted") return { kind: "deleted", ts: (event.deleted_ts ?? (event.previous_message as Message | undefined)?.ts) as Ts };
  return event.subtype === "message_replied" ? undefined : { kind: "new", message: messageOf(event) };
}

function applyNew(state: State, channel: string, message: Message, seq: number, effects: Effect[]): State {
  let next = state;
  if (inChannel(message)) next = mapLog(next, channel, (log) => put(log, message, seq));
  if (message.thread_ts !== undefined) {
    next = mapLog(next, logKey(channel, message.thread_ts), (log) => put(log, message, seq));
  }
  if (message.user !== undefined && next.users[message.user] === undefined) effects.push({ kind: "user", id: message.user });
  next = settle(next, channel, message);
  next = quiet(next, channel, message);
  return inConversation(next, channel, seq, (it) => count(it, message, state));
}

/** A file is another one now, for instance because its thumbnails have come: in every message that has it. */
function applyFile(state: State, event: WireEvent, seq: number): State {
  const next = { ...state, fileChanges: (state.fileChanges ?? 0) + 1 };
  const file = (event._p as { file?: SharedFile } | undefined)?.file;
  const channel = event._p?.t;
  if (event.type !== "file_change" || file === undefined || channel === undefined) return next;
  const shown = mapLogs(next, channel, (log) =>
    log.rows.reduce((all, { message }) => (message.files?.some((it) => it.id === file.id) ? change(all, message.ts, seq, (old) => ({ ...old, files: old.files!.map((it) => (it.id === file.id ? file : it)) })) : all), log),
  );
  return inConversation(shown, channel, seq, (it) => it);
}

/** One's own message with files as it was sent: the server knows it by its files only, the list by the id that it was given here. */
function named(state: State, channel: string, message: Message): Message {
  const { files } = message;
  if (files === undefined || message.client_msg_id !== undefined || message.user !== state.self?.id) return message;
  const sent = state.pending[logKey(channel, isReply(message) ? message.thread_ts : undefined)]?.find((it) => it.files?.some((id) => files.some((file) => file.id === id)));
  return sent === undefined ? message : { ...message, client_msg_id: sent.id };
}

/** Forgets what was waiting for exactly this message. */
export function settle(state: State, channel: string, echo: Message): State {
  const message = named(state, channel, echo);
  if (message.client_msg_id === undefined || message.user !== state.self?.id) return state;
  const key = logKey(channel, isReply(message) ? message.thread_ts : undefined);
  const pending = state.pending[key];
  if (pending === undefined || !pending.some((it) => it.id === message.client_msg_id)) return state;
  return { ...state, pending: { ...state.pending, [key]: pending.filter((it) => it.id !== message.client_msg_id) } };
}

/** Forgets what was sent and deleted again before its echo came. */
function unsend(state: State, channel: string, ts: Ts): State {
  const touched = Object.entries(state.pending).filter(([key, list]) => channelOf(key) === channel && list.some((it) => it.ts === ts));
  if (touched.length === 0) return state;
  return { ...state, pending: { ...state.pending, ...Object.fromEntries(touched.map(([key, list]) => [key, list.filter((it) => it.ts !== ts)])) } };
}

/** Who has posted does not type any more. */
function quiet(state: State, channel: string, message: Message): State {
  const key = logKey(channel, isReply(message) ? message.thread_ts : undefined);
  const typing = state.typing[key];
  if (message.user === undefined || typing?.[message.user] === undefined) return state;
  const { [message.user]: _, ...rest } = typing;
  return { ...state, typing: { ...state.typing, [key]: rest } };
}

/** A message event without what belongs to the envelope. */
function messageOf(event: WireEvent): Message {
  const { _p, channel: _c, event_ts: _e, channel_type: _t, team: _w, ...message } = event;
  return message as unknown as Message;
}

/** The content of `message`, which is told whole; what is none of it (thread, reactions) stays. */
function edited(old: Message, message: Message): Message {
  if (message.subtype === "tombstone") return { ...keepThread(old), ...message };
  const { edited: _edited, text: _text, blocks: _blocks, attachments: _attachments, ...rest } = old;
  return { ...rest, ...message };
}

function keepThread(old: Message): Partial<Message> {
  const { reply_count, reply_users, reply_users_count, latest_reply, thread_ts } = old;
  return JSON.parse(JSON.stringify({ reply_count, reply_users, reply_users_count, latest_reply, thread_ts })) as Partial<Message>;
}

function applyParent(state: State, channel: string, parent: ThreadParent, seq: number): State {
  return mapLogs(state, channel, (log) =>
    change(log, parent.ts, seq, (message) => {
      const { reply_count: _a, reply_users: _b, reply_users_count: _c, latest_reply: _d, ...rest } = message;
      if (!parent.reply_count) return rest;
      const { latest_reply, ...counts } = parent;
      return { ...rest, thread_ts: parent.ts, ...counts, ...(latest_reply ? { latest_reply } : {}) };
    }),
  );
}

function applyReaction(state: State, event: WireEvent, seq: number): State {
  const item = event.item as { channel?: string; ts?: Ts } | undefined;
  if (item?.channel === undefined || item.ts === undefined) return state;
  const name = event.reaction as string;
  const user = event.user as string;
  const added = event.type === "reaction_added";
  const next = mapLogs(state, item.channel, (log) => change(log, item.ts!, seq, (message) => reacted(message, name, user, added)));
  return inConversation(next, item.channel, seq, (it) => it);
}

function applyPin(state: State, event: WireEvent, seq: number): State {
  const channel = event.channel_id as string | undefined;
  const ts = (event.item as { message?: { ts?: Ts } } | undefined)?.message?.ts;
  if (channel === undefined || ts === undefined) return state;
  const next = mapLogs(state, channel, (log) => change(log, ts, seq, (message) => pinned(message, channel, event.type === "pin_added" ? pinOf(event) : undefined)));
  return inConversation(next, channel, seq, (it) => it);
}

/** Who pinned it, and when, as the message itself has it. */
function pinOf(event: WireEvent): NonNullable<Message["pinned_info"]> {
  const { message } = (event.item ?? {}) as { message?: Message };
  return message?.pinned_info ?? (event.pinned_info as Message["pinned_info"]) ?? {};
}

/** A message with a pin, or without. */
export function pinned(message: Message, channel: string, pin: Message["pinned_info"]): Message {
  const { pinned_to: _, pinned_info: _i, ...rest } = message;
  return pin === undefined ? rest : { ...rest, pinned_to: [channel], pinned_info: pin };
}

/** A message with or without one person's emoji. Adding twice is adding once. */
export function reacted(message: Message, name: string, user: string, added: boolean): Message {
  const reactions = message.reactions ?? [];
  const existing = reactions.find((it) => it.name === name);
  if ((existing?.users.includes(user) ?? false) === added) return message;
  let next: Reaction[];
  if (added) {
    next = existing
      ? reactions.map((it) => (it === existing ? { ...it, count: it.count + 1, users: [...it.users, user] } : it))
      : [...reactions, { name, count: 1, users: [user] }];
  } else {
    next = reactions
      .map((it) => (it === existing ? { ...it, count: it.count - 1, users: it.users.filter((other) => other !== user) } : it))
      .filter((it) => it.count > 0);
  }
  const { reactions: _, ...rest } = message;
  return next.length > 0 ? { ...rest, reactions: next } : rest;
}

/** Whether a text calls this person: by name, or everybody in the channel. */
export function mentions(text: string | undefined, self: string): boolean {
  return text !== undefined && (text.includes(`<@${self}>`) || text.includes(`<@${self}|`) || /<!(channel|here|everyone)(\||>)/.test(text));
}

function count(it: Conversation, message: Message, state: State): Conversation {
  const self = state.self?.id;
  const ts = message.ts;
  const own = message.user !== undefined && message.user === self;
  const counts = inChannel(message) && !isNotice(message);
  const next: Conversation = { ...it, channel: described(it.channel, message) };
  if (counts) {
    next.latest = maxTs(it.latest, ts);
    next.counted = [...it.counted, ts].slice(-COUNTED_MAX);
  }
  if (own && counts) {
    next.ownTs = maxTs(it.ownTs, ts);
    return compareTs(ts, it.markTs) > 0 ? readUpTo(next, maxTs(it.lastRead, ts), undefined) : next;
  }
  // Mentions in replies that the channel does not show are the thread's.
  if (!own && inChannel(message) && self !== undefined && mentions(message.text, self) && compareTs(ts, it.lastRead) > 0 && compareTs(ts, it.mentionsUpTo) > 0) {
    next.mentions = [...it.mentions, ts];
  }
  return next;
}

/**
 * The channel with what a notice tells of. Events of the workspace tell it too, but only the channel's own topic has it in
 * the order in which it happened.
 */
function described(channel: Channel, message: Message): Channel {
  const { topic, purpose, name } = message as { topic?: unknown; purpose?: unknown; name?: unknown };
  switch (message.subtype) {
    case "channel_convert_to_public":
      return { ...channel, is_private: false };
    case "channel_convert_to_private":
      return { ...channel, is_private: true };
    case "channel_archive":
      return { ...channel, is_archived: true };
    case "channel_unarchive":
      return { ...channel, is_archived: false };
    case "channel_name":
      return typeof name === "string" ? { ...channel, name } : channel;
  }
  if (message.subtype?.endsWith("_topic") && typeof topic === "string") return { ...channel, topic: { value: topic } };
  if (message.subtype?.endsWith("_purpose") && typeof purpose === "string") return { ...channel, purpose: { value: purpose } };
  return channel;
}

function uncount(it: Conversation, ts: Ts, previous: Message | undefined, event: WireEvent, state: State, effects: Effect[]): Conversation {
  const next: Conversation = {
    ...it,
    counted: it.counted.filter((other) => other !== ts),
    mentions: it.mentions.filter((other) => other !== ts),
    deletedTs: maxTs(it.deletedTs, event.event_ts ?? ts),
  };
  const unread = compareTs(ts, it.lastRead) > 0;
  const self = state.self?.id;
  const counted = compareTs(ts, it.mentionsUpTo) <= 0 && compareTs(event.event_ts ?? ts, it.mentionsUpTo) > 0;
  if (unread && it.mentionsBase > 0 && counted) {
    if (previous === undefined) effects.push({ kind: "boot" });
    else if (inChannel(previous) && self !== undefined && mentions(previous.text, self)) next.mentionsBase = it.mentionsBase - 1;
  }
  if (ts !== it.latest) return next;
  const newest = next.counted[next.counted.length - 1];
  if (newest !== undefined) next.latest = newest;
  // What is the newest now is not known, only that it was read.
  else if (!unread) next.latest = TS_ZERO;
  else effects.push({ kind: "boot" });
  return next;
}

function applyMark(state: State, event: WireEvent, seq: number, effects: Effect[]): State {
  const id = event.channel as string;
  const it = state.conversations[id];
  if (it === undefined || it.uv >= seq) return state;
  const ts = event.ts as Ts;
  // One's own post moves the cursor without an event of its own: an earlier mark that arrives later does not take it back.
  const at = (event.event_ts as Ts | undefined) ?? ts;
  const stands = compareTs(at, it.ownTs) > 0 || compareTs(ts, it.lastRead) >= 0;
  const left = event.mention_count as number | undefined;
  const next = stands ? readUpTo(it, ts, left === undefined ? undefined : { left, at }) : it;
  // Something is unread that this device does not know of.
  if (stands && event.has_unreads === true && compareTs(it.latest, ts) <= 0) effects.push({ kind: "boot" });
  if (stands && left !== undefined && left > 0 && compareTs(it.deletedTs, at) > 0) effects.push({ kind: "boot" });
  return putConversation(state, { ...next, uv: seq, markTs: maxTs(it.markTs, at) });
}

/** Moves the read cursor. `counted`: how many mentions are after it, as the server counted at that moment. */
export function readUpTo(it: Conversation, ts: Ts, counted: { left: number; at: Ts } | undefined): Conversation {
  if (counted !== undefined) {
    const since = it.mentions.filter((other) => compareTs(other, counted.at) > 0);
    return { ...it, lastRead: ts, mentions: since, mentionsBase: counted.left, mentionsUpTo: maxTs(it.mentionsUpTo, counted.at) };
  }
  const all = compareTs(ts, it.mentionsUpTo) >= 0 || compareTs(ts, it.latest) >= 0;
  return { ...it, lastRead: ts, mentions: it.mentions.filter((other) => compareTs(other, ts) > 0), mentionsBase: all ? 0 : it.mentionsBase };
}

function applyJoined(state: State, event: WireEvent, seq: number, effects: Effect[]): State {
  const channel = event.channel as Channel;
  if (typeof channel !== "object") return state;
  const at = event._p?.channel;
  const member = at === undefined ? undefined : passMembership(state, channel.id, [at.g, at.s]);
  if (at !== undefined && member === undefined) return state;
  const known = state.conversations[channel.id];
  // The channel's events came first, and nobody kept what they said about it.
  const ahead = at !== undefined && (state.topics[channel.id]?.s ?? 0) > at.s;
  if (known === undefined && ahead) effects.push({ kind: "boot" });
  const conversation: Conversation = known
    ? { ...known, channel: { ...known.channel, ...channel }, uv: seq, gone: false }
    : conversationOf({ ...channel, is_member: true }, at?.s ?? 0, seq);
  const topics =
    at === undefined || state.topics[channel.id] !== undefined
      ? state.topics
      : { ...state.topics, [channel.id]: { g: at.g, s: at.s, pulling: false, holds: 0, recent: [] } };
  return { ...putConversation(state, conversation), topics, memberships: member ?? state.memberships };
}

function applyLeft(state: State, event: WireEvent, effects: Effect[]): State {
  const id = typeof event.channel === "object" ? event.channel.id : event.channel!;
  const at = event._p?.channel;
  const member = at === undefined ? state.memberships : passMembership(state, id, [at.g, at.s]);
  if (member === undefined) return state;
  effects.push({ kind: "drop", channel: id });
  return { ...forget(state, id), memberships: member };
}

/** The memberships with a change at this position, unless a later one is known. */
function passMembership(state: State, channel: string, [g, s]: Position): State["memberships"] | undefined {
  const known = state.memberships[channel];
  if (known !== undefined && (known.g > g || (known.g === g && known.s >= s))) return undefined;
  return { ...state.memberships, [channel]: { g, s } };
}

/** A state without a conversation and all that was in it. */
export function forget(state: State, channel: string): State {
  const { [channel]: _, ...conversations } = state.conversations;
  const logs = Object.fromEntries(Object.entries(state.logs).filter(([key]) => channelOf(key) !== channel));
  return { ...state, conversations, logs };
}

function countMembers(it: Conversation, members: number | undefined): Conversation {
  if (members === undefined || it.channel.num_members === undefined) return it;
  return { ...it, channel: { ...it.channel, num_members: members } };
}

function withChannel(state: State, channel: WireEvent["channel"], fields: Partial<Channel>): State {
  const id = typeof channel === "object" ? channel.id : channel;
  const it = id === undefined ? undefined : state.conversations[id];
  return it === undefined ? state : putConversation(state, { ...it, channel: { ...it.channel, ...fields } });
}

/** Changes a conversation by an event of its own topic, once. */
function inConversation(state: State, channel: WireEvent["channel"], seq: number, edit: (it: Conversation) => Conversation): State {
  const it = typeof channel === "string" ? state.conversations[channel] : undefined;
  if (it === undefined || it.v >= seq) return state;
  return putConversation(state, { ...edit(it), v: seq });
}

export function putConversation(state: State, it: Conversation): State {
  return { ...state, conversations: { ...state.conversations, [it.channel.id]: it } };
}

/** Changes one log, if it exists. */
export function mapLog(state: State, key: LogKey, edit: (log: Log) => Log): State {
  const log = state.logs[key];
  if (log === undefined) return state;
  const next = edit(log);
  return next === log ? state : { ...state, logs: { ...state.logs, [key]: next } };
}

/** Changes a channel's log and those of its threads. */
export function mapLogs(state: State, channel: string, edit: (log: Log) => Log): State {
  let next = state;
  for (const key of Object.keys(state.logs)) if (channelOf(key) === channel) next = mapLog(next, key, edit);
  return next;
}
