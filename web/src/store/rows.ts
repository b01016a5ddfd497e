/**
 * The stored messages: how an event changes them, also those that no window shows, and how a piece of
 * history gets among them. The events go through the same reducer as on screen.
 */
import { applyEvent } from "../realtime/events";
import { emptyLog } from "../realtime/log";
import type { Log, Page, Row } from "../realtime/log";
import { channelOf, initialState } from "../realtime/state";
import type { LogKey } from "../realtime/state";
import type { Message, Position, Ts, User, WireEvent } from "../wire/types";
import type { Database, StoredRow, Stretch, Transaction } from "./database";


/** A message id as a number: microseconds since 1970, exact up to the year 2255. */
export function micros(ts: Ts): number {
  const [seconds = "0", rest = ""] = ts.split(".");
  return Number(seconds) * 1_000_000 + Number(rest.padEnd(6, "0").slice(0, 6));
}

/** Rows that are nobody's but this page's: messages that only this socket got. */
const isStored = (row: Row) => row.v !== Number.MAX_SAFE_INTEGER;

const storedRow = (log: LogKey, { message, v, key }: Row): StoredRow => ({ log, channel: channelOf(log), at: micros(message.ts), message, v, key });

/** Every log of a channel: its own and its threads'. `/` is the last character before the digits. */
const threadsOf = (channel: string) => IDBKeyRange.bound(`${channel}/`, `${channel}0`, false, true);

/** The stretches of the channels that one transaction is about, read once. */
export class Stretches {
  private readonly known = new Map<string, Stretch[]>();
  private readonly changed = new Set<Stretch>();

  constructor(private readonly tx: Transaction) {}

  async of(channel: string): Promise<Stretch[]> {
    const known = this.known.get(channel);
    if (known !== undefined) return known;
    const read = await stretchesOf(this.tx, channel);
    this.known.set(channel, read);
    return read;
  }

  /** Takes a message's place in. */
  extend(stretch: Stretch, at: number): void {
    if (at <= stretch.last && at >= stretch.first) return;
    stretch.last = Math.max(stretch.last, at);
    stretch.first = Math.min(stretch.first, at);
    this.changed.add(stretch);
  }

  drop(channel: string): void {
    for (const stretch of this.known.get(channel) ?? []) this.changed.delete(stretch);
    this.known.set(channel, []);
  }

  write(): void {
    for (const stretch of this.changed) void this.tx.objectStore("logs").put(stretch);
    this.known.clear();
    this.changed.clear();
  }
}

async function stretchesOf(tx: Transaction, channel: string): Promise<Stretch[]> {
  const logs = tx.objectStore("logs");
  const [own, threads] = await Promise.all([logs.get(channel), logs.getAll(threadsOf(channel))]);
  return own === undefined ? threads : [own, ...threads];
}

/** Forgets a channel's messages. */
export async function dropChannel(tx: Transaction, channel: string, stretches?: Stretches): Promise<void> {
  stretches?.drop(channel);
  const logs = tx.objectStore("logs");
  const messages = tx.objectStore("messages");
  await Promise.all([
    logs.delete(channel),
    logs.delete(threadsOf(channel)),
    messages.delete(IDBKeyRange.bound([channel], [channel, []])),
    messages.delete(IDBKeyRange.bound([`${channel}/`], [`${channel}0`], false, true)),
  ]);
}

