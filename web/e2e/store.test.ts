import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Device, launch } from "./support/browser";
import { Server } from "./support/server";
import type { Seed } from "./support/server";

// What a device has it shows at once, also without the server; and it has no more than it may.
let browser: Browser;
let server: Server;
let ann: Seed["people"][number];
let bo: Seed["people"][number];
let general: string;
let random: string;
const open: Device[] = [];

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), Server.start({ seeded: true })]);
  [ann, bo] = server.seed.people as [typeof ann, typeof bo];
  general = server.seed.channels["general"]!;
  random = server.seed.channels["random"]!;
});

afterEach(async ({ task }) => {
  for (const device of open.splice(0)) {
    if (task.result?.state === "fail") await device.screenshot(`failed-${task.name.slice(0, 30)}`);
    await device.close();
  }
});

afterAll(async () => {
  await browser.close();
  await server.stop();
});

async function signedIn(name: string, person: Seed["people"][number], worker = false): Promise<Device> {
  const device = await Device.open(browser, server, name, worker ? { serviceWorkers: "allow" } : {});
  open.push(device);
  device.expectNoise();
  await device.signIn(person);
  await device.channel(general);
  await device.toEnd();
  return device;
}

const post = async (text: string, channel = general) => (await server.call<{ ts: string }>(ann.token, "chat.postMessage", { channel, text })).ts;

/** Until what the page knows has been written. */
async function written(page: Page, text: string): Promise<void> {
  await expect.poll(() => stored(page).then((all) => all.includes(text)), { timeout: 10_000 }).toBe(true);
}

/** Every byte that the page keeps on the device, as one text. */
async function stored(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const parts = [JSON.stringify({ ...localStorage })];
    for (const { name } of await indexedDB.databases()) {
      const database = await new Promise<IDBDatabase>((resolve, reject) => {
        const asked = indexedDB.open(name!);
        asked.onsuccess = () => resolve(asked.result);
        asked.onerror = () => reject(asked.error);
      });
      for (const store of database.objectStoreNames) {
        const all = database.transaction(store).objectStore(store).getAll();
        await new Promise((resolve) => (all.onsuccess = resolve));
        parts.push(JSON.stringify(all.result));
      }
      database.close();
    }
    return parts.join("\n");
  });
}

/** Milliseconds from the first script to a channel that can be read, and the calls that were made before. */
async function reload(device: Device): Promise<{ ms: number; calls: string[] }> {
  const calls: string[] = [];
  const note = (request: { url(): string; method(): string }) => request.method() === "POST" && calls.push(new URL(request.url()).pathname);
  device.page.on("request", note);
  await device.page.reload({ waitUntil: "commit" });
  await device.feed().locator("article").last().waitFor();
  device.page.off("request", note);
  const ms = await device.page.evaluate(() => performance.getEntriesByName("first-conversation")[0]!.startTime - performance.getEntriesByName("first-script")[0]!.startTime);
  return { ms, calls };
}

test("a restart opens from the device and goes on from its positions, without a snapshot", async () => {
  const device = await signedIn("bo-restart", bo);
  const mark = await post("before the restart");
  await device.message("before the restart").waitFor();
  await written(device.page, "before the restart");
  const times: number[] = [];
  const all: string[] = [];
  for (let i = 0; i < 5; i++) {
    const { ms, calls } = await reload(device);
    times.push(ms);
    all.push(...calls);
    await device.online();
  }
  await device.feed().locator(`[data-ts="${mark}"]`).waitFor();
  for (const method of ["client.userBoot", "conversations.history", "users.list"]) expect(all).not.toContain(`/api/${method}`);
  const median = times.sort((a, b) => a - b)[2]!;
  console.log(`from the device to a channel that can be read: median ${median.toFixed(0)} ms of ${times.map((ms) => ms.toFixed(0)).join(", ")} (budget 300)`);
  expect(median).toBeLessThan(300);
});

