/** When a message can be sent later. Times are the reader's own; the server's clock decides. */

/** Farthest ahead that the server takes, days. */
export const AHEAD_DAYS_MAX = 120;

export interface Preset {
  key: "today" | "tomorrow" | "monday";
  /** Milliseconds since 1970. */
  at: number;
}

const MORNING = 9;
const EVENING = 17;

/** The usual times: this evening, tomorrow morning, Monday morning. */
export function presets(now: number): Preset[] {
  const day = (add: number, hour: number) => {
    const date = new Date(now);
    date.setDate(date.getDate() + add);
    return date.setHours(hour, 0, 0, 0);
  };
  const toMonday = (8 - new Date(now).getDay()) % 7 || 7;
  const all: Preset[] = [{ key: "tomorrow", at: day(1, MORNING) }];
  // Not when the evening is about to begin, and not a Monday that is tomorrow.
  if (day(0, EVENING) - now > 30 * 60_000) all.unshift({ key: "today", at: day(0, EVENING) });
  if (toMonday > 1) all.push({ key: "monday", at: day(toMonday, MORNING) });
  return all;
}

/** A time as `<input type="datetime-local">` wants it, in this place's time. */
export function localInput(ms: number): string {
  const date = new Date(ms);
  return new Date(ms - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** What is wrong with a time; undefined: nothing. */
export function problemOf(at: number, now: number): "past" | "far" | undefined {
  if (!(at > now)) return "past";
  return at > now + AHEAD_DAYS_MAX * 86_400_000 ? "far" : undefined;
}
