import { useRef } from "react";
import type { ReactNode } from "react";
import { EmojiPicker } from "../components/EmojiPicker";
import { Icon } from "../components/Icon";
import type { IconName } from "../components/Icon";
import { Dialog, Menu } from "../components/overlay";
import type { Session } from "../realtime/session";
import { copyText } from "../store/clipboard";
import { useSession } from "../store/context";
import { notifyFailure } from "../store/notice";
import { messageLink } from "../store/route";
import { messageActionOf, singleKeys } from "../store/shortcuts";
import type { MessageKey } from "../store/shortcuts";
import { keptUnread } from "../store/unread";
import { t } from "../strings";
import type { Message } from "../wire/types";
import { MessageContent } from "./MessageContent";

/** What is open over a message. */
export type Opened = "react" | "menu" | "delete" | undefined;

interface Props {
  message: Message;
  channel: string;
  mine: boolean;
  canWrite: boolean;
  /** The message stands in the channel, not in a thread: what belongs to the channel's reading order can be done. */
  inChannel: boolean;
  opened: Opened;
  onOpened(opened: Opened): void;
  onEdit(): void;
  onThread: (() => void) | undefined;
}

/** What one can do with a message, in its corner. */
export function MessageActions({ message, channel, mine, canWrite, inChannel, opened, onOpened, onEdit, onThread }: Props) {
  const session = useSession();
  const smile = useRef<HTMLButtonElement>(null);
  const more = useRef<HTMLButtonElement>(null);
  const button = (icon: IconName, label: string, run: () => void): ReactNode => (
    <button type="button" className="icon-button" aria-label={label} title={label} onClick={run}>
      <Icon name={icon} />
    </button>
  );
  const pinned = message.pinned_to?.includes(channel) ?? false;
  const items = [
    { key: "link", icon: <Icon name="link" />, text: t.actions.copyLink, run: () => copyLink(channel, message) },
    ...(inChannel ? [{ key: "unread", icon: <Icon name="unread" />, text: t.actions.markUnread, run: () => markUnread(session, channel, message) }] : []),
    ...(canWrite ? [{ key: "pin", icon: <Icon name="pin" />, text: pinned ? t.actions.unpin : t.actions.pin, run: () => pin(session, channel, message) }] : []),
  ];
  return (
    <div className={opened ? "actions pinned" : "actions"} role="toolbar" aria-label={t.message.actions}>
      {canWrite && (
        <button ref={smile} type="button" className="icon-button" aria-label={t.message.react} title={t.message.react} aria-expanded={opened === "react"} onClick={() => onOpened(opened === "react" ? undefined : "react")}>
          <Icon name="smile" />
        </button>
      )}
      {onThread && button("thread", t.message.reply, onThread)}
      {mine && canWrite && button("pencil", t.message.edit, onEdit)}
      {mine && canWrite && button("trash", t.message.delete, () => onOpened("delete"))}
      <button ref={more} type="button" className="icon-button" aria-label={t.actions.more} title={t.actions.more} aria-haspopup="menu" aria-expanded={opened === "menu"} onClick={() => onOpened(opened === "menu" ? undefined : "menu")}>
        <Icon name="more" />
      </button>
      {opened === "react" && <EmojiPicker anchor={smile} onClose={() => onOpened(undefined)} onPick={(name) => void session.react(channel, message.ts, name, true).catch(notifyFailure)} />}
      {opened === "menu" && <Menu anchor={more} label={t.actions.more} items={items} onClose={() => onOpened(undefined)} />}
      {opened === "delete" && (
        <Dialog title={t.message.deleteTitle} onClose={() => onOpened(undefined)}>
          <p className="dialog-lead">{t.message.deleteLead}</p>
          <div className="dialog-preview">
            <MessageContent message={message} />
          </div>
          <div className="dialog-buttons">
            <button type="button" className="button" onClick={() => onOpened(undefined)}>
              {t.cancel}
            </button>
            <button type="button" className="button danger" onClick={() => (onOpened(undefined), void session.delete(channel, message.ts).catch(notifyFailure))}>
              {t.message.delete}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

export function copyLink(channel: string, message: Message): void {
  void copyText(messageLink(location.origin, channel, message.ts, message.thread_ts), t.actions.linkCopied);
}

export function markUnread(session: Session, channel: string, message: Message): void {
  session.markUnread(channel, message.ts);
  const line = session.state.get().conversations[channel]?.lastRead;
  if (line !== undefined) keptUnread.set({ channel, line });
}

export function pin(session: Session, channel: string, message: Message): void {
  void session.pin(channel, message.ts, !(message.pinned_to?.includes(channel) ?? false)).catch(notifyFailure);
}

/** One key does it, on the message that has the focus. Returns whether the key meant something. */
export function messageKey(key: string, session: Session, props: Omit<Props, "opened">): boolean {
  const { message, channel, mine, canWrite, inChannel, onOpened, onEdit, onThread } = props;
  const actions: Record<MessageKey, (() => void) | undefined> = {
    messageMenu: () => onOpened("menu"),
    react: canWrite ? () => onOpened("react") : undefined,
    reply: onThread,
    edit: mine && canWrite ? onEdit : undefined,
    markUnread: inChannel ? () => markUnread(session, channel, message) : undefined,
    pin: canWrite ? () => pin(session, channel, message) : undefined,
    copyLink: () => copyLink(channel, message),
    delete: mine && canWrite ? () => onOpened("delete") : undefined,
  };
  const action = messageActionOf(key, singleKeys.get());
  const run = action && actions[action];
  run?.();
  return run !== undefined;
}
