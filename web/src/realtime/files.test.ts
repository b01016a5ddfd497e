import { expect, test } from "vitest";
import type { SharedFile } from "../wire/files";
import type { Message, WireEvent } from "../wire/types";
import { applyEvent } from "./events";
import { emptyLog, merge } from "./log";
import { initialState } from "./state";
import type { State } from "./state";

const ROOM = "C1";
const raw: SharedFile = { id: "F1", name: "roof.png", mimetype: "image/png", url_private: "/files/T1/F1/roof.png" };
const withThumbs: SharedFile = { ...raw, original_w: 900, original_h: 600, thumb_360: "/files/T1/F1/thumb/360" };
const message: Message = { type: "message", subtype: "file_share", ts: "1700000000.000001", user: "U1", text: "look", files: [raw] };

function room(rows: Message[], v: number): State {
  const log = merge(emptyLog, { messages: rows, v, place: "window", older: false, newer: false });
  return { ...initialState, self: { id: "U1", name: "ann" }, logs: { [ROOM]: log } };
}

const changed = (seq: number, file: SharedFile): WireEvent => ({ type: "file_change", _p: { t: ROOM, g: 1, s: seq, file } as WireEvent["_p"] & object });
const filesOf = (state: State) => state.logs[ROOM]!.rows.map((row) => row.message.files);

test("thumbnails come in place, once, and not into what a snapshot knows better", () => {
  const state = room([message, { ...message, ts: "1700000000.000002", files: [{ ...raw, id: "F2" }] }], 5);
  const after = applyEvent(state, changed(6, withThumbs), 6, []);
  expect(filesOf(after)).toEqual([[withThumbs], [{ ...raw, id: "F2" }]]);
  // The same again, and an older one, change nothing.
  expect(filesOf(applyEvent(after, changed(6, raw), 6, []))).toEqual(filesOf(after));
  expect(filesOf(applyEvent(room([message], 9), changed(6, withThumbs), 6, []))).toEqual([[raw]]);
  expect(after.fileChanges).toBe(state.fileChanges + 1);
});

test("a deleted file stays as what it was: one that is gone", () => {
  const event: WireEvent = { type: "message", subtype: "message_changed", channel: ROOM, message: { ...message, files: [{ id: "F1", mode: "tombstone" }] } };
  expect(filesOf(applyEvent(room([message], 5), event, 6, []))).toEqual([[{ id: "F1", mode: "tombstone" }]]);
});

test("one's own message with files takes the place of what was waiting, under the key that it had", () => {
  const waiting: State = { ...room([], 5), pending: { [ROOM]: [{ id: "own", channel: ROOM, text: "look", created: 0, status: "uploading", files: ["F1"] }] } };
  const event = { ...message, channel: ROOM } as unknown as WireEvent;
  const after = applyEvent(waiting, event, 6, []);
  expect(after.pending[ROOM]).toEqual([]);
  expect(after.logs[ROOM]!.rows.map((row) => row.key)).toEqual(["own"]);
  // Somebody else's with the same file is theirs.
  const other = applyEvent(waiting, { ...event, user: "U2" }, 6, []);
  expect(other.pending[ROOM]!.length).toBe(1);
  expect(other.logs[ROOM]!.rows.map((row) => row.key)).toEqual([message.ts]);
});
