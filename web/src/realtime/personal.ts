/**
 * What is the person's own and belongs to no conversation: preferences, do-not-disturb, followed threads. A part of the
 * state with the same rules: absolute values, applied in the order of the personal topic, each once.
 */
import type { Boot, Dnd, Message, Subscription, ThreadParent, ThreadsPage, Ts, WireEvent } from "../wire/types";
import { TS_ZERO, compareTs, maxTs } from "../wire/types";
import type { Effect } from "./events";

/** A thread that the person follows, or does not follow any more. */
export interface FollowedThread {
  channel: string;
  ts: Ts;
  active: boolean;
  lastRead: Ts;
  /** Newest reply. */
  latest: Ts;
  /** One's own newest reply that events told of, and when the cursor was last marked: of the two the later moved it. */
  ownTs: Ts;
  markTs: Ts;
  /** The parent; undefined until a page brought it. */
  root: Message | undefined;
  /** Newest replies, oldest first, as far as pages and events told of them. */
  replies: readonly Message[];
}

export interface Threads {
  followed: Readonly<Record<string, FollowedThread>>;
  /** A page has come. */
  loaded: boolean;
  /** There are followed threads beyond the page. */
  more: boolean;
  /** Unread threads that are not in `followed`. */
  elsewhere: number;
  /** Mentions in unread replies: as the server counted them, and those that events told of since. */
  mentions: number;
  /** Grows with each change that a page which is on its way may lack. */
  revision: number;
}

export interface Personal {
  /** Seq of the personal topic that is contained. */
  v: number;
  /** Preferences by name, as the server keeps them. */
  prefs: Readonly<Record<string, unknown>>;
  /** Do-not-disturb of people, as far as known; one's own always. */
  dnd: Readonly<Record<string, Dnd>>;
  threads: Threads;
  /** Whether people who are watched are there. */
  presence: Readonly<Record<string, "active" | "away">>;
  /** The person has said that they are away, whatever they do. */
  away: boolean;
}

export const initialPersonal: Personal = {
  v: 0,
  prefs: {},
  dnd: {},
  threads: { followed: {}, loaded: false, more: true, elsewhere: 0, mentions: 0, revision: 0 },
  presence: {},
  away: false,
};

/** Replies kept of each thread. */
const REPLIES_KEPT = 20;

/** What a device changes itself, or fetched. */
export type PersonalInput =
  /** Preferences that the person set here, shown at once. */
  | { type: "prefs"; prefs: Readonly<Record<string, unknown>> }
  | { type: "dnd"; dnd: Readonly<Record<string, Dnd>> }
  /** The newest page of followed threads; `revision`: that of the state when it was asked for. */
  | { type: "threads"; page: ThreadsPage; revision: number }
  /** A further page of them, older. */
  | { type: "older_threads"; page: ThreadsPage }
  /** One thread's standing, asked for because it is being looked at. */
  | { type: "subscription"; subscription: Subscription }
  /** Nobody tells any more who is there. */
  | { type: "presence_lost" }
  | { type: "away"; away: boolean }
  /** The person has read a thread up to here. */
  | { type: "guess_thread_read"; channel: string; thread: Ts; ts: Ts };

/** Whether a followed thread has replies after the last one read. */
export function threadUnread(thread: FollowedThread): boolean {
  return thread.active && compareTs(thread.latest, thread.lastRead) > 0;
}

const keyOf = (channel: string, ts: Ts) => `${channel}/${ts}`;

/** A snapshot of the personal topic at `uv`. */
export function bootPersonal(before: Personal, boot: Boot, uv: number, effects: Effect[]): Personal {
  const threads: Threads = { ...before.threads, revision: before.threads.revision + 1, mentions: boot.threads?.mention_count ?? 0, elsewhere: before.threads.loaded ? before.threads.elsewhere : (boot.threads?.unread_count ?? 0) };
  effects.push({ kind: "threads" });
  return {
    v: uv,
    prefs: boot.prefs ?? before.prefs,
    dnd: boot.dnd === undefined ? before.dnd : { ...before.dnd, [boot.self.id]: boot.dnd },
    threads,
    presence: before.presence,
    away: boot.self.manual_presence === "away",
  };
}

/** Somebody is there, or not any more: a signal, which is told again after a break. */
export function applyPresence(it: Personal, event: WireEvent): Personal {
  const users = Array.isArray(event["users"]) ? (event["users"] as string[]) : [event.user as string];
  const presence = event["presence"] === "active" ? ("active" as const) : ("away" as const);
  return { ...it, presence: { ...it.presence, ...Object.fromEntries(users.map((user) => [user, presence])) } };
}

