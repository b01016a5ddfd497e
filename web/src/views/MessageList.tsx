import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { KeyboardEvent, ReactNode } from "react";
import { Virtualizer } from "virtua";
import type { VirtualizerHandle } from "virtua";
import { Icon } from "../components/Icon";
import type { Log } from "../realtime/log";
import { emptyLog } from "../realtime/log";
import { threadOf } from "../realtime/state";
import type { LogKey, Pending } from "../realtime/state";
import { nameOf, useSession, useWorkspace } from "../store/context";
import { t } from "../strings";
import { errorText } from "../strings/en";
import { parseMrkdwn, plainText } from "../text/mrkdwn";
import type { Ts } from "../wire/types";
import { compareTs } from "../wire/types";
import { MessageRow } from "./MessageRow";
import { buildItems } from "./items";
import type { Item } from "./items";

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
/** A scroll this soon after a wheel, key or finger is the person's doing, milliseconds. */
const INTENT_MS = 600;

/** A log on screen: virtualised, opened at the first unread message, and never jumping. */
export function MessageList(props: Props) {
  const { logKey } = props;
  const session = useSession();
  const log = useWorkspace((state) => state.logs[logKey] ?? emptyLog);
  const failed = useWorkspace((state) => state.loads[logKey]?.failed ?? false);
  const refused = useWorkspace((state) => state.loads[logKey]?.refused);
  useEffect(() => session.open(logKey), [session, logKey, log.loaded]);
  if (!log.loaded) return <Skeleton failed={failed} refused={refused} />;
  // A replaced log is another list: positions in the old one mean nothing.
  return <LoadedList key={`${logKey}#${log.epoch}`} {...props} log={log} />;
}

