import fc from "fast-check";
import { expect, test } from "vitest";
import { dateText, isoDate } from "./date";

const at = (year: number, month: number, day: number, hour = 12) => new Date(year, month - 1, day, hour).getTime();
const NOW = at(2026, 3, 10);

test.each([
  ["{date_num}", at(2026, 3, 9), "2026-03-09"],
  ["on {date_short_pretty}", at(2026, 3, 10, 1), "on Today"],
  ["{date_pretty}", at(2026, 3, 9, 23), "Yesterday"],
  ["{date_long_pretty}", at(2026, 3, 11, 0), "Tomorrow"],
  ["plain", NOW, "plain"],
  ["{nonsense} {time}", NOW, "fallback"],
  ["{constructor}", NOW, "fallback"],
])("%s", (format, ms, expected) => {
  expect(dateText(ms / 1000, format, "fallback", NOW)).toBe(expected);
});

test("dates, times and distances are in the reader's words", () => {
  const text = (format: string, ms = at(2026, 1, 5, 9)) => dateText(ms / 1000, format, "-", NOW);
  expect(text("{date}")).toContain("2026");
  expect(text("{date_long}")).toContain(new Intl.DateTimeFormat(undefined, { weekday: "long" }).format(at(2026, 1, 5)));
  expect(text("{time}")).toMatch(/9/);
  expect(text("{ago}", NOW - 3 * 3_600_000)).toBe(new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(-3, "hour"));
});

test("no moment and no format makes it fail", () => {
  fc.assert(
    fc.property(fc.double(), fc.string(), (seconds, format) => {
      expect(typeof dateText(seconds, `${format}{date_long_pretty}{ago}{time_secs}`, "fallback", NOW)).toBe("string");
    }),
  );
  expect(isoDate(at(2026, 12, 1))).toBe("2026-12-01");
});
