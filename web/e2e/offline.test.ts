import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Device, launch } from "./support/browser";
import { Server } from "./support/server";
import type { Seed } from "./support/server";

// Somebody is away for fifty messages, edits, deletions, reactions and replies, and comes back to an exact view.
let browser: Browser;
let server: Server;
let ann: Seed["people"][number];
let bo: Seed["people"][number];
let device: Device;
let general: string;
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
  device = await Device.open(browser, server, "bo-desk");
  device.expectNoise();
  await device.signIn(bo);
  await device.channel(general);
  await device.toEnd();
});

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await device.screenshot(`failed-${task.name.slice(0, 30)}`);
  await device.close();
});

/** What happens meanwhile; the last text of it. */
async function meanwhile(): Promise<string> {
  const name = `round ${++round}`;
  const post = async (text: string, more: object = {}) => (await server.call<{ ts: string }>(ann.token, "chat.postMessage", { channel: general, text, ...more })).ts;
  const sent: string[] = [];
  for (let i = 0; i < 50; i++) sent.push(await post(`${name}, message ${i}`));
  await server.call(ann.token, "chat.update", { channel: general, ts: sent[7], text: `${name}, edited` });
  await server.call(ann.token, "chat.delete", { channel: general, ts: sent[11] });
  await server.call(ann.token, "reactions.add", { channel: general, timestamp: sent[13], name: "eyes" });
  await server.call(ann.token, "reactions.add", { channel: general, timestamp: sent[14], name: "eyes" });
  await server.call(ann.token, "reactions.remove", { channel: general, timestamp: sent[14], name: "eyes" });
  await post(`${name}, a reply`, { thread_ts: sent[20] });
  return post(`${name}, the last`);
}

/** What is on screen is what the server has: every message, text, reaction and number of replies. */
async function exact(): Promise<void> {
  const stored = (await server.history(bo.token, general)).filter((it) => !it.subtype?.startsWith("channel_"));
  const shown = await device.shown();
  expect(shown.map((it) => it.ts)).toEqual(stored.map((it) => it.ts));
  const ours = (text: string) => text.startsWith("round ");
  expect(shown.filter((it) => ours(it.text)).map((it) => [it.text, it.reactions, it.replies])).toEqual(
    stored
      .filter((it) => ours(it.text))
      .map((it) => [it.text, (it.reactions ?? []).map((reaction) => `${reaction.name} ${reaction.count}`).sort(), it.reply_count ? `${it.reply_count} ${it.reply_count === 1 ? "reply" : "replies"}` : ""]),
  );
}

test("the browser knows that it is offline", async () => {
  await device.context.setOffline(true);
  await meanwhile();
  await device.send(`round ${round}, written offline`);
  await device.message(`round ${round}, written offline`).locator(".delivery", { hasText: "Waiting for the network" }).waitFor();
  await device.page.locator(".banner", { hasText: "You are offline" }).waitFor();
  await device.screenshot("offline");
  await device.context.setOffline(false);
  await device.online();
  await expect.poll(() => device.message(`round ${round}, written offline`).getAttribute("data-state"), { timeout: 20_000 }).toBeNull();
  await device.page.locator(".banner").waitFor({ state: "detached" });
  await device.message(`round ${round}, the last`).waitFor();
  await exact();
});

test("the network falls silent without a word: only the heartbeat notices", { timeout: 90_000 }, async () => {
  server.proxy.silence("bo-desk");
  await meanwhile();
  expect(await device.message(`round ${round}, the last`).count()).toBe(0);
  await device.page.locator(".banner", { hasText: "Reconnecting" }).waitFor({ timeout: 40_000 });
  server.proxy.heal("bo-desk");
  await device.online(30_000);
  await device.message(`round ${round}, the last`).waitFor();
  await exact();
});

test("the server is killed and started again", async () => {
  await server.crash();
  await device.online(30_000);
  const ts = await meanwhile();
  await device.feed().locator(`[data-ts="${ts}"]`).waitFor();
  await device.send(`round ${round}, after the crash`);
  await expect.poll(() => device.message(`round ${round}, after the crash`).getAttribute("data-state")).toBeNull();
  await exact();
});
