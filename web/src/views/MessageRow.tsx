import { memo, useRef, useState } from "react";
import type { ReactNode } from "react";
import { Avatar } from "../components/Avatar";
import { Composer, useTyped } from "../components/Composer";
import { EmojiPicker } from "../components/EmojiPicker";
import { Icon } from "../components/Icon";
import type { IconName } from "../components/Icon";
import { Dialog } from "../components/overlay";
import { isNotice } from "../realtime/state";
import type { LogKey, Pending } from "../realtime/state";
import { nameOf, useSession, useWorkspace } from "../store/context";
import { notifyFailure } from "../store/notice";
import { minute } from "../store/minute";
import { sameItems, useSignal } from "../store/signal";
import { t } from "../strings";
import { errorText } from "../strings/en";
import { Emoji } from "../text/Mrkdwn";
import { ago, clockTime, dayName, fullTime } from "../text/time";
import type { Message, Reaction, User } from "../wire/types";
import { tsToMs } from "../wire/types";
import { MessageContent } from "./MessageContent";
import { PersonCard } from "./PersonCard";
import { sameItem } from "./items";
import type { Item } from "./items";

interface Props {
  item: Item;
  logKey: LogKey;
  channel: string;
  editing: boolean;
  canWrite: boolean;
  onEdit(ts: string | undefined): void;
  onThread?: ((ts: string) => void) | undefined;
}

/** Whether the pointer of this device can rest on something without touching it. */
const hovers = window.matchMedia("(hover: hover)");
/** Held this long, a finger means the actions, milliseconds. */
const LONG_PRESS_MS = 450;

/** One message, with what stands above it. */
export const MessageRow = memo(
  function MessageRow(props: Props) {
    const { item } = props;
    const now = useSignal(minute);
    return (
      <>
        {(item.day !== undefined || item.fresh) && (
          <div className={item.fresh ? "divider new-line" : "divider"}>
            {item.day !== undefined && <span>{dayName(item.day, now)}</span>}
            <i />
            {item.fresh && <b>{t.conversation.newLine}</b>}
          </div>
        )}
        {isNotice(item.message) ? <Notice message={item.message} /> : <Body {...props} />}
      </>
    );
  },
  (a, b) => sameItem(a.item, b.item) && a.editing === b.editing && a.canWrite === b.canWrite && a.logKey === b.logKey && a.onEdit === b.onEdit && a.onThread === b.onThread,
);

function Body({ item, logKey, channel, editing, canWrite, onEdit, onThread }: Props) {
  const { message, pending } = item;
  const user = useWorkspace((state) => (message.user === undefined ? undefined : state.users[message.user]));
  const mine = useWorkspace((state) => state.self?.id === message.user && message.bot_id === undefined);
  const self = useWorkspace((state) => state.self?.id);
  const [active, setActive] = useState(false);
  const [held, setHeld] = useState(false);
  const press = useRef<ReturnType<typeof setTimeout>>(undefined);
  const ms = tsToMs(message.ts);
  const name = message.username ?? message.bot_profile?.name ?? nameOf(user);
  const gone = message.subtype === "tombstone";
  const calls = self !== undefined && !mine && (message.text?.includes(`<@${self}>`) || /<!(channel|here|everyone)[|>]/.test(message.text ?? ""));
  const classes = ["message", item.head ? "head" : "", calls ? "calls-me" : "", item.parent ? "parent" : "", pending ? pending.status : "", editing ? "editing" : ""];
  return (
    <article
      className={classes.filter(Boolean).join(" ")}
      tabIndex={-1}
      data-key={item.key}
      data-ts={pending && pending.ts === undefined ? undefined : message.ts}
      data-state={pending?.status}
      aria-label={`${name}, ${fullTime(ms)}`}
      onPointerEnter={() => hovers.matches && setActive(true)}
      onPointerLeave={() => setActive(false)}
      onFocus={() => setActive(true)}
      onBlur={(event) => {
        if (event.currentTarget.contains(event.relatedTarget)) return;
        setActive(false);
        setHeld(false);
      }}
      onPointerDown={(event) => {
        if (event.pointerType !== "touch") return;
        const row = event.currentTarget;
        press.current = setTimeout(() => {
          setHeld(true);
          row.focus({ preventScroll: true });
        }, LONG_PRESS_MS);
      }}
      onPointerUp={() => clearTimeout(press.current)}
      onPointerCancel={() => clearTimeout(press.current)}
      onPointerMove={(event) => event.pointerType === "touch" && Math.abs(event.movementY) > 2 && clearTimeout(press.current)}
      onKeyDown={(event) => {
        if (event.target === event.currentTarget && event.key === "e" && mine && !pending && !gone) {
          event.preventDefault();
          onEdit(message.ts);
        }
      }}
    >
      <div className="gutter">
        {item.head ? (
          <Avatar user={user} name={name} size={36} />
        ) : (
          <time className="gutter-time" dateTime={new Date(ms).toISOString()} title={fullTime(ms)}>
            {clockTime(ms)}
          </time>
        )}
      </div>
      <div className="content">
        {item.head && (
          <header className="byline">
            <Author user={user} name={name} />
            {(user?.is_bot || message.bot_id) && <span className="badge">{t.message.bot}</span>}
            <time dateTime={new Date(ms).toISOString()} title={fullTime(ms)}>
              {clockTime(ms)}
            </time>
            {message.subtype === "ephemeral" && <span className="only-you">{t.message.onlyYou}</span>}
          </header>
        )}
        {message.subtype === "thread_broadcast" && onThread && message.thread_ts !== undefined && (
          <button type="button" className="broadcast-note" onClick={() => onThread(message.thread_ts!)}>
            <Icon name="thread" />
            {t.message.repliedInThread}
          </button>
        )}
        {editing ? (
          <Editor message={message} channel={channel} onDone={() => onEdit(undefined)} />
        ) : gone ? (
          <p className="text faint">{t.message.deleted}</p>
        ) : (
          <MessageContent message={message} after={message.edited && <small className="edited" title={fullTime(tsToMs(message.edited.ts))}> ({t.message.edited})</small>} />
        )}
        {message.reactions && <Reactions channel={channel} message={message} reactions={message.reactions} canWrite={canWrite} />}
        {onThread && message.reply_count ? <ThreadLink message={message} onOpen={() => onThread(message.ts)} /> : null}
        {pending && <Delivery pending={pending} logKey={logKey} />}
      </div>
      {(active || held) && !pending && !editing && !gone && message.subtype !== "ephemeral" && (
        <Actions message={message} channel={channel} mine={mine} canWrite={canWrite} onEdit={() => onEdit(message.ts)} onThread={onThread && (() => onThread(message.thread_ts ?? message.ts))} />
      )}
    </article>
  );
}

