import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { KeyboardEvent, ReactNode, RefObject } from "react";
import { Virtualizer } from "virtua";
import type { VirtualizerHandle } from "virtua";
import { Icon } from "../components/Icon";
import type { Log } from "../realtime/log";
import { covers, emptyLog } from "../realtime/log";
import { threadOf } from "../realtime/state";
import type { LogKey, Pending } from "../realtime/state";
import { nameOf, useSession, useWorkspace } from "../store/context";
import type { Target } from "../store/jump";
import { notify } from "../store/notice";
import { signal } from "../store/signal";
import { t } from "../strings";
import { errorText } from "../strings/en";
import type { Ts } from "../wire/types";
import { compareTs } from "../wire/types";
import { ListBars, topOf } from "./ListBars";
import type { Top } from "./ListBars";
import { messageText } from "./MessageContent";
import { MessageRow } from "./MessageRow";
import { buildItems } from "./items";
import type { Item } from "./items";

/** Where a list stands that went to a message. */
interface Hold {
  key: string;
  align: "start" | "center" | "end";
  /** Room above it, pixels. */
  above: number;
  /** Until then, `performance.now()`. */
  until: number;
}

interface Props {
  logKey: LogKey;
  channel: string;
  label: string;
  canWrite: boolean;
  /** The line "new" goes after this message. */
  unreadAfter: Ts | undefined;
  editing: Ts | undefined;
  onEdit(ts: Ts | undefined): void;
  onThread?: (ts: Ts) => void;
  /** Where to open, or to go to. */
  target?: Target | undefined;
  onJump?: ((target: Target) => void) | undefined;
  /** The person sees the end of the conversation. */
  onEnd?: (atEnd: boolean) => void;
  /** Above the first message, when there is nothing before it. */
  intro: ReactNode;
}

const NOTHING: readonly Pending[] = [];
/** Closer to the end than this is at the end, pixels. */
const END_PX = 48;
/** Earlier and later messages are fetched this far before they are needed, pixels. */
const AHEAD_PX = 1_200;
/** Above the line "new", pixels. */
const CONTEXT_PX = 72;
/** Frames that a row may take until it can have the focus. */
const FOCUS_FRAMES = 20;
/** A scroll this soon after a wheel, key or finger is the person's doing, milliseconds. */
const INTENT_MS = 600;
/** A list that went somewhere stays there until nothing was measured for this long, milliseconds. */
const HOLD_MS = 500;
/** So soon after the list or its size changed a scroll is the list's own, milliseconds. */
const SETTLE_MS = 150;

/** A log on screen: virtualised, opened at the first unread message, and never jumping. */
export function MessageList(props: Props) {
  const { logKey, target } = props;
  const session = useSession();
  const log = useWorkspace((state) => state.logs[logKey] ?? emptyLog);
  const failed = useWorkspace((state) => state.loads[logKey]?.failed ?? false);
  const refused = useWorkspace((state) => state.loads[logKey]?.refused);
  const wish = useRef<Wish>({ met: undefined, end: false });
  useEffect(() => {
    if (target !== undefined) session.openAt(logKey, target.ts);
  }, [session, logKey, target]);
  useEffect(() => session.open(logKey), [session, logKey, log.loaded]);
  if (!log.loaded) return <Skeleton failed={failed} refused={refused} />;
  // A replaced log is another list: positions in the old one mean nothing.
  return <LoadedList key={`${logKey}#${log.epoch}`} {...props} log={log} wish={wish} />;
}

/** For whoever measures how fast the page opens. */
function markOnce(name: string): void {
  if (performance.getEntriesByName(name).length === 0) performance.mark(name);
}

/** What the person wanted; it outlives the list, which begins anew when its log is replaced. */
interface Wish {
  /** The target where they have been. */
  met: Target | undefined;
  /** Then they asked for the end. */
  end: boolean;
}

