import type { RefObject } from "react";
import { Avatar } from "../components/Avatar";
import { Icon } from "../components/Icon";
import { StatusEmoji } from "../components/Person";
import { Popover } from "../components/overlay";
import { nameOf, useSession } from "../store/context";
import { notifyFailure } from "../store/notice";
import { navigate, showPerson } from "../store/route";
import { t } from "../strings";
import type { User } from "../wire/types";

/** Who somebody is, and the way to write to them. */
export function PersonCard({ user, anchor, onClose }: { user: User; anchor: RefObject<Element | null>; onClose(): void }) {
  const session = useSession();
  const write = () => {
    onClose();
    session.message(user.id).then((channel) => navigate({ name: "channel", channel }), notifyFailure);
  };
  return (
    <Popover anchor={anchor} onClose={onClose} label={nameOf(user)} className="person-card">
      <Avatar user={user} size={64} />
      <h2>{nameOf(user)}</h2>
      <p>{[user.profile?.title, `@${user.name}`].filter(Boolean).join(" · ")}</p>
      {(user.profile?.status_text || user.profile?.status_emoji) && (
        <p className="person-card-status" dir="auto">
          <StatusEmoji user={user} /> {user.profile?.status_text}
        </p>
      )}
      {!user.is_bot && (
        <button type="button" className="button" onClick={write}>
          <Icon name="compose" />
          {t.composer.message(nameOf(user))}
        </button>
      )}
      <button
        type="button"
        className="button"
        onClick={() => {
          onClose();
          showPerson(user.id);
        }}
      >
        <Icon name="person" />
        {t.places.conversation.profile}
      </button>
    </Popover>
  );
}
