import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Device, launch, showFailures } from "./support/browser";
import { Server } from "./support/server";
import type { Seed } from "./support/server";

// Reacting: by mouse, by keyboard alone, in one's skin tone, and who did.
let browser: Browser;
let server: Server;
let ann: Seed["people"][number];
let bo: Seed["people"][number];
let general: string;
let laptop: Device;
let phone: Device;

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), Server.start({ seeded: true })]);
  [ann, bo] = server.seed.people as [typeof ann, typeof bo];
  general = server.seed.channels["general"]!;
  laptop = await Device.open(browser, server, "laptop");
  phone = await Device.open(browser, server, "phone", { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, colorScheme: "dark" });
  await laptop.signIn(ann);
  await laptop.channel(general);
  await server.call(bo.token, "chat.postMessage", { channel: general, text: "react to me" });
  await laptop.message("react to me").waitFor();
});

showFailures(() => [laptop, phone]);

afterAll(async () => {
  await laptop.close();
  await phone.close();
  await browser.close();
  await server.stop();
});

const reactions = async () => (await server.history(ann.token, general)).find((it) => it.text === "react to me")?.reactions?.map((it) => it.name) ?? [];

test("the table is not loaded before somebody asks for it", async () => {
  const loaded = () => laptop.page.evaluate(() => performance.getEntriesByType("resource").filter((it) => /EmojiTable/.test(it.name)).length);
  expect(await loaded()).toBe(0);
  await laptop.action(laptop.message("react to me"), "Add a reaction");
  await laptop.page.getByLabel("Search emoji").waitFor();
  expect(await loaded()).toBeGreaterThan(0);
  await laptop.page.getByRole("button", { name: "white check mark" }).waitFor();
  await laptop.screenshot("emoji-picker");
  await laptop.accessible();
  await laptop.page.keyboard.press("Escape");
  await laptop.page.getByLabel("Search emoji").waitFor({ state: "detached" });
});

test("the keyboard alone finds an emoji, chooses a tone, and it is kept", async () => {
  const { page } = laptop;
  await laptop.message("react to me").focus();
  await page.keyboard.press("r");
  await page.getByLabel("Search emoji").waitFor();
  await page.getByRole("radio", { name: "Medium dark" }).focus();
  await page.keyboard.press("Space");
  await page.getByLabel("Search emoji").fill("wav");
  await page.getByRole("button", { name: "wave", exact: true }).waitFor();
  await page.keyboard.press("ArrowDown");
  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("aria-label"))).toBe("wave");
  await page.keyboard.press("ArrowRight");
  const second = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  expect(second).not.toBe("wave");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  await expect.poll(reactions).toEqual(["wave::skin-tone-5"]);
  await laptop.message("react to me").locator('[data-reaction="wave::skin-tone-5"]', { hasText: "👋🏾" }).waitFor();
  // What was used is offered first, in the tone that was chosen.
  await laptop.message("react to me").focus();
  await page.keyboard.press("r");
  await page.locator(".emoji-grid button").first().waitFor();
  expect(await page.locator(".emoji-grid button").first().textContent()).toBe("👋🏾");
  await page.keyboard.press("Escape");
});

test("another device remembers the same", async () => {
  await expect.poll(async () => (await server.call<{ prefs: Record<string, string> }>(ann.token, "users.prefs.get", {})).prefs["preferred_skin_tone"], { timeout: 10_000 }).toBe("5");
  await phone.signIn(ann);
  await phone.channel(general);
  // By a long press, as a finger does it.
  const row = phone.message("react to me");
  await row.dispatchEvent("pointerdown", { pointerType: "touch" });
  await phone.page.getByRole("toolbar").getByLabel("Add a reaction").click();
  await expect.poll(() => phone.page.getByRole("radio", { name: "Medium dark" }).isChecked()).toBe(true);
  await phone.page.getByRole("tab", { name: "People" }).click();
  await phone.page.getByRole("button", { name: "wave", exact: true }).waitFor();
  await phone.screenshot("emoji-picker-phone");
  await phone.accessible();
  await phone.page.getByRole("button", { name: "clap", exact: true }).click();
  await expect.poll(reactions).toEqual(["wave::skin-tone-5", "clap::skin-tone-5"]);
});

test("who reacted is told on hover, on focus, and to a screen reader", async () => {
  const chip = laptop.message("react to me").locator('[data-reaction="clap::skin-tone-5"]');
  await server.call(bo.token, "reactions.add", { channel: general, timestamp: (await server.history(ann.token, general)).find((it) => it.text === "react to me")!.ts, name: "clap::skin-tone-5" });
  await chip.getByText("2", { exact: true }).waitFor();
  await chip.hover();
  const words = `you and ${bo.name} reacted with :clap::skin-tone-5:`;
  await laptop.page.locator(".tooltip", { hasText: words }).waitFor();
  await laptop.screenshot("reaction-tooltip");
  await laptop.page.mouse.move(5, 5);
  await laptop.page.locator(".tooltip").waitFor({ state: "detached" });
  const described = await chip.evaluate((it) => document.getElementById(it.getAttribute("aria-describedby")!)?.textContent);
  expect(described).toBe(words);
  expect(await chip.getAttribute("aria-pressed")).toBe("true");
});
