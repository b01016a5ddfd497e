/**
 * A workspace in memory that speaks `docs/api/realtime.md`: the oracle of the reducer's property
 * tests. One place decides order; nothing is stored. Not a model of permissions or errors.
 */
import type { Boot, Channel, EventPosition, HistoryPage, Message, PageFrame, Position, TopicFrames, Ts, User, WireEvent } from "../wire/types";
import { TS_ZERO, compareTs } from "../wire/types";

type Kind =
  | { kind: "message" | "changed"; ts: Ts; parent?: Ts }
  | { kind: "deleted"; ts: Ts; thread?: Ts; parent?: Ts }
  | { kind: "reaction"; ts: Ts; name: string; user: string; added: boolean }
  | { kind: "pin"; ts: Ts; user: string }
  | { kind: "fixed"; event: WireEvent };

interface Logged {
  kind: Kind;
  at: Ts;
  audience?: string;
}

interface FakeChannel {
  channel: Channel;
  members: Set<string>;
  messages: Map<Ts, Message>;
  lastRead: Map<string, Ts>;
}

export type Listener = (topic: string, frame: WireEvent | TopicFrames) => void;

const clone = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

export class FakeWorkspace {
  readonly team = { id: "T0000000DEMO", name: "Harbour Works", domain: "harbour" };
  readonly users = new Map<string, User>();
  readonly channels = new Map<string, FakeChannel>();
  readonly keys = new Map<string, Ts>();
  private readonly topics = new Map<string, Logged[]>();
  private readonly listeners = new Map<string, Set<Listener>>();
  private last = 0n;

  /** `clock`: microseconds since 1970; ts are later than all before. */
  constructor(private readonly clock: () => bigint) {}

  addUser(user: User): void {
    this.users.set(user.id, user);
  }

  addChannel(channel: Channel, members: string[]): void {
    this.channels.set(channel.id, { channel, members: new Set(members), messages: new Map(), lastRead: new Map() });
    for (const user of members) this.log(user, { kind: "fixed", event: { type: "channel_joined", channel: this.conversation(user, channel.id) } });
  }

  listen(user: string, listener: Listener): () => void {
    const set = this.listeners.get(user) ?? new Set();
    this.listeners.set(user, set);
    set.add(listener);
    return () => set.delete(listener);
  }

  post(channel: string, user: string, text: string, more: { thread_ts?: Ts; client_msg_id?: string; broadcast?: boolean; at?: bigint } = {}): Message {
    const key = more.client_msg_id ? `${channel}/${user}/${more.client_msg_id}` : undefined;
    const earlier = key ? this.keys.get(key) : undefined;
    if (earlier !== undefined) return clone(this.channel(channel).messages.get(earlier) ?? ({ ts: earlier } as Message));
    const ts = this.next(more.at);
    const message: Message = { type: "message", user, text, ts };
    if (more.client_msg_id) message.client_msg_id = more.client_msg_id;
    if (more.thread_ts) {
      message.thread_ts = more.thread_ts;
      if (more.broadcast) message.subtype = "thread_broadcast";
    }
    if (key) this.keys.set(key, ts);
    const its = this.channel(channel);
    its.messages.set(ts, message);
    if (!more.thread_ts || more.broadcast) its.lastRead.set(user, ts);
    if (more.thread_ts) this.recount(channel, more.thread_ts);
    this.log(channel, { kind: "message", ts, ...(more.thread_ts ? { parent: more.thread_ts } : {}) }, ts);
    return clone(message);
  }

  update(channel: string, ts: Ts, text: string, blocks?: unknown[]): void {
    const message = this.channel(channel).messages.get(ts);
    if (!message || message.subtype === "tombstone") return;
    const at = this.next();
    const { blocks: had, ...bare } = message;
    const has = blocks ?? had;
    this.channel(channel).messages.set(ts, { ...bare, text, ...(Array.isArray(has) && has.length > 0 ? { blocks: has } : {}), edited: { user: message.user!, ts: at } });
    this.log(channel, { kind: "changed", ts }, at);
  }

  delete(channel: string, ts: Ts): void {
    const its = this.channel(channel);
    const message = its.messages.get(ts);
    if (!message || message.subtype === "tombstone") return;
    if (message.reply_count) {
      const { text: _, reactions: _r, edited: _e, pinned_to: _p, pinned_info: _i, ...rest } = message;
      its.messages.set(ts, { ...rest, subtype: "tombstone", text: "This message was deleted." });
      this.log(channel, { kind: "changed", ts });
      return;
    }
    its.messages.delete(ts);
    const thread = message.thread_ts !== ts ? message.thread_ts : undefined;
    if (thread) this.recount(channel, thread);
    this.log(channel, { kind: "deleted", ts, ...(thread ? { thread, parent: thread } : {}) });
  }