function LoadedList({ logKey, channel, label, canWrite, unreadAfter, editing, onEdit, onThread, onEnd, onJump, target, wish, intro, log }: Props & { log: Log; wish: RefObject<Wish> }) {
  const session = useSession();
  const pending = useWorkspace((state) => state.pending[logKey] ?? NOTHING);
  const self = useWorkspace((state) => state.self?.id ?? "");
  const busy = useWorkspace((state) => (state.loads[logKey]?.busy ?? 0) > 0);
  const items = useMemo(() => buildItems(log, pending, self, unreadAfter, threadOf(logKey)), [log, pending, self, unreadAfter, logKey]);
  const list = useRef<VirtualizerHandle>(null);
  const box = useRef<HTMLDivElement>(null);
  const stick = useRef(false);
  const hold = useRef<Hold | undefined>(undefined);
  const opened = useRef(false);
  const intent = useRef(0);
  const seen = useRef({ top: 0, size: 0, view: 0 });
  const changed = useRef(0);
  const [atEnd, setAtEnd] = useState(true);
  /** It was opened where it should be: before that nobody has seen its end. */
  const [settled, setSettled] = useState(false);
  const [below, setBelow] = useState(0);
  const [focusedKey, setFocusedKey] = useState<string | undefined>(undefined);
  // Not state: what is at the top changes while one scrolls, and only the bars want to know.
  const [top] = useState(() => signal<Top>({ index: 0, within: 0 }));
  const focused = useMemo(() => (focusedKey === undefined ? -1 : items.findIndex((item) => item.key === focusedKey)), [items, focusedKey]);
  // The message that Tab comes to: the one that was looked at, or the newest.
  const current = focused >= 0 ? focused : items.length - 1;
  const shift = useShift(items);

  const shown = useRef(items);
  shown.current = items;

  // Not by the list's own `scrollToIndex`: that goes on as long as rows are measured, also against who scrolls away meanwhile.
  /** Back to where the list should be, now that something has another size. */
  const follow = useCallback(() => {
    const [it, frame, held, now] = [list.current, box.current, hold.current, performance.now()];
    if (!it || !frame) return;
    const index = held === undefined || now > held.until ? -1 : shown.current.findIndex((item) => item.key === held.key);
    if (held !== undefined && index >= 0) {
      held.until = now + HOLD_MS;
      const room = frame.clientHeight - it.getItemSize(index);
      frame.scrollTop = it.getItemOffset(index) - held.above - (held.align === "start" ? 0 : held.align === "center" ? room / 2 : room);
      return;
    }
    hold.current = undefined;
    if (stick.current) frame.scrollTop = frame.scrollHeight;
  }, []);

  const toEnd = useCallback(() => {
    stick.current = true;
    hold.current = undefined;
    follow();
  }, [follow]);

  const goTo = useCallback(
    (index: number, align: Hold["align"], above = 0) => {
      const item = shown.current[index];
      if (item === undefined) return;
      stick.current = false;
      hold.current = { key: item.key, align, above, until: performance.now() + HOLD_MS };
      follow();
    },
    [follow],
  );

  const act = () => {
    intent.current = performance.now();
    hold.current = undefined;
  };

  const look = useCallback(() => {
    const it = list.current;
    const frame = box.current;
    if (!it || !frame || !opened.current) return;
    // As it is on screen: what the list computes may not have been drawn.
    const [was, now] = [seen.current, performance.now()];
    if (frame.scrollHeight !== was.size || frame.clientHeight !== was.view) {
      changed.current = now;
      follow();
    }
    const is = { top: frame.scrollTop, size: frame.scrollHeight, view: frame.clientHeight };
    seen.current = is;
    const rest = is.size - is.top - is.view;
    // A distance from the end is somebody's wish if they did something, or went up while nothing grew.
    if (rest < END_PX || now < (hold.current?.until ?? 0)) stick.current = rest < END_PX;
    else if (now - intent.current < INTENT_MS || (is.top < was.top && now - changed.current > SETTLE_MS)) stick.current = false;
    const reached = stick.current && !log.newer;
    setAtEnd(reached);
    if (reached) setBelow(0);
    top.set(topOf(it, top.get()));
    if (is.top < AHEAD_PX) session.loadOlder(logKey);
    if (rest < AHEAD_PX) session.loadNewer(logKey);
    const [upper, lower] = [items[it.findItemIndex(it.scrollOffset)], items[it.findItemIndex(it.scrollOffset + it.viewportSize)]];
    if (reached) session.sees(logKey, "end");
    else if (upper && lower) session.sees(logKey, { first: upper.message.ts, last: lower.message.ts });
  }, [items, log.newer, logKey, session, top, follow]);
  useEffect(() => () => session.sees(logKey, undefined), [logKey, session]);

  /** Gives a row the focus as soon as it can have it: a row is drawn, and hidden until measured, a few frames after a scroll to it. */
  const focusRow = useCallback((key: string, frames: number = FOCUS_FRAMES) => {
    requestAnimationFrame(() => {
      const row = box.current?.querySelector<HTMLElement>(`article[data-key="${CSS.escape(key)}"]`);
      row?.focus({ preventScroll: true });
      if (frames > 0 && (!row || document.activeElement !== row)) focusRow(key, frames - 1);
    });
  }, []);

  /** Goes where the person wants to be, if that is here and they have not been there for this wish. */
  const arrive = useCallback(() => {
    if (target === undefined || wish.current.met === target || !covers(log, target.ts)) return false;
    wish.current = { met: target, end: false };
    const found = items.findIndex((item) => compareTs(item.message.ts, target.ts) >= 0);
    const index = found < 0 ? items.length - 1 : found;
    if (target.exact) goTo(index, "center");
    else goTo(index, "start", CONTEXT_PX);
    if (!target.exact) return true;
    const item = items[index];
    if (item?.message.ts !== target.ts) notify(t.jump.missing);
    if (item !== undefined) focusRow(item.key);
    setFocusedKey(item?.key);
    return true;
  }, [target, wish, log, items, focusRow, goTo]);

  // Opens where a link leads; else at the first unread message, with the line and a little context above it.
  useLayoutEffect(() => {
    // Who asked for the end, or has just written, is not taken back to what is unread.
    const end = wish.current.end || items[items.length - 1]?.pending?.status === "sending";
    const first = end ? -1 : items.findIndex((item) => item.fresh);
    const led = arrive();
    if (!led && first >= 0) goTo(first, "start", CONTEXT_PX);
    else if (!led) toEnd();
    const frame = requestAnimationFrame(() => {
      markOnce("first-conversation");
      opened.current = true;
      if (first < 0 && !led) toEnd();
      look();
      setSettled(true);
    });
    return () => cancelAnimationFrame(frame);
    // Once: where the person is afterwards is theirs.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  useEffect(() => {
    if (opened.current) arrive();
  }, [arrive]);

  // What arrives at the end pulls along who is at the end, and is counted for who is not.
  const last = items[items.length - 1];
  const lastKey = useRef(last?.key);
  useLayoutEffect(() => {
    changed.current = performance.now();
    if (lastKey.current === last?.key) return;
    const before = items.findIndex((item) => item.key === lastKey.current);
    const added = before < 0 ? [] : items.slice(before + 1);
    lastKey.current = last?.key;
    if (log.newer) return;
    if (stick.current || (last?.pending !== undefined && last.pending.ts === undefined)) toEnd();
    else setBelow((count) => count + added.length);
  }, [items, last, log.newer, toEnd]);

  useEffect(() => onEnd?.(settled && atEnd && !log.newer), [settled, atEnd, log.newer, onEnd, items]);
  useEffect(look, [busy, look]);
  // Whatever makes the list higher, and however late it is drawn: the list stays where it should be.
  const latest = useRef(look);
  useEffect(() => {
    latest.current = look;
  }, [look]);
  useEffect(() => {
    const rows = box.current!.lastElementChild!;
    const watch = new MutationObserver(() => {
      if (box.current?.scrollHeight !== seen.current.size) latest.current();
    });
    watch.observe(rows, { attributes: true, attributeFilter: ["style"] });
    return () => watch.disconnect();
  }, []);

  const keyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (!target.matches("article") && target !== box.current) return;
    act();
    const at = focused < 0 ? items.length : focused;
    const to = event.key === "ArrowUp" ? at - 1 : event.key === "ArrowDown" ? at + 1 : event.key === "Home" ? 0 : event.key === "End" ? items.length - 1 : undefined;
    if (to === undefined) return;
    event.preventDefault();
    const index = Math.max(0, Math.min(items.length - 1, to));
    const item = items[index];
    if (item === undefined) return;
    setFocusedKey(item.key);
    const [it, frame] = [list.current!, box.current!];
    const [start, end] = [it.getItemOffset(index), it.getItemOffset(index) + it.getItemSize(index)];
    if (start < frame.scrollTop) goTo(index, "start");
    else if (end > frame.scrollTop + frame.clientHeight) goTo(index, "end");
    focusRow(item.key);
  };

  return (
    <div className="list-frame">
      <div
        ref={box}
        className="list"
        role="feed"
        aria-label={label}
        aria-busy={busy}
        // Tab comes to a message; to the list itself while that message may not be drawn.
        tabIndex={focused < 0 && !atEnd ? 0 : -1}
        onKeyDown={keyDown}
        onFocus={(event) => setFocusedKey(event.target.closest<HTMLElement>("article[data-key]")?.dataset["key"] ?? focusedKey)}
        onWheel={act}
        onTouchMove={act}
        onPointerDown={act}
      >
        <div className="list-spacer" />
        {items.length === 0 && intro}
        <Virtualizer
          ref={list}
          scrollRef={box}
          shift={shift}
          bufferSize={600}
          onScroll={look}
          onResize={look}
          data={items}
          {...(focused < 0 ? {} : { keepMounted: [focused] })}
        >
          {(item: Item, i: number) => (
            <div key={item.key} className={slotClass(i === items.length - 1, target?.exact === true && target.ts === item.message.ts)} data-index={i}>
              {i === 0 && !log.older && intro}
              <MessageRow item={item} logKey={logKey} channel={channel} canWrite={canWrite} current={i === current} editing={editing !== undefined && editing === item.message.ts && !item.pending} onEdit={onEdit} onThread={onThread} />
            </div>
          )}
        </Virtualizer>
      </div>
      <ListBars
        items={items}
        top={top}
        channel={channel}
        thread={threadOf(logKey)}
        newer={log.newer}
        onJump={onJump}
        onIndex={(index) => goTo(index, "start", CONTEXT_PX)}
      />
      {busy && log.older && <span className="sr-only">{t.conversation.loadingOlder}</span>}
      {(!atEnd || log.newer) && (
        <button
          type="button"
          className={below > 0 ? "to-end fresh" : "to-end"}
          onClick={() => {
            wish.current = { met: target, end: true };
            if (log.newer) return session.openEnd(logKey);
            toEnd();
            look();
          }}
        >
          <Icon name="arrowDown" />
          {below > 0 ? t.conversation.newBelow(below) : t.conversation.jumpToLatest}
        </button>
      )}
      <Announcer items={items} self={self} active={atEnd} />
    </div>
  );
}

