import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Device, launch, showFailures } from "./support/browser";
import { Server } from "./support/server";
import type { Seed } from "./support/server";

// Two people chat in two browsers, one of them on two devices.
let browser: Browser;
let server: Server;
let ann: Seed["people"][number];
let bo: Seed["people"][number];
let laptop: Device;
let phone: Device;
let desk: Device;
let general: string;
let random: string;

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), Server.start({ seeded: true })]);
  [ann, bo] = server.seed.people as [typeof ann, typeof bo];
  general = server.seed.channels["general"]!;
  random = server.seed.channels["random"]!;
  laptop = await Device.open(browser, server, "ann-laptop");
  phone = await Device.open(browser, server, "ann-phone", { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
  desk = await Device.open(browser, server, "bo-desk");
  await laptop.signIn(ann);
  await phone.signIn(ann);
  await desk.signIn(bo);
  await laptop.channel(general);
  await phone.channel(general);
  await desk.channel(general);
});

showFailures(() => [laptop, phone, desk]);

afterAll(async () => {
  await laptop.close();
  await phone.close();
  await desk.close();
  await browser.close();
  await server.stop();
});

test("what one writes, everybody sees on every device, once and in order", async () => {
  await laptop.send("first from Ann");
  await desk.message("first from Ann").waitFor();
  await desk.send("second from Bo");
  await laptop.message("second from Bo").waitFor();
  await laptop.send("third from Ann");
  for (const device of [laptop, phone, desk]) {
    await device.message("third from Ann").waitFor();
    const texts = await device.feed().locator("article .text").allTextContents();
    expect(texts.slice(-3), device.name).toEqual(["first from Ann", "second from Bo", "third from Ann"]);
  }
  expect((await server.history(ann.token, general)).slice(-3).map((it) => it.text)).toEqual(["first from Ann", "second from Bo", "third from Ann"]);
});

test("one's own message appears at once and keeps its place when the echo comes", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await laptop.page.route("**/api/chat.postMessage", async (route) => {
    await held;
    await route.continue();
  });
  await laptop.send("held back");
  const row = laptop.message("held back");
  await row.waitFor();
  expect(await row.getAttribute("data-state")).toBe("sending");
  await row.evaluate((node) => ((node as HTMLElement & { mark?: string }).mark = "same"));
  release();
  await expect.poll(() => row.getAttribute("data-ts")).not.toBeNull();
  await desk.message("held back").waitFor();
  await expect.poll(() => row.getAttribute("data-state")).toBeNull();
  expect(await row.evaluate((node) => (node as HTMLElement & { mark?: string }).mark)).toBe("same");
  expect(await row.count()).toBe(1);
  await laptop.page.unroute("**/api/chat.postMessage");
});

test("others see that somebody types", async () => {
  // Slowly: a sign of it is sent once in three seconds at most, and the last message was just now.
  const typed = desk.area().pressSequentially("thinking aloud", { delay: 300 });
  await laptop.page.locator(".typing", { hasText: `${bo.name} is typing…` }).waitFor();
  await typed;
  await desk.clear();
});

test("a text with markup stays a text, and names and emoji become what they mean", async () => {
  await desk.area().pressSequentially("<img src=x onerror=alert(1)> *bold* `code` :tada: #random ");
  await desk.area().press("Enter");
  const row = laptop.feed().locator("article").last();
  await row.locator("strong", { hasText: "bold" }).waitFor();
  expect(await row.locator(".text").textContent()).toBe("<img src=x onerror=alert(1)> bold code 🎉 #random");
  expect(await row.locator("img[src=x]").count()).toBe(0);
});

test("reactions come and go live", async () => {
  await desk.action(desk.message("third from Ann"), "Add a reaction");
  await desk.page.getByLabel("Search emoji").fill("rocket");
  await desk.page.keyboard.press("Enter");
  for (const device of [laptop, phone, desk]) await device.message("third from Ann").locator('[data-reaction="rocket"]', { hasText: "1" }).waitFor();
  await laptop.message("third from Ann").locator('[data-reaction="rocket"]').click();
  await desk.message("third from Ann").locator('[data-reaction="rocket"]', { hasText: "2" }).waitFor();
  await laptop.message("third from Ann").locator('[data-reaction="rocket"]').click();
  await desk.message("third from Ann").locator('[data-reaction="rocket"]', { hasText: "1" }).waitFor();
  const stored = (await server.history(ann.token, general)).find((it) => it.text === "third from Ann");
  expect(stored?.reactions).toMatchObject([{ name: "rocket", count: 1 }]);
});

test("edits and deletions reach everybody", async () => {
  const area = laptop.area();
  await laptop.send("with a tpyo");
  await desk.message("with a tpyo").waitFor();
  await expect.poll(() => laptop.message("with a tpyo").getAttribute("data-ts")).not.toBeNull();
  await area.press("ArrowUp");
  const editor = laptop.page.locator(".editor [data-ready=true] [role=textbox]");
  expect(await editor.textContent()).toBe("with a tpyo");
  await editor.fill("without a typo");
  await editor.press("Enter");
  for (const device of [phone, desk]) await device.feed().locator("article", { hasText: "without a typo (edited)" }).waitFor();
  await laptop.action(laptop.feed().locator("article", { hasText: "without a typo" }), "Delete");
  await laptop.page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  for (const device of [laptop, phone, desk]) await device.feed().locator("article", { hasText: "without a typo" }).waitFor({ state: "detached" });
});

