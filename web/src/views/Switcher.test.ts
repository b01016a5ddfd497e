import { expect, test } from "vitest";
import { rankTargets } from "./Switcher";

const targets = [
  { title: "general", hint: "", rank: 0 },
  { title: "design-review", hint: "", rank: 18 },
  { title: "random", hint: "", rank: 30 },
  { title: "Ann Lee", hint: "ann", rank: 5 },
  { title: "Rene Marin", hint: "rene", rank: -10 },
  { title: "Member 10", hint: "m10", rank: -10 },
  { title: "Member 9", hint: "m9", rank: -10 },
];
const found = (query: string) => rankTargets(targets, query).map((it) => it.title);

test("without a query what one uses comes first, and nobody one does not talk to", () => {
  expect(found("")).toEqual(["random", "design-review", "Ann Lee", "general"]);
});

test("the beginning of a name beats the beginning of a word, and that what is inside", () => {
  expect(found("re")).toEqual(["Rene Marin", "design-review"]);
  expect(found("r").slice(0, 3)).toEqual(["random", "Rene Marin", "design-review"]);
  expect(found("#gen")).toEqual(["general"]);
  expect(found("@ann")).toEqual(["Ann Lee"]);
  expect(found("nobody")).toEqual([]);
});

test("typos are forgiven, but a clean fit comes first", () => {
  expect(found("genral")).toEqual(["general"]);
  expect(found("radnom")).toEqual(["random"]);
  expect(found("reen")[0]).toBe("Rene Marin");
});

test("numbers in names are in the order of numbers", () => {
  expect(found("member")).toEqual(["Member 9", "Member 10"]);
});