/** Applies one event to the stored messages, unless they contain it. `stored`: the topic's stored position. */
export async function applyStored(tx: Transaction, event: WireEvent, s: number, stored: Position | undefined, self: User | undefined, known: Stretches): Promise<void> {
  const { t, g } = event._p!;
  if (stored !== undefined && stored[0] === g && stored[1] >= s) return;
  const stretches = await known.of(t);
  if (stretches.length === 0) return;
  const newest = Math.max(...stretches.map((it) => it.last));
  const found: StoredRow[] = [];
  for (const ts of touched(event)) {
    const at = micros(ts);
    if (at <= newest) found.push(...(await tx.objectStore("messages").index("place").getAll([t, at])));
  }
  if (event.type === "file_change") found.push(...(await withFile(tx, t, (event._p as { file?: { id: string } }).file?.id)));
  const own = micros(event.ts ?? "0.0");
  const logs: Record<LogKey, Log> = {};
  for (const stretch of stretches) {
    const rows = found.filter((it) => it.log === stretch.log).sort((a, b) => a.at - b.at);
    const covered = covers(stretch, own);
    logs[stretch.log] = { ...emptyLog, rows, loaded: true, older: !covered, newer: !covered };
  }
  const after = applyEvent({ ...initialState, logs, ...(self === undefined ? {} : { self }) }, event, s, []).logs;
  for (const stretch of stretches) {
    const before = logs[stretch.log]!.rows;
    const rows = after[stretch.log]!.rows;
    if (before === rows) continue;
    for (const row of rows) {
      if (before.includes(row)) continue;
      const next = storedRow(stretch.log, row);
      void tx.objectStore("messages").put(next);
      known.extend(stretch, next.at);
    }
    for (const row of before) {
      if (!rows.some((it) => it.message.ts === row.message.ts)) void tx.objectStore("messages").delete([stretch.log, micros(row.message.ts)]);
    }
  }
}

/** A file changes soon after it was sent, when its thumbnails are there: among so many of the newest messages it is looked for. */
const FILES_BACK = 200;

/** The stored messages that have a file; an event about one does not say which they are. */
async function withFile(tx: Transaction, channel: string, file: string | undefined): Promise<StoredRow[]> {
  const found: StoredRow[] = [];
  const range = IDBKeyRange.bound([channel, 0], [channel, Number.MAX_SAFE_INTEGER]);
  let left = FILES_BACK;
  for (let cursor = await tx.objectStore("messages").index("place").openCursor(range, "prev"); cursor !== null && left > 0; left--, cursor = await cursor.continue()) {
    if (cursor.value.message.files?.some((it) => it.id === file)) found.push(cursor.value);
  }
  return found;
}

/** The messages that an event may be about. */
function touched(event: WireEvent): Set<Ts> {
  const item = event.item as { ts?: Ts; message?: { ts?: Ts } } | undefined;
  const all = [event.ts, (event.message as Message | undefined)?.ts, event.deleted_ts as Ts | undefined, item?.ts, item?.message?.ts, event._p?.parent?.ts];
  return new Set(all.filter((ts) => typeof ts === "string"));
}

/** Whether a message at this place belongs into the stretch. An empty stretch has `first` above `last`. */
function covers(stretch: Stretch, at: number): boolean {
  if (stretch.first > stretch.last) return !stretch.older && !stretch.newer;
  return at < stretch.first ? !stretch.older : at > stretch.last ? !stretch.newer : true;
}

const EMPTY = { first: Number.MAX_SAFE_INTEGER, last: 0 };

/** The part of a log that was read just now, as places. */
export interface Span {
  from: number;
  to: number;
}

/** What a page speaks for. */
export function spanOf(page: Omit<Page, "v">): Span {
  const [first, last] = [page.messages[0], page.messages[page.messages.length - 1]];
  if (page.place === "window" || first === undefined || last === undefined) return { from: 0, to: Number.MAX_SAFE_INTEGER };
  return { from: page.place === "before" && !page.older ? 0 : micros(first.ts), to: page.place === "after" && !page.newer ? Number.MAX_SAFE_INTEGER : micros(last.ts) };
}

/**
 * Stores the piece of history that a log holds, of which `fresh` is new. It joins what is stored where the two
 * touch; otherwise the one that reaches the present stays.
 */
