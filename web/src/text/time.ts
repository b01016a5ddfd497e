import { t } from "../strings";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dated = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const short = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/** 09:41 */
export function clockTime(ms: number): string {
  return clock.format(ms);
}

/** For tooltips and screen readers. */
export function fullTime(ms: number): string {
  return full.format(ms);
}

/** Today, Yesterday, Monday, 3 March. */
export function dayName(midnight: number, now: number): string {
  const today = new Date(now).setHours(0, 0, 0, 0);
  const days = Math.round((today - midnight) / 86_400_000);
  if (days === 0) return t.message.today;
  if (days === 1) return t.message.yesterday;
  return days < 180 ? weekday.format(midnight) : dated.format(midnight);
}

/** Relative under an hour, then the clock, then the day. */
export function ago(ms: number, now: number): string {
  const minutes = Math.floor((now - ms) / 60_000);
  if (minutes < 1) return t.message.justNow;
  if (minutes < 60) return t.message.minutesAgo(minutes);
  const today = new Date(now).setHours(0, 0, 0, 0);
  return ms >= today ? clock.format(ms) : short.format(ms);
}
