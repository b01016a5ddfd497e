import { useCallback, useEffect, useRef, useState } from "react";
import type { RefObject } from "react";
import { Avatar } from "../components/Avatar";
import { Icon } from "../components/Icon";
import { Popover } from "../components/overlay";
import { nameOf, useSession, useWorkspace } from "../store/context";
import { goToMessage } from "../store/goto";
import { minute } from "../store/minute";
import { notifyFailure } from "../store/notice";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { ago, fullTime } from "../text/time";
import type { PinnedItem } from "../wire/types";
import { tsToMs } from "../wire/types";
import { MessageContent } from "./MessageContent";

/** What is pinned in a conversation, behind a button in its head. */
export function PinsButton({ channel }: { channel: string }) {
  const [open, setOpen] = useState(false);
  const ref = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button ref={ref} type="button" className="icon-button" aria-label={t.pins.title} title={t.pins.title} aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name="pin" />
      </button>
      {open && <PinsPanel anchor={ref} channel={channel} onClose={() => setOpen(false)} />}
    </>
  );
}

function PinsPanel({ anchor, channel, onClose }: { anchor: RefObject<Element | null>; channel: string; onClose(): void }) {
  const session = useSession();
  const [items, setItems] = useState<PinnedItem[] | "failed" | undefined>(undefined);
  const archived = useWorkspace((state) => state.conversations[channel]?.channel.is_archived ?? false);
  // Somebody else may pin and unpin meanwhile: every event of the conversation may be that.
  const seq = useWorkspace((state) => state.conversations[channel]?.v);
  const load = useCallback(() => session.pins(channel).then(setItems, () => setItems("failed")), [session, channel]);
  useEffect(() => void load(), [load, seq]);
  return (
    <Popover key={Array.isArray(items) ? items.length : "none"} anchor={anchor} onClose={onClose} label={t.pins.title} className="pins-panel">
      <h2>{t.pins.title}</h2>
      {items === "failed" && (
        <p className="pins-none" role="alert">
          {t.pins.failed}{" "}
          <button type="button" className="button small" onClick={() => void load()}>
            {t.pins.again}
          </button>
        </p>
      )}
      {Array.isArray(items) && items.length === 0 && (
        <p className="pins-none">
          <b>{t.pins.none}</b> {t.pins.noneLead}
        </p>
      )}
      {Array.isArray(items) && (
        <ul>
          {items.map((item) => (
            <Pin
              key={item.message.ts}
              item={item}
              onJump={() => {
                onClose();
                goToMessage(channel, item.message);
              }}
              onUnpin={archived ? undefined : () => void session.pin(channel, item.message.ts, false).then(load, notifyFailure)}
            />
          ))}
        </ul>
      )}
    </Popover>
  );
}

function Pin({ item, onJump, onUnpin }: { item: PinnedItem; onJump(): void; onUnpin: (() => void) | undefined }) {
  const { message } = item;
  const now = useSignal(minute);
  const user = useWorkspace((state) => (message.user === undefined ? undefined : state.users[message.user]));
  const by = useWorkspace((state) => nameOf(state.users[item.created_by]));
  const ms = tsToMs(message.ts);
  return (
    <li className="pin">
      <div className="pin-head">
        <Avatar user={user} size={20} />
        <b>{message.username ?? nameOf(user)}</b>
        <time dateTime={new Date(ms).toISOString()} title={fullTime(ms)}>
          {ago(ms, now)}
        </time>
        <span className="grow" />
        {onUnpin && (
          <button type="button" className="icon-button" aria-label={t.actions.unpin} title={t.actions.unpin} onClick={onUnpin}>
            <Icon name="close" />
          </button>
        )}
      </div>
      <div className="pin-body">
        <MessageContent message={message} />
      </div>
      <p className="card-meta">
        {t.pins.by(by)}
        {" · "}
        <button type="button" className="pin-jump" onClick={onJump}>
          {t.pins.jump}
        </button>
      </p>
    </li>
  );
}
