import { useCallback, useEffect, useState } from "react";
import { LightboxHost } from "../files/LightboxHost";
import type { LinkState } from "../realtime/link";
import type { State } from "../realtime/state";
import { storeTrouble } from "../store/account";
import { useSession, useWorkspace } from "../store/context";
import { densityOf, setLook, themeOf } from "../store/look";
import { notice } from "../store/notice";
import { navigate, route } from "../store/route";
import { useSignal } from "../store/signal";
import { followViewport } from "../store/viewport";
import { t } from "../strings";
import { Conversation } from "./Conversation";
import { Dialogs } from "./Dialogs";
import { DetailsPane, PersonPane, Place, useWarmPlaces } from "./Place";
import { Sidebar } from "./Sidebar";
import { Switcher, visited } from "./Switcher";
import { Thread } from "./Thread";
import { WindowMarks } from "./WindowMarks";
import { useShortcuts } from "./useShortcuts";

/** What tells that somebody is at the device. */
const SIGNS_OF_LIFE = ["pointerdown", "keydown", "wheel", "focus"] as const;

/** The three panes; on a phone one of them at a time. */
export function Workspace({ onSignedOut }: { onSignedOut(): void }) {
  const session = useSession();
  const at = useSignal(route);
  const channel = at.name === "channel" ? at.channel : undefined;
  const thread = at.name === "channel" ? at.thread : undefined;
  const details = at.name === "channel" ? at.details : undefined;
  const person = at.name === "channel" || at.name === "place" ? at.person : undefined;
  const place = at.name === "place" ? at.place : undefined;
  const [jumping, setJumping] = useState(false);
  useShortcuts(useCallback(() => setJumping(true), []));
  useWarmPlaces();
  useLook();

  useEffect(() => {
    const wake = () => session.probe();
    const shown = () => !document.hidden && session.probe();
    const active = () => session.active();
    for (const sign of SIGNS_OF_LIFE) window.addEventListener(sign, active, { passive: true, capture: true });
    window.addEventListener("online", wake);
    window.addEventListener("offline", wake);
    window.addEventListener("focus", wake);
    document.addEventListener("visibilitychange", shown);
    return () => {
      for (const sign of SIGNS_OF_LIFE) window.removeEventListener(sign, active, { capture: true });
      window.removeEventListener("online", wake);
      window.removeEventListener("offline", wake);
      window.removeEventListener("focus", wake);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [session]);

  useEffect(followViewport, []);

  // Without a conversation in the address a wide window opens the one last looked at.
  useEffect(() => {
    if (channel !== undefined) {
      visited(channel);
      localStorage.setItem("parlance.last", channel);
    } else if (place === undefined && window.matchMedia("(min-width: 640px)").matches) {
      const first = firstChannel(session.state.get());
      if (first !== undefined) navigate({ name: "channel", channel: first }, true);
    }
  }, [channel, place, session]);

  const beside = thread !== undefined || details !== undefined || person !== undefined;
  const closePerson = () => navigate(channel !== undefined ? { name: "channel", channel } : { name: "place", place: place ?? "people" });
  return (
    <div className="workspace-frame" data-pane={beside ? "thread" : channel !== undefined || place !== undefined ? "channel" : "list"}>
      <WindowMarks />
      <Sidebar current={channel} place={place === "scheduled" ? "drafts" : place} onJump={() => setJumping(true)} onSignedOut={onSignedOut} />
      {place !== undefined ? (
        <Place place={place} person={person} />
      ) : channel === undefined ? (
        <section className="pane conversation">
          <div className="empty">
            <h2>{t.conversation.pick}</h2>
            <p>{t.conversation.pickLead}</p>
          </div>
        </section>
      ) : (
        <Conversation id={channel} />
      )}
      {channel !== undefined && thread !== undefined && <Thread key={`${channel}/${thread}`} channel={channel} ts={thread} />}
      {channel !== undefined && details !== undefined && <DetailsPane id={channel} tab={details} />}
      {person !== undefined && <PersonPane id={person} onClose={closePerson} />}
      <Banner />
      <NoticeBar />
      <Dialogs />
      <LightboxHost />
      {jumping && <Switcher onClose={() => setJumping(false)} />}
    </div>
  );
}

/** The page looks as the preferences say, on every device. */
function useLook(): void {
  const theme = useWorkspace((state) => themeOf(state.personal.prefs["ui_theme"]));
  const density = useWorkspace((state) => densityOf(state.personal.prefs["ui_density"]));
  useEffect(() => setLook(theme, density), [theme, density]);
}

function firstChannel(state: State): string | undefined {
  const last = localStorage.getItem("parlance.last");
  if (last !== null && state.conversations[last] !== undefined) return last;
  const all = Object.values(state.conversations).filter((it) => !it.gone);
  return (all.find((it) => it.channel.is_general) ?? all.find((it) => !it.channel.is_im) ?? all[0])?.channel.id;
}

/** A break this short is nobody's business, milliseconds. */
const CALM_MS = 2_500;

/** Says when the network matters, and only then. */
function Banner() {
  const session = useSession();
  const link = useSignal(session.link);
  const broken = useBroken(link);
  const kept = useSignal(storeTrouble) === undefined;
  if (link.phase === "stopped" && link.reason === "refused") {
    return (
      <div className="banner" role="alert">
        <span>{t.network.refused}</span>
        <button type="button" onClick={() => location.reload()}>
          {t.network.reload}
        </button>
      </div>
    );
  }
  if (!broken) return null;
  return (
    <div className="banner" role="status">
      <span className="pulse" />
      <span>{navigator.onLine ? (kept ? t.network.reconnecting : t.network.reconnectingMemory) : kept ? t.network.offline : t.network.offlineMemory}</span>
      {link.phase === "waiting" && (
        <button type="button" onClick={() => session.probe()}>
          {t.network.now}
        </button>
      )}
    </div>
  );
}

/** The link has been down for longer than a moment. */
function useBroken(link: LinkState): boolean {
  const down = link.phase !== "online" && link.phase !== "stopped";
  const [broken, setBroken] = useState(false);
  useEffect(() => {
    if (!down) {
      setBroken(false);
      return;
    }
    const timer = setTimeout(() => setBroken(true), CALM_MS);
    return () => clearTimeout(timer);
  }, [down]);
  return broken && down;
}

function NoticeBar() {
  const it = useSignal(notice);
  return (
    <div className="notices" role="status" aria-live="polite">
      {it && (
        <p key={it.id} className="notice">
          {it.text}
        </p>
      )}
    </div>
  );
}
