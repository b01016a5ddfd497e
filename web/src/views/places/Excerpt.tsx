import type { ReactNode } from "react";
import { Avatar } from "../../components/Avatar";
import { StatusEmoji } from "../../components/Person";
import { nameOf, useWorkspace } from "../../store/context";
import { goToLog, goToMessage } from "../../store/goto";
import { minute } from "../../store/minute";
import { showPerson } from "../../store/route";
import { useSignal } from "../../store/signal";
import { t } from "../../strings";
import { ago, fullTime } from "../../text/time";
import type { Message } from "../../wire/types";
import { tsToMs } from "../../wire/types";
import { MessageContent } from "../MessageContent";

/** A message outside of its conversation: who, when, what; the time leads to its place. */
export function Excerpt({ channel, message, note }: { channel: string; message: Message; note?: ReactNode }) {
  const user = useWorkspace((state) => (message.user === undefined ? undefined : state.users[message.user]));
  const now = useSignal(minute);
  const name = message.username ?? message.bot_profile?.name ?? nameOf(user);
  const ms = tsToMs(message.ts);
  return (
    <article className="excerpt" data-ts={message.ts} aria-label={`${name}, ${fullTime(ms)}`}>
      <Avatar user={user} name={name} size={32} />
      <div className="content">
        <header className="byline">
          <button type="button" className="author" onClick={() => user !== undefined && showPerson(user.id)}>
            {name}
          </button>
          <StatusEmoji user={user} />
          <button type="button" className="excerpt-time" title={fullTime(ms)} onClick={() => goToMessage(channel, message)}>
            <time dateTime={new Date(ms).toISOString()}>{ago(ms, now)}</time>
            <span className="sr-only">{t.places.open}</span>
          </button>
          {note}
        </header>
        {message.subtype === "tombstone" ? <p className="text faint">{t.message.deleted}</p> : <MessageContent message={message} after={message.edited && <small className="edited"> ({t.message.edited})</small>} />}
      </div>
    </article>
  );
}

/** A conversation's name as a way to it. */
export function ConversationLink({ channel, label }: { channel: string; label: string }) {
  return (
    <button type="button" className="link conversation-link" onClick={() => goToLog(channel, undefined)}>
      {label}
    </button>
  );
}