function LoadedList({ logKey, channel, label, canWrite, unreadAfter, editing, onEdit, onThread, onEnd, intro, log }: Props & { log: Log }) {
  const session = useSession();
  const pending = useWorkspace((state) => state.pending[logKey] ?? NOTHING);
  const self = useWorkspace((state) => state.self?.id ?? "");
  const busy = useWorkspace((state) => (state.loads[logKey]?.busy ?? 0) > 0);
  const items = useMemo(() => buildItems(log, pending, self, unreadAfter, threadOf(logKey)), [log, pending, self, unreadAfter, logKey]);
  const list = useRef<VirtualizerHandle>(null);
  const box = useRef<HTMLDivElement>(null);
  const stick = useRef(false);
  const opened = useRef(false);
  const intent = useRef(0);
  const seen = useRef({ size: 0, view: 0 });
  const [atEnd, setAtEnd] = useState(true);
  const [below, setBelow] = useState(0);
  const [focused, setFocused] = useState<number | undefined>(undefined);
  const shift = useShift(items);

  const toEnd = useCallback(() => {
    stick.current = true;
    list.current?.scrollToIndex(Number.MAX_SAFE_INTEGER, { align: "end" });
    const it = box.current;
    if (it) it.scrollTop = it.scrollHeight;
  }, []);

  const look = useCallback(() => {
    const it = list.current;
    if (!it || !opened.current) return;
    const rest = it.scrollSize - it.scrollOffset - it.viewportSize;
    // A distance from the end is somebody's wish, unless it is there because something grew.
    const grew = seen.current.size !== it.scrollSize || seen.current.view !== it.viewportSize;
    seen.current = { size: it.scrollSize, view: it.viewportSize };
    if (rest < END_PX) stick.current = true;
    else if (!grew || performance.now() - intent.current < INTENT_MS) stick.current = false;
    const reached = stick.current && !log.newer;
    setAtEnd(reached);
    if (reached) setBelow(0);
    if (it.scrollOffset < AHEAD_PX) session.loadOlder(logKey);
    if (rest < AHEAD_PX) session.loadNewer(logKey);
  }, [log.newer, logKey, session]);

  // Opens at the first unread message, with the line and a little context above it.
  useLayoutEffect(() => {
    const first = items.findIndex((item) => item.fresh);
    if (first >= 0) list.current?.scrollToIndex(first, { align: "start", offset: -CONTEXT_PX });
    else toEnd();
    const frame = requestAnimationFrame(() => {
      opened.current = true;
      if (first < 0) toEnd();
      look();
    });
    return () => cancelAnimationFrame(frame);
    // Once: where the person is afterwards is theirs.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, []);

  // What arrives at the end pulls along who is at the end, and is counted for who is not.
  const last = items[items.length - 1];
  const lastKey = useRef(last?.key);
  useLayoutEffect(() => {
    if (lastKey.current === last?.key) return;
    const before = items.findIndex((item) => item.key === lastKey.current);
    const added = before < 0 ? [] : items.slice(before + 1);
    lastKey.current = last?.key;
    if (log.newer) return;
    if (stick.current || last?.pending?.status === "sending") toEnd();
    else setBelow((count) => count + added.length);
  }, [items, last, log.newer, toEnd]);

  useEffect(() => onEnd?.(atEnd && !log.newer), [atEnd, log.newer, onEnd, items]);
  useEffect(look, [items, busy, look]);

  const keyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (!target.matches("article") && target !== box.current) return;
    intent.current = performance.now();
    const at = focused ?? items.length;
    const to = event.key === "ArrowUp" ? at - 1 : event.key === "ArrowDown" ? at + 1 : event.key === "Home" ? 0 : event.key === "End" ? items.length - 1 : undefined;
    if (to === undefined) return;
    event.preventDefault();
    const index = Math.max(0, Math.min(items.length - 1, to));
    setFocused(index);
    list.current?.scrollToIndex(index, { align: "nearest" });
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>(`[data-index="${index}"] article`)?.focus({ preventScroll: true }));
  };

  return (
    <div className="list-frame">
      <div
        ref={box}
        className="list"
        role="feed"
        aria-label={label}
        aria-busy={busy}
        tabIndex={0}
        onKeyDown={keyDown}
        onWheel={() => (intent.current = performance.now())}
        onTouchMove={() => (intent.current = performance.now())}
        onPointerDown={() => (intent.current = performance.now())}
      >
        <div className="list-spacer" />
        {items.length === 0 && intro}
        <Virtualizer
          ref={list}
          scrollRef={box}
          shift={shift}
          bufferSize={600}
          onScroll={look}
          onResize={() => {
            if (stick.current && opened.current) toEnd();
            look();
          }}
          {...(focused === undefined ? {} : { keepMounted: [Math.min(focused, items.length - 1)] })}
        >
          {items.map((item, i) => (
            <div key={item.key} className={i === items.length - 1 ? "slot last" : "slot"} data-index={i}>
              {i === 0 && !log.older && intro}
              <MessageRow item={item} logKey={logKey} channel={channel} canWrite={canWrite} editing={editing !== undefined && editing === item.message.ts && !item.pending} onEdit={onEdit} onThread={onThread} />
            </div>
          ))}
        </Virtualizer>
      </div>
      {busy && log.older && <span className="sr-only">{t.conversation.loadingOlder}</span>}
      {(!atEnd || log.newer) && (
        <button
          type="button"
          className={below > 0 ? "to-end fresh" : "to-end"}
          onClick={() => {
            if (log.newer) session.openEnd(logKey);
            else toEnd();
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

/** Whether the items grew at the start since the last render; then the position is kept from the end. */
function useShift(items: readonly Item[]): boolean {
  const before = useRef<{ items: readonly Item[]; shift: boolean }>({ items, shift: false });
  if (before.current.items !== items) {
    const first = before.current.items[0];
    const now = items[0];
    const shift = first !== undefined && now !== undefined && first.key !== now.key && compareTs(now.message.ts, first.message.ts) < 0;
    before.current = { items, shift };
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
    const { users, conversations } = session.state.get();
    const names = { user: (id: string) => nameOf(users[id]), channel: (id: string) => conversations[id]?.channel.name ?? t.unknownChannel };
    setText(t.conversation.announce(nameOf(users[last.message.user ?? ""]), plainText(parseMrkdwn(last.message.text ?? ""), names)));
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