export async function keepLog(tx: Transaction, key: LogKey, log: Log, fresh: Span): Promise<void> {
  const rows = log.rows.filter(isStored);
  const piece: Stretch = { log: key, ...EMPTY, older: log.older, newer: log.newer };
  if (rows.length > 0) {
    piece.first = micros(rows[0]!.message.ts);
    piece.last = micros(rows[rows.length - 1]!.message.ts);
  } else if (log.older || log.newer) return;
  const messages = tx.objectStore("messages");
  const stored = await tx.objectStore("logs").get(key);
  const whole = reach(piece);
  const known = stored && reach(stored);
  let span = whole;
  if (known !== undefined && whole.from <= known.to && known.from <= whole.to) {
    // What is not fresh need not be written again, if it is all there.
    const rest = rows.map((row) => micros(row.message.ts)).filter((at) => at < fresh.from || at > fresh.to);
    if (rest.every((at) => at >= known.from && at <= known.to)) span = { from: Math.max(whole.from, fresh.from), to: Math.min(whole.to, fresh.to) };
    if (span.from <= span.to) await messages.delete(IDBKeyRange.bound([key, span.from], [key, span.to]));
    piece.first = Math.min(piece.first, stored!.first);
    piece.last = Math.max(piece.last, stored!.last);
    piece.older = piece.older && stored!.older;
    piece.newer = piece.newer && stored!.newer;
  } else if (stored !== undefined && !stored.newer && piece.newer) {
    return;
  } else {
    await messages.delete(IDBKeyRange.bound([key], [key, []]));
  }
  for (const row of rows) {
    const next = storedRow(key, row);
    if (next.at >= span.from && next.at <= span.to) void messages.put(next);
  }
  void tx.objectStore("logs").put(piece);
}

/** All that a stretch speaks for: without more beyond an end it speaks for everything there. */
function reach(stretch: Stretch): Span {
  return { from: stretch.older ? stretch.first : 0, to: stretch.newer ? stretch.last : Number.MAX_SAFE_INTEGER };
}

/** Where a piece of stored history is wanted. */
export type Wanted =
  /** The newest `limit`. Unless `anyhow`, only when they are the newest of all. */
  | { place: "end"; limit: number; anyhow: boolean }
  /** `before` up to and including `ts`, and `after` that follow it. */
  | { place: "around"; ts: Ts; before: number; after: number }
  | { place: "before" | "after"; ts: Ts; limit: number };

/** Reads a piece of stored history; undefined if it is not there. */
export async function readRows(database: Database, key: LogKey, wanted: Wanted): Promise<Omit<Page, "v"> | undefined> {
  const tx = database.transaction(["logs", "messages"]);
  const stretch = await tx.objectStore("logs").get(key);
  if (stretch === undefined) return undefined;
  const end = Number.MAX_SAFE_INTEGER;
  const messages = tx.objectStore("messages");
  /** Up to `limit` rows down from `to` and whether there are more. */
  const down = async (to: number, limit: number, open: boolean) => {
    const rows: StoredRow[] = [];
    for (let cursor = await messages.openCursor(IDBKeyRange.bound([key, 0], [key, to], false, open), "prev"); cursor !== null; cursor = await cursor.continue()) {
      if (rows.length === limit) return { rows: rows.reverse(), more: true };
      rows.push(cursor.value);
    }
    return { rows: rows.reverse(), more: stretch.older };
  };
  const up = async (from: number, limit: number) => {
    const rows = await messages.getAll(IDBKeyRange.bound([key, from], [key, end], true), limit + 1);
    return rows.length > limit ? { rows: rows.slice(0, limit), more: true } : { rows, more: stretch.newer };
  };
  const plain = (rows: StoredRow[]) => rows.map((it) => it.message);
  switch (wanted.place) {
    case "end": {
      if (stretch.newer && !wanted.anyhow) return undefined;
      const { rows, more } = await down(end, wanted.limit, false);
      return { messages: plain(rows), place: "window", older: more, newer: stretch.newer };
    }
    case "around": {
      const at = micros(wanted.ts);
      if (!covers(stretch, at)) return undefined;
      const [below, above] = [await down(at, wanted.before, false), await up(at, wanted.after)];
      return { messages: plain([...below.rows, ...above.rows]), place: "window", older: below.more, newer: above.more };
    }
    case "before": {
      const at = micros(wanted.ts);
      if (at < stretch.first || at > stretch.last) return undefined;
      const { rows, more } = await down(at, wanted.limit, true);
      return rows.length === 0 && more ? undefined : { messages: plain(rows), place: "before", older: more, newer: false };
    }
    case "after": {
      const at = micros(wanted.ts);
      if (at < stretch.first || at > stretch.last) return undefined;
      const { rows, more } = await up(at, wanted.limit);
      return rows.length === 0 && more ? undefined : { messages: plain(rows), place: "after", older: false, newer: more };
    }
  }
}