  react(channel: string, ts: Ts, user: string, name: string, added: boolean): void {
    const message = this.channel(channel).messages.get(ts);
    if (!message || message.subtype === "tombstone") return;
    const reactions = clone(message.reactions ?? []);
    const it = reactions.find((other) => other.name === name);
    if ((it?.users.includes(user) ?? false) === added) return;
    if (!added) it!.users = it!.users.filter((other) => other !== user);
    else if (it) it.users.push(user);
    else reactions.push({ name, users: [user], count: 1 });
    for (const other of reactions) other.count = other.users.length;
    const left = reactions.filter((other) => other.count > 0);
    const { reactions: _, ...rest } = message;
    this.channel(channel).messages.set(ts, left.length ? { ...rest, reactions: left } : rest);
    this.log(channel, { kind: "reaction", ts, name, user, added });
  }

  pin(channel: string, ts: Ts, user: string, on: boolean): void {
    const message = this.channel(channel).messages.get(ts);
    if (!message || message.subtype === "tombstone" || (message.pinned_to !== undefined) === on) return;
    const { pinned_to: _, pinned_info: _i, ...rest } = message;
    this.channel(channel).messages.set(ts, on ? { ...rest, pinned_to: [channel], pinned_info: { pinned_by: user } } : rest);
    this.log(channel, { kind: "pin", ts, user });
  }

  mark(channel: string, user: string, ts: Ts): void {
    this.channel(channel).lastRead.set(user, ts);
    const { mention_count, has_unreads } = this.conversation(user, channel);
    this.log(user, { kind: "fixed", event: { type: "channel_marked", channel, ts, mention_count, has_unreads } });
  }

  head(topic: string): number {
    return this.topics.get(topic)?.length ?? 0;
  }

  boot(user: string): Boot {
    const channels = [...this.channels].filter(([, it]) => it.members.has(user)).map(([id]) => this.conversation(user, id));
    const _p: Record<string, Position> = {};
    for (const t of [user, this.team.id, ...channels.map((it) => it.id)]) _p[t] = [1, this.head(t)];
    return clone({ ok: true, self: this.users.get(user)!, team: this.team, channels, _p });
  }

  /** Newest first, like Slack. With `oldest` and no `latest`, the messages next to `oldest`. */
  history(channel: string, args: { latest?: Ts; oldest?: Ts; inclusive?: boolean; limit: number }): HistoryPage {
    const all = this.inOrder(channel).filter((it) => !it.thread_ts || it.thread_ts === it.ts || it.subtype === "thread_broadcast");
    const least = args.inclusive ? 0 : 1;
    const range = all.filter(
      (it) => (!args.latest || compareTs(args.latest, it.ts) >= least) && (!args.oldest || compareTs(it.ts, args.oldest) >= least),
    );
    const forward = args.oldest !== undefined && args.latest === undefined;
    const messages = forward ? range.slice(0, args.limit) : range.slice(-args.limit);
    return clone({ ok: true, messages: messages.reverse(), has_more: range.length > args.limit, _p: { t: channel, g: 1, s: this.head(channel) } });
  }

  replies(channel: string, ts: Ts): HistoryPage {
    const messages = this.inOrder(channel).filter((it) => it.ts === ts || it.thread_ts === ts);
    return clone({ ok: true, messages, has_more: false, _p: { t: channel, g: 1, s: this.head(channel) } });
  }

  /** The answer to `pull`, and to one topic of `resume`. */
  catchUp(user: string, t: string, [g, s]: Position, size = 3): TopicFrames[] {
    const head = this.head(t);
    const visible = t === user || t === this.team.id || this.channels.get(t)?.members.has(user);
    if (!visible) return [{ type: "_gone", t }];
    if (g !== 1 || s > head) return [{ type: "_reset", t, g: 1, s: head }];
    const frames: TopicFrames[] = [];
    for (let from = s; from < head; from += size) {
      const to = Math.min(head, from + size);
      const events: WireEvent[] = [];
      for (let seq = from + 1; seq <= to; seq++) {
        const event = this.render(t, seq, true);
        if (event) events.push(event);
      }
      frames.push({ type: "_page", t, g: 1, from, to, events, more: to < head } satisfies PageFrame);
    }
    return [...frames, { type: "_live", t, g: 1, s: head }];
  }

