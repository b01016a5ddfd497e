import { Suspense, lazy, useEffect } from "react";
import type { ComponentType } from "react";
import { useWorkspace } from "../store/context";
import { navigate } from "../store/route";
import type { Details, Place as PlaceName } from "../store/route";

const load = () => import("./places");

/** A part of the places, fetched with all the others when the first one is wanted. */
function later<P extends object>(pick: (places: Awaited<ReturnType<typeof load>>) => ComponentType<P>) {
  return lazy(async () => ({ default: pick(await load()) }));
}

const Unread = later((it) => it.Unread);
const Threads = later((it) => it.Threads);
const Mentions = later((it) => it.Mentions);
const Drafts = later((it) => it.Drafts);
const Files = later((it) => it.Files);
const Scheduled = later((it) => it.Scheduled);
const People = later((it) => it.People);
const Channels = later((it) => it.Channels);
const ProfilePanel = later((it) => it.ProfilePanel);
const ChannelDetails = later((it) => it.ChannelDetails);
export const HelpSheet = later((it) => it.HelpSheet);
export const PauseDialog = later((it) => it.PauseDialog);
export const PreferencesDialog = later((it) => it.PreferencesDialog);
export const ProfileDialog = later((it) => it.ProfileDialog);
export const StatusDialog = later((it) => it.StatusDialog);

/** Fetches the places while nothing else is to do, so that the first one opens at once. */
export function useWarmPlaces(): void {
  useEffect(() => {
    // Without the network it fails now, and is fetched when it is wanted.
    const timer = setTimeout(() => void load().catch(() => {}), 2_000);
    return () => clearTimeout(timer);
  }, []);
}

/** A view of the workspace that is no conversation. */
export function Place({ place, person }: { place: PlaceName; person: string | undefined }) {
  return <Suspense fallback={<main className="pane conversation place" />}>{viewOf(place, person)}</Suspense>;
}

function viewOf(place: PlaceName, person: string | undefined) {
  switch (place) {
    case "unread":
      return <Unread />;
    case "threads":
      return <Threads />;
    case "mentions":
      return <Mentions />;
    case "drafts":
      return <Drafts />;
    case "files":
      return <Files />;
    case "scheduled":
      return <Scheduled />;
    case "people":
      return <People selected={person} />;
    case "channels":
      return <Channels />;
  }
}

/** Somebody's profile beside what is open. */
export function PersonPane({ id, onClose }: { id: string; onClose(): void }) {
  return (
    <Suspense fallback={<aside className="pane side" />}>
      <ProfilePanel key={id} id={id} onClose={onClose} />
    </Suspense>
  );
}

/** A channel's details beside it; of a DM the other person's profile. */
export function DetailsPane({ id, tab }: { id: string; tab: Details }) {
  const channel = useWorkspace((state) => (state.conversations[id]?.gone === false ? state.conversations[id].channel : undefined));
  const close = () => navigate({ name: "channel", channel: id });
  if (channel === undefined) return null;
  if (channel.is_im) return channel.user === undefined ? null : <PersonPane id={channel.user} onClose={close} />;
  return (
    <Suspense fallback={<aside className="pane side" />}>
      <ChannelDetails key={id} channel={channel} tab={tab} onClose={close} />
    </Suspense>
  );
}
