import { expect, test } from "vitest";
import { COMMANDS, commandIn, minutesOf, statusOf, withoutName } from "./commands";
import { contentOf } from "./content";
import { linesOfPlain } from "./read";

test("a command is known by its name at the very beginning", () => {
  expect(commandIn("/me waves")).toMatchObject({ command: { name: "me" }, rest: "waves" });
  expect(commandIn("/topic")).toMatchObject({ command: { name: "topic" }, rest: "" });
  expect(commandIn("/remind me")).toEqual({ unknown: "/remind" });
  for (const text of ["/etc/hosts", "see /me", "//", "/ me", "/Me"]) expect(commandIn(text), text).toBeUndefined();
});

test("times", () => {
  expect(["30", "30m", "45 min", "2h", "1 day", "0", "x", ""].map(minutesOf)).toEqual([30, 30, 45, 120, 1440, undefined, undefined, undefined]);
});

test("a status has an emoji, a text, both or nothing", () => {
  expect(statusOf(":palm_tree: on holiday")).toEqual({ emoji: ":palm_tree:", text: "on holiday" });
  expect(statusOf("busy")).toEqual({ emoji: "", text: "busy" });
  expect(statusOf("clear")).toEqual({ emoji: "", text: "" });
});

test("a shrug keeps what was said", async () => {
  const shrug = COMMANDS.find((it) => it.name === "shrug")!;
  const run = async (typed: string) => contentOf((await shrug.run({ lines: withoutName(linesOfPlain(typed)) } as never))!).text;
  expect(await run("/shrug who knows\nnot me")).toBe("who knows\nnot me ¯\\_(ツ)_/¯");
  expect(await run("/shrug")).toBe("¯\\_(ツ)_/¯");
});
