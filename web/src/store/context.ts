import { createContext, useContext } from "react";
import type { Session } from "../realtime/session";
import type { State } from "../realtime/state";
import type { Channel, User } from "../wire/types";
import { t } from "../strings";
import { useSelected } from "./signal";

export const SessionContext = createContext<Session | undefined>(undefined);

/** The signed-in person's workspace. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error("no session above this component");
  return session;
}

/** A part of the workspace's state. `select` must be stable or cheap; `same` as in `useSelected`. */
export function useWorkspace<S>(select: (state: State) => S, same?: (a: S, b: S) => boolean): S {
  return useSelected(useSession().state, select, same);
}

/** What a person is called. */
export function nameOf(user: User | undefined): string {
  return user?.profile?.display_name || user?.profile?.real_name || user?.real_name || user?.name || t.someone;
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** The order in which names are listed. */
export function compareNames(a: string, b: string): number {
  return collator.compare(a, b);
}

/** What a conversation is called, without its sign. */
export function titleOf(state: State, channel: Channel): string {
  if (channel.is_im) return nameOf(channel.user === undefined ? undefined : state.users[channel.user]);
  if (channel.is_mpim) return groupTitle(state, channel);
  return channel.name ?? t.unknownChannel;
}

/** What a conversation is called in a sentence: `#general`, or the people of a DM. */
export function labelOf(state: State, id: string): string {
  const channel = state.conversations[id]?.channel;
  if (channel === undefined) return t.unknownChannel;
  return channel.is_im || channel.is_mpim ? titleOf(state, channel) : `#${titleOf(state, channel)}`;
}

/** A group DM is named after its people: `mpdm-ann--bo--cy-1`. */
function groupTitle(state: State, channel: Channel): string {
  const names = (channel.name ?? "").replace(/^mpdm-/, "").replace(/-\d+$/, "").split("--");
  const others = names.filter((name) => name !== state.self?.name);
  const byName = new Map(Object.values(state.users).map((user) => [user.name, user]));
  return others.map((name) => nameOf(byName.get(name)) || name).join(", ");
}
