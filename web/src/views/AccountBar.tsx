import { useRef, useState } from "react";
import { Avatar } from "../components/Avatar";
import { Icon } from "../components/Icon";
import { StatusEmoji } from "../components/Person";
import { Menu } from "../components/overlay";
import type { MenuItem } from "../components/overlay";
import { nameOf, useSession, useWorkspace } from "../store/context";
import { openDialog } from "../store/dialogs";
import { minute } from "../store/minute";
import { notifyFailure } from "../store/notice";
import { quietUntil } from "../store/quiet";
import { may } from "../store/rights";
import { showPerson } from "../store/route";
import { useSignal } from "../store/signal";
import { t } from "../strings";

/** Oneself, at the foot of the list: status, notifications, preferences, the way out. */
export function AccountBar({ onSignedOut }: { onSignedOut(): void }) {
  const session = useSession();
  const self = useWorkspace((state) => state.self);
  const now = useSignal(minute);
  const quiet = useWorkspace((state) => quietUntil(state.personal.dnd[state.self?.id ?? ""], now));
  const away = useWorkspace((state) => state.personal.away);
  const [open, setOpen] = useState(false);
  const account = useRef<HTMLButtonElement>(null);
  const leave = (everywhere: boolean) => void session.signOut(everywhere).then(onSignedOut, notifyFailure);
  const invites = useWorkspace((state) => may(state.team, state.self, "who_can_invite"));
  const status = self?.profile?.status_text;
  const items: MenuItem[] = [
    { key: "status", icon: <Icon name="smile" />, text: status || self?.profile?.status_emoji ? t.places.profile.changeStatus : t.places.profile.setStatus, run: () => openDialog("status") },
    quiet === undefined
      ? { key: "pause", icon: <Icon name="moon" />, text: t.places.pause.menu, run: () => openDialog("pause") }
      : { key: "resume", icon: <Icon name="bell" />, text: t.places.pause.resume, run: () => void session.places.resume().catch(notifyFailure) },
    { key: "away", icon: <Icon name="clock" />, text: away ? t.places.account.setActive : t.places.account.setAway, run: () => void session.places.setAway(!away).catch(notifyFailure) },
    { key: "profile", icon: <Icon name="person" />, text: t.places.account.profile, run: () => self && showPerson(self.id) },
    { key: "preferences", icon: <Icon name="gear" />, text: t.places.account.preferences, run: () => openDialog("preferences") },
    { key: "shortcuts", icon: <Icon name="keyboard" />, text: t.places.account.shortcuts, run: () => openDialog("help") },
    ...(invites ? [{ key: "invite", icon: <Icon name="link" />, text: t.sidebar.invite, run: () => openDialog("invite") }] : []),
    { key: "out", icon: <Icon name="exit" />, text: t.sidebar.signOut, run: () => leave(false) },
    { key: "all", icon: <Icon name="exit" />, text: t.sidebar.signOutAll, run: () => leave(true), danger: true },
  ];
  return (
    <footer>
      <button ref={account} type="button" className="account" aria-expanded={open} aria-haspopup="menu" onClick={() => setOpen(!open)}>
        <Avatar user={self} size={28} />
        <span className="account-name">
          {nameOf(self)}
          {(away || status || quiet !== undefined) && <small>{away ? t.places.account.away : status || t.places.pause.badge}</small>}
        </span>
        <StatusEmoji user={self} />
        {quiet !== undefined && (
          <span className="quiet-mark" role="img" aria-label={t.places.pause.badge}>
            <Icon name="moon" />
          </span>
        )}
        <span className="sr-only">{t.sidebar.account}</span>
        <LinkDot />
      </button>
      {invites && (
        <button type="button" className="icon-button" aria-label={t.sidebar.invite} title={t.sidebar.invite} onClick={() => openDialog("invite")}>
          <Icon name="link" />
        </button>
      )}
      {open && <Menu anchor={account} label={t.sidebar.account} onClose={() => setOpen(false)} items={items} />}
    </footer>
  );
}

/** Whether this device hears the server. */
function LinkDot() {
  const { phase } = useSignal(useSession().link);
  return <span className={phase === "online" ? "link-dot online" : "link-dot"} data-link={phase} />;
}
