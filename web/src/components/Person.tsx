import { usePresence } from "../store/presence";
import { quietUntil } from "../store/quiet";
import { useWorkspace } from "../store/context";
import { minute } from "../store/minute";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { Emoji } from "../text/Mrkdwn";
import type { User } from "../wire/types";
import { Icon } from "./Icon";

/** The emoji of somebody's status, with its text for who rests on it or listens. */
export function StatusEmoji({ user }: { user: User | undefined }) {
  const name = user?.profile?.status_emoji?.replaceAll(":", "");
  if (!name) return null;
  const text = user?.profile?.status_text;
  return (
    <span className="status-emoji" title={text || undefined}>
      <Emoji name={name} />
      {text && <span className="sr-only">{text}</span>}
    </span>
  );
}

/** Whether somebody is there and wants to be disturbed; nothing when that is not known. */
export function PersonState({ user }: { user: User | undefined }) {
  const now = useSignal(minute);
  const id = user?.id ?? "";
  // An app is always there, which says nothing.
  const presence = usePresence(user === undefined || user.is_bot || user.deleted ? undefined : id);
  const quiet = useWorkspace((state) => quietUntil(state.personal.dnd[id], now) !== undefined);
  return (
    <>
      {presence !== "unknown" && <span className={`presence ${presence}`} role="img" aria-label={presence === "active" ? t.places.profile.active : t.places.profile.away} />}
      {quiet && (
        <span className="quiet-mark" role="img" aria-label={t.places.pause.badge} title={t.places.pause.badge}>
          <Icon name="moon" />
        </span>
      )}
    </>
  );
}
