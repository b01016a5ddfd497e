/**
 * What the server says, as types: Slack's objects with the fields that this client reads, and the
 * frames of `docs/api/realtime.md`. Fields that the server may leave out are optional here.
 */

import type { SharedFile } from "./files";

/** A message id, `"1712345678.000200"`: microseconds since 1970, strictly increasing in a channel. */
export type Ts = string;

/** A topic: a channel (`C…`, `D…`), a person (`U…`) or the workspace (`T…`). */
export type TopicId = string;

/** `[generation, seq]` of a topic. */
export type Position = readonly [generation: number, seq: number];

export interface User {
  id: string;
  name: string;
  deleted?: boolean;
  real_name?: string;
  is_bot?: boolean;
  is_admin?: boolean;
  is_owner?: boolean;
  tz?: string;
  tz_label?: string;
  /** Seconds since 1970 of the last change. */
  updated?: number;
  profile?: {
    real_name?: string;
    display_name?: string;
    title?: string;
    email?: string;
    phone?: string;
    pronouns?: string;
    /** Without it the pictures are patterns that stand for nobody's photo. */
    is_custom_image?: boolean;
    image_48?: string;
    image_72?: string;
    image_192?: string;
    status_text?: string;
    status_emoji?: string;
    /** Seconds since 1970; 0: it stays. */
    status_expiration?: number;
  };
}

export interface Team {
  id: string;
  name: string;
  domain?: string;
  /** What the workspace decides for everybody. */
  prefs?: Record<string, unknown>;
}

export interface Channel {
  id: string;
  name?: string;
  is_channel?: boolean;
  is_group?: boolean;
  is_im?: boolean;
  is_mpim?: boolean;
  is_private?: boolean;
  is_archived?: boolean;
  is_general?: boolean;
  is_member?: boolean;
  /** False: the person has closed this DM. */
  is_open?: boolean;
  /** The other person of a DM. */
  user?: string;
  created?: number;
  creator?: string;
  num_members?: number;
  topic?: { value: string };
  purpose?: { value: string };
  last_read?: Ts;
  latest?: Ts | { ts: Ts } | null;
  has_unreads?: boolean;
  mention_count?: number;
}

/** A block of a message, as far as everybody has to know it. */
export interface Block {
  type: string;
  [key: string]: unknown;
}

export interface Reaction {
  name: string;
  count: number;
  users: string[];
}

export interface Message {
  type?: "message";
  subtype?: string;
  ts: Ts;
  user?: string;
  bot_id?: string;
  username?: string;
  text?: string;
  client_msg_id?: string;
  edited?: { user?: string; ts: Ts };
  reactions?: Reaction[];
  thread_ts?: Ts;
  parent_user_id?: string;
  reply_count?: number;
  reply_users?: string[];
  reply_users_count?: number;
  latest_reply?: Ts;
  hidden?: boolean;
  inviter?: string;
  root?: Message;
  bot_profile?: { name?: string };
  /** What apps send, as they sent it: read by `text/blocks.ts` and `text/attachments.ts`. */
  blocks?: unknown;
  attachments?: unknown;
  files?: SharedFile[];
  icons?: { emoji?: string };
  /** Channels that it is pinned to: its own, or none. */
  pinned_to?: string[];
  pinned_info?: { pinned_by?: string };
  topic?: string;
  purpose?: string;
  /** Of the notice that a channel has a new name. */
  name?: string;
  old_name?: string;
}

/** What an event carries beside Slack's fields. */
export interface EventPosition {
  t: TopicId;
  g: number;
  s: number;
  parent?: ThreadParent;
  channel?: { t: TopicId; g: number; s: number };
  /** How many are in the channel, on events of joining and leaving; absolute. */
  members?: number;
}

/** A thread's parent as an event left it; absolute. */
export interface ThreadParent {
  ts: Ts;
  reply_count?: number;
  reply_users?: string[];
  reply_users_count?: number;
  latest_reply?: Ts | null;
}

