import { useCallback, useEffect, useRef, useState } from "react";
import { DropTarget } from "../files/DropTarget";
import { hasUnreads, isNotice } from "../realtime/state";
import type { LogKey, State } from "../realtime/state";
import { titleOf, useSession, useWorkspace } from "../store/context";
import { focused } from "../store/focused";
import { useTarget } from "../store/jump";
import { notifyFailure } from "../store/notice";
import { navigate } from "../store/route";
import { useSignal } from "../store/signal";
import { keptUnread } from "../store/unread";
import { t } from "../strings";
import type { Channel, Ts } from "../wire/types";
import { ConversationHeader } from "./ConversationHeader";
import { MessageList } from "./MessageList";
import { Writer } from "./Writer";

/** Somebody who has looked at a conversation for longer than this, or has done anything in it, keeps their place, milliseconds. */
const OPENING_MS = 4_000;

/** One conversation: its messages and the place to write. */
export function Conversation({ id }: { id: string }) {
  const it = useWorkspace((state) => state.conversations[id]);
  if (it === undefined || it.gone) return <Gone key={id} id={id} />;
  return <Open key={id} channel={it.channel} />;
}

function Open({ channel }: { channel: Channel }) {
  const session = useSession();
  const id = channel.id;
  const title = useWorkspace((state) => titleOf(state, channel));
  const name = channel.is_im || channel.is_mpim ? title : `#${title}`;
  const [editing, setEditing] = useState<Ts | undefined>(undefined);
  const [atEnd, setAtEnd] = useState(false);
  const { line: unreadAfter, opening, act } = useUnreadLine(id, atEnd);
  const thread = useCallback((ts: Ts) => navigate({ name: "channel", channel: id, thread: ts }), [id]);
  const [target, jump] = useTarget(id, undefined);
  const canWrite = !channel.is_archived;
  return (
    <section className="pane conversation" aria-label={name} onPointerDownCapture={act} onKeyDownCapture={act} onWheelCapture={act}>
      {canWrite && <DropTarget owner={id} label={name} />}
      <ConversationHeader channel={channel} title={title} onJump={jump} />
      <MessageList
        key={opening}
        logKey={id}
        channel={id}
        label={t.conversation.feed(name)}
        canWrite={canWrite}
        unreadAfter={unreadAfter}
        editing={editing}
        onEdit={setEditing}
        onThread={thread}
        onEnd={setAtEnd}
        target={target}
        onJump={jump}
        intro={<Intro channel={channel} title={title} />}
      />
      {canWrite ? <Writer logKey={id} placeholder={t.composer.message(name)} onEditLast={() => setEditing(lastOwn(session.state.get(), id))} /> : <p className="read-only">{t.conversation.archived}</p>}
    </section>
  );
}

/**
 * Marks the conversation read while the person is at its end and looks at the window, and says where
 * the line "new" goes: it stays where it was when they came, and moves when they look away.
 */
function useUnreadLine(id: string, atEnd: boolean): { line: Ts | undefined; opening: number; act: () => void } {
  const session = useSession();
  const current = useSignal(session.current);
  const looks = useSignal(focused);
  const unread = useWorkspace((state) => state.conversations[id] !== undefined && hasUnreads(state.conversations[id]));
  const latest = useWorkspace((state) => state.conversations[id]?.latest);
  const [line, setLine] = useState(() => {
    const it = session.state.get().conversations[id];
    return it !== undefined && hasUnreads(it) ? it.lastRead : undefined;
  });
  const seen = useRef(false);
  const kept = useSignal(keptUnread);
  const held = kept?.channel === id;
  useEffect(() => {
    if (!held) return;
    seen.current = false;
    setLine(kept.line);
  }, [kept, held]);
  // It was read elsewhere, or what they wrote read it.
  useEffect(() => {
    if (held && !unread) keptUnread.set(undefined);
  }, [held, unread]);
  // Who leaves and comes back has seen it.
  useEffect(
    () => () => {
      if (keptUnread.get()?.channel === id) keptUnread.set(undefined);
    },
    [id],
  );
  // What happened while the page was closed comes a moment after what the device has: the list opens once more, at the line.
  const opened = useRef({ at: 0, current, acted: false });
  useEffect(() => {
    opened.current.at = performance.now();
  }, []);
  const [opening, setOpening] = useState(0);
  const act = useCallback(() => {
    opened.current.acted = true;
  }, []);
  useEffect(() => {
    if (!current || opened.current.current) return;
    opened.current.current = true;
    const it = session.state.get().conversations[id];
    if (it === undefined || !hasUnreads(it)) return;
    setLine((was) => was ?? it.lastRead);
    if (!opened.current.acted && performance.now() - opened.current.at < OPENING_MS) setOpening((count) => count + 1);
  }, [current, id, session]);
  useEffect(() => {
    const it = session.state.get().conversations[id];
    if (it === undefined) return;
    if (!looks && seen.current) {
      // From here on everything that comes is new.
      seen.current = false;
      setLine(it.lastRead);
    }
    // They are back and nothing has come.
    if (looks && !hasUnreads(it)) setLine((was) => (was === it.lastRead ? undefined : was));
  }, [looks, id, session]);
  useEffect(() => {
    if (!atEnd || !looks || !current || held) return;
    seen.current = true;
    if (unread) session.read(id);
  }, [atEnd, looks, current, held, unread, latest, id, session]);
  return { line, opening, act };
}

/** The newest message of one's own that can be edited. */
export function lastOwn(state: State, key: LogKey): Ts | undefined {
  const rows = state.logs[key]?.rows ?? [];
  // The last one is still on its way: the one before it is not meant.
  if (state.pending[key]?.some((it) => it.status !== "failed")) return undefined;
  for (let i = rows.length - 1; i >= 0; i--) {
    const { message } = rows[i]!;
    if (message.user === state.self?.id && !message.bot_id && !isNotice(message) && message.subtype !== "tombstone") return message.ts;
  }
  return undefined;
}

function Intro({ channel, title }: { channel: Channel; title: string }) {
  const self = useWorkspace((state) => state.self?.id === channel.user);
  const [head, lead] = self
    ? [t.conversation.startSelf, t.conversation.startSelfLead]
    : channel.is_im || channel.is_mpim
      ? [t.conversation.startDirect(title), t.conversation.startDirectLead]
      : [t.conversation.startChannel(title), t.conversation.startChannelLead];
  // No heading: a feed has articles only.
  return (
    <div className="intro">
      <strong>{head}</strong>
      {channel.purpose?.value || lead}
    </div>
  );
}

/** A conversation that the person is not in: a public channel can be joined, the rest is not told apart. */
function Gone({ id }: { id: string }) {
  const session = useSession();
  const [found, setFound] = useState<Channel | "nothing" | undefined>(undefined);
  useEffect(() => {
    session.look(id).then(setFound, () => setFound("nothing"));
  }, [session, id]);
  if (found === undefined) return <section className="pane conversation" />;
  const open = found !== "nothing" && found.is_channel && !found.is_archived ? found : undefined;
  return (
    <section className="pane conversation">
      <div className="empty">
        <h2>{open ? `#${open.name}` : t.conversation.gone}</h2>
        <p>{open ? open.purpose?.value || open.topic?.value || t.conversation.notMember : t.conversation.goneLead}</p>
        {open && (
          <button type="button" className="button primary" onClick={() => void session.join(id).catch(notifyFailure)}>
            {t.conversation.join(open.name ?? "")}
          </button>
        )}
        <button type="button" className="button" onClick={() => navigate({ name: "home" })}>
          {t.back}
        </button>
      </div>
    </section>
  );
}
