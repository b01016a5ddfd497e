import type { Block, Channel, Message, Team, TopicId, Ts, User, WireEvent } from "../wire/types";
import { compareTs } from "../wire/types";
import type { Log } from "./log";
import { initialPersonal } from "./personal";
import type { Personal } from "./personal";

/** Where messages are shown: a channel (`"C1"`) or a thread in it (`"C1/1712345678.000200"`). */
export type LogKey = string;

/** The log of a channel, or of a thread in it. */
export function logKey(channel: string, thread?: Ts): LogKey {
  return thread === undefined ? channel : `${channel}/${thread}`;
}

/** The channel of a log. */
export function channelOf(key: LogKey): string {
  const slash = key.indexOf("/");
  return slash < 0 ? key : key.slice(0, slash);
}

/** The thread of a log; undefined for a channel's own. */
export function threadOf(key: LogKey): Ts | undefined {
  const slash = key.indexOf("/");
  return slash < 0 ? undefined : key.slice(slash + 1);
}

/** How far this client has applied a topic. */
export interface TopicState {
  /** Generation. */
  g: number;
  /** Seq of the last event applied. */
  s: number;
  /** A pull was asked for and its `_live` has not come. */
  pulling: boolean;
  /** Snapshots of this topic that are being fetched. */
  holds: number;
  /** Events applied while a snapshot was being fetched: they are applied to it again when it comes. */
  recent: readonly WireEvent[];
}

/** One conversation in the list. Derived from the boot snapshot, then from events of two topics. */
export interface Conversation {
  channel: Channel;
  /** Seq of the channel's topic that is contained. */
  v: number;
  /** Seq of the personal topic that is contained. */
  uv: number;
  /** Read up to here. */
  lastRead: Ts;
  /** Newest message that counts as unread. */
  latest: Ts;
  /** Own newest message that events told of, and when the newest mark was made: of the two the later moved the cursor. */
  ownTs: Ts;
  markTs: Ts;
  /** When the last deletion that events told of happened: a count that is older may contain what is gone. */
  deletedTs: Ts;
  /** Messages that count, as far as events told of them. Newest last, at most `COUNTED_MAX`. */
  counted: readonly Ts[];
  /** Mentions after `lastRead`, as the server counted them when `mentionsUpTo` was the newest there could be. */
  mentionsBase: number;
  mentionsUpTo: Ts;
  /** Mentions that events told of since. */
  mentions: readonly Ts[];
  /** Access was lost; the entry waits for `channel_left`, or for the channel to come alive again. */
  gone: boolean;
}

/** Messages remembered per channel to recompute `latest` after a deletion. */
export const COUNTED_MAX = 200;

/** A message of one's own that the server has not confirmed to this view. */
export interface Pending {
  /** `client_msg_id`. */
  id: string;
  channel: string;
  thread?: Ts;
  text: string;
  /** Its formatting, when the text does not say all of it. */
  blocks?: Block[];
  /** A reply that its channel shows too. */
  broadcast?: true;
  /** Milliseconds since 1970. */
  created: number;
  /** It has files: `files/uploads.ts` sees to it, in no order with the others. Their ids, as far as the server has given some. */
  files?: readonly string[];
  /** `uploading`: with its files on its way. `sending`: on its way. `waiting`: no network, tried again by itself. `sent`: has a `ts`, its echo is due. */
  status: "uploading" | "sending" | "waiting" | "sent" | "failed";
  /** Why it failed: an error code. */
  error?: string;
  /** Whether the failure was the server's clear refusal (nothing was posted). */
  refused?: boolean;
  ts?: Ts;
}

/** Everything that a device knows about its workspace. Immutable: `apply` makes the next one. */
export interface State {
  booted: boolean;
  /** When the last boot snapshot came, milliseconds since 1970. */
  bootedAt: number;
  /** What is known of the conversations is not enough: a boot snapshot is needed. */
  bootDue: boolean;
  /** The list of people was read to its end. */
  peopleKnown: boolean;
  self?: User;
  team?: Team;
  users: Readonly<Record<string, User>>;
  conversations: Readonly<Record<string, Conversation>>;
  /** Position in a channel of the last own join or leave: the higher one holds. */
  memberships: Readonly<Record<string, { g: number; s: number }>>;
  topics: Readonly<Record<TopicId, TopicState>>;
  logs: Readonly<Record<LogKey, Log>>;
  /** Snapshots that are being fetched, whether the last one failed, and if the server refused it, how. */
  loads: Readonly<Record<LogKey, { busy: number; failed: boolean; refused?: string }>>;
  pending: Readonly<Record<LogKey, readonly Pending[]>>;
  /** Who types where, until when (milliseconds since 1970). */
  typing: Readonly<Record<LogKey, Readonly<Record<string, number>>>>;
  /** Preferences, do-not-disturb, followed threads. */
  personal: Personal;
  /** Grows with each event about files: lists of them are to be read again. */
  fileChanges: number;
}

export const initialState: State = {
  booted: false,
  bootedAt: 0,
  bootDue: false,
  peopleKnown: false,
  users: {},
  conversations: {},
  memberships: {},
  topics: {},
  logs: {},
  loads: {},
  pending: {},
  typing: {},
  personal: initialPersonal,
  fileChanges: 0,
};

/** Messages are unread. */
export function hasUnreads(conversation: Conversation): boolean {
  return compareTs(conversation.latest, conversation.lastRead) > 0;
}

/** Mentions of this person after the last one read. */
export function mentionCount(conversation: Conversation): number {
  return conversation.mentionsBase + conversation.mentions.length;
}

/** Notices of joins and the like: shown small, and they make nothing unread. */
const NOTICES = new Set([
  "channel_join",
  "channel_leave",
  "channel_topic",
  "channel_purpose",
  "channel_name",
  "channel_archive",
  "channel_unarchive",
  "channel_convert_to_private",
  "channel_convert_to_public",
  "group_join",
  "group_leave",
  "group_topic",
  "group_purpose",
  "group_archive",
]);

/** Whether a message only reports a change of the channel. */
export function isNotice(message: Message): boolean {
  return message.subtype !== undefined && NOTICES.has(message.subtype);
}

/** Whether a message is a reply in a thread (and not its parent). */
export function isReply(message: Message): boolean {
  return message.thread_ts !== undefined && message.thread_ts !== message.ts;
}

/** Whether a message is shown in the channel itself, and so counts as unread there. */
export function inChannel(message: Message): boolean {
  return !isReply(message) || message.subtype === "thread_broadcast";
}