export function applyPersonalInput(it: Personal, input: PersonalInput, effects: Effect[]): Personal {
  switch (input.type) {
    case "prefs":
      return { ...it, prefs: { ...it.prefs, ...input.prefs } };
    case "dnd":
      return { ...it, dnd: { ...it.dnd, ...input.dnd } };
    case "threads":
      // Something moved while the page was on its way: what it says of it may be older.
      if (input.revision !== it.threads.revision) {
        effects.push({ kind: "threads" });
        return it;
      }
      return { ...it, threads: withPage(it.threads, input.page) };
    case "older_threads":
      return { ...it, threads: withOlder(it.threads, input.page) };
    case "subscription":
      return { ...it, threads: subscribed(it.threads, input.subscription) };
    case "presence_lost":
      return { ...it, presence: {} };
    case "away":
      return { ...it, away: input.away };
    case "guess_thread_read":
      return { ...it, threads: edit(it.threads, keyOf(input.channel, input.thread), (thread) => ({ ...thread, lastRead: maxTs(thread.lastRead, input.ts) })) };
  }
}

/** Applies an event that is neither about a conversation nor about people. */
export function applyPersonalEvent(it: Personal, event: WireEvent, seq: number, self: string | undefined, effects: Effect[]): Personal {
  if (event.type === "dnd_updated_user") {
    // Of the workspace's topic; one's own times come with the personal one, and say more.
    const user = event.user as string;
    return user === self ? it : { ...it, dnd: { ...it.dnd, [user]: event["dnd_status"] as Dnd } };
  }
  if (!PERSONAL.has(event.type) || seq <= it.v) return it;
  const next = { ...it, v: seq };
  switch (event.type) {
    case "pref_change":
      return { ...next, prefs: { ...it.prefs, [event["name"] as string]: event["value"] } };
    case "manual_presence_change":
      return { ...next, away: event["presence"] === "away" };
    case "dnd_updated":
      return { ...next, dnd: { ...it.dnd, [event.user as string]: event["dnd_status"] as Dnd } };
    default: {
      // How many mentions are left is the server's to say, and so is a thread that is not known yet.
      effects.push({ kind: "threads" });
      return { ...next, threads: subscribed(it.threads, event["subscription"] as Subscription, event.event_ts) };
    }
  }
}

const PERSONAL = new Set(["pref_change", "manual_presence_change", "dnd_updated", "thread_subscribed", "thread_unsubscribed", "thread_marked"]);

/** What happens to a message, as the threads see it. */
export type ThreadChange = { kind: "new" | "changed"; message: Message } | { kind: "deleted"; ts: Ts };

/** A message of a channel came, changed or went. `parent`: its thread's, as the event left it. `calls`: it mentions the person. */
export function applyToThreads(it: Personal, channel: string, change: ThreadChange, parent: ThreadParent | undefined, own: boolean, calls: boolean, effects: Effect[]): Personal {
  const ts = change.kind === "deleted" ? undefined : change.message.thread_ts;
  const key = keyOf(channel, parent?.ts ?? ts ?? (change.kind === "deleted" ? change.ts : change.message.ts));
  const known = it.threads.followed[key];
  if (known === undefined) {
    // A thread beyond the page may be a followed one. Once is enough: from then on it is known, one way or the other.
    if (change.kind === "new" && parent !== undefined && it.threads.loaded && it.threads.more) {
      effects.push({ kind: "threads" });
      const unknown: FollowedThread = { channel, ts: parent.ts, active: false, lastRead: TS_ZERO, latest: parent.latest_reply ?? TS_ZERO, ownTs: TS_ZERO, markTs: TS_ZERO, root: undefined, replies: [] };
      return { ...it, threads: { ...it.threads, followed: { ...it.threads.followed, [key]: unknown } } };
    }
    return it;
  }
  const next = edit(it.threads, key, (thread) => changed(thread, change, parent, own));
  const counts = change.kind === "new" && calls && !own && known.active;
  const revision = change.kind === "new" ? next.revision + 1 : next.revision;
  return { ...it, threads: { ...next, revision, mentions: next.mentions + (counts ? 1 : 0) } };
}

