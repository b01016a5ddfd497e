import { beforeEach, expect, test } from "vitest";
import type { TopicFrames, WireEvent } from "../wire/types";
import type { Link, LinkHandlers, LinkState } from "./link";
import { Tabs } from "./tabs";
import { FakeWorld, settle } from "./testing";

/** One browser: the lock and the channel that its windows share. */
class Browser {
  readonly channels = new Set<FakeChannel>();
  private holder: { end(error?: Error): void } | undefined;
  private readonly queue: { run(): void; signal?: AbortSignal | undefined }[] = [];

  readonly locks = {
    request: (_name: string, options: { steal?: boolean; signal?: AbortSignal }, hold: () => Promise<void> | undefined) =>
      new Promise<void>((resolve, reject) => {
        const run = () => {
          const mine = { end: (error?: Error) => (error === undefined ? resolve() : reject(error)) };
          this.holder = mine;
          void Promise.resolve(hold()).then(() => {
            if (this.holder !== mine) return;
            this.holder = undefined;
            resolve();
            this.next();
          });
        };
        options.signal?.addEventListener("abort", () => reject(new Error("AbortError")));
        if (options.steal) {
          this.holder?.end(new Error("AbortError"));
          run();
        } else if (this.holder === undefined) run();
        else this.queue.push({ run, signal: options.signal });
      }),
  } as unknown as LockManager;

  private next(): void {
    const waiting = this.queue.shift();
    if (waiting === undefined) return;
    if (waiting.signal?.aborted) this.next();
    else waiting.run();
  }
}

class FakeChannel {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  /** A frozen page hears nothing until it runs again. */
  frozen: { data: unknown }[] | undefined;

  constructor(private readonly browser: Browser) {
    browser.channels.add(this);
  }

  postMessage(data: unknown): void {
    for (const other of this.browser.channels) {
      if (other === this) continue;
      if (other.frozen !== undefined) other.frozen.push({ data });
      else void Promise.resolve().then(() => other.onmessage?.({ data: structuredClone(data) }));
    }
  }

  close(): void {
    this.browser.channels.delete(this);
  }
}

/** One window with a connection that only notes what it is asked. */
class Window {
  readonly did: string[] = [];
  readonly frames: (TopicFrames | WireEvent)[] = [];
  readonly own: unknown[] = [];
  leads = false;
  state: LinkState | undefined;
  link!: LinkHandlers;
  readonly channel: FakeChannel;
  readonly tabs: Tabs;

  constructor(
    browser: Browser,
    world: FakeWorld,
    readonly positions: Record<string, [number, number]> = { C1: [1, 5] },
  ) {
    this.channel = new FakeChannel(browser);
    this.tabs = new Tabs(
      "test",
      { locks: browser.locks, channel: this.channel as unknown as BroadcastChannel },
      world,
      {
        positions: () => this.positions,
        connected: () => this.did.push("connected"),
        frame: (frame) => this.frames.push(frame),
        state: (state) => (this.state = state),
        leads: (leads) => (this.leads = leads),
        own: (input) => this.own.push(input),
      },
      (handlers) => {
        this.link = handlers;
        return {
          start: () => this.did.push("start"),
          stop: () => this.did.push("stop"),
          pause: () => this.did.push("pause"),
          probe: () => this.did.push("probe"),
          pull: (t: string, _g: number, s: number) => this.did.push(`pull ${t} ${s}`),
          typing: (channel: string) => this.did.push(`typing ${channel}`),
          watchPresence: (users: string[]) => this.did.push(`watch ${users.join(" ")}`),
          tickle: () => this.did.push("tickle"),
        } as unknown as Link;
      },
    );
    this.tabs.start();
  }

  online(): void {
    this.link.connected();
    this.link.state({ phase: "online" });
  }
}

let world: FakeWorld;
let browser: Browser;
let first: Window;
let second: Window;