test("what came while the page was closed stands below the line, and it opens there", async () => {
  const device = await signedIn("bo-away", bo);
  await post("seen before");
  await device.message("seen before").waitFor();
  await written(device.page, "seen before");
  const address = device.page.url();
  await device.page.goto("about:blank");
  for (let i = 0; i < 40; i++) await post(`missed ${i}`);
  await device.page.goto(address);
  await device.page.locator(".new-line").waitFor();
  await device.message("missed 0").waitFor();
  // A row that is drawn ahead is not seen yet.
  const end = await device.page.evaluate(() => document.querySelector(".list")!.getBoundingClientRect().bottom);
  const [first, last] = [await device.message("missed 0").boundingBox(), await device.message("missed 39").boundingBox({ timeout: 1_000 }).catch(() => null)];
  expect(first!.y).toBeLessThan(end);
  expect(last?.y ?? Infinity).toBeGreaterThan(end);
  await device.screenshot("missed");
  await device.toEnd();
  await device.message("missed 39").waitFor();
  await expect.poll(() => device.entry(general).getAttribute("class")).not.toContain("unread");
});

test("who does something before the rest has come keeps their place", async () => {
  const device = await signedIn("bo-quick", bo);
  for (let i = 0; i < 30; i++) await post(`older ${i}`);
  const mark = await post("the last one seen");
  await device.message("the last one seen").waitFor();
  await expect.poll(() => device.entry(general).getAttribute("class")).not.toContain("unread");
  await written(device.page, "the last one seen");
  const address = device.page.url();
  await device.page.goto("about:blank");
  for (let i = 0; i < 40; i++) await post(`came meanwhile ${i}`);
  // The socket comes late: until then there is what the device had.
  let connect = () => {};
  const held = new Promise<void>((resolve) => (connect = resolve));
  await device.page.route("**/realtime/v1/connect", async (route) => {
    await held;
    await route.continue();
  });
  await device.page.goto(address);
  await device.feed().locator(`[data-ts="${mark}"]`).waitFor();
  const button = device.page.locator(".conversation .to-end");
  await device.feed().hover();
  const up = async () => {
    await device.page.mouse.wheel(0, -120);
    return button.count();
  };
  await expect.poll(up).toBe(1);
  // So long the list takes everything that it measures for earlier messages, which have just come.
  await device.page.waitForTimeout(400);
  await device.quiet();
  const place = async () => (await device.places()).get(mark);
  const before = await place();
  connect();
  await button.filter({ hasText: "40 new messages" }).waitFor();
  await device.quiet();
  expect(await place()).toBe(before);
  await button.click();
  await device.message("came meanwhile 39").waitFor();
});

test("another channel opens from the device", async () => {
  const device = await signedIn("bo-switch", bo);
  await device.channel(random);
  await device.page.waitForTimeout(1_000);
  await device.page.reload();
  await device.online();
  const times: number[] = [];
  for (const channel of [general, random, general, random]) {
    times.push(
      await device.page.evaluate(async (id) => {
        const started = performance.now();
        document.querySelector<HTMLElement>(`[data-channel="${id}"]`)!.click();
        while (!location.pathname.includes(id) || document.querySelector(".conversation [role=feed] article") === null) await new Promise((resolve) => requestAnimationFrame(resolve));
        return performance.now() - started;
      }, channel),
    );
  }
  console.log(`another channel: ${times.map((ms) => ms.toFixed(0)).join(", ")} ms (budget 100)`);
  expect(times.sort((a, b) => a - b)[1]).toBeLessThan(100);
});

test("without the server the page opens, shows what it has, takes what one writes, and sends it later", async () => {
  const device = await signedIn("bo-offline", bo, true);
  const linked = await post("kept on the device");
  await device.message("kept on the device").waitFor();
  await written(device.page, "kept on the device");
  await device.page.waitForFunction(async () => (await navigator.serviceWorker.ready).active?.state === "activated");
  await server.down();
  await device.page.reload();
  await device.message("kept on the device").waitFor();
  await device.send("written without a server");
  const row = device.message("written without a server");
  await row.locator(".delivery", { hasText: "Waiting for the network" }).waitFor();
  // Again, by a link to a message, and it is still there.
  await device.goto(`/archives/${general}/p${linked.replace(".", "")}`);
  await device.page.locator(".slot.linked article", { hasText: "kept on the device" }).waitFor();
  await row.waitFor();
  await device.page.locator(".banner").waitFor();
  await device.screenshot("offline-reload");
  await server.up();
  await device.online(40_000);
  await expect.poll(() => row.getAttribute("data-state"), { timeout: 20_000 }).toBeNull();
  await device.page.locator(".banner").waitFor({ state: "detached" });
  expect((await server.history(bo.token, general)).filter((it) => it.text === "written without a server")).toHaveLength(1);
});