function Author({ user, name }: { user: User | undefined; name: string }) {
  const [open, setOpen] = useState(false);
  const ref = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button ref={ref} type="button" className="author" onClick={() => setOpen(!open)} aria-expanded={open} aria-haspopup="dialog">
        {name}
      </button>
      {open && user && <PersonCard user={user} anchor={ref} onClose={() => setOpen(false)} />}
    </>
  );
}

function Editor({ message, channel, onDone }: { message: Message; channel: string; onDone(): void }) {
  const session = useSession();
  const typed = useTyped(message.text ?? "");
  return (
    <div className="editor">
      <Composer
        id={`edit-${message.ts}`}
        initial={typed}
        placeholder={t.message.edit}
        autoFocus
        submit={t.message.save}
        onCancel={onDone}
        onSend={(text) => {
          if (text === message.text) onDone();
          else session.edit(channel, message.ts, text).then(onDone, notifyFailure);
        }}
      />
      <p className="editor-hint">{t.message.editHint}</p>
    </div>
  );
}

function Reactions({ channel, message, reactions, canWrite }: { channel: string; message: Message; reactions: readonly Reaction[]; canWrite: boolean }) {
  const session = useSession();
  const self = useWorkspace((state) => state.self?.id ?? "");
  const [picking, setPicking] = useState(false);
  const more = useRef<HTMLButtonElement>(null);
  const react = (name: string, added: boolean) => void session.react(channel, message.ts, name, added).catch(notifyFailure);
  return (
    <div className="reactions">
      {reactions.map((it) => {
        const mine = it.users.includes(self);
        return (
          <ReactionChip key={it.name} reaction={it} mine={mine} disabled={!canWrite} onToggle={() => react(it.name, !mine)} />
        );
      })}
      {canWrite && (
        <button ref={more} type="button" className="reaction add" aria-label={t.message.react} aria-expanded={picking} onClick={() => setPicking(!picking)}>
          <Icon name="smile" />
        </button>
      )}
      {picking && <EmojiPicker anchor={more} onClose={() => setPicking(false)} onPick={(name) => react(name, true)} />}
    </div>
  );
}

/** Names listed under an emoji. */
const NAMES_MAX = 8;

function ReactionChip({ reaction, mine, disabled, onToggle }: { reaction: Reaction; mine: boolean; disabled: boolean; onToggle(): void }) {
  const names = useWorkspace((state) => reaction.users.slice(0, NAMES_MAX).map((id) => (id === state.self?.id ? t.you : nameOf(state.users[id]))), sameItems);
  const label = t.message.reactedWith(t.people(names, reaction.count - names.length), reaction.name);
  return (
    <button type="button" className={mine ? "reaction mine" : "reaction"} aria-pressed={mine} title={label} disabled={disabled} data-reaction={reaction.name} onClick={onToggle}>
      <Emoji name={reaction.name} />
      <span className="count">{reaction.count}</span>
    </button>
  );
}

