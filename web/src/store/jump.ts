import { useMemo, useState } from "react";
import type { Ts } from "../wire/types";
import { route } from "./route";
import { useSignal } from "./signal";

/** Where a list is to be opened. Another object is another wish, even for the same place. */
export interface Target {
  ts: Ts;
  /** A message, to be marked; otherwise a moment. */
  exact: boolean;
}

/** Where the address or a jump within the conversation leads, whichever is later. `thread` undefined: in the channel itself. */
export function useTarget(channel: string, thread: Ts | undefined): [Target | undefined, (target: Target) => void] {
  const at = useSignal(route);
  const linked = useMemo((): Target | undefined => (at.name === "channel" && at.channel === channel && at.thread === thread && at.at !== undefined ? { ts: at.at, exact: true } : undefined), [at, channel, thread]);
  const [jump, setJump] = useState<{ target: Target; over: Target | undefined } | undefined>(undefined);
  return [jump !== undefined && jump.over === linked ? jump.target : linked, (target) => setJump({ target, over: linked })];
}

/** The id of a moment, milliseconds since 1970. */
export function tsOfMs(ms: number): Ts {
  return `${Math.floor(ms / 1000)}.000000`;
}
