import { useEffect, useMemo } from "react";
import type { ReactNode } from "react";
import { Icon } from "../components/Icon";
import { isListed } from "../realtime/attention";
import type { Conversation } from "../realtime/state";
import { compareNames, titleOf, useSession, useWorkspace } from "../store/context";
import { openDialog } from "../store/dialogs";
import { minute } from "../store/minute";
import { may } from "../store/rights";
import { navigate } from "../store/route";
import type { Place } from "../store/route";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { AccountBar } from "./AccountBar";
import { PlaceEntries } from "./PlaceEntries";
import { SidebarEntry } from "./SidebarEntry";

interface Props {
  current: string | undefined;
  place: Place | undefined;
  onJump(): void;
  onSignedOut(): void;
}

/** Who and what one can talk to. */
export function Sidebar({ current, place, onJump, onSignedOut }: Props) {
  const session = useSession();
  const team = useWorkspace((state) => state.team);
  const { channels, direct } = useLists();
  const alone = useWorkspace((state) => may(state.team, state.self, "who_can_invite") && Object.values(state.users).every((user) => user.is_bot || user.deleted || user.id === state.self?.id));
  const now = useSignal(minute);
  useEffect(() => {
    void session.places.watchDnd(direct.flatMap(({ channel }) => (channel.is_im && channel.user !== undefined ? [channel.user] : [])));
  }, [session, direct, now]);
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
          <SidebarEntry key={it.channel.id} it={it} current={it.channel.id === current} />
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
        <button type="button" className="icon-button" aria-label={t.sidebar.newMessage} title={t.sidebar.newMessage} onClick={() => openDialog("people")}>
          <Icon name="compose" />
        </button>
      </header>
      <button type="button" className="jump" onClick={onJump}>
        <Icon name="search" />
        <span>{t.sidebar.jump}</span>
        <kbd>{/Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘K" : "Ctrl K"}</kbd>
      </button>
      <div className="groups">
        <PlaceEntries current={place} />
        {section(
          t.sidebar.channels,
          t.sidebar.create,
          () => openDialog("create"),
          channels,
          <li>
            <a
              className={place === "channels" ? "entry quiet current" : "entry quiet"}
              href="/channels"
              aria-current={place === "channels" ? "page" : undefined}
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey || event.shiftKey) return;
                event.preventDefault();
                navigate({ name: "place", place: "channels" });
              }}
            >
              <span className="sign">
                <Icon name="search" />
              </span>
              <span className="entry-name">{t.sidebar.browse}</span>
            </a>
          </li>,
        )}
        {section(t.sidebar.direct, t.sidebar.newMessage, () => openDialog("people"), direct, alone && <Alone />)}
      </div>
      <AccountBar onSignedOut={onSignedOut} />
    </nav>
  );
}

/** The first thing to do in a new workspace. */
function Alone() {
  return (
    <li className="alone">
      <p>{t.places.account.alone}</p>
      <button type="button" className="button small" onClick={() => openDialog("invite")}>
        <Icon name="link" />
        {t.places.account.inviteFirst}
      </button>
    </li>
  );
}

/** The conversations in the order of the list. */
function useLists(): { channels: Conversation[]; direct: Conversation[] } {
  const session = useSession();
  const conversations = useWorkspace((state) => state.conversations);
  const users = useWorkspace((state) => state.users);
  return useMemo(() => {
    const state = session.state.get();
    const all = Object.values(conversations).filter(isListed);
    const byTitle = (a: Conversation, b: Conversation) => compareNames(titleOf(state, a.channel), titleOf(state, b.channel));
    return {
      channels: all.filter((it) => !it.channel.is_im && !it.channel.is_mpim).sort(byTitle),
      direct: all.filter((it) => it.channel.is_im || it.channel.is_mpim).sort(byTitle),
    };
    // Names of people are part of the order.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [conversations, users, session]);
}
