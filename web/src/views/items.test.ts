import { expect, test } from "vitest";
import { emptyLog, merge } from "../realtime/log";
import type { Pending } from "../realtime/state";
import type { Message } from "../wire/types";
import { buildItems } from "./items";

const noon = new Date(2026, 10, 20, 12).getTime() / 1000;
const at = (seconds: number) => `${noon + seconds}.000000`;
const message = (seconds: number, user: string, more: Partial<Message> = {}): Message => ({ ts: at(seconds), user, text: `${user}${seconds}`, ...more });
const list = (messages: Message[], pending: Pending[] = [], unreadAfter?: string, thread?: string) =>
  buildItems(merge(emptyLog, { messages, v: 1, place: "window", older: false, newer: false }), pending, "ME", unreadAfter, thread);
const show = (items: ReturnType<typeof list>) => items.map((it) => `${it.day === undefined ? "" : "day "}${it.fresh ? "new " : ""}${it.head ? "head " : ""}${it.message.text}`);

test("messages of one person within five minutes stand together", () => {
  expect(show(list([message(0, "a"), message(60, "a"), message(400, "a"), message(410, "b"), message(420, "a")]))).toEqual(["day head a0", "a60", "head a400", "head b410", "head a420"]);
});

test("a day begins with its name and a head", () => {
  expect(show(list([message(0, "a"), message(86_400, "a")]))).toEqual(["day head a0", "day head a86400"]);
});

test("the line stands above the first message of somebody else that was not read", () => {
  expect(show(list([message(0, "a"), message(1, "ME"), message(2, "a"), message(3, "b")], [], at(0)))).toEqual(["day head a0", "head ME1", "new head a2", "head b3"]);
  expect(show(list([message(0, "a"), message(1, "b")], [], at(1))).join()).not.toContain("new");
});

test("a piece of the history that begins after what was read has no line: it is above", () => {
  const piece = merge(emptyLog, { messages: [message(5, "a"), message(6, "b")], v: 1, place: "window", older: true, newer: false });
  const fresh = (unreadAfter: string) => buildItems(piece, [], "ME", unreadAfter, undefined).findIndex((item) => item.fresh);
  expect([fresh(at(0)), fresh(at(5))]).toEqual([-1, 1]);
});

test("one's own messages stand at the end until they have a place", () => {
  const pending = (id: string, more: Partial<Pending>): Pending => ({ id, channel: "C", text: id, created: (noon + 5) * 1000, status: "sending", ...more });
  const items = list([message(0, "a"), message(9, "b")], [pending("placed", { ts: at(4), status: "sent" }), pending("first", {}), pending("second", {})]);
  expect(items.map((it) => it.message.text)).toEqual(["a0", "placed", "b9", "first", "second"]);
});

test("a message keeps its key when the echo takes its place", () => {
  const pending: Pending = { id: "k", channel: "C", text: "hi", created: (noon + 1) * 1000, status: "sending" };
  const before = list([message(0, "a")], [pending]);
  const after = list([message(0, "a"), message(2, "ME", { client_msg_id: "k" })]);
  expect(after.map((it) => it.key)).toEqual(before.map((it) => it.key));
});

test("the parent of a thread stands apart from its replies", () => {
  const items = list([message(0, "a", { thread_ts: at(0) }), message(1, "a", { thread_ts: at(0) })], [], undefined, at(0));
  expect(items.map((it) => [it.parent, it.head])).toEqual([[true, true], [false, true]]);
});
