import type { Log } from "../realtime/log";
import type { Pending } from "../realtime/state";
import { isNotice } from "../realtime/state";
import type { Message, Ts } from "../wire/types";
import { compareTs, tsToMs } from "../wire/types";

/** One line of a message list: a message and what stands above it. */
export interface Item {
  key: string;
  message: Message;
  /** Set while it is one's own and not confirmed. */
  pending?: Pending;
  /** Shows author and picture: another author than above, or later. */
  head: boolean;
  /** Midnight of its day, milliseconds, when it is the first of the day. */
  day?: number;
  /** The line "new" is above it. */
  fresh: boolean;
  /** How many replies follow it, in a thread, where it is the parent. */
  parent: boolean;
}

/** Messages of one person within this time stand together, milliseconds. */
const GROUP_MS = 5 * 60_000;

/** The list that a log and one's own unconfirmed messages make. `unreadAfter`: where the line "new" goes. */
export function buildItems(log: Log, pending: readonly Pending[], self: string, unreadAfter: Ts | undefined, thread: Ts | undefined): Item[] {
  const lines: { key: string; message: Message; pending?: Pending }[] = log.rows.map((row) => ({ key: row.key, message: row.message }));
  if (!log.newer) {
    for (const it of pending) {
      const message: Message = { type: "message", user: self, text: it.text, ...(it.files ? { files: [] } : {}), ...(it.blocks ? { blocks: it.blocks } : {}), client_msg_id: it.id, ts: it.ts ?? tsOf(it.created) };
      const line = { key: it.id, message, pending: it };
      // Confirmed: at its place. Not yet: at the end, in the order of writing.
      const at = it.ts === undefined ? -1 : lines.findIndex((other) => other.pending?.ts === undefined && (other.pending !== undefined || compareTs(other.message.ts, it.ts!) > 0));
      if (at < 0) lines.push(line);
      else lines.splice(at, 0, line);
    }
  }
  const items: Item[] = [];
  const dayOf = days();
  // Where the piece begins after what was read, the line is somewhere above it.
  const first = lines[0]?.message.ts;
  const above = log.older && first !== undefined && unreadAfter !== undefined && compareTs(first, unreadAfter) > 0;
  let lineShown = above;
  for (const { key, message, pending: own } of lines) {
    const above = items[items.length - 1];
    const ms = tsToMs(message.ts);
    const day = dayOf(ms);
    const firstOfDay = thread === undefined && (above === undefined || dayOf(tsToMs(above.message.ts)) !== day);
    const fresh: boolean = !lineShown && unreadAfter !== undefined && above !== undefined && own === undefined && message.user !== self && compareTs(message.ts, unreadAfter) > 0;
    lineShown ||= fresh;
    const joins = above !== undefined && !firstOfDay && !fresh && !above.parent && sameAuthor(above.message, message) && ms - tsToMs(above.message.ts) < GROUP_MS;
    items.push({
      key,
      message,
      head: !joins,
      fresh,
      parent: message.ts === thread,
      ...(own === undefined ? {} : { pending: own }),
      ...(firstOfDay ? { day } : {}),
    });
  }
  return items;
}

/** Midnight of a time's day. Neighbours are mostly of one day, and a calendar is slow. */
function days(): (ms: number) => number {
  let midnight = 0;
  let sure = 0;
  return (ms) => {
    if (ms >= midnight && ms < sure) return midnight;
    midnight = new Date(ms).setHours(0, 0, 0, 0);
    // The shortest day has 23 hours.
    sure = midnight + 22 * 3_600_000;
    return midnight;
  };
}

function sameAuthor(a: Message, b: Message): boolean {
  return a.user === b.user && a.bot_id === b.bot_id && a.username === b.username && isNotice(a) === isNotice(b) && kindOf(a) === kindOf(b);
}

/** A message with files is one like the others. */
function kindOf({ subtype }: Message): string | undefined {
  return subtype === "file_share" ? undefined : subtype;
}

function tsOf(ms: number): Ts {
  return `${Math.floor(ms / 1000)}.${String((ms % 1000) * 1000).padStart(6, "0")}`;
}

/** Equal in everything that a row shows, so that it need not render again. */
export function sameItem(a: Item, b: Item): boolean {
  return a.key === b.key && a.message === b.message && a.pending === b.pending && a.head === b.head && a.day === b.day && a.fresh === b.fresh && a.parent === b.parent;
}