/** A Slack event object. `_p` is missing on signals. */
export interface WireEvent {
  type: string;
  subtype?: string;
  channel?: string | Channel;
  user?: string | User;
  ts?: Ts;
  event_ts?: Ts;
  _p?: EventPosition;
  [key: string]: unknown;
}

export interface PageFrame {
  type: "_page";
  t: TopicId;
  g: number;
  from: number;
  to: number;
  events: WireEvent[];
  more: boolean;
}

interface TopicFrame<T extends string> {
  type: T;
  t: TopicId;
  g: number;
  s: number;
}
export type LiveFrame = TopicFrame<"_live">;
export type ResetFrame = TopicFrame<"_reset">;
export type SkipFrame = TopicFrame<"_skip">;
export type HeadFrame = TopicFrame<"_head">;
export interface GoneFrame {
  type: "_gone";
  t: TopicId;
}

/** The frames that move a topic's position. */
export type TopicFrames = PageFrame | LiveFrame | ResetFrame | SkipFrame | HeadFrame | GoneFrame;

export interface HelloFrame {
  type: "hello";
  protocol: number;
  session: string;
  user: string;
  team: string;
  heartbeat_ms: number;
}
export interface PongFrame {
  type: "pong";
  reply_to: number;
}
export interface GoodbyeFrame {
  type: "goodbye";
  reconnect_ms?: number;
}

export interface Envelope {
  ok: boolean;
  error?: string;
  warning?: string;
  response_metadata?: { next_cursor?: string; messages?: string[] };
}

export interface Status extends Envelope {
  setup_required: boolean;
  version: string;
  teams?: Team[];
}

export interface Boot extends Envelope {
  self: User & { manual_presence?: "active" | "away" };
  team: Team;
  channels: Channel[];
  prefs?: Record<string, unknown>;
  dnd?: Dnd;
  threads?: { has_unreads: boolean; unread_count: number; mention_count: number };
  _p: Record<TopicId, Position>;
}

/** When somebody does not want to be disturbed; seconds since 1970. The snooze is told apart only to themselves. */
export interface Dnd {
  dnd_enabled: boolean;
  next_dnd_start_ts: number;
  next_dnd_end_ts: number;
  snooze_enabled?: boolean;
  snooze_endtime?: number;
}

/** Somebody's standing with a thread, as events of the personal topic tell it. */
export interface Subscription {
  channel: string;
  thread_ts: Ts;
  last_read: Ts;
  active: boolean;
}

/** A page of the followed threads, newest reply first. */
export interface ThreadsPage extends Envelope {
  threads: { root_msg: Message & { channel: string; subscribed: boolean; last_read: Ts }; latest_replies: Message[]; has_unreads: boolean }[];
  /** Threads with something unread, on all pages. */
  total_unread_replies: number;
  mention_count: number;
  has_more: boolean;
  max_ts?: Ts;
}

/** A message that mentions the reader. */
export interface MentionsPage extends Envelope {
  mentions: { channel: string; message: Message }[];
}

export interface ScheduledMessage {
  id: string;
  channel_id: string;
  /** Seconds since 1970. */
  post_at: number;
  date_created: number;
  text: string;
}

export interface HistoryPage extends Envelope {
  messages: Message[];
  has_more?: boolean;
  _p?: EventPosition;
}

/** A pin, as `pins.list` has it. */
export interface PinnedItem {
  created: number;
  created_by: string;
  message: Message;
}

/** Compares two message ids as times. Imported history may have fewer digits before the dot. */
export function compareTs(a: Ts, b: Ts): number {
  if (a === b) return 0;
  return a.length !== b.length ? a.length - b.length : a < b ? -1 : 1;
}

/** The later of two message ids. */
export function maxTs(a: Ts, b: Ts): Ts {
  return compareTs(a, b) >= 0 ? a : b;
}

/** Before every message. */
export const TS_ZERO: Ts = "0000000000.000000";

/** Milliseconds since 1970 of a message id. */
export function tsToMs(ts: Ts): number {
  return Number.parseFloat(ts) * 1000;
}
