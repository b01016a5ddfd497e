import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Device, launch } from "./support/browser";
import { Server } from "./support/server";
import type { Seed } from "./support/server";

// Every message of one's own is honest about where it is, and exists once.
let browser: Browser;
let server: Server;
let bo: Seed["people"][number];
let device: Device;
let general: string;

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), Server.start({ seeded: true })]);
  bo = server.seed.people[1]!;
  general = server.seed.channels["general"]!;
  device = await Device.open(browser, server, "bo-desk");
  device.expectNoise();
  await device.signIn(bo);
  await device.channel(general);
});

afterAll(async () => {
  await device.close();
  await browser.close();
  await server.stop();
});

const stored = async (text: string) => (await server.history(bo.token, general)).filter((it) => it.text === text);

test("a message whose answer was lost is sent again and exists once", async () => {
  const lost = server.proxy.loseAnswer("bo-desk", "POST /api/chat.postMessage");
  await device.send("the answer gets lost");
  await lost;
  await expect.poll(() => device.message("the answer gets lost").getAttribute("data-state"), { timeout: 15_000 }).toBeNull();
  await expect.poll(() => device.message("the answer gets lost").getAttribute("data-ts")).not.toBeNull();
  expect(await device.message("the answer gets lost").count()).toBe(1);
  expect(await stored("the answer gets lost")).toHaveLength(1);
});

test("a refused message says why, and a retry has the same id", async () => {
  const ids: unknown[] = [];
  device.page.on("request", (request) => {
    if (request.url().endsWith("/api/chat.postMessage")) ids.push((request.postDataJSON() as { client_msg_id: string }).client_msg_id);
  });
  await device.page.route("**/api/chat.postMessage", (route) => route.fulfill({ json: { ok: false, error: "restricted_action" } }), { times: 1 });
  await device.send("refused at first");
  const row = device.message("refused at first");
  await row.getByRole("alert").getByText("You are not allowed to do that here.").waitFor();
  await device.screenshot("failed");
  await row.getByRole("button", { name: "Try again" }).click();
  await expect.poll(() => row.getAttribute("data-state")).toBeNull();
  expect(ids).toHaveLength(2);
  expect(ids[0]).toBe(ids[1]);
  expect(await stored("refused at first")).toHaveLength(1);
});

test("a message is not lost by a reload before it was sent", async () => {
  await device.page.route("**/api/chat.postMessage", (route) => route.abort());
  await device.send("survives a reload");
  await device.message("survives a reload").waitFor();
  await device.page.unroute("**/api/chat.postMessage");
  await device.page.reload();
  await device.online();
  await expect.poll(async () => (await stored("survives a reload")).length, { timeout: 15_000 }).toBe(1);
  await expect.poll(() => device.message("survives a reload").getAttribute("data-state")).toBeNull();
  expect(await device.message("survives a reload").count()).toBe(1);
});

test("a text over 40,000 characters is refused before it is sent", async () => {
  let asked = 0;
  device.page.on("request", (request) => void (request.url().endsWith("/api/chat.postMessage") && asked++));
  const area = device.area();
  await area.fill("x".repeat(40_001));
  await area.press("Enter");
  await device.page.getByRole("alert").getByText("Too long by 1 character.").waitFor();
  await device.screenshot("too-long");
  expect(asked).toBe(0);
  expect(await area.textContent()).toHaveLength(40_001);
  await area.fill("x".repeat(40_000));
  await area.press("Enter");
  await expect.poll(async () => (await stored("x".repeat(40_000))).length).toBe(1);
  expect(asked).toBe(1);
});
