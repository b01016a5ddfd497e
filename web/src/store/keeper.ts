/**
 * Keeps a device's state in its database. What is stored is always a state that some window had, in one
 * transaction: content and positions move together, so that a crash at any moment leaves something to
 * resume from.
 *
 * Of several windows each may write. The rule is: what is stored of a topic contains every event up to the
 * topic's stored position (it may contain more, because applying an event again changes nothing). So a
 * window writes only when it is nowhere behind what is stored, applies to the stored messages the events
 * that are not in them yet, and then moves the positions.
 */
import type { IDBPTransaction } from "idb";
import type { Effect } from "../realtime/apply";
import { uuid } from "../realtime/ports";
import type { LogKey, State } from "../realtime/state";
import { channelOf, initialState } from "../realtime/state";
import type { EventPosition, TopicId } from "../wire/types";
import { SHAPE, STORES } from "./database";
import type { Database, Rest, Schema, StoreName, Transaction } from "./database";
import { Stretches, applyStored, dropChannel, keepLog } from "./rows";
import type { Span } from "./rows";

/** What the reducer says that concerns the stored messages. */
export type StoreEffect = Extract<Effect, { kind: "event" | "drop" }>;

/** Events that wait to be written. More than this (the database is slow or stuck): the channels are dropped from the store instead. */
const WAITING_MAX = 20_000;

/** Events that are written in one go before the page may do something else. */
const BREATH = 40;

export class Keeper {
  /** What the database has of everything but messages. */
  private written: State = initialState;
  private waiting: StoreEffect[] = [];
  /** `waiting` has every event of a topic after this. */
  private since: State["topics"] = {};
  /** Changes whenever somebody empties the database: then `written` says nothing about it any more. */
  private lineage: string | undefined;
  private logs = new Map<LogKey, Span>();
  private queue: Promise<unknown> = Promise.resolve();

  constructor(readonly database: Database) {}

  /** Begins with a state that does not come from this database. */
  begin(state: State): void {
    this.since = state.topics;
  }

  /** What an earlier page left; undefined when there is nothing to go on from. */
  async load(): Promise<State | undefined> {
    const tx = this.database.transaction(STORES);
    const shape = await tx.objectStore("meta").get("shape");
    if (shape !== undefined && shape !== SHAPE) {
      await this.clear();
      return undefined;
    }
    const lineage = (await tx.objectStore("meta").get("lineage")) as string | undefined;
    const state = await readState(tx);
    if (!state.booted) return undefined;
    this.written = state;
    this.since = state.topics;
    this.lineage = lineage;
    return state;
  }

  /** Remembers what a step did to messages that may be stored. */
  note(effect: StoreEffect): void {
    this.waiting.push(effect);
    if (this.waiting.length <= WAITING_MAX) return;
    const channels = new Set(this.waiting.map((it) => (it.kind === "drop" ? it.channel : it.event._p!.t)));
    this.waiting = [...channels].map((channel) => ({ kind: "drop", channel }));
  }

  /** The log has a piece of history that the server gave just now. */
  keep(log: LogKey, span: Span): void {
    const other = this.logs.get(log);
    this.logs.set(log, other === undefined ? span : { from: Math.min(other.from, span.from), to: Math.max(other.to, span.to) });
  }

  /** Whether there is anything to write. */
  dirty(state: State): boolean {
    if (this.waiting.length > 0 || this.logs.size > 0) return true;
    const { written } = this;
    return state.users !== written.users || state.conversations !== written.conversations || state.topics !== written.topics || restChanged(state, written);
  }

  /** Writes the state. False: another window has written a later one, and this one is not there yet. */
  flush(state: State): Promise<boolean> {
    return this.inTurn(async () => {
      if (!state.booted || !this.dirty(state)) return true;
      const waiting = this.waiting;
      const logs = this.logs;
      this.waiting = [];
      this.logs = new Map();
      const again = () => {
        this.waiting = [...waiting, ...this.waiting];
        for (const [log, span] of logs) this.keep(log, span);
      };
      try {
        const done = await this.write(state, waiting, logs);
        if (done) {
          this.written = state;
          this.since = state.topics;
        } else again();
        return done;
      } catch (thrown) {
        again();
        throw thrown;
      }
    });
  }

  private async write(state: State, waiting: StoreEffect[], logs: Map<LogKey, Span>): Promise<boolean> {
    const tx = this.database.transaction(STORES, "readwrite");
    const finished = tx.done;
    finished.catch(() => {});
    try {
      const stored = new Map((await tx.objectStore("topics").getAll()).map(({ t, p }) => [t, p]));
      const lineage = (await tx.objectStore("meta").get("lineage")) as string | undefined;
      if (lineage === undefined || lineage !== this.lineage) await this.adopt(tx, lineage, stored);
      if (this.behind(state, waiting, stored)) {
        await finished;
        return false;
      }
      const stretches = new Stretches(tx);
      for (const [i, effect] of waiting.entries()) {
        // The page has other things to do than a flood of events.
        if (i % BREATH === BREATH - 1) await tx.objectStore("meta").get("shape");
        if (effect.kind === "drop") await dropChannel(tx, effect.channel, stretches);
        else await applyStored(tx, effect.event, effect.s, stored.get(effect.event._p!.t), state.self, stretches);
      }
      stretches.write();
      for (const [key, span] of logs) {
        const log = state.logs[key];
        if (log?.loaded) await keepLog(tx, key, log, span);
      }
      this.writeRecords(tx, state);
      await finished;
      return true;
    } catch (thrown) {
      try {
        tx.abort();
      } catch {
        // It has ended by itself.
      }
      throw thrown;
    }
  }

