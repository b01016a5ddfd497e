/** A person's photo: chosen, cut to a square by pointer and by keys, sent, seen by the others at once, taken away. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Device, launch } from "./support/browser";
import { png } from "./support/pictures";
import { Server } from "./support/server";

let server: Server;
let browser: Browser;
let ann: Device;
let bo: Device;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start({ seeded: true }), launch()]);
  ann = await Device.open(browser, server, "ann");
  await ann.signIn(server.seed.people[0]!);
  bo = await Device.open(browser, server, "bo");
  await bo.signIn(server.seed.people[1]!);
});

afterAll(async () => {
  await ann?.close();
  await bo?.close();
  await browser?.close();
  await server?.stop();
});

const editProfile = async () => {
  await ann.goto(`/people/${server.seed.people[0]!.id}`);
  await ann.online();
  await ann.page.getByRole("button", { name: "Edit profile" }).click();
  await ann.page.locator("dialog [name=real_name]").waitFor();
};

test("a square of a picture is chosen by pointer and by keys, sent, and the others see it", async () => {
  let sent: Buffer | undefined;
  await ann.page.route("**/api/users.setPhoto", (route) => {
    sent = route.request().postDataBuffer() ?? undefined;
    return route.continue();
  });
  // Initials, as long as there is no photo.
  await bo.goto(`/people/${server.seed.people[0]!.id}`);
  const shown = bo.page.locator(".profile .avatar");
  await shown.waitFor();
  expect(await shown.locator("img").count()).toBe(0);
  await editProfile();
  await ann.page.locator(".photo-field").waitFor();
  await ann.accessible();
  await ann.page.locator(".photo-field input[type=file]").setInputFiles({ name: "me.png", mimeType: "image/png", buffer: png(800, 400, [230, 160, 90]) });
  const crop = ann.page.locator(".photo-crop");
  const at = async () => ({ x: Number(await crop.getAttribute("data-x")), y: Number(await crop.getAttribute("data-y")) });
  await expect.poll(at).toEqual({ x: 200, y: 0 });
  await ann.accessible();
  await ann.screenshot("photo-crop");
  // The picture follows the hand: to its left end, and no further.
  const box = (await crop.boundingBox())!;
  await ann.page.mouse.move(box.x + 40, box.y + 100);
  await ann.page.mouse.down();
  await ann.page.mouse.move(box.x + 104, box.y + 100, { steps: 4 });
  await expect.poll(at).toEqual({ x: 100, y: 0 });
  await ann.page.mouse.move(box.x + 900, box.y + 100, { steps: 2 });
  await ann.page.mouse.up();
  expect(await at()).toEqual({ x: 0, y: 0 });
  await crop.focus();
  for (let i = 0; i < 5; i++) await ann.page.keyboard.press("+");
  // Twice as close: a square of 200, around the middle of the one before.
  expect(await at()).toEqual({ x: 100, y: 100 });
  await ann.page.keyboard.press("ArrowLeft");
  expect((await at()).x).toBeLessThan(100);
  await ann.page.getByRole("button", { name: "Save photo" }).click();
  await crop.waitFor({ state: "detached" });
  const start = sent!.indexOf("IHDR");
  expect([sent!.readUInt32BE(start + 4), sent!.readUInt32BE(start + 8)]).toEqual([512, 512]);
  expect(sent!.toString("latin1")).toContain('name="image"');
  const widths = () => Promise.all([ann.page.locator(".photo-field .avatar img"), shown.locator("img")].map((it) => it.evaluate((img: HTMLImageElement) => img.naturalWidth)));
  await expect.poll(widths).toEqual([72, 192]);
  await bo.screenshot("photo-profile");
  // What is no picture is said to be none.
  await ann.page.locator(".photo-field input[type=file]").setInputFiles({ name: "me.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
  await ann.page.getByText("This file is no picture that can be shown").waitFor();
  expect(await ann.page.getByRole("button", { name: "Save photo" }).isDisabled()).toBe(true);
  await ann.page.getByRole("dialog", { name: "Your photo" }).getByRole("button", { name: "Cancel" }).click();
  await ann.page.getByRole("button", { name: "Remove photo" }).click();
  await shown.locator("img").waitFor({ state: "detached" });
  expect(await ann.page.locator(".photo-field img").count()).toBe(0);
});
