import { memo, useId, useRef, useState } from "react";
import { Avatar } from "../components/Avatar";
import { Icon } from "../components/Icon";
import { findRow } from "../realtime/log";
import { isNotice, threadOf } from "../realtime/state";
import type { LogKey, Pending } from "../realtime/state";
import { toClipboard } from "../store/clipboard";
import { nameOf, useSession, useWorkspace } from "../store/context";
import { minute } from "../store/minute";
import { sameItems, useSignal } from "../store/signal";
import { t } from "../strings";
import { errorText } from "../strings/en";
import { Emoji } from "../text/Mrkdwn";
import { ago, clockTime, dayName, fullTime } from "../text/time";
import type { Message, User } from "../wire/types";
import { tsToMs } from "../wire/types";
import { MessageActions, messageKey } from "./MessageActions";
import type { Opened } from "./MessageActions";
import { MessageContent, messageText } from "./MessageContent";
import { MessageEditor } from "./MessageEditor";
import { Notice } from "./Notice";
import { PersonCard } from "./PersonCard";
import { Reactions } from "./Reactions";
import { sameItem } from "./items";
import type { Item } from "./items";

interface Props {
  item: Item;
  logKey: LogKey;
  channel: string;
  editing: boolean;
  canWrite: boolean;
  /** It is the one that Tab comes to: one message of the list at a time. */
  current: boolean;
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
        {isNotice(item.message) ? <Notice message={item.message} rowKey={item.key} current={props.current} /> : <Body {...props} />}
      </>
    );
  },
  (a, b) => sameItem(a.item, b.item) && a.editing === b.editing && a.canWrite === b.canWrite && a.current === b.current && a.logKey === b.logKey && a.onEdit === b.onEdit && a.onThread === b.onThread,
);