function slotClass(last: boolean, linked: boolean): string {
  return `slot${last ? " last" : ""}${linked ? " linked" : ""}`;
}

/** Whether items came or went at the start since the last render; then the position is kept from the end. */
function useShift(items: readonly Item[]): boolean {
  const before = useRef<{ items: readonly Item[]; shift: boolean }>({ items, shift: false });
  if (before.current.items !== items) {
    const first = before.current.items[0];
    const now = items[0];
    const came = first !== undefined && now !== undefined && compareTs(now.message.ts, first.message.ts) < 0;
    const went = first !== undefined && now !== undefined && compareTs(now.message.ts, first.message.ts) > 0;
    before.current = { items, shift: first?.key !== now?.key && (came || went) };
  }
  return before.current.shift;
}

/** Tells a screen reader what arrived, while the person is at the end. */
function Announcer({ items, self, active }: { items: readonly Item[]; self: string; active: boolean }) {
  const session = useSession();
  const last = items[items.length - 1];
  const heard = useRef(last?.key);
  const [text, setText] = useState("");
  useEffect(() => {
    if (last === undefined || last.key === heard.current) return;
    heard.current = last.key;
    if (!active || last.message.user === self) return;
    const state = session.state.get();
    setText(t.conversation.announce(last.message.username ?? nameOf(state.users[last.message.user ?? ""]), messageText(last.message, state)));
  }, [last, active, self, session]);
  return (
    <div className="sr-only" aria-live="polite">
      {text}
    </div>
  );
}

/** Grey lines, only when loading takes longer than a moment. */
function Skeleton({ failed, refused }: { failed: boolean; refused: string | undefined }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), 300);
    return () => clearTimeout(timer);
  }, []);
  if (failed) {
    return (
      <div className="empty" role="status">
        <h2>{t.conversation.failed}</h2>
        <p>{refused === undefined ? t.conversation.failedLead : errorText(refused)}</p>
      </div>
    );
  }
  return (
    <div className="list-frame">
      <div className="skeleton" aria-busy="true" aria-label={t.loading}>
        {shown && [62, 38, 78, 51, 70, 33].map((width, i) => (
          <div key={i} className="skeleton-row">
            <span className="skeleton-face" />
            <span className="skeleton-lines" style={{ width: `${width}%` }} />
          </div>
        ))}
      </div>
    </div>
  );
}

