/** A device against the workspace in memory, for property tests of what devices see. */
import { FakeWorkspace } from "./fake";
import type { EventPosition, Message, TopicFrames, WireEvent } from "../wire/types";
import { compareTs } from "../wire/types";
import { apply } from "./apply";
import type { Effect, Input } from "./apply";
import type { Page } from "./log";
import { hasUnreads, initialState, logKey, mentionCount } from "./state";
import type { LogKey, State } from "./state";

export const ANN = "U00000000ANN";
export const BOB = "U00000000BOB";
export const ROOM = "C0000000ROOM";

/** A page of history that arrived. */
interface Answered {
  log: LogKey;
  page: Omit<Page, "v">;
}

/** One device of Ann's against the workspace: a socket that can break, and snapshots that take their time. */
export class FakeDevice {
  state: State = initialState;
  private socket: (TopicFrames | WireEvent)[] = [];
  private online = false;
  private readonly answers: (() => Answered | undefined)[] = [];

  private readonly deaf: () => void;

  /** Starts from what was stored, or from a boot. `watch` sees every effect. */
  constructor(
    private readonly server: FakeWorkspace,
    stored?: State,
    private readonly watch: (effect: Effect) => void = () => {},
  ) {
    this.deaf = server.listen(ANN, (topic, frame) => {
      if (this.online && (topic === "" || topic in this.state.topics)) this.socket.push(frame);
    });
    if (stored !== undefined) {
      this.apply({ type: "restored", state: stored });
      if (stored.bootDue) this.boot();
      return;
    }
    this.apply({ type: "fetching" });
    this.apply({ type: "booted", boot: server.boot(ANN), now: 0 });
  }

  /** The page is gone. */
  die(): void {
    this.deaf();
    this.online = false;
    this.socket = [];
    this.answers.length = 0;
  }

  apply(input: Input): void {
    const step = apply(this.state, input);
    this.state = step.state;
    for (const effect of step.effects) this.run(effect);
  }

  private run(effect: Effect): void {
    this.watch(effect);
    if (effect.kind === "pull" && this.online) this.socket.push(...this.server.catchUp(ANN, effect.t, [effect.g, effect.s]));
    if (effect.kind === "boot") this.boot();
  }

  boot(): void {
    this.apply({ type: "fetching" });
    const boot = this.server.boot(ANN);
    this.answers.push(() => {
      this.apply({ type: "booted", boot, now: 0 });
      return undefined;
    });
  }

  connect(): void {
    if (this.online) return;
    this.online = true;
    this.apply({ type: "connected" });
    for (const [t, { g, s }] of Object.entries(this.state.topics)) this.socket.push(...this.server.catchUp(ANN, t, [g, s]));
  }

  disconnect(): void {
    this.online = false;
    this.socket = [];
  }

  /** The network hands over some frames. With `loss` events vanish, as from a server that left a hole. */
  deliver(count: number, loss: boolean): void {
    for (let i = 0; i < count; i++) {
      const frame = this.socket.shift();
      if (frame === undefined) return;
      if (!loss || frame.type.startsWith("_")) this.apply({ type: "frame", frame, now: 0 });
    }
  }

  /** Reads a piece of history; the answer comes later, through `answer`. */
  fetch(key: LogKey, place: "window" | "before" | "after", limit: number): void {
    const log = this.state.logs[key];
    const [channel, thread] = key.split("/") as [string, string?];
    if (place !== "window" && !log?.loaded) return;
    this.apply({ type: "fetching", log: key });
    const { epoch, rows } = this.state.logs[key]!;
    let page: { messages: Message[]; older: boolean; newer: boolean };
    let p;
    if (thread !== undefined) {
      const answer = this.server.replies(channel, thread);
      page = { messages: answer.messages, older: false, newer: false };
      p = answer._p;
      place = "window";
    } else {
      const first = rows[0]?.message.ts;
      const last = rows[rows.length - 1]?.message.ts;
      const answer = this.server.history(channel, {
        limit,
        ...(place === "before" && first ? { latest: first } : {}),
        ...(place === "after" && last ? { oldest: last } : {}),
      });
      const more = answer.has_more === true;
      page = { messages: answer.messages.reverse(), older: place !== "after" && more, newer: place === "after" && more };
      p = answer._p;
    }
    this.answers.push(() => this.page(key, epoch, { ...page, place }, p));
  }

