import "fake-indexeddb/auto";
import { expect, test } from "vitest";
import { emptyLog, merge } from "../realtime/log";
import type { SharedFile } from "../wire/files";
import type { Message, WireEvent } from "../wire/types";
import { openDatabase } from "./database";
import { Stretches, applyStored, keepLog, readRows } from "./rows";

test("thumbnails also come to a message that no window shows", async () => {
  const database = await openDatabase("files", () => {});
  const file: SharedFile = { id: "F1", name: "roof.png", url_private: "/files/T1/F1/roof.png" };
  const made: SharedFile = { ...file, original_w: 900, original_h: 600 };
  const messages: Message[] = [
    { ts: "1700000000.000001", user: "U1", text: "", files: [file] },
    { ts: "1700000000.000002", user: "U1", text: "none" },
    { ts: "1700000000.000003", user: "U1", text: "", files: [{ ...file, id: "F2" }, file] },
  ];
  const log = merge(emptyLog, { messages, v: 5, place: "window", older: false, newer: false });
  const tx = database.transaction(["logs", "messages"], "readwrite");
  await keepLog(tx, "C1", log, { from: 0, to: Number.MAX_SAFE_INTEGER });
  const stretches = new Stretches(tx);
  const event = { type: "file_change", _p: { t: "C1", g: 1, s: 6, file: made } } as unknown as WireEvent;
  await applyStored(tx, event, 6, [1, 5], undefined, stretches);
  stretches.write();
  await tx.done;
  const page = await readRows(database, "C1", { place: "end", limit: 10, anyhow: false });
  expect(page?.messages.map((it) => it.files)).toEqual([[made], undefined, [{ ...file, id: "F2" }, made]]);
  database.close();
});
