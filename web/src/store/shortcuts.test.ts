import { expect, test } from "vitest";
import { t } from "../strings";
import { SHORTCUTS, actionOf, messageActionOf } from "./shortcuts";
import type { Pressed } from "./shortcuts";

const press = (key: string, more: Partial<Pressed> = {}): Pressed => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, writing: false, ...more });

test("keys with Ctrl, Command and Alt work while writing, single keys do not", () => {
  expect(actionOf(press("k", { ctrlKey: true, writing: true }), undefined, true)).toBe("jump");
  expect(actionOf(press("K", { metaKey: true, writing: true }), undefined, true)).toBe("jump");
  expect(actionOf(press("/", { ctrlKey: true, shiftKey: true, writing: true }), undefined, true)).toBe("help");
  expect(actionOf(press("ArrowDown", { altKey: true, writing: true }), undefined, true)).toBe("next");
  expect(actionOf(press("ArrowUp", { altKey: true, shiftKey: true, writing: true }), undefined, true)).toBe("previousUnread");
  expect(actionOf(press("?", { shiftKey: true }), undefined, true)).toBe("help");
  expect(actionOf(press("?", { shiftKey: true, writing: true }), undefined, true)).toBeUndefined();
  expect(actionOf(press("g", { writing: true }), undefined, true)).toBeUndefined();
});

test("two keys, one after the other", () => {
  expect(actionOf(press("g"), undefined, true)).toBe("first");
  expect(actionOf(press("t"), "g", true)).toBe("threads");
  expect(actionOf(press("z"), "g", true)).toBeUndefined();
  expect(actionOf(press("t"), undefined, true)).toBeUndefined();
  expect(actionOf(press("k", { ctrlKey: true }), "g", true)).toBe("jump");
});

test("single keys can be switched off, the others stay", () => {
  expect(actionOf(press("g"), undefined, false)).toBeUndefined();
  expect(actionOf(press("?", { shiftKey: true }), undefined, false)).toBeUndefined();
  expect(actionOf(press("k", { ctrlKey: true }), undefined, false)).toBe("jump");
});

test("a message that has the focus has keys of its own, and keeps those that are no letters", () => {
  expect(messageActionOf("r", true)).toBe("react");
  expect(messageActionOf("Enter", true)).toBe("messageMenu");
  expect(messageActionOf("g", true)).toBeUndefined();
  expect(messageActionOf("toString", true)).toBeUndefined();
  expect(messageActionOf("r", false)).toBeUndefined();
  expect(messageActionOf("Delete", false)).toBe("delete");
});

test("no two actions share a key, and each has a name", () => {
  const keys = SHORTCUTS.filter((it) => it.group !== "conversation").flatMap((it) => it.keys.map((key) => key.join(" ")));
  expect(new Set(keys).size).toBe(keys.length);
  for (const { action } of SHORTCUTS) expect(t.places.shortcuts.labels[action], action).toBeTruthy();
});
