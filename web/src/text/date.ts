/** Moments in a text: Slack's `<!date^…>` and the element `date`, in the reader's own time and language. */
import { t } from "../strings";

const DAY_MS = 86_400_000;

const formats = {
  date: { year: "numeric", month: "long", day: "numeric" },
  date_short: { year: "numeric", month: "short", day: "numeric" },
  date_long: { year: "numeric", month: "long", day: "numeric", weekday: "long" },
  date_long_full: { year: "numeric", month: "long", day: "numeric", weekday: "long" },
  date_slash: { year: "numeric", month: "2-digit", day: "2-digit" },
  time: { hour: "numeric", minute: "2-digit" },
  time_secs: { hour: "numeric", minute: "2-digit", second: "2-digit" },
} satisfies Record<string, Intl.DateTimeFormatOptions>;

/** The formatted moment; the fallback when the format or the moment makes no sense. `now`: milliseconds since 1970. */
export function dateText(seconds: number, format: string, fallback: string, now: number): string {
  const ms = seconds * 1000;
  // The range of JavaScript's dates.
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return fallback;
  let known = true;
  const text = format.replace(/\{([a-z_]+)\}/g, (_, token: string) => {
    const shown = tokenText(token, ms, now);
    known &&= shown !== undefined;
    return shown ?? "";
  });
  return known ? text : fallback;
}

function tokenText(token: string, ms: number, now: number): string | undefined {
  if (token === "date_num") return isoDate(ms);
  if (token === "ago") return agoText(ms, now);
  if (token === "day_divider_pretty") return nearDay(ms, now) ?? tokenText("date_long", ms, now);
  const pretty = /^(date(?:_short|_long)?)_pretty$/.exec(token);
  if (pretty) return nearDay(ms, now) ?? tokenText(pretty[1]!, ms, now);
  const options = Object.hasOwn(formats, token) ? formats[token as keyof typeof formats] : undefined;
  return options && new Intl.DateTimeFormat(undefined, options).format(ms);
}

/** 2026-03-09, in the reader's time zone. */
export function isoDate(ms: number): string {
  const date = new Date(ms);
  const two = (part: number) => String(part).padStart(2, "0");
  return `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function nearDay(ms: number, now: number): string | undefined {
  const days = Math.round((new Date(ms).setHours(0, 0, 0, 0) - new Date(now).setHours(0, 0, 0, 0)) / DAY_MS);
  return days === 0 ? t.dates.today : days === -1 ? t.dates.yesterday : days === 1 ? t.dates.tomorrow : undefined;
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * DAY_MS],
  ["month", 30 * DAY_MS],
  ["day", DAY_MS],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
];

function agoText(ms: number, now: number): string {
  const away = ms - now;
  const [unit, length] = UNITS.find(([, length]) => Math.abs(away) >= length) ?? (["second", 1_000] as const);
  return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(Math.trunc(away / length), unit);
}
