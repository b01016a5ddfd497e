import { expect, test } from "vitest";
import { localInput, presets, problemOf } from "./schedule";

const at = (text: string) => new Date(text).getTime();
const shown = (now: string) => presets(at(now)).map((it) => `${it.key} ${localInput(it.at)}`);

test("the usual times are ahead, and none is offered twice", () => {
  // A Wednesday.
  expect(shown("2026-11-25T10:00")).toEqual(["today 2026-11-25T17:00", "tomorrow 2026-11-26T09:00", "monday 2026-11-30T09:00"]);
  expect(shown("2026-11-25T16:45")).toEqual(["tomorrow 2026-11-26T09:00", "monday 2026-11-30T09:00"]);
  expect(shown("2026-11-29T12:00")).toEqual(["today 2026-11-29T17:00", "tomorrow 2026-11-30T09:00"]);
  expect(shown("2026-11-30T12:00")).toEqual(["today 2026-11-30T17:00", "tomorrow 2026-12-01T09:00", "monday 2026-12-07T09:00"]);
});

test("a time that the server would refuse is refused", () => {
  const now = at("2026-11-25T10:00");
  expect([now, now - 1, Number.NaN, now + 60_000, now + 121 * 86_400_000].map((it) => problemOf(it, now))).toEqual(["past", "past", "past", undefined, "far"]);
});