function Body({ item, logKey, channel, editing, canWrite, current, onEdit, onThread }: Props) {
  const session = useSession();
  const id = useId();
  const { message, pending } = item;
  const user = useWorkspace((state) => (message.user === undefined ? undefined : state.users[message.user]));
  const mine = useWorkspace((state) => state.self?.id === message.user && message.bot_id === undefined);
  const self = useWorkspace((state) => state.self?.id);
  const [active, setActive] = useState(false);
  const [held, setHeld] = useState(false);
  const [opened, setOpened] = useState<Opened>(undefined);
  const press = useRef<ReturnType<typeof setTimeout>>(undefined);
  const ms = tsToMs(message.ts);
  const name = message.username ?? message.bot_profile?.name ?? nameOf(user);
  const gone = message.subtype === "tombstone";
  const calls = self !== undefined && !mine && (message.text?.includes(`<@${self}>`) || /<!(channel|here|everyone)[|>]/.test(message.text ?? ""));
  const pinned = message.pinned_to?.includes(channel) ?? false;
  const able = !pending && !editing && !gone && message.subtype !== "ephemeral";
  const doing = {
    message,
    channel,
    mine,
    canWrite,
    inChannel: threadOf(logKey) === undefined,
    onOpened: setOpened,
    onEdit: () => onEdit(message.ts),
    onThread: onThread && (() => onThread(message.thread_ts ?? message.ts)),
  };
  const classes = ["message", message.subtype === "me_message" ? "me" : "", pinned ? "is-pinned" : "", item.head ? "head" : "", calls ? "calls-me" : "", item.parent ? "parent" : "", pending ? pending.status : "", editing ? "editing" : ""];
  return (
    <article
      className={classes.filter(Boolean).join(" ")}
      tabIndex={current ? 0 : -1}
      data-key={item.key}
      data-ts={pending && pending.ts === undefined ? undefined : message.ts}
      data-state={pending?.status}
      aria-labelledby={`${id}who ${id}what`}
      aria-describedby={`${id}when ${id}more`}
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
        if (event.target !== event.currentTarget || !able || event.metaKey || event.ctrlKey || event.altKey) return;
        if (messageKey(event.key, session, doing)) event.preventDefault();
      }}
    >
      <div className="gutter">
        {gone ? (
          <span className="gone-mark" aria-hidden="true">
            <Icon name="trash" />
          </span>
        ) : item.head && message.icons?.emoji ? (
          <span className="emoji-face" aria-hidden="true">
            <Emoji name={message.icons.emoji.replaceAll(":", "")} />
          </span>
        ) : item.head ? (
          <Avatar user={user} name={name} size={36} />
        ) : (
          <time className="gutter-time" dateTime={new Date(ms).toISOString()} title={fullTime(ms)}>
            {clockTime(ms)}
          </time>
        )}
      </div>
      <div className="content">
        {/* Author, text, then time and reactions: what a screen reader says of a message, whatever of it is shown. */}
        <span id={`${id}who`} hidden>
          {gone ? t.actions.deletedMessage : t.actions.said(name)}
        </span>
        <span id={`${id}when`} hidden>
          {fullTime(ms)}
        </span>
        <span id={`${id}more`} hidden>
          {spoken(message, pinned)}
        </span>
        {item.head && !gone && (
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
            <Excerpt channel={channel} message={message} />
          </button>
        )}
        {message.subtype === "thread_broadcast" && !onThread && !item.parent && (
          <span className="broadcast-note">
            <Icon name="thread" />
            {t.actions.alsoSent}
          </span>
        )}
        {pinned && (
          <span className="broadcast-note pin-note">
            <Icon name="pin" />
            {t.actions.pinned}
          </span>
        )}
        <div id={`${id}what`}>
          {editing ? (
            <MessageEditor message={message} channel={channel} onDone={() => onEdit(undefined)} />
          ) : gone ? (
            <p className="text faint">{t.message.deleted}</p>
          ) : (
            <MessageContent message={message} after={message.edited && <small className="edited" title={fullTime(tsToMs(message.edited.ts))}> ({t.message.edited})</small>} />
          )}
        </div>
        {message.reactions && <Reactions channel={channel} message={message} reactions={message.reactions} canWrite={canWrite} />}
        {onThread && message.reply_count ? <ThreadLink message={message} onOpen={() => onThread(message.ts)} /> : null}
        {pending && <Delivery pending={pending} logKey={logKey} />}
      </div>
      {(active || held || opened) && able && <MessageActions {...doing} opened={opened} />}
    </article>
  );
}

/** Reactions, replies and a pin, in words. */
function spoken(message: Message, pinned: boolean): string {
  const reactions = (message.reactions ?? []).map((it) => `${it.name.replaceAll("_", " ")} ${it.count}`).join(", ");
  return [reactions && t.actions.reactions(reactions), message.reply_count ? t.actions.repliesShort(message.reply_count) : "", pinned ? t.actions.pinned : ""].filter(Boolean).join(", ");
}

/** Characters of a thread's parent above a reply that the channel shows. */
const EXCERPT_MAX = 80;

/** What the thread is about that a reply was sent from, if its parent is at hand. */
function Excerpt({ channel, message }: { channel: string; message: Message }) {
  const text = useWorkspace((state) => {
    const log = state.logs[channel];
    const root = message.root ?? (log && findRow(log, message.thread_ts!)?.message);
    return root === undefined || root.subtype === "tombstone" ? "" : messageText(root, state);
  });
  if (text === "") return t.message.repliedInThread;
  return <bdi>{t.actions.repliedTo(text.length > EXCERPT_MAX ? `${text.slice(0, EXCERPT_MAX)}…` : text)}</bdi>;
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
        <button type="button" onClick={() => void toClipboard(pending.text).then(setCopied)}>
          {copied ? t.message.copied : t.message.copy}
        </button>
        <button type="button" onClick={() => session.discard(logKey, pending.id)}>
          {t.message.discard}
        </button>
      </div>
    </div>
  );
}
