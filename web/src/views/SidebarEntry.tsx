import { memo, useRef, useState } from "react";
import { Avatar } from "../components/Avatar";
import { Icon } from "../components/Icon";
import { PersonState, StatusEmoji } from "../components/Person";
import { Menu } from "../components/overlay";
import { attentionOf, mutedOf } from "../realtime/attention";
import type { Conversation } from "../realtime/state";
import { titleOf, useSession, useWorkspace } from "../store/context";
import { navigate } from "../store/route";
import { t } from "../strings";
import { LeaveDialog } from "./LeaveDialog";
import { conversationActions } from "./conversationActions";

/** One conversation in the list, with what waits in it and its menu. */
export const SidebarEntry = memo(function SidebarEntry({ it, current }: { it: Conversation; current: boolean }) {
  const session = useSession();
  const { channel } = it;
  const title = useWorkspace((state) => titleOf(state, channel));
  const user = useWorkspace((state) => (channel.user === undefined ? undefined : state.users[channel.user]));
  const self = useWorkspace((state) => channel.is_im && state.self?.id === channel.user);
  const muted = useWorkspace((state) => mutedOf(state).has(channel.id));
  const { unread, mentions } = attentionOf(it, muted);
  const [open, setOpen] = useState<"menu" | "leave" | undefined>(undefined);
  const more = useRef<HTMLButtonElement>(null);
  return (
    <li
      className="entry-row"
      onContextMenu={(event) => {
        event.preventDefault();
        setOpen("menu");
      }}
    >
      <a
        className={["entry", current ? "current" : "", unread ? "unread" : "", muted ? "silent" : ""].filter(Boolean).join(" ")}
        href={`/c/${channel.id}`}
        aria-current={current ? "page" : undefined}
        aria-haspopup="menu"
        data-channel={channel.id}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          navigate({ name: "channel", channel: channel.id });
        }}
      >
        <span className="sign">{channel.is_im ? <Avatar user={user} size={20} /> : <Icon name={channel.is_mpim ? "people" : channel.is_private ? "lock" : "hash"} />}</span>
        <span className="entry-name">
          {title}
          {self && <small> {t.sidebar.selfNote}</small>}
          {channel.is_im && <StatusEmoji user={user} />}
        </span>
        {channel.is_im && <PersonState user={user} />}
        {muted && (
          <span className="quiet-mark" role="img" aria-label={t.places.conversation.muted} title={t.places.conversation.muted}>
            <Icon name="muted" />
          </span>
        )}
        <Badge unread={unread} mentions={mentions} />
      </a>
      {/* By key the menu opens as any context menu does, so that the list is not twice as long to tab through. */}
      <button ref={more} type="button" tabIndex={-1} className="entry-more" aria-label={t.places.more(title)} aria-expanded={open === "menu"} onClick={() => setOpen(open === "menu" ? undefined : "menu")}>
        <Icon name="more" />
      </button>
      {open === "menu" && <Menu anchor={more} label={t.places.more(title)} onClose={() => setOpen(undefined)} items={conversationActions(session, channel.id, () => setOpen("leave"))} />}
      {open === "leave" && <LeaveDialog channel={channel} onClose={() => setOpen(undefined)} />}
    </li>
  );
});

/** A number for mentions, a dot for anything else that is unread. */
export function Badge({ unread, mentions }: { unread: boolean; mentions: number }) {
  if (mentions > 0) {
    return (
      <span className="mentions" role="img" aria-label={t.sidebar.mentions(mentions)}>
        {mentions > 99 ? "99+" : mentions}
      </span>
    );
  }
  return unread ? <span className="dot" role="img" aria-label={t.sidebar.unread} /> : null;
}
