import { beforeEach, expect, test } from "vitest";
import { apply } from "../realtime/apply";
import { initialState } from "../realtime/state";
import type { State } from "../realtime/state";
import { FakeWorld } from "../realtime/testing";
import { CallError } from "../wire/api";
import type { Args, Failure } from "../wire/api";
import type { Envelope } from "../wire/types";
import { FILES_MAX, Uploads } from "./uploads";

const LOST: Failure = { kind: "unknown", error: "no_answer" };
const ROOM = "C1";

let world: FakeWorld;
let state: State;
let online: boolean;
let stored: Map<string, string>;
/** What the server has: announced names by id, whose bytes came, and the messages that were made of them. */
let announced: Map<string, string>;
let bytes: Set<string>;
let messages: { ts: string; files: string[]; text: string; blocks: boolean }[];
/** What happens to the next calls of a method; afterwards they succeed. `lost`: it has its effect, and no answer. */
let script: Record<string, (Failure | "lost")[]>;
/** What happens to the next bytes. */
let posts: (Failure | "hang")[];
let uploads: Uploads;

function make(): Uploads {
  return new Uploads({
    world,
    call: async <T extends Envelope>(method: string, args: Args = {}): Promise<T> => {
      const act = script[method]?.shift();
      if (act !== undefined && act !== "lost") throw new CallError(act);
      const answer = serve(method, args);
      if (act === "lost") throw new CallError(LOST);
      return answer as T;
    },
    post: (url, _file, progress, signal) =>
      new Promise((resolve, reject) => {
        const act = posts.shift();
        signal.addEventListener("abort", () => reject(new CallError(LOST)));
        progress(1);
        if (act === "hang") return;
        if (act !== undefined) return reject(new CallError(act));
        bytes.add(url.split("/").at(-1)!);
        resolve();
      }),
    state: () => state,
    dispatch: (input) => {
      state = apply(state, input).state;
    },
    online: () => online,
    storage: { getItem: (key) => stored.get(key) ?? null, setItem: (key, value) => void stored.set(key, value), removeItem: (key) => void stored.delete(key) },
  });
}

function serve(method: string, args: Args): object {
  const refuse = (error: string) => {
    throw new CallError({ kind: "refused", error });
  };
  const shared = (id: string) => ({ id, shares: { public: { [ROOM]: messages.filter((it) => it.files.includes(id)).map(({ ts }) => ({ ts })) } } });
  switch (method) {
    case "files.getUploadURLExternal": {
      const id = `F${announced.size + 1}`;
      announced.set(id, String(args["filename"]));
      return { ok: true, file_id: id, upload_url: `https://other.example/files/upload/${id}` };
    }
    case "files.completeUploadExternal": {
      const files = (JSON.parse(String(args["files"])) as { id: string }[]).map((it) => it.id);
      if (files.some((id) => !bytes.has(id) || messages.some((it) => it.files.includes(id)))) return refuse("file_not_found");
      messages.push({ ts: `170000000${messages.length}.000001`, files, text: String(args["initial_comment"] ?? ""), blocks: args["blocks"] !== undefined });
      return { ok: true, files: files.map(shared) };
    }
    case "files.info":
      return messages.some((it) => it.files.includes(String(args["file"]))) ? { ok: true, file: shared(String(args["file"])) } : refuse("file_not_found");
    case "chat.postMessage":
      messages.push({ ts: `170000000${messages.length}.000001`, files: [], text: String(args["text"]), blocks: false });
      return { ok: true, ts: messages.at(-1)!.ts };
  }
  throw new Error(method);
}

beforeEach(() => {
  world = new FakeWorld();
  state = { ...initialState, self: { id: "U1", name: "ann" } };
  online = true;
  [stored, announced, bytes, messages, script, posts] = [new Map(), new Map(), new Set(), [], {}, []];
  uploads = make();
});

const file = (name: string, text = "bytes of it") => new File([text], name, { type: "text/plain" });
const statuses = (owner = ROOM) => uploads.of(owner).map((it) => `${it.name}:${it.status}${it.error ? `:${it.error}` : ""}`);
const pending = () => (state.pending[ROOM] ?? []).map((it) => `${it.status}${it.error ? `:${it.error}` : ""}`);
/** Files are read by the platform, in steps that no clock of a test knows. */
const pass = async (ms = 0) => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 0));
  await world.pass(ms);
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 0));
};

test("files are sent with the text as one message, formatting instead of the plain text", async () => {
  uploads.add(ROOM, [file("a.txt"), file("b.txt")]);
  await pass();
  expect(statuses()).toEqual(["a.txt:uploaded", "b.txt:uploaded"]);
  uploads.send(ROOM, { text: "words" });
  await pass();
  uploads.add(ROOM, [file("c.txt")]);
  uploads.send(ROOM, { text: "*words*", blocks: [{ type: "rich_text" }] });
  await pass();
  expect(messages.map(({ files, text, blocks }) => ({ files, text, blocks }))).toEqual([
    { files: ["F1", "F2"], text: "words", blocks: false },
    { files: ["F3"], text: "", blocks: true },
  ]);
  expect(pending()).toEqual(["sent", "sent"]);
  expect(uploads.lists.get()).toEqual({});
  expect(stored.size).toBe(0);
});

