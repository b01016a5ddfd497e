/** A person's photo: chosen, cut to a square by pointer and by keys, sent. What the server does with it is its own tests' subject. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Device, launch } from "./support/browser";
import { png } from "./support/pictures";
import { Server } from "./support/server";

let server: Server;
let browser: Browser;
let ann: Device;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start({ seeded: true }), launch()]);
  ann = await Device.open(browser, server, "ann");
  await ann.signIn(server.seed.people[0]!);
});

afterAll(async () => {
  await ann?.close();
  await browser?.close();
  await server?.stop();
});

const editProfile = async () => {
  await ann.goto(`/people/${server.seed.people[0]!.id}`);
  await ann.online();
  await ann.page.getByRole("button", { name: "Edit profile" }).click();
  await ann.page.locator("dialog [name=real_name]").waitFor();
};

test("where the server takes no photos nobody is asked for one", async () => {
  await ann.page.route("**/api/users.setPhoto", (route) => route.fulfill({ json: { ok: false, error: "unknown_method" } }));
  const asked = ann.page.waitForResponse("**/api/users.setPhoto");
  await editProfile();
  await asked;
  expect(await ann.page.locator(".photo-field").count()).toBe(0);
  await ann.page.unroute("**/api/users.setPhoto");
});

test("a square of a picture is chosen by pointer and by keys, and sent", async () => {
  let sent: Buffer | undefined;
  await ann.page.route("**/api/users.setPhoto", (route) => {
    const form = route.request().headers()["content-type"]?.startsWith("multipart/form-data") ?? false;
    if (form) sent = route.request().postDataBuffer() ?? undefined;
    return route.fulfill({ json: form ? { ok: true } : { ok: false, error: "bad_image" } });
  });
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
  // What is no picture is said to be none.
  await ann.page.locator(".photo-field input[type=file]").setInputFiles({ name: "me.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
  await ann.page.getByText("This file is no picture that can be shown").waitFor();
  expect(await ann.page.getByRole("button", { name: "Save photo" }).isDisabled()).toBe(true);
});