function changed(thread: FollowedThread, change: ThreadChange, parent: ThreadParent | undefined, own: boolean): FollowedThread {
  const latest = parent === undefined ? thread.latest : (parent.latest_reply ?? TS_ZERO);
  const root = thread.root === undefined || parent === undefined ? thread.root : { ...thread.root, reply_count: parent.reply_count ?? 0 };
  if (change.kind === "deleted") {
    if (change.ts === thread.ts) return { ...thread, active: false };
    return { ...thread, root, latest, replies: thread.replies.filter((it) => it.ts !== change.ts) };
  }
  const { message } = change;
  if (message.ts === thread.ts) return root === undefined ? thread : { ...thread, root: { ...root, ...message } };
  const at = thread.replies.findIndex((it) => it.ts === message.ts);
  if (change.kind === "changed") {
    return at < 0 ? { ...thread, latest, root } : { ...thread, root, latest, replies: thread.replies.with(at, { ...thread.replies[at]!, ...message }) };
  }
  const replies = at < 0 ? [...thread.replies, message].sort((a, b) => compareTs(a.ts, b.ts)).slice(-REPLIES_KEPT) : thread.replies;
  if (!own) return { ...thread, root, latest, replies };
  const lastRead = compareTs(message.ts, thread.markTs) > 0 ? maxTs(thread.lastRead, message.ts) : thread.lastRead;
  return { ...thread, root, latest, replies, lastRead, ownTs: maxTs(thread.ownTs, message.ts) };
}

/** A followed thread as a page has it. */
export function threadOfPage(it: ThreadsPage["threads"][number]): FollowedThread {
  const { channel, last_read, subscribed: active, ...root } = it.root_msg;
  const newest = it.latest_replies[it.latest_replies.length - 1]?.ts ?? TS_ZERO;
  return { channel, ts: root.ts, active, lastRead: last_read, latest: maxTs(root.latest_reply ?? TS_ZERO, newest), ownTs: TS_ZERO, markTs: TS_ZERO, root, replies: it.latest_replies };
}

function withPage(threads: Threads, page: ThreadsPage): Threads {
  const followed: Record<string, FollowedThread> = { ...threads.followed };
  let unread = 0;
  for (const it of page.threads) {
    const thread = threadOfPage(it);
    const key = keyOf(thread.channel, thread.ts);
    // A reply that is being shown stays: the page has the newest few.
    const older = (followed[key]?.replies ?? []).filter((reply) => compareTs(reply.ts, thread.replies[0]?.ts ?? TS_ZERO) < 0);
    const { ownTs, markTs } = followed[key] ?? thread;
    followed[key] = { ...thread, ownTs, markTs, replies: [...older, ...thread.replies].slice(-REPLIES_KEPT) };
    if (it.has_unreads) unread++;
  }
  const listed = new Set(page.threads.map((it) => keyOf(it.root_msg.channel, it.root_msg.ts)));
  // Without a further page what is not listed is not followed, or is gone.
  if (!page.has_more) for (const [key, thread] of Object.entries(followed)) if (!listed.has(key) && thread.active) followed[key] = { ...thread, active: false };
  for (const [key, thread] of Object.entries(followed)) if (!listed.has(key) && threadUnread(thread)) unread++;
  return { ...threads, followed, loaded: true, more: page.has_more, elsewhere: Math.max(0, page.total_unread_replies - unread), mentions: page.mention_count };
}

/** Threads that were not known; what is known already is newer than the page. */
function withOlder(threads: Threads, page: ThreadsPage): Threads {
  const followed: Record<string, FollowedThread> = { ...threads.followed };
  let found = 0;
  for (const it of page.threads) {
    const thread = threadOfPage(it);
    const key = keyOf(thread.channel, thread.ts);
    if (followed[key]?.root !== undefined) continue;
    followed[key] = thread;
    if (it.has_unreads) found++;
  }
  return { ...threads, followed, elsewhere: Math.max(0, threads.elsewhere - found) };
}

/** `at`: when the server moved the cursor. A reply of one's own after that has moved it further, without an event. */
function subscribed(threads: Threads, { channel, thread_ts, last_read, active }: Subscription, at: Ts = TS_ZERO): Threads {
  const key = keyOf(channel, thread_ts);
  const known = threads.followed[key] ?? { channel, ts: thread_ts, lastRead: TS_ZERO, latest: TS_ZERO, ownTs: TS_ZERO, markTs: TS_ZERO, root: undefined, replies: [] };
  const lastRead = compareTs(known.ownTs, at) > 0 ? maxTs(known.lastRead, last_read) : last_read;
  return { ...threads, revision: threads.revision + 1, followed: { ...threads.followed, [key]: { ...known, active, lastRead, markTs: maxTs(known.markTs, at) } } };
}

function edit(threads: Threads, key: string, change: (thread: FollowedThread) => FollowedThread): Threads {
  const thread = threads.followed[key];
  return thread === undefined ? threads : { ...threads, followed: { ...threads.followed, [key]: change(thread) } };
}