function ThreadLink({ message, onOpen }: { message: Message; onOpen(): void }) {
  const now = useSignal(minute);
  const users = useWorkspace((state) => (message.reply_users ?? []).slice(0, 3).map((id) => state.users[id]), sameItems);
  return (
    <button type="button" className="thread-link" onClick={onOpen}>
      <span className="faces">
        {users.map((user, i) => (
          <Avatar key={user?.id ?? i} user={user} size={20} />
        ))}
      </span>
      <b>{t.message.replies(message.reply_count ?? 0)}</b>
      {message.latest_reply && <span>{t.message.lastReply(ago(tsToMs(message.latest_reply), now))}</span>}
    </button>
  );
}

/** The honest state of one's own message. */
function Delivery({ pending, logKey }: { pending: Pending; logKey: LogKey }) {
  const session = useSession();
  const [copied, setCopied] = useState(false);
  if (pending.status === "sent") return null;
  if (pending.status === "sending") return <p className="delivery quiet">{t.message.sending}</p>;
  if (pending.status === "waiting") {
    return (
      <p className="delivery">
        <Icon name="clock" />
        {t.message.waiting}
      </p>
    );
  }
  return (
    <div className="delivery failed" role="alert">
      <p>
        <Icon name="alert" />
        {errorText(pending.error ?? "no_answer")}
      </p>
      <div>
        <button type="button" onClick={() => session.retry(logKey, pending.id)}>
          {t.message.retry}
        </button>
        <button type="button" onClick={() => void navigator.clipboard?.writeText(pending.text).then(() => setCopied(true))}>
          {copied ? t.message.copied : t.message.copy}
        </button>
        <button type="button" onClick={() => session.discard(logKey, pending.id)}>
          {t.message.discard}
        </button>
      </div>
    </div>
  );
}

function Actions({ message, channel, mine, canWrite, onEdit, onThread }: { message: Message; channel: string; mine: boolean; canWrite: boolean; onEdit(): void; onThread: (() => void) | undefined }) {
  const session = useSession();
  const [picking, setPicking] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const smile = useRef<HTMLButtonElement>(null);
  const button = (icon: IconName, label: string, run: () => void): ReactNode => (
    <button type="button" className="icon-button" aria-label={label} title={label} onClick={run}>
      <Icon name={icon} />
    </button>
  );
  return (
    <div className={picking ? "actions pinned" : "actions"} role="toolbar" aria-label={t.message.actions}>
      {canWrite && (
        <button ref={smile} type="button" className="icon-button" aria-label={t.message.react} title={t.message.react} aria-expanded={picking} onClick={() => setPicking(!picking)}>
          <Icon name="smile" />
        </button>
      )}
      {onThread && button("thread", t.message.reply, onThread)}
      {mine && canWrite && button("pencil", t.message.edit, onEdit)}
      {mine && canWrite && button("trash", t.message.delete, () => setDeleting(true))}
      {picking && <EmojiPicker anchor={smile} onClose={() => setPicking(false)} onPick={(name) => void session.react(channel, message.ts, name, true).catch(notifyFailure)} />}
      {deleting && (
        <Dialog title={t.message.deleteTitle} onClose={() => setDeleting(false)}>
          <p className="dialog-lead">{t.message.deleteLead}</p>
          <div className="dialog-preview">
            <MessageContent message={message} />
          </div>
          <div className="dialog-buttons">
            <button type="button" className="button" onClick={() => setDeleting(false)}>
              {t.cancel}
            </button>
            <button type="button" className="button danger" onClick={() => (setDeleting(false), void session.delete(channel, message.ts).catch(notifyFailure))}>
              {t.message.delete}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

/** Somebody joined, a topic was set: small, without a picture. */
function Notice({ message }: { message: Message }) {
  const user = useWorkspace((state) => (message.user === undefined ? undefined : state.users[message.user]));
  const inviter = useWorkspace((state) => (message.inviter === undefined ? undefined : state.users[message.inviter]));
  const ms = tsToMs(message.ts);
  return (
    <article className="notice-row" tabIndex={-1} data-ts={message.ts} aria-label={fullTime(ms)}>
      <time dateTime={new Date(ms).toISOString()} title={fullTime(ms)}>
        {clockTime(ms)}
      </time>
      <p>
        <b>{nameOf(user)}</b> {noticeText(message, inviter)}
      </p>
    </article>
  );
}

function noticeText(message: Message, inviter: User | undefined): string {
  const { topic, purpose } = message as { topic?: string; purpose?: string };
  const kind = (message.subtype ?? "").replace(/^(channel|group)_/, "");
  switch (kind) {
    case "join":
      return inviter ? t.message.invitedBy(nameOf(inviter)) : t.message.joined;
    case "leave":
      return t.message.left;
    case "topic":
      return t.message.setTopic(topic ?? "");
    case "purpose":
      return t.message.setPurpose(purpose ?? "");
    case "archive":
      return t.message.archivedChannel;
    default:
      return message.text ?? "";
  }
}
