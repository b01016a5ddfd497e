import fc from "fast-check";
import { expect, test } from "vitest";
import { fitScore, prefixDistance } from "./fuzzy";

test("typos are forgiven, more of them the longer the query is", () => {
  for (const [query, name] of [
    ["genral", "general"],
    ["gneral", "general"],
    ["desing", "design-review"],
    ["reveiw", "design-review"],
    ["lidnqvist", "Ivo Lindqvist"],
    ["rene", "René Marin"],
    ["mara oka", "Mara Okafor"],
    ["oka mara", "Mara Okafor"],
    ["dr", "design-review"],
  ] as const) {
    expect(fitScore(name, query), `${query} → ${name}`).toBeGreaterThan(0);
  }
});

test("what only looks a little alike does not fit", () => {
  for (const [query, name] of [
    ["ab", "general"],
    ["xyz", "general"],
    ["random", "general"],
    ["bo", "Ann Lee"],
    ["nobody", "Ann Lee"],
  ] as const) {
    expect(fitScore(name, query), `${query} → ${name}`).toBe(0);
  }
});

test("exact beats the beginning, that a word, that the inside, that a typo", () => {
  const scores = [fitScore("review", "review"), fitScore("reviews", "review"), fitScore("design-review", "review"), fitScore("preview", "review"), fitScore("reveiw", "review")];
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  expect(new Set(scores).size).toBe(scores.length);
});

test("one edit anywhere in a long enough word is found", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{6,12}$/), fc.nat(), fc.constantFrom("drop", "swap", "double"), (word, place, kind) => {
      const at = 1 + (place % (word.length - 2));
      const typed = kind === "drop" ? word.slice(0, at) + word.slice(at + 1) : kind === "double" ? word.slice(0, at) + word[at] + word.slice(at) : word.slice(0, at) + word[at + 1] + word[at] + word.slice(at + 2);
      expect(prefixDistance(typed, word, 2)).toBeLessThanOrEqual(1);
      expect(fitScore(word, typed)).toBeGreaterThan(0);
    }),
  );
});
