import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Device, launch } from "./support/browser";
import { Server } from "./support/server";
import type { Seed } from "./support/server";

// Two windows of one browser, and what networks, servers and browsers do to them: each ends with exactly the server's history.
let browser: Browser;
let server: Server;
let ann: Seed["people"][number];
let bo: Seed["people"][number];
let general: string;
let first: Device;
let second: Device;
let sockets: { first: number; second: number };
let round = 0;

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), Server.start({ seeded: true })]);
  [ann, bo] = server.seed.people as [typeof ann, typeof bo];
  general = server.seed.channels["general"]!;
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

beforeEach(async () => {
  round++;
  sockets = { first: 0, second: 0 };
  first = await Device.open(browser, server, `bo-${round}`);
  first.expectNoise();
  first.page.on("websocket", () => sockets.first++);
  await first.signIn(bo);
  await first.channel(general);
  await first.toEnd();
  second = await first.another();
  second.page.on("websocket", () => sockets.second++);
  await second.feed().locator("article").last().waitFor();
});

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") {
    if (!first.page.isClosed()) await first.screenshot(`failed-first-${task.name.slice(0, 30)}`);
    if (!second.page.isClosed()) await second.screenshot(`failed-second-${task.name.slice(0, 30)}`);
  }
  await first.close();
  await second.close();
});

const post = (text: string) => server.call<{ ts: string }>(ann.token, "chat.postMessage", { channel: general, text });

/** Both windows show what the server has, each message once. */
async function exact(...devices: Device[]): Promise<void> {
  for (const device of devices) await expect.poll(() => device.feed().locator("article[data-state]").count(), { timeout: 30_000 }).toBe(0);
  const history = (await server.history(bo.token, general)).filter((it) => !it.subtype?.startsWith("channel_"));
  for (const device of devices) {
    await device.feed().locator(`[data-ts="${history.at(-1)!.ts}"]`).waitFor({ timeout: 30_000 });
    const shown = await device.shown();
    expect(shown.map((it) => it.ts)).toEqual(history.map((it) => it.ts));
  }
  const own = history.map((it) => it.client_msg_id).filter((id) => id !== undefined);
  expect(new Set(own).size).toBe(own.length);
}

test("two windows have one connection, and what one writes both show, once", async () => {
  await first.page.waitForTimeout(500);
  expect(sockets).toEqual({ first: 1, second: 0 });
  const texts: string[] = [];
  for (let i = 0; i < 6; i++) {
    const [device, text] = [i % 2 ? first : second, `round ${round}, message ${i}`];
    await device.send(text);
    texts.push(text);
  }
  for (const device of [first, second]) for (const text of texts) await device.message(text).waitFor();
  await exact(first, second);
  expect((await server.history(bo.token, general)).filter((it) => texts.includes(it.text))).toHaveLength(6);
});

test("the window with the connection is closed, and the other one has it within a second", async () => {
  await second.send(`round ${round}, before`);
  await second.message(`round ${round}, before`).waitFor();
  const opened = second.page.waitForEvent("websocket");
  const started = Date.now();
  await first.page.close();
  await opened;
  const took = Date.now() - started;
  console.log(`another window has the connection after ${took} ms`);
  await second.send(`round ${round}, after`);
  await post(`round ${round}, from Ann`);
  await second.message(`round ${round}, from Ann`).waitFor();
  await exact(second);
  expect(took).toBeLessThan(1_000);
});

for (const told of [true, false]) {
  test(`the window with the connection is put to sleep, ${told ? "with" : "without"} a word: the other one takes over, and the sleeper catches up`, async () => {
    const opened = second.page.waitForEvent("websocket");
    const started = Date.now();
    await first.sleep({ told });
    await opened;
    const took = Date.now() - started;
    console.log(`a window takes over from a sleeper that ${told ? "said so" : "said nothing"} after ${took} ms`);
    for (let i = 0; i < 20; i++) await post(`round ${round}, message ${i}`);
    await second.send(`round ${round}, while the other slept`);
    await second.message(`round ${round}, message 19`).waitFor();
    await expect.poll(() => second.message(`round ${round}, while the other slept`).getAttribute("data-state"), { timeout: 20_000 }).toBeNull();
    await first.wake({ told });
    await exact(second, first);
    expect(took).toBeLessThan(told ? 1_000 : 5_000);
  });
}

test("the only window is put to sleep for fifty messages, and wakes to an exact view", async () => {
  await second.page.close();
  await first.sleep({ told: false });
  for (let i = 0; i < 50; i++) await post(`round ${round}, message ${i}`);
  await first.wake({ told: false });
  await exact(first);
});

test("the network falls silent while both write, and comes back", { timeout: 120_000 }, async () => {
  server.proxy.silence(first.name);
  await first.send(`round ${round}, first in silence`);
  await second.send(`round ${round}, second in silence`);
  await post(`round ${round}, meanwhile`);
  await second.page.locator(".banner", { hasText: "Reconnecting" }).waitFor({ timeout: 40_000 });
  server.proxy.heal(first.name);
  await first.online(40_000);
  await exact(first, second);
});

test("the server is killed while both write, and the writers' windows die too", async () => {
  await server.down();
  await first.send(`round ${round}, first without a server`);
  await second.send(`round ${round}, second without a server`);
  await second.message(`round ${round}, first without a server`).waitFor();
  await first.page.close();
  await server.up();
  await second.online(40_000);
  await expect.poll(() => second.feed().locator("article[data-state]").count(), { timeout: 30_000 }).toBe(0);
  await exact(second);
  const history = await server.history(bo.token, general);
  expect(history.filter((it) => it.text.startsWith(`round ${round}, `))).toHaveLength(2);
});

test("a network that is slow and thin is no reason to worry anybody", async () => {
  for (const device of [first, second]) {
    const session = await first.context.newCDPSession(device.page);
    await session.send("Network.enable");
    await session.send("Network.emulateNetworkConditions", { offline: false, latency: 600, downloadThroughput: 30_000, uploadThroughput: 10_000 });
  }
  await first.send(`round ${round}, slowly`);
  for (let i = 0; i < 10; i++) await post(`round ${round}, message ${i}`);
  await second.send(`round ${round}, and slowly`);
  await expect.poll(() => second.feed().locator("article[data-state]").count(), { timeout: 20_000 }).toBe(0);
  expect(await first.page.locator(".banner").count() + await second.page.locator(".banner").count()).toBe(0);
  await exact(first, second);
});
