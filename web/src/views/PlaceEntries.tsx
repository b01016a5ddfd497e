import type { ReactNode } from "react";
import { Icon } from "../components/Icon";
import type { IconName } from "../components/Icon";
import { attentionOf, attentionOfThreads, isListed, mutedOf } from "../realtime/attention";
import { useWorkspace } from "../store/context";
import { useDraftCount } from "../store/draftList";
import { navigate } from "../store/route";
import type { Place } from "../store/route";
import { t } from "../strings";
import { Badge } from "./SidebarEntry";

/** Unread, Threads, Mentions, Drafts, People: above the conversations. */
export function PlaceEntries({ current }: { current: Place | undefined }) {
  const unread = useWorkspace((state) => Object.values(state.conversations).some((it) => isListed(it) && attentionOf(it, mutedOf(state).has(it.channel.id)).unread));
  const threads = useWorkspace(
    (state) => attentionOfThreads(state.personal.threads),
    (a, b) => a.unread === b.unread && a.mentions === b.mentions,
  );
  const mentions = useWorkspace((state) => Object.values(state.conversations).reduce((sum, it) => sum + (isListed(it) ? attentionOf(it, false).mentions : 0), 0)) + threads.mentions;
  const drafts = useDraftCount();
  const entry = (place: Place, icon: IconName, badge: ReactNode, bold = false) => (
    <li>
      <a
        className={["entry", current === place ? "current" : "", bold ? "unread" : ""].filter(Boolean).join(" ")}
        href={`/${place}`}
        aria-current={current === place ? "page" : undefined}
        data-place={place}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          navigate({ name: "place", place });
        }}
      >
        <span className="sign">
          <Icon name={icon} />
        </span>
        <span className="entry-name">{t.places.names[place]}</span>
        {badge}
      </a>
    </li>
  );
  return (
    <ul className="place-entries" aria-label={t.places.landmark}>
      {entry("unread", "inbox", <Badge unread={unread} mentions={0} />, unread)}
      {entry("threads", "thread", <Badge {...threads} />, threads.unread)}
      {entry("mentions", "at", <Badge unread={false} mentions={mentions} />, mentions > 0)}
      {entry("files", "file", null)}
      {entry("drafts", "draft", drafts > 0 && <small className="entry-count" aria-label={t.places.count(drafts)}>{drafts}</small>)}
      {entry("people", "people", null)}
    </ul>
  );
}
