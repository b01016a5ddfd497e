import { useEffect } from "react";
import type { State } from "../realtime/state";
import { useSession, useWorkspace } from "./context";

export type Presence = "active" | "away" | "unknown";

/** Whether somebody is there. The one place that knows: what the server has not told is not guessed. */
export function presenceOf(state: State, user: string): Presence {
  return state.personal.presence[user] ?? "unknown";
}

/** Somebody's presence, watched as long as the component is there. */
export function usePresence(user: string | undefined): Presence {
  const session = useSession();
  useEffect(() => (user === undefined ? undefined : session.watchPresence(user)), [session, user]);
  return useWorkspace((state) => (user === undefined ? "unknown" : presenceOf(state, user)));
}
