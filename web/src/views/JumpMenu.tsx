import { useRef, useState } from "react";
import type { RefObject } from "react";
import { Icon } from "../components/Icon";
import { Popover } from "../components/overlay";
import { useWorkspace } from "../store/context";
import { tsOfMs } from "../store/jump";
import type { Target } from "../store/jump";
import { minute } from "../store/minute";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { isoDate } from "../text/date";
import type { Channel } from "../wire/types";

const DAY_MS = 86_400_000;

/** A day to jump to: one of one's choice, or a usual one. */
export function JumpMenu({ anchor, channel, onJump, onClose }: { anchor: RefObject<Element | null>; channel: string; onJump(target: Target): void; onClose(): void }) {
  const created = useWorkspace((state) => state.conversations[channel]?.channel.created ?? 0);
  const now = useSignal(minute);
  const [date, setDate] = useState(() => isoDate(now));
  const today = new Date(now).setHours(0, 0, 0, 0);
  const jump = (ms: number) => {
    onClose();
    onJump({ ts: tsOfMs(ms), exact: false });
  };
  const presets: [string, number][] = [
    [t.jump.presets.yesterday, today - DAY_MS],
    [t.jump.presets.week, today - 7 * DAY_MS],
    [t.jump.presets.month, today - 30 * DAY_MS],
  ];
  // The reader's midnight, not Greenwich's.
  const chosen = new Date(`${date}T00:00:00`).getTime();
  return (
    <Popover anchor={anchor} onClose={onClose} label={t.jump.toDate} className="jump-menu">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!Number.isNaN(chosen)) jump(chosen);
        }}
      >
        <label>
          {t.jump.toDate}
          <input className="input" type="date" autoFocus required value={date} max={isoDate(now)} {...(created > 0 ? { min: isoDate(created * 1000) } : {})} onChange={(event) => setDate(event.target.value)} />
        </label>
        <button type="submit" className="button primary">
          {t.jump.go}
        </button>
      </form>
      {presets
        .filter(([, ms]) => ms > created * 1000)
        .map(([name, ms]) => (
          <button key={name} type="button" className="menu-item" onClick={() => jump(ms)}>
            {name}
          </button>
        ))}
      <button type="button" className="menu-item" onClick={() => jump(1_000)}>
        {t.jump.presets.beginning}
      </button>
    </Popover>
  );
}

/** The way to a day, in a conversation's head. */
export function DateButton({ channel, onJump }: { channel: Channel; onJump(target: Target): void }) {
  const [open, setOpen] = useState(false);
  const ref = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button ref={ref} type="button" className="icon-button" aria-label={t.jump.toDate} title={t.jump.toDate} aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name="calendar" />
      </button>
      {open && <JumpMenu anchor={ref} channel={channel.id} onJump={onJump} onClose={() => setOpen(false)} />}
    </>
  );
}