  /** Opens the log somewhere in the past, so that it is not at its end. */
  fetchMiddle(limit: number): void {
    this.apply({ type: "fetching", log: ROOM });
    const all = this.server.history(ROOM, { limit: 1000 }).messages.reverse();
    const latest = all[Math.floor(all.length / 2)]?.ts;
    const answer = this.server.history(ROOM, { limit, ...(latest ? { latest, inclusive: true } : {}) });
    const epoch = this.state.logs[ROOM]!.epoch;
    const newer = latest !== undefined && all.some((it) => compareTs(it.ts, latest) > 0);
    const page = { messages: answer.messages.reverse(), older: answer.has_more === true, newer, place: "window" as const };
    this.answers.push(() => this.page(ROOM, epoch, page, answer._p));
  }

  private page(log: LogKey, epoch: number, page: Answered["page"], p: EventPosition | undefined): Answered {
    this.apply({ type: "page", log, epoch, page, p });
    return { log, page };
  }

  /** One of the answers arrives; the page that it brought, if it was one. */
  answer(which: number): Answered | undefined {
    const [answer] = this.answers.splice(which % Math.max(1, this.answers.length), 1);
    return answer?.();
  }

  /** Everything that is on its way arrives, and the rest of the history is read. */
  settle(threads: string[]): void {
    this.connect();
    this.deliver(1000, false);
    for (const t of Object.keys(this.state.topics)) this.socket.push({ type: "_head", t, g: 1, s: this.server.head(t) });
    // The outbox repeats what got no answer, and drops what was answered and never came: it was deleted.
    for (const it of this.state.pending[ROOM] ?? []) {
      const { ts } = this.server.post(ROOM, ANN, it.text, { client_msg_id: it.id });
      this.apply({ type: "send_status", log: ROOM, id: it.id, status: "sent", ts });
    }
    this.arrive(threads);
    for (const it of this.state.pending[ROOM] ?? []) this.apply({ type: "discard", log: ROOM, id: it.id });
  }

  private arrive(threads: string[]): void {
    for (let i = 0; i < 1000; i++) {
      while (this.answers.length > 0) this.answer(0);
      this.deliver(1000, false);
      if (this.answers.length > 0) continue;
      const log = this.state.logs[ROOM];
      if (!log?.loaded) this.fetch(ROOM, "window", 3);
      else if (log.older) this.fetch(ROOM, "before", 3);
      else if (log.newer) this.fetch(ROOM, "after", 3);
      else {
        const missing = threads.find((ts) => !this.state.logs[logKey(ROOM, ts)]?.loaded);
        if (missing === undefined) return;
        this.fetch(logKey(ROOM, missing), "window", 3);
      }
    }
    throw new Error("never settled");
  }

  view(threads: string[]): unknown {
    const rows = (key: LogKey) => this.state.logs[key]?.rows.map((row) => plain(row.message));
    const it = this.state.conversations[ROOM]!;
    return {
      room: rows(ROOM),
      threads: threads.map((ts) => rows(logKey(ROOM, ts))),
      unread: hasUnreads(it),
      lastRead: it.lastRead,
      mentions: mentionCount(it),
      pending: Object.values(this.state.pending).flat(),
    };
  }
}

/** A message with its keys in one order, and its reactions as a set. */
export function plain(message: Message): unknown {
  const reactions = message.reactions?.map((it) => [it.name, [...it.users].sort()]).sort();
  const { edited: _, thread_ts, ...rest } = message;
  // Whether a message once had replies is nothing that is shown.
  const thread = thread_ts === message.ts && !message.reply_count ? undefined : thread_ts;
  return Object.fromEntries(Object.entries({ ...rest, thread_ts: thread, reactions, edited: message.edited?.ts }).filter(([, value]) => value !== undefined).sort());
}
