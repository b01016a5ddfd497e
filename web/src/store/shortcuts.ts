/** Every key that the client knows, in one table: what listens to them and the sheet that lists them read the same. */
import { signal } from "./signal";

export type Action =
  | "jump"
  | "help"
  | "previous"
  | "next"
  | "previousUnread"
  | "nextUnread"
  | "unread"
  | "threads"
  | "mentions"
  | "drafts"
  | "scheduled"
  | "people"
  | "channels"
  | "preferences"
  | "status"
  | "newMessage"
  | "details"
  | "mute";

/** Keys that somebody else listens to: the composer, the browser, an open dialog. */
export type Known = Action | "escape" | "back" | "forward" | "menu" | "send" | "newline" | "editLast" | "messages" | MessageKey;

/** Keys of the message that has the focus: `views/MessageActions.tsx` does what they mean. */
export type MessageKey = "messageMenu" | "react" | "reply" | "edit" | "markUnread" | "pin" | "copyLink" | "delete";

export interface Shortcut {
  action: Known;
  group: "go" | "conversation" | "message" | "app";
  /** Ways to press it. `Mod` is ⌘ on Apple's devices, Ctrl elsewhere; two single keys are pressed one after the other. */
  keys: readonly (readonly string[])[];
}

const apple = typeof navigator !== "undefined" && /Mac|iPhone|iPad/.test(navigator.userAgent);

export const SHORTCUTS: readonly Shortcut[] = [
  { action: "jump", group: "go", keys: [["Mod", "K"]] },
  { action: "previous", group: "go", keys: [["Alt", "↑"]] },
  { action: "next", group: "go", keys: [["Alt", "↓"]] },
  { action: "previousUnread", group: "go", keys: [["Alt", "Shift", "↑"]] },
  { action: "nextUnread", group: "go", keys: [["Alt", "Shift", "↓"]] },
  { action: "back", group: "go", keys: [apple ? ["Mod", "["] : ["Alt", "←"]] },
  { action: "forward", group: "go", keys: [apple ? ["Mod", "]"] : ["Alt", "→"]] },
  { action: "unread", group: "go", keys: [["g", "u"]] },
  { action: "threads", group: "go", keys: [["g", "t"]] },
  { action: "mentions", group: "go", keys: [["g", "m"]] },
  { action: "drafts", group: "go", keys: [["g", "d"]] },
  { action: "scheduled", group: "go", keys: [["g", "s"]] },
  { action: "people", group: "go", keys: [["g", "p"]] },
  { action: "channels", group: "go", keys: [["g", "c"]] },
  { action: "send", group: "conversation", keys: [["Enter"]] },
  { action: "newline", group: "conversation", keys: [["Shift", "Enter"]] },
  { action: "editLast", group: "conversation", keys: [["↑"]] },
  { action: "messages", group: "conversation", keys: [["↑"], ["↓"]] },
  { action: "details", group: "conversation", keys: [["g", "i"]] },
  { action: "mute", group: "conversation", keys: [["g", "q"]] },
  // Apple's keyboards have no key for it; the same menu is in the conversation's head.
  ...(apple ? [] : ([{ action: "menu", group: "conversation", keys: [["Shift", "F10"]] }] as const)),
  { action: "messageMenu", group: "message", keys: [["Enter"]] },
  { action: "react", group: "message", keys: [["r"]] },
  { action: "reply", group: "message", keys: [["t"]] },
  { action: "edit", group: "message", keys: [["e"]] },
  { action: "markUnread", group: "message", keys: [["u"]] },
  { action: "pin", group: "message", keys: [["p"]] },
  { action: "copyLink", group: "message", keys: [["l"]] },
  { action: "delete", group: "message", keys: [["Delete"]] },
  { action: "newMessage", group: "app", keys: [["g", "n"]] },
  { action: "status", group: "app", keys: [["g", "y"]] },
  { action: "preferences", group: "app", keys: [["g", ","]] },
  { action: "help", group: "app", keys: [["Mod", "/"], ["?"]] },
  { action: "escape", group: "app", keys: [["Esc"]] },
];

/** What is printed on a key. */
export function keyName(key: string): string {
  if (key === "Mod") return apple ? "⌘" : "Ctrl";
  if (key === "Alt") return apple ? "⌥" : "Alt";
  return key;
}

/** Single keys may be switched off, for people whose tools type for them (WCAG 2.1.4). */
export const singleKeys = signal(typeof localStorage === "undefined" || localStorage.getItem("parlance.keys") !== "off");

export function setSingleKeys(on: boolean): void {
  singleKeys.set(on);
  if (on) localStorage.removeItem("parlance.keys");
  else localStorage.setItem("parlance.keys", "off");
}

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  /** The person is writing: single keys are letters then. */
  writing: boolean;
}

/** After the first key of two the second one has this long, milliseconds. */
export const SECOND_KEY_MS = 1_200;

/**
 * What a key press means; `"first"`: another key has to follow. `first`: the key before it, if it was the first of two.
 */
export function actionOf(pressed: Pressed, first: string | undefined, single: boolean): Action | "first" | undefined {
  const { key, ctrlKey, metaKey, altKey, shiftKey, writing } = pressed;
  const mod = ctrlKey !== metaKey && !altKey;
  if (mod && !shiftKey && key.toLowerCase() === "k") return "jump";
  // On many keyboards `/` needs Shift.
  if (mod && key === "/") return "help";
  if (altKey && !ctrlKey && !metaKey && (key === "ArrowUp" || key === "ArrowDown")) {
    const up = key === "ArrowUp";
    return shiftKey ? (up ? "previousUnread" : "nextUnread") : up ? "previous" : "next";
  }
  if (!single || writing || ctrlKey || metaKey || altKey) return undefined;
  if (first !== undefined) {
    const found = SHORTCUTS.find((it) => it.keys.some((keys) => keys.length === 2 && keys[0] === first && keys[1] === key));
    return found?.action as Action | undefined;
  }
  if (key === "?") return "help";
  return SHORTCUTS.some((it) => it.keys.some((keys) => keys.length === 2 && keys[0] === key && keys[0]!.length === 1)) ? "first" : undefined;
}

/** What a key means on the message that has the focus. Letters are single keys. */
export function messageActionOf(key: string, single: boolean): MessageKey | undefined {
  if (!single && key.length === 1) return undefined;
  return SHORTCUTS.find((it) => it.group === "message" && it.keys.some(([only]) => only === key))?.action as MessageKey | undefined;
}
