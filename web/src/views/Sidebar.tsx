import { memo, useMemo, useRef, useState } from "react";
import type { ReactNode } from "react";
import { Avatar } from "../components/Avatar";
import { Icon } from "../components/Icon";
import { Menu } from "../components/overlay";
import { hasUnreads, mentionCount } from "../realtime/state";
import type { Conversation } from "../realtime/state";
import { compareNames, nameOf, titleOf, useSession, useWorkspace } from "../store/context";
import { notifyFailure } from "../store/notice";
import { navigate } from "../store/route";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { BrowseDialog } from "./BrowseDialog";
import { InviteDialog } from "./InviteDialog";
import { PeoplePicker } from "./PeoplePicker";

interface Props {
  current: string | undefined;
  onJump(): void;
  onSignedOut(): void;
}

type Open = "menu" | "browse" | "create" | "people" | "invite" | undefined;

/** Who and what one can talk to. */
export function Sidebar({ current, onJump, onSignedOut }: Props) {
  const session = useSession();
  const team = useWorkspace((state) => state.team);
  const self = useWorkspace((state) => state.self);
  const conversations = useWorkspace((state) => state.conversations);
  const users = useWorkspace((state) => state.users);
  const [open, setOpen] = useState<Open>(undefined);
  const account = useRef<HTMLButtonElement>(null);
  const { channels, direct } = useMemo(() => {
    const state = session.state.get();
    const all = Object.values(conversations).filter((it) => !it.gone && !it.channel.is_archived && it.channel.is_open !== false);
    const byTitle = (a: Conversation, b: Conversation) => compareNames(titleOf(state, a.channel), titleOf(state, b.channel));
    return {
      channels: all.filter((it) => !it.channel.is_im && !it.channel.is_mpim).sort(byTitle),
      direct: all.filter((it) => it.channel.is_im || it.channel.is_mpim).sort(byTitle),
    };
    // Names of people are part of the order.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [conversations, users, session]);
  const leave = (everywhere: boolean) => void session.signOut(everywhere).then(onSignedOut, notifyFailure);
  const section = (title: string, action: string, run: () => void, list: Conversation[], more?: ReactNode) => (
    <section className="group">
      <header>
        <h2>{title}</h2>
        <button type="button" className="icon-button" aria-label={action} title={action} onClick={run}>
          <Icon name="plus" />
        </button>
      </header>
      <ul>
        {list.map((it) => (
          <Entry key={it.channel.id} it={it} current={it.channel.id === current} />
        ))}
        {more}
      </ul>
    </section>
  );
  return (
    <nav className="sidebar" aria-label={t.sidebar.landmark}>
      <header className="workspace">
        <span className="monogram" aria-hidden="true">
          {[...(team?.name ?? "P")][0]?.toUpperCase()}
        </span>
        <h1>{team?.name}</h1>
        <button type="button" className="icon-button" aria-label={t.sidebar.newMessage} title={t.sidebar.newMessage} onClick={() => setOpen("people")}>
          <Icon name="compose" />
        </button>
      </header>
      <button type="button" className="jump" onClick={onJump}>
        <Icon name="search" />
        <span>{t.sidebar.jump}</span>
        <kbd>{/Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘K" : "Ctrl K"}</kbd>
      </button>
      <div className="groups">
        {section(
          t.sidebar.channels,
          t.sidebar.create,
          () => setOpen("create"),
          channels,
          <li>
            <button type="button" className="entry quiet" onClick={() => setOpen("browse")}>
              <span className="sign">
                <Icon name="search" />
              </span>
              <span className="entry-name">{t.sidebar.browse}</span>
            </button>
          </li>,
        )}
        {section(t.sidebar.direct, t.sidebar.newMessage, () => setOpen("people"), direct)}
      </div>
      <footer>
        <button ref={account} type="button" className="account" aria-expanded={open === "menu"} onClick={() => setOpen(open === "menu" ? undefined : "menu")}>
          <Avatar user={self} size={28} />
          <span className="account-name">{nameOf(self)}</span>
          <span className="sr-only">{t.sidebar.account}</span>
          <LinkDot />
        </button>
        <button type="button" className="icon-button" aria-label={t.sidebar.invite} title={t.sidebar.invite} onClick={() => setOpen("invite")}>
          <Icon name="link" />
        </button>
      </footer>
      {open === "menu" && (
        <Menu
          anchor={account}
          label={t.sidebar.account}
          onClose={() => setOpen(undefined)}
          items={[
            { key: "invite", icon: <Icon name="link" />, text: t.sidebar.invite, run: () => setOpen("invite") },
            { key: "out", icon: <Icon name="exit" />, text: t.sidebar.signOut, run: () => leave(false) },
            { key: "all", icon: <Icon name="exit" />, text: t.sidebar.signOutAll, run: () => leave(true), danger: true },
          ]}
        />
      )}
      {(open === "browse" || open === "create") && <BrowseDialog create={open === "create"} onClose={() => setOpen(undefined)} />}
      {open === "people" && (
        <PeoplePicker
          title={t.peoplePicker.title}
          onClose={() => setOpen(undefined)}
          onPick={async (user) => {
            const channel = await session.message(user);
            setOpen(undefined);
            navigate({ name: "channel", channel });
          }}
        />
      )}
      {open === "invite" && <InviteDialog onClose={() => setOpen(undefined)} />}
    </nav>
  );
}

const Entry = memo(function Entry({ it, current }: { it: Conversation; current: boolean }) {
  const { channel } = it;
  const title = useWorkspace((state) => titleOf(state, channel));
  const user = useWorkspace((state) => (channel.user === undefined ? undefined : state.users[channel.user]));
  const self = useWorkspace((state) => channel.is_im && state.self?.id === channel.user);
  const unread = hasUnreads(it);
  const mentions = mentionCount(it);
  return (
    <li>
      <a
        className={["entry", current ? "current" : "", unread ? "unread" : ""].filter(Boolean).join(" ")}
        href={`/c/${channel.id}`}
        aria-current={current ? "page" : undefined}
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
        </span>
        {mentions > 0 ? (
          <span className="mentions" aria-label={t.sidebar.mentions(mentions)}>
            {mentions > 99 ? "99+" : mentions}
          </span>
        ) : (
          unread && <span className="dot" role="img" aria-label={t.sidebar.unread} />
        )}
      </a>
    </li>
  );
});

/** Whether this device hears the server. */
function LinkDot() {
  const { phase } = useSignal(useSession().link);
  return <span className={phase === "online" ? "link-dot online" : "link-dot"} data-link={phase} />;
}
