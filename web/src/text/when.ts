import { t } from "../strings";
import { clockTime } from "./time";

const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });

const DAY_MS = 86_400_000;

/** A time to come, as short as it is clear: the clock today, the weekday within a week, then the date. */
export function when(ms: number, now: number): string {
  const days = Math.round((new Date(ms).setHours(0, 0, 0, 0) - new Date(now).setHours(0, 0, 0, 0)) / DAY_MS);
  if (days === 0) return clockTime(ms);
  if (days === 1) return t.places.times.tomorrow(clockTime(ms));
  if (days > 1 && days < 7) return t.places.times.at(weekday.format(ms), clockTime(ms));
  return t.places.times.at(day.format(ms), clockTime(ms));
}

/** 25 November 2026 */
export function dateOf(ms: number): string {
  return date.format(ms);
}

/** What the clocks show in a time zone; undefined if this browser does not know it. */
export function timeIn(zone: string, ms: number): string | undefined {
  try {
    return new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", timeZone: zone }).format(ms);
  } catch {
    return undefined;
  }
}

/** Hours by which a zone's clocks are ahead of this device's. */
export function hoursAhead(zone: string, ms: number): number | undefined {
  try {
    const parts = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" }).formatToParts(ms);
    const of = (type: string) => Number(parts.find((part) => part.type === type)?.value);
    const there = Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
    const here = ms - (ms % 1000) - new Date(ms).getTimezoneOffset() * 60_000;
    return Math.round((there - here) / 900_000) / 4;
  } catch {
    return undefined;
  }
}

/** When a preset ends, milliseconds since 1970. */
export function presetEnd(preset: "half" | "hour" | "two" | "four" | "today" | "tomorrow" | "week" | "monday", now: number): number {
  const at = new Date(now);
  switch (preset) {
    case "half":
      return now + 30 * 60_000;
    case "hour":
      return now + 60 * 60_000;
    case "two":
      return now + 120 * 60_000;
    case "four":
      return now + 240 * 60_000;
    case "today":
      return at.setHours(23, 59, 0, 0);
    case "tomorrow":
      at.setDate(at.getDate() + 1);
      return at.setHours(9, 0, 0, 0);
    case "week":
      // The coming Sunday's end; today's if it is Sunday.
      at.setDate(at.getDate() + ((7 - at.getDay()) % 7));
      return at.setHours(23, 59, 0, 0);
    case "monday":
      at.setDate(at.getDate() + (((8 - at.getDay()) % 7) || 7));
      return at.setHours(9, 0, 0, 0);
  }
}

/** For `<input type="datetime-local">`. */
export function localInput(ms: number): string {
  const at = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}
