import { beforeEach, expect, test } from "vitest";
import { CallError } from "../wire/api";
import type { Call } from "../wire/api";
import type { Failure } from "../wire/api";
import { Link } from "./link";
import type { LinkState } from "./link";
import { FakeWorld, settle } from "./testing";

let world: FakeWorld;
let states: LinkState[];
let frames: { type: string }[];
let refusal: Failure | undefined;
let tickets: number;
let link: Link;

beforeEach(() => {
  world = new FakeWorld();
  states = [];
  frames = [];
  refusal = undefined;
  tickets = 0;
  const call = (async () => {
    if (refusal) throw new CallError(refusal);
    return { ok: true, url: `ws://test/socket?ticket=${++tickets}` };
  }) as unknown as Call;
  link = new Link(world, call, {
    positions: () => ({ C1: [1, 42] }),
    connected: () => frames.push({ type: "connected" }),
    frame: (frame) => frames.push(frame),
    state: (state) => states.push(state),
  });
});

const phase = () => states[states.length - 1]?.phase;

async function connect(): Promise<void> {
  link.start();
  await settle();
  world.socket.receive({ type: "hello", heartbeat_ms: 15_000 });
}

test("says where it stands right after hello", async () => {
  await connect();
  expect(world.socket.url).toBe("ws://test/socket?ticket=1");
  expect(world.socket.sent[0]).toEqual({ type: "resume", positions: { C1: [1, 42] } });
  expect(phase()).toBe("online");
  world.socket.receive({ type: "_live", t: "C1", g: 1, s: 42 });
  expect(frames.map((frame) => frame.type)).toEqual(["connected", "_live"]);
});

test("stays as long as pings are answered", async () => {
  await connect();
  for (let i = 0; i < 10; i++) {
    world.socket.pong();
    await world.pass(15_000);
  }
  expect(world.sockets).toHaveLength(1);
  expect(phase()).toBe("online");
});

test("a network that died in silence is left within two heartbeats, and the link comes back", async () => {
  await connect();
  world.socket.pong();
  await world.pass(30_001);
  expect(world.sockets[0]!.closed).toBe(true);
  expect(world.sockets).toHaveLength(2);
  world.socket.receive({ type: "hello", heartbeat_ms: 15_000 });
  expect(world.socket.sent[0]!.type).toBe("resume");
  expect(phase()).toBe("online");
});

test("a probe finds a dead network sooner", async () => {
  await connect();
  world.socket.pong();
  await world.pass(1_000);
  link.probe();
  await world.pass(4_001);
  expect(world.sockets).toHaveLength(2);
});

test("what an abandoned socket still says is not heard", async () => {
  await connect();
  const old = world.socket;
  const hear = old.onmessage;
  old.onclose?.({ code: 1006 });
  await world.pass(60_000);
  expect(old.onmessage).toBeNull();
  expect(hear).not.toBeNull();
  expect(world.sockets.length).toBeGreaterThan(1);
});

test("waits longer with each failure, and not at all when somebody says the network is back", async () => {
  refusal = { kind: "unknown", error: "no_answer" };
  link.start();
  await settle();
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    const state = states[states.length - 1]!;
    if (state.phase !== "waiting") throw new Error(state.phase);
    waits.push(state.retryAt - world.now());
    await world.pass(state.retryAt - world.now());
  }
  expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
  refusal = undefined;
  link.probe();
  await settle();
  expect(world.sockets).toHaveLength(1);
});

test("after a request that nobody answered several are made at once, and one answer is enough", async () => {
  refusal = { kind: "unknown", error: "no_answer" };
  link.start();
  await settle();
  refusal = undefined;
  await world.pass(600);
  expect(tickets).toBe(3);
  expect(world.sockets).toHaveLength(1);
  world.socket.onclose?.({ code: 1006 });
  await world.pass(1_100);
  expect(tickets).toBe(4);
});

test("comes back when the server says, after a goodbye", async () => {
  await connect();
  world.socket.receive({ type: "goodbye", reconnect_ms: 1234 });
  await world.pass(1233);
  expect(world.sockets).toHaveLength(1);
  await world.pass(2);
  expect(world.sockets).toHaveLength(2);
});

test.each([
  [4500, "signed_out"],
  [4501, "refused"],
  [4502, "refused"],
])("does not come back after %i", async (code, reason) => {
  await connect();
  world.socket.onclose?.({ code });
  await world.pass(120_000);
  expect(states[states.length - 1]).toEqual({ phase: "stopped", reason });
  expect(world.sockets).toHaveLength(1);
});

test.each([1001, 1006, 4000, 4002, 4005, 4006])("comes back after %i", async (code) => {
  await connect();
  world.socket.onclose?.({ code });
  await world.pass(1_000);
  expect(world.sockets).toHaveLength(2);
});

test("a refused session ends it", async () => {
  refusal = { kind: "refused", error: "invalid_auth" };
  link.start();
  await settle();
  expect(states[states.length - 1]).toEqual({ phase: "stopped", reason: "signed_out" });
});

test("waits as long as the server asks when there are too many", async () => {
  refusal = { kind: "later", error: "ratelimited", afterMs: 7_000 };
  link.start();
  await settle();
  expect(states[states.length - 1]).toMatchObject({ phase: "waiting", retryAt: world.now() + 7_000 });
});

test("a server that never says hello is left", async () => {
  link.start();
  await settle();
  await world.pass(12_000);
  expect(world.sockets[0]!.closed).toBe(true);
  expect(world.sockets).toHaveLength(2);
});

test("typing is told at most every three seconds per conversation", async () => {
  await connect();
  for (let i = 0; i < 5; i++) {
    link.typing("C1", undefined);
    await world.pass(1_000);
  }
  link.typing("C2", "1.2");
  expect(world.socket.sent.filter((frame) => frame.type === "typing")).toEqual([
    { type: "typing", channel: "C1" },
    { type: "typing", channel: "C1" },
    { type: "typing", channel: "C2", thread_ts: "1.2" },
  ]);
});

test("whom one watches is said again on every new socket, after the resume", async () => {
  await connect();
  link.watchPresence(["U1", "U2"]);
  const sub = { type: "presence_sub", ids: ["U1", "U2"] };
  expect(world.socket.sent.filter((it) => it.type === "presence_sub")).toEqual([sub]);
  world.socket.onclose?.({ code: 4000 });
  await world.pass(5_000);
  world.socket.receive({ type: "hello", heartbeat_ms: 15_000 });
  expect(world.socket.sent.slice(0, 2)).toEqual([expect.objectContaining({ type: "resume" }), sub]);
  link.watchPresence([]);
  expect(world.socket.sent.at(-1)).toEqual({ type: "presence_sub", ids: [] });
});