beforeEach(async () => {
  world = new FakeWorld();
  browser = new Browser();
  first = new Window(browser, world);
  await settle();
  first.online();
  second = new Window(browser, world, { C1: [1, 3] });
  await settle();
});

const event = (s: number): WireEvent => ({ type: "message", channel: "C1", _p: { t: "C1", g: 1, s } });

test("one window connects, and each frame reaches all, once", async () => {
  expect([first.leads, second.leads]).toEqual([true, false]);
  expect(second.did).not.toContain("start");
  first.link.frame(event(6));
  await settle();
  expect(first.frames).toEqual([event(6)]);
  expect(second.frames.at(-1)).toEqual(event(6));
});

test("a window that comes later learns how the connection is and what it lacks", () => {
  expect(second.state).toEqual({ phase: "online" });
  expect(second.frames).toEqual([{ type: "_head", t: "C1", g: 1, s: 5 }]);
});

test("pulls go through the connection, one of a topic at a time, from the furthest back", async () => {
  second.tabs.pull("C1", 1, 3);
  await settle();
  first.tabs.pull("C1", 1, 5);
  second.tabs.pull("C1", 1, 2);
  await settle();
  expect(first.did.filter((it) => it.startsWith("pull"))).toEqual(["pull C1 3"]);
  first.link.frame({ type: "_live", t: "C1", g: 1, s: 6 });
  expect(first.did.filter((it) => it.startsWith("pull"))).toEqual(["pull C1 3", "pull C1 2"]);
  first.link.frame({ type: "_live", t: "C1", g: 1, s: 6 });
  expect(first.did.filter((it) => it.startsWith("pull"))).toHaveLength(2);
});

test("what one types and what one sends is told through the channel", async () => {
  second.tabs.typing("C1", undefined);
  second.tabs.share({ type: "discard", log: "C1", id: "x" });
  await settle();
  expect(first.did).toContain("typing C1");
  expect(first.own).toEqual([{ type: "discard", log: "C1", id: "x" }]);
});

test("whom any window watches is watched, also by the next one with the connection", async () => {
  first.tabs.watchPresence(["U1", "U2"]);
  second.tabs.watchPresence(["U2", "U3"]);
  second.tabs.tickle();
  await settle();
  expect(first.did).toContain("watch U1 U2 U3");
  expect(first.did).toContain("tickle");
  first.tabs.freeze();
  await settle();
  expect(second.did).toContain("watch U2 U3");
  second.online();
  first.tabs.thaw();
  await settle();
  expect(second.did).toContain("watch U2 U3 U1");
});

test("when the window with the connection ends, the next one connects", async () => {
  first.tabs.stop("signed_out");
  await settle();
  expect(second.leads).toBe(true);
  expect(second.did).toContain("start");
});

test("a window that is frozen gives the connection up, and follows when it wakes", async () => {
  first.tabs.freeze();
  await settle();
  expect([first.leads, second.leads]).toEqual([false, true]);
  expect(first.did).toContain("pause");
  second.online();
  first.tabs.thaw();
  await settle();
  expect([first.leads, second.leads]).toEqual([false, true]);
  expect(first.state).toEqual({ phase: "online" });
});

test("a window that fell asleep without a word loses the connection, and finds out when it wakes", async () => {
  first.channel.frozen = [];
  await world.pass(3_600);
  expect(second.leads).toBe(true);
  const missed = first.channel.frozen;
  first.channel.frozen = undefined;
  for (const it of missed) first.channel.onmessage?.(it);
  await settle();
  expect([first.leads, second.leads]).toEqual([false, true]);
});

test("a window that answers keeps the connection", async () => {
  await world.pass(60_000);
  expect([first.leads, second.leads]).toEqual([true, false]);
});

test("when the server ends the session, every window hears it", async () => {
  first.link.state({ phase: "stopped", reason: "signed_out" });
  await settle();
  expect(second.state).toEqual({ phase: "stopped", reason: "signed_out" });
});
