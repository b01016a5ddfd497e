import type { Dnd } from "../wire/types";

/** Until when somebody does not want to be disturbed, milliseconds since 1970; undefined: they may be. */
export function quietUntil(dnd: Dnd | undefined, nowMs: number): number | undefined {
  if (dnd === undefined) return undefined;
  const now = nowMs / 1000;
  const snooze = dnd.snooze_enabled && (dnd.snooze_endtime ?? 0) > now ? dnd.snooze_endtime! : 0;
  // What others see of a snooze begins when they asked, and the caller's time is true to the minute only.
  const daily = dnd.dnd_enabled && dnd.next_dnd_start_ts <= now + 60 && now < dnd.next_dnd_end_ts ? dnd.next_dnd_end_ts : 0;
  const until = Math.max(snooze, daily);
  return until === 0 ? undefined : until * 1000;
}

/** Whether what is known has run out: a daily time comes again tomorrow, and only the server knows when. */
export function isOutdated(dnd: Dnd, nowMs: number): boolean {
  return dnd.dnd_enabled && dnd.next_dnd_end_ts * 1000 <= nowMs;
}
