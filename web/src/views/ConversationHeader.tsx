import { useEffect, useRef, useState } from "react";
import { Icon } from "../components/Icon";
import { PersonState, StatusEmoji } from "../components/Person";
import { Menu } from "../components/overlay";
import type { MenuItem } from "../components/overlay";
import { useSession, useWorkspace } from "../store/context";
import type { Target } from "../store/jump";
import { navigate } from "../store/route";
import { t } from "../strings";
import type { Channel } from "../wire/types";
import { DateButton } from "./JumpMenu";
import { LeaveDialog } from "./LeaveDialog";
import { PeoplePicker } from "./PeoplePicker";
import { PinsButton } from "./PinsPanel";
import { conversationActions } from "./conversationActions";

/** What the conversation is, who is in it, and what can be done with it. */
export function ConversationHeader({ channel, title, onJump }: { channel: Channel; title: string; onJump(target: Target): void }) {
  const session = useSession();
  const [open, setOpen] = useState<"menu" | "add" | "leave" | undefined>(undefined);
  const more = useRef<HTMLButtonElement>(null);
  const user = useWorkspace((state) => (channel.user === undefined ? undefined : state.users[channel.user]));
  const direct = channel.is_im || channel.is_mpim;
  const count = channel.num_members;
  useEffect(() => {
    if (channel.is_im && channel.user !== undefined) void session.places.watchDnd([channel.user]);
  }, [session, channel.is_im, channel.user]);
  const details = () => navigate(channel.is_im && channel.user !== undefined ? { name: "channel", channel: channel.id, person: channel.user } : { name: "channel", channel: channel.id, details: "about" });
  const add: MenuItem[] = direct || channel.is_archived ? [] : [{ key: "add", icon: <Icon name="people" />, text: t.conversation.addPeople, run: () => setOpen("add") }];
  return (
    <header className="pane-head">
      <button type="button" className="icon-button back" aria-label={t.back} onClick={() => navigate({ name: "home" })}>
        <Icon name="back" />
      </button>
      <h1>
        {!direct && <Icon name={channel.is_private ? "lock" : "hash"} />}
        <button type="button" className="head-title" title={t.places.conversation.details} onClick={details}>
          <span>{title}</span>
        </button>
      </h1>
      {channel.is_im && (
        <>
          <StatusEmoji user={user} />
          <PersonState user={user} />
        </>
      )}
      {channel.topic?.value && <p className="topic">{channel.topic.value}</p>}
      <span className="grow" />
      <PinsButton channel={channel.id} />
      <DateButton channel={channel} onJump={onJump} />
      {!channel.is_im && count !== undefined && (
        <button type="button" className="member-count" aria-label={t.conversation.members(count)} title={t.conversation.members(count)} onClick={() => navigate({ name: "channel", channel: channel.id, details: "members" })}>
          <Icon name="people" />
          {count}
        </button>
      )}
      <button ref={more} type="button" className="icon-button" aria-label={t.conversation.details} aria-haspopup="menu" aria-expanded={open === "menu"} onClick={() => setOpen(open === "menu" ? undefined : "menu")}>
        <Icon name="more" />
      </button>
      {open === "menu" && <Menu anchor={more} label={t.conversation.details} onClose={() => setOpen(undefined)} items={[...add, ...conversationActions(session, channel.id, () => setOpen("leave"))]} />}
      {open === "add" && <PeoplePicker title={t.peoplePicker.addTitle(title)} onClose={() => setOpen(undefined)} onPick={(person) => session.invite(channel.id, person)} />}
      {open === "leave" && <LeaveDialog channel={channel} onClose={() => setOpen(undefined)} />}
    </header>
  );
}
