import fc from "fast-check";
import { expect, test } from "vitest";
import { mergeUse, oftenUsed, readUse, used } from "./emojiUse";
import type { EmojiUse } from "./emojiUse";

const nothing: EmojiUse = { tone: 1, scores: {} };

test("what is used most and last comes first, the usual ones after it", () => {
  const use = ["wave", "rocket", "rocket", "eyes"].reduce(used, nothing);
  expect(oftenUsed(use, 5)).toEqual(["rocket", "eyes", "wave", "+1", "white_check_mark"]);
});

test("an old favourite gives way to a new one", () => {
  let use = nothing;
  for (let i = 0; i < 20; i++) use = used(use, "old");
  for (let i = 0; i < 40; i++) use = used(use, "new");
  expect(oftenUsed(use, 2)).toEqual(["new", "old"]);
});

test("memory has an end, and survives anything that was stored", () => {
  let use = nothing;
  for (let i = 0; i < 500; i++) use = used(use, `e${i}`);
  expect(Object.keys(use.scores)).toHaveLength(60);
  expect(oftenUsed(use, 1)).toEqual(["e499"]);
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (stored) => oftenUsed(readUse(stored), 3).length === 3));
  expect(readUse('{"tone":"9","scores":{"a":"x","b":2}}')).toEqual({ tone: 1, scores: { b: 2 } });
  expect(readUse(JSON.stringify(use))).toEqual(use);
});

test("two devices' memories become one, whichever is asked", () => {
  const here: EmojiUse = { tone: 3, scores: { a: 2, b: 1 } };
  const there: EmojiUse = { tone: 1, scores: { a: 1, c: 3 } };
  expect(mergeUse(here, there)).toEqual({ tone: 3, scores: { c: 3, a: 2, b: 1 } });
  expect(mergeUse(there, here).scores).toEqual(mergeUse(here, there).scores);
});