  /** Goes on with what another page stored: its messages are good where every event since is at hand. */
  private async adopt(tx: Transaction, lineage: string | undefined, stored: Map<TopicId, readonly [number, number]>): Promise<void> {
    this.lineage = lineage ?? uuid();
    if (lineage === undefined) void tx.objectStore("meta").put(this.lineage, "lineage");
    this.written = await readState(tx);
    for (const [t, [g, s]] of stored) {
      const since = this.since[t];
      if (since === undefined || since.g !== g || since.s > s) await dropChannel(tx, t);
    }
  }

  /** Whether something stored is newer than this state. */
  private behind(state: State, waiting: StoreEffect[], stored: Map<TopicId, readonly [number, number]>): boolean {
    for (const [t, [g, s]] of stored) {
      const topic = state.topics[t];
      if (topic === undefined) {
        // This window has lost the topic, or it has not come to it yet.
        const had = this.written.topics[t] !== undefined || waiting.some((it) => it.kind === "drop" && it.channel === t);
        if (!had) return true;
      } else if (topic.g < g || (topic.g === g && topic.s < s)) return true;
    }
    return false;
  }

  private writeRecords(tx: Transaction, state: State): void {
    const { written } = this;
    changes(written.users, state.users, (it) => tx.objectStore("users").put(it), (id) => tx.objectStore("users").delete(id));
    changes(written.conversations, state.conversations, (it) => tx.objectStore("conversations").put(it), (id) => tx.objectStore("conversations").delete(id));
    changes(written.topics, state.topics, ({ g, s }, t) => tx.objectStore("topics").put({ t, p: [g, s] }), (t) => tx.objectStore("topics").delete(t));
    if (restChanged(state, written)) void tx.objectStore("meta").put(restOf(state), "rest");
    void tx.objectStore("meta").put(SHAPE, "shape");
  }

  /**
   * Reads a piece of a log's stored history with the position that it is known up to: after everything was
   * written that `state` has applied. Undefined when the store has no such piece that is current.
   */
  async read<T>(state: State, log: LogKey, piece: (database: Database) => Promise<T | undefined>): Promise<{ value: T; p: EventPosition } | undefined> {
    const t = channelOf(log);
    const topic = state.topics[t];
    if (topic === undefined || !(await this.flush(state))) return undefined;
    const value = await piece(this.database);
    // Another window may have written more since: what is stored contains at least what this state had.
    return value === undefined ? undefined : { value, p: { t, g: topic.g, s: topic.s } };
  }

  /** Forgets everything but what was not sent. */
  async clear(): Promise<void> {
    await this.inTurn(async () => {
      const tx = this.database.transaction(STORES, "readwrite");
      for (const store of STORES) if (store !== "outbox") void tx.objectStore(store).clear();
      await tx.done;
      this.written = initialState;
      this.lineage = undefined;
      this.waiting = [];
      this.logs.clear();
    });
  }

  /** Makes room: messages can be fetched again. */
  async evict(): Promise<void> {
    await this.inTurn(async () => {
      const tx = this.database.transaction(["messages", "logs"], "readwrite");
      void tx.objectStore("messages").clear();
      void tx.objectStore("logs").clear();
      await tx.done;
    });
  }

  close(): void {
    void this.inTurn(async () => this.database.close());
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.queue.then(work);
    this.queue = run.catch(() => {});
    return run;
  }
}

/** Everything but messages, as it is stored. */
async function readState(tx: Pick<IDBPTransaction<Schema, StoreName[], IDBTransactionMode>, "objectStore">): Promise<State> {
  const [rest, topics, users, conversations] = await Promise.all([
    tx.objectStore("meta").get("rest"),
    tx.objectStore("topics").getAll(),
    tx.objectStore("users").getAll(),
    tx.objectStore("conversations").getAll(),
  ]);
  return {
    ...initialState,
    ...(rest as Partial<Rest> | undefined),
    users: Object.fromEntries(users.map((it) => [it.id, it])),
    conversations: Object.fromEntries(conversations.map((it) => [it.channel.id, it])),
    topics: Object.fromEntries(topics.map(({ t, p: [g, s] }) => [t, { g, s, pulling: false, holds: 0, recent: [] }])),
  };
}

function restOf(state: State): Rest {
  const { users: _u, conversations: _c, topics: _t, logs: _l, loads: _o, pending: _p, typing: _y, ...rest } = state;
  return rest;
}

function restChanged(a: State, b: State): boolean {
  const left = restOf(a) as Record<string, unknown>;
  const right = restOf(b) as Record<string, unknown>;
  return Object.keys({ ...left, ...right }).some((name) => left[name] !== right[name]);
}

function changes<T>(before: Readonly<Record<string, T>>, after: Readonly<Record<string, T>>, put: (value: T, key: string) => unknown, remove: (key: string) => unknown): void {
  if (before === after) return;
  for (const [key, value] of Object.entries(after)) if (before[key] !== value) void put(value, key);
  for (const key of Object.keys(before)) if (!(key in after)) void remove(key);
}
