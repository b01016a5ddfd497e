import { expect, test } from "vitest";
import { isOutdated, quietUntil } from "./quiet";

const NOW = 1_774_699_200_000;
const at = (minutes: number) => NOW / 1000 + minutes * 60;
const none = { dnd_enabled: false, next_dnd_start_ts: 1, next_dnd_end_ts: 1 };

test("a snooze and the daily time make quiet while they last", () => {
  expect(quietUntil(undefined, NOW)).toBeUndefined();
  expect(quietUntil(none, NOW)).toBeUndefined();
  expect(quietUntil({ ...none, snooze_enabled: true, snooze_endtime: at(5) }, NOW)).toBe(at(5) * 1000);
  expect(quietUntil({ ...none, snooze_enabled: true, snooze_endtime: at(-5) }, NOW)).toBeUndefined();
  const night = { dnd_enabled: true, next_dnd_start_ts: at(-60), next_dnd_end_ts: at(60) };
  expect(quietUntil(night, NOW)).toBe(at(60) * 1000);
  expect(quietUntil({ ...night, next_dnd_start_ts: at(30) }, NOW)).toBeUndefined();
  expect(quietUntil({ ...night, snooze_enabled: true, snooze_endtime: at(90) }, NOW)).toBe(at(90) * 1000);
});

test("what others see of a snooze begins this very moment", () => {
  expect(quietUntil({ dnd_enabled: true, next_dnd_start_ts: at(0) + 30, next_dnd_end_ts: at(20) }, NOW)).toBe(at(20) * 1000);
});

test("a daily time that is over says nothing of the next one", () => {
  expect(isOutdated({ dnd_enabled: true, next_dnd_start_ts: at(-60), next_dnd_end_ts: at(-1) }, NOW)).toBe(true);
  expect(isOutdated(none, NOW)).toBe(false);
});
