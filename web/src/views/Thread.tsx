import { useState } from "react";
import { Icon } from "../components/Icon";
import { useEscape } from "../components/overlay";
import { findRow } from "../realtime/log";
import { logKey } from "../realtime/state";
import { titleOf, useSession, useWorkspace } from "../store/context";
import { useTarget } from "../store/jump";
import { navigate } from "../store/route";
import { t } from "../strings";
import type { Ts } from "../wire/types";
import { lastOwn } from "./Conversation";
import { FollowButton, useThreadRead } from "./FollowButton";
import { MessageList } from "./MessageList";
import { Writer } from "./Writer";

/** A thread beside its conversation, or in its place where there is no room. */
export function Thread({ channel, ts }: { channel: string; ts: Ts }) {
  const session = useSession();
  const key = logKey(channel, ts);
  const conversation = useWorkspace((state) => state.conversations[channel]);
  const title = useWorkspace((state) => (conversation ? titleOf(state, conversation.channel) : ""));
  const missing = useWorkspace((state) => state.logs[key]?.loaded === true && findRow(state.logs[key], ts) === undefined);
  const [editing, setEditing] = useState<Ts | undefined>(undefined);
  const [target] = useTarget(channel, ts);
  const [atEnd, setAtEnd] = useState(false);
  useThreadRead(channel, ts, atEnd);
  const close = () => navigate({ name: "channel", channel });
  useEscape(close);
  if (conversation === undefined || conversation.gone) return null;
  const canWrite = !conversation.channel.is_archived && !missing;
  const direct = conversation.channel.is_im || conversation.channel.is_mpim;
  return (
    <aside className="pane thread" aria-label={t.thread.title}>
      <header className="pane-head">
        <button type="button" className="icon-button back" aria-label={t.back} onClick={close}>
          <Icon name="back" />
        </button>
        <h1>{t.thread.title}</h1>
        <p className="topic">{direct ? title : `#${title}`}</p>
        <span className="grow" />
        <FollowButton channel={channel} thread={ts} />
        <button type="button" className="icon-button close" aria-label={t.close} onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      <MessageList
        logKey={key}
        channel={channel}
        label={t.thread.title}
        canWrite={canWrite}
        unreadAfter={undefined}
        editing={editing}
        onEdit={setEditing}
        target={target}
        onEnd={setAtEnd}
        intro={missing ? <div className="intro">{t.thread.missing}</div> : null}
      />
      {canWrite && <Writer key={key} logKey={key} placeholder={t.thread.placeholder} onEditLast={() => setEditing(lastOwn(session.state.get(), key))} />}
    </aside>
  );
}
