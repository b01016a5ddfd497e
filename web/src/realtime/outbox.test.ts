import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import { CallError } from "../wire/api";
import type { Args, Failure } from "../wire/api";
import type { Call } from "../wire/api";
import { apply } from "./apply";
import { Outbox } from "./outbox";
import { initialState } from "./state";
import type { Pending, State } from "./state";
import { FakeWorld, settle } from "./testing";

let world: FakeWorld;
let state: State;
let calls: Args[];
/** What the server does with the next calls; afterwards it answers. */
let script: (Failure | "hang")[];
let posted: Map<string, string>;
let saved: Pending[];
let online: boolean;
let active: boolean;
let outbox: Outbox;

beforeEach(() => {
  world = new FakeWorld();
  state = initialState;
  calls = [];
  script = [];
  posted = new Map();
  saved = [];
  online = true;
  active = true;
  outbox = make();
});

function make(): Outbox {
  return new Outbox({
    world,
    call: (async (_method: string, args: Args) => {
      calls.push(args);
      const id = String(args["client_msg_id"]);
      const act = script.shift();
      if (act === "hang") return new Promise(() => {});
      if (act?.kind !== "refused" && act?.kind !== "later" && !posted.has(id)) posted.set(id, `1.${String(posted.size).padStart(6, "0")}`);
      if (act) throw new CallError(act);
      return { ok: true, ts: posted.get(id) };
    }) as unknown as Call,
    state: () => state,
    dispatch: (input) => {
      state = apply(state, input).state;
    },
    online: () => online,
    suspect: () => {},
    active: () => active,
    save: (pending) => {
      saved = [...saved.filter((it) => it.id !== pending.id), structuredClone(pending)];
    },
    remove: (id) => {
      saved = saved.filter((it) => it.id !== id);
    },
  });
}

const pending = (id: string): Pending => ({ id, channel: "C1", text: `text of ${id}`, created: 0, status: "sending" });
const status = () => (state.pending["C1"] ?? []).map((it) => `${it.id}:${it.status}`);
const LOST: Failure = { kind: "unknown", error: "no_answer" };

test("a message is sent once and keeps its id", async () => {
  outbox.send(pending("a"));
  await settle();
  expect(calls).toEqual([{ channel: "C1", text: "text of a", thread_ts: undefined, client_msg_id: "a" }]);
  expect(status()).toEqual(["a:sent"]);
  expect(saved).toEqual([]);
});

test("an answer that was lost is asked for again, under the same id, and the message exists once", async () => {
  script = [LOST, LOST];
  outbox.send(pending("a"));
  await settle();
  expect(status()).toEqual(["a:waiting"]);
  await world.pass(5_000);
  expect(calls.map((args) => args["client_msg_id"])).toEqual(["a", "a", "a"]);
  expect(posted.size).toBe(1);
  expect(status()).toEqual(["a:sent"]);
});

test("messages keep their order while the first one is in trouble", async () => {
  script = [LOST];
  outbox.send(pending("a"));
  outbox.send(pending("b"));
  await world.pass(5_000);
  expect([...posted.keys()]).toEqual(["a", "b"]);
  expect(calls.map((args) => args["client_msg_id"])).toEqual(["a", "a", "b"]);
});

test("a refusal fails at once, says why, and holds up nobody", async () => {
  script = [{ kind: "refused", error: "is_archived" }];
  outbox.send(pending("a"));
  outbox.send(pending("b"));
  await settle();
  expect(status()).toEqual(["a:failed", "b:sent"]);
  expect(state.pending["C1"]![0]).toMatchObject({ error: "is_archived", refused: true });
  outbox.retry("C1", "a");
  await settle();
  expect(calls.map((args) => args["client_msg_id"])).toEqual(["a", "b", "a"]);
  expect(status()).toEqual(["a:sent", "b:sent"]);
});

test("after half a minute without an answer the person is asked; a retry still has the same id", async () => {
  script = Array.from({ length: 300 }, () => LOST);
  outbox.send(pending("a"));
  await world.pass(29_000);
  expect(status()).toEqual(["a:waiting"]);
  await world.pass(15_000);
  expect(status()).toEqual(["a:failed"]);
  expect(calls.length).toBeGreaterThanOrEqual(6);
  script = [];
  outbox.retry("C1", "a");
  await settle();
  expect(status()).toEqual(["a:sent"]);
  expect(posted.size).toBe(1);
});

test("connections that are refused at once, again and again, are no reason to ask yet", async () => {
  world = new FakeWorld(0);
  outbox = make();
  script = Array.from({ length: 20 }, () => LOST);
  outbox.send(pending("a"));
  await settle();
  expect(status()).toEqual(["a:waiting"]);
  await world.pass(1);
  expect(status()).toEqual(["a:sent"]);
});

