import { nameOf, useWorkspace } from "../store/context";
import { t } from "../strings";
import { clockTime, fullTime } from "../text/time";
import type { Message, User } from "../wire/types";
import { tsToMs } from "../wire/types";

/** Somebody joined, a topic was set: small, without a picture. */
export function Notice({ message, rowKey, current }: { message: Message; rowKey: string; current: boolean }) {
  const user = useWorkspace((state) => (message.user === undefined ? undefined : state.users[message.user]));
  const inviter = useWorkspace((state) => (message.inviter === undefined ? undefined : state.users[message.inviter]));
  const ms = tsToMs(message.ts);
  const text = noticeText(message, inviter);
  return (
    <article className="notice-row" tabIndex={current ? 0 : -1} data-key={rowKey} data-ts={message.ts} aria-label={`${nameOf(user)} ${text}, ${fullTime(ms)}`}>
      <time dateTime={new Date(ms).toISOString()} title={fullTime(ms)}>
        {clockTime(ms)}
      </time>
      <p>
        <b>
          <bdi>{nameOf(user)}</bdi>
        </b>{" "}
        <bdi>{text}</bdi>
      </p>
    </article>
  );
}

/** What a notice says after the person's name. */
export function noticeText(message: Message, inviter: User | undefined): string {
  const kind = (message.subtype ?? "").replace(/^(channel|group)_/, "");
  switch (kind) {
    case "join":
      return inviter ? t.message.invitedBy(nameOf(inviter)) : t.message.joined;
    case "leave":
      return t.message.left;
    case "topic":
      return t.message.setTopic(message.topic ?? "");
    case "purpose":
      return t.message.setPurpose(message.purpose ?? "");
    case "name":
      return t.notices.renamed(message.old_name ?? "", message.name ?? "");
    case "archive":
      return t.notices.archived;
    case "unarchive":
      return t.notices.unarchived;
    case "convert_to_private":
      return t.notices.madePrivate;
    case "convert_to_public":
      return t.notices.madePublic;
    case "pinned_item":
      return t.notices.pinned;
    default:
      return message.text ?? "";
  }
}