  conversation(user: string, id: string): Channel {
    const its = this.channel(id);
    const lastRead = its.lastRead.get(user) ?? TS_ZERO;
    const counting = this.inOrder(id).filter((it) => (!it.thread_ts || it.thread_ts === it.ts || it.subtype === "thread_broadcast") && it.subtype !== "tombstone");
    const latest = counting[counting.length - 1]?.ts ?? TS_ZERO;
    const mention_count = counting.filter((it) => compareTs(it.ts, lastRead) > 0 && it.user !== user && it.text?.includes(`<@${user}>`)).length;
    const other = [...its.members].find((member) => member !== user);
    return { ...its.channel, ...(its.channel.is_im && other ? { user: other } : {}), is_member: true, last_read: lastRead, latest, has_unreads: compareTs(latest, lastRead) > 0, mention_count };
  }

  private channel(id: string): FakeChannel {
    const channel = this.channels.get(id);
    if (!channel) throw new Error(`no channel ${id}`);
    return channel;
  }

  private inOrder(channel: string): Message[] {
    return [...this.channel(channel).messages.values()].sort((a, b) => compareTs(a.ts, b.ts));
  }

  private recount(channel: string, thread: Ts): void {
    const its = this.channel(channel);
    const parent = its.messages.get(thread);
    if (!parent) return;
    const replies = this.inOrder(channel).filter((it) => it.thread_ts === thread && it.ts !== thread);
    const { reply_count: _a, reply_users: _b, reply_users_count: _c, latest_reply: _d, ...rest } = parent;
    const users = [...new Set(replies.map((it) => it.user!))];
    its.messages.set(
      thread,
      replies.length === 0
        ? rest
        : { ...rest, thread_ts: thread, reply_count: replies.length, reply_users: users, reply_users_count: users.length, latest_reply: replies.at(-1)!.ts },
    );
  }

  private next(at?: bigint): Ts {
    const now = at ?? this.clock();
    this.last = now > this.last ? now : this.last + 1n;
    const digits = this.last.toString();
    return `${digits.slice(0, -6)}.${digits.slice(-6)}`;
  }

  private log(topic: string, kind: Kind, at: Ts = this.next()): void {
    const log = this.topics.get(topic) ?? [];
    this.topics.set(topic, log);
    log.push({ kind, at });
    const event = this.render(topic, log.length, false)!;
    const audience = this.channels.get(topic)?.members ?? (this.users.has(topic) ? [topic] : this.users.keys());
    for (const user of audience) for (const listener of this.listeners.get(user) ?? []) listener(topic, clone(event));
  }

  private render(t: string, seq: number, catchUp: boolean): WireEvent | undefined {
    const logged = this.topics.get(t)![seq - 1]!;
    const { kind, at } = logged;
    const _p: EventPosition = { t, g: 1, s: seq };
    if (kind.kind === "fixed") return clone({ ...kind.event, event_ts: at, _p });
    const messages = this.channel(t).messages;
    if ("parent" in kind && kind.parent !== undefined) {
      const { reply_count, reply_users, reply_users_count, latest_reply } = messages.get(kind.parent) ?? ({} as Message);
      _p.parent = { ts: kind.parent, ...(reply_count ? { reply_count, reply_users: reply_users!, reply_users_count: reply_users_count!, latest_reply: latest_reply! } : {}) };
    }
    const message = messages.get(kind.ts);
    const base = { type: "message", channel: t, event_ts: at };
    switch (kind.kind) {
      case "message":
        if (!message) return catchUp && _p.parent ? clone({ ...base, subtype: "message_replied", _p }) : undefined;
        return clone({ ...base, ...message, _p } as unknown as WireEvent);
      case "changed":
        return message && clone({ ...base, subtype: "message_changed", message, ts: at, _p } as unknown as WireEvent);
      case "deleted":
        return { ...base, subtype: "message_deleted", deleted_ts: kind.ts, ts: at, _p };
      case "pin":
        // As it is now, whatever was done to it in between.
        return message && clone({ type: message.pinned_to ? "pin_added" : "pin_removed", user: kind.user, channel_id: t, item: { type: "message", channel: t, message }, pinned_info: { pinned_by: kind.user }, event_ts: at, _p } as unknown as WireEvent);
      case "reaction":
        return { type: kind.added ? "reaction_added" : "reaction_removed", user: kind.user, reaction: kind.name, item: { type: "message", channel: t, ts: kind.ts }, event_ts: at, _p };
    }
  }
}