test("a message waits for its files, and those of others do not wait for it", async () => {
  posts.push("hang");
  uploads.add(ROOM, [file("slow.txt")]);
  await pass();
  uploads.send(ROOM, { text: "slow" });
  uploads.add(ROOM, [file("quick.txt")]);
  uploads.send(ROOM, { text: "quick" });
  await pass();
  expect(messages.map((it) => it.text)).toEqual(["quick"]);
  expect(pending()).toEqual(["uploading", "sent"]);
  uploads.discard(state.pending[ROOM]![0]!.id);
  await pass();
  expect(pending()).toEqual(["sent"]);
});

test("no more files than a message holds are taken, and no more than a few are on their way at once", async () => {
  posts.push("hang", "hang", "hang", "hang");
  const left = uploads.add(ROOM, Array.from({ length: FILES_MAX + 2 }, (_, i) => file(`${i}.txt`)));
  await pass();
  expect(left).toBe(2);
  expect(statuses().filter((it) => it.endsWith(":uploading")).length).toBe(3);
  uploads.remove(ROOM, uploads.of(ROOM)[0]!.id);
  await pass();
  expect(statuses().filter((it) => it.endsWith(":uploading")).length).toBe(3);
  expect(uploads.of(ROOM).length).toBe(FILES_MAX - 1);
});

test("what the network broke off goes on when it is back; what the server refused waits for the person", async () => {
  online = false;
  posts.push(LOST);
  script["files.getUploadURLExternal"] = [{ kind: "refused", error: "storage_limit_reached" }];
  uploads.add(ROOM, [file("refused.txt"), file("broken.txt")]);
  await pass(60_000);
  expect(statuses()).toEqual(["refused.txt:failed:storage_limit_reached", "broken.txt:failed:no_answer"]);
  online = true;
  uploads.kick();
  await pass();
  expect(statuses()).toEqual(["refused.txt:failed:storage_limit_reached", "broken.txt:uploaded"]);
  uploads.restart(ROOM, uploads.of(ROOM)[0]!.id);
  await pass();
  expect(statuses()[0]).toBe("refused.txt:uploaded");
});

test("an answer that is lost makes no second message, whether it was made or not", async () => {
  script["files.completeUploadExternal"] = ["lost"];
  uploads.add(ROOM, [file("a.txt")]);
  uploads.send(ROOM, { text: "made" });
  await pass(60_000);
  script["files.completeUploadExternal"] = [LOST];
  uploads.add(ROOM, [file("b.txt")]);
  uploads.send(ROOM, { text: "not made at first" });
  await pass(20_000);
  expect(messages.map((it) => it.text)).toEqual(["made", "not made at first"]);
});

test("a refused message keeps its files, and is sent when it is tried again", async () => {
  script["files.completeUploadExternal"] = [{ kind: "refused", error: "posting_to_channel_denied" }];
  uploads.add(ROOM, [file("a.txt")]);
  uploads.send(ROOM, { text: "words" });
  await pass();
  expect(pending()).toEqual(["failed:posting_to_channel_denied"]);
  uploads.retry(state.pending[ROOM]![0]!.id);
  await pass();
  expect(messages.map((it) => it.files)).toEqual([["F1"]]);
});

test("another name is another upload, a description is none", async () => {
  uploads.add(ROOM, [file("secret plan.txt")]);
  await pass();
  const { id } = uploads.of(ROOM)[0]!;
  uploads.describe(ROOM, id, "secret plan.txt", "what it is");
  await pass();
  expect([...announced.values()]).toEqual(["secret plan.txt"]);
  uploads.describe(ROOM, id, "plan.txt", "what it is");
  await pass();
  expect([...announced.values()]).toEqual(["secret plan.txt", "plan.txt"]);
  expect(uploads.of(ROOM)[0]).toMatchObject({ name: "plan.txt", alt: "what it is", status: "uploaded", fileId: "F2" });
});

test("a reload asks for the files again: of a draft, and of a message that was not made", async () => {
  uploads.add(ROOM, [file("draft.txt")]);
  uploads.add("C1/9.000001", [file("sent.txt")]);
  posts.push("hang");
  await pass();
  uploads.stop();
  uploads.send(ROOM, { text: "words" });
  await pass();
  state = { ...initialState, self: state.self! };
  uploads = make();
  uploads.start();
  await pass();
  expect(pending()).toEqual(["failed:files_gone"]);
  const { id } = state.pending[ROOM]![0]!;
  expect(statuses(id)).toEqual(["draft.txt:gone"]);
  expect(statuses("C1/9.000001")).toEqual(["sent.txt:gone"]);
  uploads.replace(id, uploads.of(id)[0]!.id, file("found.txt"));
  await pass();
  expect(messages.map((it) => it.text)).toEqual(["words"]);
});

test("a message that was made before the page was closed is not asked for again", async () => {
  script["files.completeUploadExternal"] = ["lost"];
  script["files.info"] = [LOST];
  uploads.add(ROOM, [file("a.txt")]);
  await pass();
  uploads.send(ROOM, { text: "made" });
  await pass();
  uploads.stop();
  state = { ...initialState, self: state.self! };
  uploads = make();
  uploads.start();
  await pass(60_000);
  expect(pending()).toEqual([]);
  expect(uploads.lists.get()).toEqual({});
  expect(messages.length).toBe(1);
});

test("what is empty is said to be, and a name of one line comes of any", async () => {
  uploads.add(ROOM, [file("empty.txt", ""), file("two\nlines\u202e.txt")]);
  await pass();
  expect(statuses()).toEqual(["empty.txt:failed:file_empty", "twolines.txt:uploaded"]);
});
