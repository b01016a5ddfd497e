import type { Message, Ts } from "../wire/types";
import { compareTs } from "../wire/types";

/** One message as this client has it. */
export interface Row {
  readonly message: Message;
  /** Seq of the channel's topic up to which it is known. */
  readonly v: number;
  /** Stable for the life of the row: the `client_msg_id`, so that an echo takes the place of what was sent. */
  readonly key: string;
}

/**
 * A contiguous piece of a conversation's history, ascending by `ts`.
 *
 * It covers everything between its first and its last row, everything before if not `older`, and
 * everything after if not `newer` (then it is at the live end and new messages are appended).
 */
export interface Log {
  readonly rows: readonly Row[];
  /** There is more before the first row. */
  readonly older: boolean;
  /** There is more after the last row. */
  readonly newer: boolean;
  /** Changes whenever the rows were replaced by others: an answer for an earlier epoch is dropped. */
  readonly epoch: number;
  readonly loaded: boolean;
}

export const emptyLog: Log = { rows: [], older: false, newer: false, epoch: 0, loaded: false };

/** Index of the first row at or after `ts`. */
export function lowerBound(rows: readonly Row[], ts: Ts): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareTs(rows[middle]!.message.ts, ts) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The row of a message. */
export function findRow(log: Log, ts: Ts): Row | undefined {
  const row = log.rows[lowerBound(log.rows, ts)];
  return row?.message.ts === ts ? row : undefined;
}

/** Whether a message with this `ts` would be in the piece that the log holds. */
export function covers(log: Log, ts: Ts): boolean {
  const first = log.rows[0];
  const last = log.rows[log.rows.length - 1];
  if (first === undefined || last === undefined) return !log.newer && !log.older;
  if (compareTs(ts, first.message.ts) < 0) return !log.older;
  if (compareTs(ts, last.message.ts) > 0) return !log.newer;
  return true;
}

/** A message as of seq `v`: inserted or replaced, unless the row is newer or outside the log. */
export function put(log: Log, message: Message, v: number): Log {
  const at = lowerBound(log.rows, message.ts);
  const existing = log.rows[at];
  if (existing?.message.ts === message.ts) {
    if (existing.v >= v) return log;
    return { ...log, rows: log.rows.with(at, { ...existing, message, v }) };
  }
  if (!log.loaded || !covers(log, message.ts)) return log;
  const row: Row = { message, v, key: message.client_msg_id ?? message.ts };
  return { ...log, rows: [...log.rows.slice(0, at), row, ...log.rows.slice(at)] };
}

/** Changes a message that is there, as of seq `v`. `v` undefined: a local guess that the event confirms later. */
export function change(log: Log, ts: Ts, v: number | undefined, edit: (message: Message) => Message): Log {
  const at = lowerBound(log.rows, ts);
  const row = log.rows[at];
  if (row?.message.ts !== ts || (v !== undefined && row.v >= v)) return log;
  const message = edit(row.message);
  if (message === row.message && v === undefined) return log;
  return { ...log, rows: log.rows.with(at, { ...row, message, v: v ?? row.v }) };
}

/** Removes a message as of seq `v`. */
export function remove(log: Log, ts: Ts, v: number | undefined): Log {
  const row = findRow(log, ts);
  if (row === undefined || (v !== undefined && row.v >= v)) return log;
  return { ...log, rows: log.rows.filter((other) => other !== row) };
}

/** The part of a log between two messages. The rest can be read again. */
export function trim(log: Log, first: Ts, last: Ts): Log {
  const from = lowerBound(log.rows, first);
  const end = lowerBound(log.rows, last);
  const to = log.rows[end]?.message.ts === last ? end + 1 : end;
  if (to <= from || (from === 0 && to === log.rows.length)) return log;
  return { ...log, rows: log.rows.slice(from, to), older: log.older || from > 0, newer: log.newer || to < log.rows.length };
}

/** A piece of history that the server read at seq `v`. */
export interface Page {
  /** Ascending. */
  messages: readonly Message[];
  v: number;
  /** Where it belongs: instead of the log (`window`), or before or after what the log has. */
  place: "window" | "before" | "after";
  /** There is more before it (`window`, `before`). */
  older: boolean;
  /** There is more after it (`window`, `after`). */
  newer: boolean;
}

/**
 * Takes a page in. Rows that events have changed after the page was read stay as the events left
 * them; rows that the page should have and has not are gone.
 */
export function merge(log: Log, page: Page): Log {
  const known = new Map(log.rows.map((row) => [row.message.ts, row]));
  const fresh = page.messages.map((message): Row => {
    const row = known.get(message.ts);
    if (row === undefined) return { message, v: page.v, key: message.client_msg_id ?? message.ts };
    return row.v > page.v ? row : { message, v: page.v, key: row.key };
  });
  switch (page.place) {
    case "window": {
      // What was appended while the page was on its way is after it, and the page reaches the end.
      const end = fresh[fresh.length - 1]?.message.ts;
      const appended = page.newer ? [] : log.rows.filter((row) => row.v > page.v && (end === undefined || compareTs(row.message.ts, end) > 0));
      return { rows: [...fresh, ...appended], older: page.older, newer: page.newer, epoch: log.epoch + 1, loaded: true };
    }
    case "before": {
      const first = log.rows[0]?.message.ts;
      const before = first === undefined ? fresh : fresh.filter((row) => compareTs(row.message.ts, first) < 0);
      return { ...log, rows: [...before, ...log.rows], older: page.older };
    }
    case "after": {
      const last = log.rows[log.rows.length - 1]?.message.ts;
      const after = last === undefined ? fresh : fresh.filter((row) => compareTs(row.message.ts, last) > 0);
      return { ...log, rows: [...log.rows, ...after], newer: page.newer };
    }
  }
}