test("threads live beside the conversation, and their address can be reloaded", async () => {
  await desk.action(desk.message("third from Ann"), "Reply in thread");
  await desk.thread().locator("article", { hasText: "third from Ann" }).waitFor();
  await desk.reply("a reply from Bo");
  await desk.thread().locator("article", { hasText: "a reply from Bo" }).waitFor();
  await laptop.message("third from Ann").locator(".thread-link", { hasText: "1 reply" }).click();
  await laptop.thread().locator("article", { hasText: "a reply from Bo" }).waitFor();
  await laptop.reply("and one from Ann");
  await desk.thread().locator("article", { hasText: "and one from Ann" }).waitFor();
  await phone.message("third from Ann").locator(".thread-link", { hasText: "2 replies" }).waitFor();
  expect(await desk.feed().locator("article", { hasText: "and one from Ann" }).count()).toBe(0);
  await desk.screenshot("thread");
  await desk.accessible();
  await desk.page.reload();
  await desk.online();
  await desk.thread().locator("article", { hasText: "and one from Ann" }).waitFor();
  expect(await desk.thread().locator("article.message .text").allTextContents()).toEqual(["third from Ann", "a reply from Bo", "and one from Ann"]);
  await desk.page.keyboard.press("Escape");
  await desk.thread().waitFor({ state: "detached" });
  await laptop.page.keyboard.press("Escape");
});

test("what is read on one device is read on the other", async () => {
  await laptop.channel(random);
  await phone.page.getByRole("button", { name: "Back" }).click();
  await desk.send("something new");
  await desk.send(`@${ann.name} for you`);
  for (const device of [laptop, phone]) await device.entry(general).locator(".mentions", { hasText: "1" }).waitFor();
  await phone.screenshot("unread-phone");
  await phone.accessible();
  const started = Date.now();
  await laptop.channel(general);
  await laptop.feed().locator(".new-line").waitFor();
  await phone.entry(general).locator(".mentions").waitFor({ state: "detached" });
  expect(Date.now() - started).toBeLessThan(2_000);
  expect(await phone.entry(general).getAttribute("class")).not.toContain("unread");
  expect(await laptop.entry(general).getAttribute("class")).not.toContain("unread");
});

test("Ctrl K goes anywhere, and a draft is still there on the way back", async () => {
  await laptop.area().fill("half a thought");
  await laptop.page.keyboard.press("Control+k");
  await laptop.page.getByRole("combobox").fill("rando");
  await laptop.page.keyboard.press("Enter");
  await laptop.page.waitForURL(`**/c/${random}`);
  await expect.poll(() => laptop.area().textContent()).toBe("");
  await laptop.page.goBack();
  await laptop.page.waitForURL(`**/c/${general}`);
  await expect.poll(() => laptop.area().textContent()).toBe("half a thought");
  await laptop.clear();
});

test("a long history is read back to its first message, and nothing jumps", async () => {
  for (let i = 0; i < 130; i++) await server.call(bo.token, "chat.postMessage", { channel: random, text: `line ${i}` });
  await laptop.channel(random);
  // It opens at the first unread message, with the line above it.
  await laptop.page.locator(".new-line").waitFor();
  await laptop.message("line 0").waitFor();
  expect(await laptop.message("line 129").count()).toBe(0);
  await laptop.screenshot("first-unread");
  await laptop.page.locator(".to-end").click();
  await laptop.message("line 129").waitFor();
  const stored = (await server.history(ann.token, random)).filter((it) => it.subtype === undefined);
  await laptop.quiet();
  await laptop.feed().hover();
  for (let step = 0; step < 30; step++) {
    const before = await laptop.places();
    const [mark, at] = [...before].find(([, place]) => place > 100)!;
    await laptop.page.mouse.wheel(0, -100);
    await expect.poll(async () => (await laptop.places()).get(mark)).not.toBe(at);
    await laptop.quiet();
    const after = await laptop.places();
    // Earlier messages arrive above meanwhile; what is in sight moves as far as was scrolled.
    for (const [ts, at] of before) if (at > 0 && at < 400 && after.has(ts)) expect(Math.abs(after.get(ts)! - at - 100), `step ${step}`).toBeLessThanOrEqual(1);
  }
  const shown = (await laptop.shown()).map((it) => it.text);
  expect(shown.filter((text) => text.startsWith("line "))).toEqual(stored.map((it) => it.text).filter((text) => text.startsWith("line ")));
});

test("what is in sight stays where it is when something changes above it or at the end", async () => {
  await laptop.feed().evaluate((box) => (box.scrollTop = box.scrollHeight / 2));
  await laptop.quiet();
  // Upwards at last: messages are drawn ahead in the direction of the scroll.
  await laptop.feed().evaluate((box) => (box.scrollTop -= 200));
  await laptop.quiet();
  const before = await laptop.places();
  const above = [...before].filter(([, at]) => at < -30).at(-1)![0];
  await server.call(bo.token, "chat.update", { channel: random, ts: above, text: "now\nthis\nhas\nsix\nlong\nlines" });
  await laptop.feed().locator(`[data-ts="${above}"]`, { hasText: "has" }).waitFor({ state: "attached" });
  await server.call(bo.token, "chat.postMessage", { channel: random, text: "at the end" });
  await laptop.page.locator(".to-end", { hasText: "1 new message" }).waitFor();
  await laptop.quiet();
  const after = await laptop.places();
  for (const [ts, at] of before) if (at >= 0 && at < 500) expect(after.get(ts)).toBe(at);
  await laptop.page.locator(".to-end").click();
  await laptop.message("at the end").waitFor();
});
