import { expect, test } from "vitest";
import { hoursAhead, localInput, presetEnd, timeIn, when } from "./when";

// A Wednesday, at noon of whatever zone the tests run in.
const NOON = new Date(2026, 10, 25, 12, 0).getTime();
const at = (ms: number) => {
  const it = new Date(ms);
  return [it.getDay(), it.getDate(), it.getHours(), it.getMinutes()];
};

test("presets end when they say", () => {
  expect(presetEnd("half", NOON) - NOON).toBe(1_800_000);
  expect(presetEnd("four", NOON) - NOON).toBe(14_400_000);
  expect(at(presetEnd("today", NOON))).toEqual([3, 25, 23, 59]);
  expect(at(presetEnd("tomorrow", NOON))).toEqual([4, 26, 9, 0]);
  expect(at(presetEnd("week", NOON))).toEqual([0, 29, 23, 59]);
  expect(at(presetEnd("monday", NOON))).toEqual([1, 30, 9, 0]);
  // On a Monday the next Monday is meant, on a Sunday this week's end is today.
  const monday = new Date(2026, 10, 30, 8, 0).getTime();
  expect(at(presetEnd("monday", monday))).toEqual([1, 7, 9, 0]);
  const sunday = new Date(2026, 10, 29, 8, 0).getTime();
  expect(at(presetEnd("week", sunday))).toEqual([0, 29, 23, 59]);
});

test("a time to come is as short as it is clear", () => {
  expect(when(NOON + 3_600_000, NOON)).toMatch(/1[:.]00/);
  expect(when(NOON + 86_400_000, NOON)).toContain("tomorrow at ");
  expect(when(NOON + 3 * 86_400_000, NOON)).toContain("Saturday at ");
  expect(when(NOON + 30 * 86_400_000, NOON)).toContain("25");
});

test("zones that nobody knows are not guessed", () => {
  expect(timeIn("Nowhere/At_All", NOON)).toBeUndefined();
  expect(hoursAhead("Nowhere/At_All", NOON)).toBeUndefined();
  const [kolkata, utc] = [hoursAhead("Asia/Kolkata", NOON)!, hoursAhead("Etc/UTC", NOON)!];
  expect(kolkata - utc).toBe(5.5);
});

test("a form field gets the local time", () => {
  expect(localInput(new Date(2026, 0, 2, 3, 4).getTime())).toBe("2026-01-02T03:04");
});