test("what was deleted, or may not be seen any more, leaves the device", async () => {
  const { channel } = await server.call<{ channel: { id: string } }>(ann.token, "conversations.create", { name: "short-lived", is_private: true });
  await server.call(ann.token, "conversations.invite", { channel: channel.id, users: bo.id });
  const doomed = await post("canary one, soon deleted");
  await post("canary two, in private", channel.id);
  const device = await signedIn("bo-canary", bo);
  await device.channel(channel.id);
  await written(device.page, "canary two");
  await device.channel(general);
  await written(device.page, "canary one");
  const address = device.page.url();
  await device.page.goto("about:blank");
  await server.call(ann.token, "chat.delete", { channel: general, ts: doomed });
  await server.call(ann.token, "conversations.kick", { channel: channel.id, user: bo.id });
  await device.page.goto(address);
  await device.online();
  await device.message("canary one, soon deleted").waitFor({ state: "detached" });
  await device.entry(channel.id).waitFor({ state: "detached" });
  await expect.poll(() => stored(device.page).then((all) => /canary/.exec(all)?.[0]), { timeout: 10_000 }).toBeUndefined();
});

test("signing out leaves nothing of the account", async () => {
  const device = await signedIn("bo-leaves", bo);
  await post("not to be left behind");
  await device.message("not to be left behind").waitFor();
  await written(device.page, "not to be left behind");
  await device.page.locator(".account").click();
  await device.page.getByRole("menuitem", { name: "Sign out", exact: true }).click();
  await device.page.waitForURL("**/signin");
  await expect.poll(() => device.page.evaluate(async () => (await indexedDB.databases()).map((it) => it.name))).toEqual([]);
  expect(await device.page.evaluate(() => Object.keys(localStorage))).toEqual([]);
});

test("a session that the server ended shows nothing after a reload, and keeps what was not sent", async () => {
  const device = await signedIn("bo-ended", bo);
  await post("of an ended session");
  await device.message("of an ended session").waitFor();
  await written(device.page, "of an ended session");
  const others = (context: BrowserContext) =>
    context.request.post(`${server.proxy.url}/api/parlance.signout`, { headers: { "X-Parlance-Client": "1", Origin: server.proxy.url, "Content-Type": "application/json" }, data: { all: true } });
  expect((await (await others(device.context)).json()) as { ok: boolean }).toMatchObject({ ok: true });
  await device.page.waitForURL("**/signin");
  await expect.poll(() => stored(device.page).then((all) => all.includes("of an ended session"))).toBe(false);
  await device.page.reload();
  await device.page.locator("[name=password]").waitFor();
});

test("without a database it works from memory, and says so when it matters", async () => {
  const device = await Device.open(browser, server, "bo-private");
  open.push(device);
  device.expectNoise();
  await device.page.addInitScript(() => {
    indexedDB.open = () => {
      throw new DOMException("no", "SecurityError");
    };
  });
  await device.signIn(bo);
  await device.channel(general);
  await device.send("from memory");
  await expect.poll(() => device.message("from memory").getAttribute("data-state")).toBeNull();
  await device.context.setOffline(true);
  await device.send("only in this window");
  await device.page.locator(".banner", { hasText: "Keep this window open" }).waitFor();
  await device.screenshot("memory-only");
  await device.context.setOffline(false);
  await expect.poll(() => device.message("only in this window").getAttribute("data-state"), { timeout: 30_000 }).toBeNull();
});
