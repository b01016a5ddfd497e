import { useRef, useState } from "react";
import type { VirtualizerHandle } from "virtua";
import { Icon } from "../components/Icon";
import { hasUnreads } from "../realtime/state";
import { useSession, useWorkspace } from "../store/context";
import type { Target } from "../store/jump";
import { minute } from "../store/minute";
import { useSignal } from "../store/signal";
import type { Signal } from "../store/signal";
import { keptUnread } from "../store/unread";
import { t } from "../strings";
import { clockTime, dayName, fullTime } from "../text/time";
import type { Ts } from "../wire/types";
import { compareTs, tsToMs } from "../wire/types";
import { JumpMenu } from "./JumpMenu";
import type { Item } from "./items";

/** What is at the top of the window: which item, and how far into it, pixels. */
export interface Top {
  index: number;
  within: number;
}

/** Within the first pixels of an item its own divider is in sight. */
const DIVIDER_PX = 44;

/** The top of a list as it stands; the same object when nothing that matters changed. */
export function topOf(list: VirtualizerHandle, was: Top): Top {
  const index = list.findItemIndex(list.scrollOffset);
  const within = Math.round(list.scrollOffset - list.getItemOffset(index));
  return index === was.index && within > DIVIDER_PX === was.within > DIVIDER_PX ? was : { index, within };
}

interface Props {
  items: readonly Item[];
  top: Signal<Top>;
  channel: string;
  thread: Ts | undefined;
  /** There is more after the last item. */
  newer: boolean;
  onJump: ((target: Target) => void) | undefined;
  onIndex(index: number): void;
}

/** Over the top of a conversation: the day one is in, and the way to what is new above. */
export function ListBars({ items, top: watched, channel, thread, newer, onJump, onIndex }: Props) {
  const now = useSignal(minute);
  const top = useSignal(watched);
  if (thread !== undefined || onJump === undefined) return null;
  const item = items[Math.max(0, Math.min(top.index, items.length - 1))];
  if (item === undefined) return null;
  const day = new Date(tsToMs(item.message.ts)).setHours(0, 0, 0, 0);
  const divided = item.day !== undefined && top.within <= DIVIDER_PX;
  return (
    <div className="list-bars">
      <UnreadBar items={items} top={top} channel={channel} newer={newer} onJump={onJump} onIndex={onIndex} />
      {!divided && <DayPill day={dayName(day, now)} channel={channel} onJump={onJump} />}
    </div>
  );
}

/** The day of what is at the top; pressed, the way to another one. */
function DayPill({ day, channel, onJump }: { day: string; channel: string; onJump(target: Target): void }) {
  const [open, setOpen] = useState(false);
  const ref = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button ref={ref} type="button" className="day-pill" aria-label={`${day}. ${t.jump.toDate}`} aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(!open)}>
        {day}
        <Icon name="down" />
      </button>
      {open && <JumpMenu anchor={ref} channel={channel} onJump={onJump} onClose={() => setOpen(false)} />}
    </>
  );
}

/** While something is unread that is not in sight: how much since when, the way there, and the way to be done with it. */
function UnreadBar({ items, top, channel, newer, onJump, onIndex }: Omit<Props, "onJump" | "thread" | "top"> & { top: Top; onJump(target: Target): void }) {
  const session = useSession();
  const unread = useWorkspace((state) => state.conversations[channel] !== undefined && hasUnreads(state.conversations[channel]));
  const lastRead = useWorkspace((state) => state.conversations[channel]?.lastRead ?? "");
  if (!unread) return null;
  const line = items.findIndex((item) => item.fresh);
  const first = items[0];
  if (line >= 0 ? line >= top.index : first === undefined || compareTs(lastRead, first.message.ts) >= 0) return null;
  const at = items[line];
  const count = items.slice(Math.max(0, line)).filter((item) => item.pending === undefined).length;
  const since = at && new Date(tsToMs(at.message.ts));
  const today = since !== undefined && since.getTime() >= new Date().setHours(0, 0, 0, 0);
  const text = since === undefined ? t.jump.newMessages : t.jump.newSince(`${count}${newer ? "+" : ""}`, today ? clockTime(since.getTime()) : fullTime(since.getTime()));
  const done = () => {
    keptUnread.set(undefined);
    session.read(channel);
  };
  return (
    <div className="unread-bar">
      <button type="button" aria-label={`${text}. ${t.jump.up}`} onClick={() => (line >= 0 ? onIndex(line) : onJump({ ts: lastRead, exact: false }))}>
        <Icon name="arrowUp" />
        {text}
      </button>
      <button type="button" aria-label={t.jump.markRead} title={t.jump.markRead} onClick={done}>
        <Icon name="check" />
      </button>
    </div>
  );
}