test("only the time counts in which the server is reachable", async () => {
  online = false;
  script = Array.from({ length: 300 }, () => LOST);
  outbox.send(pending("a"));
  await world.pass(200_000);
  online = true;
  await world.pass(20_000);
  expect(status()).toEqual(["a:waiting"]);
  await world.pass(40_000);
  expect(status()).toEqual(["a:failed"]);
});

test("without a network it waits for as long as it takes, and goes on when the link is back", async () => {
  online = false;
  script = Array.from({ length: 300 }, () => LOST);
  outbox.send(pending("a"));
  await world.pass(200_000);
  expect(status()).toEqual(["a:waiting"]);
  script = [];
  const before = calls.length;
  outbox.kick();
  await settle();
  expect(calls).toHaveLength(before + 1);
  expect(status()).toEqual(["a:sent"]);
});

test("a server that wants a pause gets it", async () => {
  script = [{ kind: "later", error: "ratelimited", afterMs: 9_000 }];
  outbox.send(pending("a"));
  await world.pass(8_999);
  expect(calls).toHaveLength(1);
  await world.pass(2);
  expect(calls).toHaveLength(2);
});

test("what was not confirmed is sent again after a reload, under its id", async () => {
  script = ["hang"];
  outbox.send(pending("a"));
  await settle();
  expect(saved.map((it) => it.id)).toEqual(["a"]);
  outbox.stop();
  state = initialState;
  outbox = make();
  outbox.start(saved);
  await settle();
  expect(calls.map((args) => args["client_msg_id"])).toEqual(["a", "a"]);
  expect(status()).toEqual(["a:sent"]);
});

test("a discarded message is not sent again", async () => {
  script = [LOST, LOST, LOST];
  outbox.send(pending("a"));
  await settle();
  outbox.discard("C1", "a");
  await world.pass(60_000);
  expect(calls).toHaveLength(1);
  expect(saved).toEqual([]);
});

test("an answered message whose echo never comes was deleted, and goes", async () => {
  outbox.send(pending("a"));
  await world.pass(29_000);
  expect(status()).toEqual(["a:sent"]);
  await world.pass(2_000);
  expect(status()).toEqual([]);
});

test("after a reload a failed message does not hold up the one behind it", async () => {
  saved = [{ ...pending("a"), status: "failed", error: "restricted_action", refused: true }, pending("b")];
  outbox.start(saved);
  await settle();
  expect(status()).toEqual(["a:failed", "b:sent"]);
});

/** What the server may do with a call. */
const act = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 3, arbitrary: fc.constant(LOST) },
  fc.constant<Failure>({ kind: "later", error: "ratelimited", afterMs: 2_000 }),
  fc.constant<Failure>({ kind: "refused", error: "restricted_action" }),
);

test("whatever the server does, each message is posted once at most, in order, with the content that it was written with", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ formatted: fc.boolean(), reload: fc.boolean() }), { minLength: 1, maxLength: 6 }), fc.array(act, { maxLength: 20 }), async (messages, acts) => {
      world = new FakeWorld();
      state = initialState;
      [calls, posted, saved, online, active] = [[], new Map(), [], true, true];
      outbox = make();
      script = [...acts] as Failure[];
      const written = messages.map(({ formatted }, i): Pending => ({ ...pending(`m${i}`), created: i, ...(formatted ? { blocks: [{ type: "rich_text", elements: [i] }] } : {}) }));
      for (const [i, it] of written.entries()) {
        outbox.send(it);
        await world.pass(300);
        if (!messages[i]!.reload) continue;
        outbox.stop();
        state = initialState;
        outbox = make();
        outbox.start(saved);
      }
      await world.pass(200_000);
      for (const call of calls) {
        const it = written.find((other) => other.id === call["client_msg_id"])!;
        expect([call["text"], call["blocks"]]).toEqual([it.text, it.blocks && JSON.stringify(it.blocks)]);
      }
      const refused = new Set((state.pending["C1"] ?? []).filter((it) => it.status === "failed").map((it) => it.id));
      const ids = [...posted.keys()];
      expect(ids).toEqual(written.map((it) => it.id).filter((id) => ids.includes(id)));
      for (const { id } of written) expect(ids.includes(id) || refused.has(id), id).toBe(true);
      outbox.stop();
    }),
    { numRuns: 200 },
  );
});

test("a window that does not send leaves it to the one that does, and takes over when it has to", async () => {
  active = false;
  outbox.send(pending("a"));
  await world.pass(60_000);
  expect(calls).toEqual([]);
  expect(status()).toEqual(["a:sending"]);
  expect(saved.map((it) => it.id)).toEqual(["a"]);
  active = true;
  outbox.resume();
  await settle();
  expect(status()).toEqual(["a:sent"]);
  expect(saved).toEqual([]);
});

test("offline, a message that another window would send says that it waits", () => {
  active = false;
  online = false;
  outbox.send(pending("a"));
  expect(status()).toEqual(["a:waiting"]);
});
