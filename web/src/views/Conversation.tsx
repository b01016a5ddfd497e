import { useCallback, useEffect, useRef, useState } from "react";
import { Composer } from "../components/Composer";
import { Icon } from "../components/Icon";
import { Menu } from "../components/overlay";
import { hasUnreads, isNotice } from "../realtime/state";
import type { LogKey, State } from "../realtime/state";
import { nameOf, titleOf, useSession, useWorkspace } from "../store/context";
import { loadDraft, saveDraft } from "../store/drafts";
import { useTarget } from "../store/jump";
import type { Target } from "../store/jump";
import { notifyFailure } from "../store/notice";
import { navigate } from "../store/route";
import { sameItems, signal, useSignal } from "../store/signal";
import { keptUnread } from "../store/unread";
import { t } from "../strings";
import type { Channel, Ts } from "../wire/types";
import { DateButton } from "./JumpMenu";
import { MessageList } from "./MessageList";
import { PeoplePicker } from "./PeoplePicker";
import { PinsButton } from "./PinsPanel";

/** Whether somebody looks at the window. */
const focused = signal(typeof document === "undefined" || document.hasFocus());
if (typeof window !== "undefined") {
  const update = () => focused.set(document.hasFocus() && !document.hidden);
  window.addEventListener("focus", update);
  window.addEventListener("blur", update);
  document.addEventListener("visibilitychange", update);
}

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
  const unreadAfter = useUnreadLine(id, atEnd);
  const thread = useCallback((ts: Ts) => navigate({ name: "channel", channel: id, thread: ts }), [id]);
  const [target, jump] = useTarget(id, undefined);
  const canWrite = !channel.is_archived;
  return (
    <section className="pane conversation" aria-label={name}>
      <Header channel={channel} title={title} onJump={jump} />
      <MessageList
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
function useUnreadLine(id: string, atEnd: boolean): Ts | undefined {
  const session = useSession();
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
    if (!atEnd || !looks || held) return;
    seen.current = true;
    if (unread) session.read(id);
  }, [atEnd, looks, held, unread, latest, id, session]);
  return line;
}

/** The newest message of one's own that can be edited. */
export function lastOwn(state: State, key: LogKey): Ts | undefined {
  const rows = state.logs[key]?.rows ?? [];
  for (let i = rows.length - 1; i >= 0; i--) {
    const { message } = rows[i]!;
    if (message.user === state.self?.id && !message.bot_id && !isNotice(message) && message.subtype !== "tombstone") return message.ts;
  }
  return undefined;
}

function Header({ channel, title, onJump }: { channel: Channel; title: string; onJump(target: Target): void }) {
  const session = useSession();
  const [menu, setMenu] = useState(false);
  const [adding, setAdding] = useState(false);
  const more = useRef<HTMLButtonElement>(null);
  const direct = channel.is_im || channel.is_mpim;
  const count = channel.num_members;
  return (
    <header className="pane-head">
      <button type="button" className="icon-button back" aria-label={t.back} onClick={() => navigate({ name: "home" })}>
        <Icon name="back" />
      </button>
      <h1>
        {!direct && <Icon name={channel.is_private ? "lock" : "hash"} />}
        <span>{title}</span>
      </h1>
      {channel.topic?.value && <p className="topic">{channel.topic.value}</p>}
      <span className="grow" />
      <PinsButton channel={channel.id} />
      <DateButton channel={channel} onJump={onJump} />
      {!direct && count !== undefined && (
        <span className="member-count" title={t.conversation.members(count)}>
          <Icon name="people" />
          {count}
        </span>
      )}
      {!direct && (
        <button ref={more} type="button" className="icon-button" aria-label={t.conversation.details} aria-expanded={menu} onClick={() => setMenu(!menu)}>
          <Icon name="more" />
        </button>
      )}
      {menu && (
        <Menu
          anchor={more}
          label={t.conversation.details}
          onClose={() => setMenu(false)}
          items={[
            { key: "add", icon: <Icon name="people" />, text: t.conversation.addPeople, run: () => setAdding(true) },
            ...(channel.is_general ? [] : [{ key: "leave", icon: <Icon name="exit" />, text: t.conversation.leave, danger: true, run: () => void session.leave(channel.id).then(() => navigate({ name: "home" }), notifyFailure) }]),
          ]}
        />
      )}
      {adding && <PeoplePicker title={t.peoplePicker.addTitle(title)} onClose={() => setAdding(false)} onPick={(user) => session.invite(channel.id, user)} />}
    </header>
  );
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

/** The composer of a conversation or thread, with its draft and who else types. */
export function Writer({ logKey, placeholder, onEditLast }: { logKey: LogKey; placeholder: string; onEditLast(): void }) {
  const session = useSession();
  const self = useWorkspace((state) => state.self?.id ?? "");
  const typing = useWorkspace((state) => Object.keys(state.typing[logKey] ?? {}).map((id) => nameOf(state.users[id])), sameItems);
  return (
    <footer className="writer">
      <Composer
        key={logKey}
        id={logKey}
        initial={loadDraft(self, logKey)}
        placeholder={placeholder}
        autoFocus
        onChange={(typed) => {
          saveDraft(self, logKey, typed);
          if (typed !== "") session.typing(logKey);
        }}
        onSend={(text) => session.send(logKey, text)}
        onEditLast={onEditLast}
      />
      <p className="typing" role="status">
        {typing.length > 0 ? t.composer.typing(typing) : <span className="hint">{t.composer.hint}</span>}
      </p>
    </footer>
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
