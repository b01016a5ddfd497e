/** Files between two people: attached, sent, seen, looked at, found, deleted; and what happens when they cannot be. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Browser, Locator, Page } from "playwright-core";
import { Device, launch } from "./support/browser";
import { png, wav } from "./support/pictures";
import { Server } from "./support/server";

let server: Server;
let browser: Browser;
let ann: Device;
let bo: Device;
let channel: string;

beforeAll(async () => {
  [server, browser] = await Promise.all([Server.start({ seeded: true }), launch()]);
  [ann, bo] = await Promise.all([Device.open(browser, server, "ann"), Device.open(browser, server, "bo")]);
  const [first, second] = server.seed.people;
  channel = server.seed.channels["general"]!;
  await Promise.all([ann.signIn(first!), bo.signIn(second!)]);
  await Promise.all([ann.channel(channel), bo.channel(channel)]);
});

afterAll(async () => {
  await Promise.all([ann?.close(), bo?.close()]);
  await browser?.close();
  await server?.stop();
});

interface Given {
  name: string;
  mimeType: string;
  buffer: Buffer;
}

const picture = (name: string, width = 900, height = 600, colour: [number, number, number] = [90, 160, 200]): Given => ({ name, mimeType: "image/png", buffer: png(width, height, colour) });
const plain = (name: string, text: string): Given => ({ name, mimeType: "text/plain", buffer: Buffer.from(text) });

const attach = (device: Device, files: Given[], pane = ".conversation") => device.page.locator(`${pane} .writer input[type=file][multiple]`).setInputFiles(files);
const tiles = (device: Device, pane = ".conversation") => device.page.locator(`${pane} .writer .attached-tile`);
const ready = async (device: Device, count: number, pane?: string) => {
  await device.page.waitForFunction(([selector, wanted]) => document.querySelectorAll(`${selector} .writer .attached-tile[data-status=uploaded]`).length === wanted, [pane ?? ".conversation", count] as const);
};

/** Drops files on a part of the page, as a browser does when they come from outside. */
async function drop(page: Page, on: Locator, files: Given[], upTo: "over" | "drop" = "drop"): Promise<void> {
  const data = await page.evaluateHandle((given) => {
    const transfer = new DataTransfer();
    for (const { name, type, bytes } of given) transfer.items.add(new File([new Uint8Array(bytes)], name, { type }));
    return transfer;
  }, files.map(({ name, mimeType, buffer }) => ({ name, type: mimeType, bytes: [...buffer] })));
  await on.dispatchEvent("dragenter", { dataTransfer: data });
  await on.dispatchEvent("dragover", { dataTransfer: data });
  if (upTo === "drop") await on.dispatchEvent("drop", { dataTransfer: data });
}

test("pictures and a text go with words as one message, and look the same to both", async () => {
  await attach(ann, [picture("roof.png"), picture("tall.png", 300, 900, [200, 120, 90]), plain("notes.txt", "first line\nsecond line\n")]);
  await ready(ann, 3);
  await ann.screenshot("files-attached");
  await ann.accessible();
  // What is in the picture, and another name.
  await tiles(ann).first().locator(".attached-face").click();
  await ann.page.fill("dialog [name=alt]", "The team on the roof");
  await ann.page.fill("dialog [name=name]", "the roof.png");
  await ann.accessible();
  await ann.page.click("dialog button[type=submit]");
  await ready(ann, 3);
  await ann.send("three files");
  await tiles(ann).first().waitFor({ state: "detached" });
  for (const device of [ann, bo]) {
    const message = device.message("three files");
    await message.locator(".file-pictures.several img[alt='The team on the roof']").waitFor();
    expect(await message.locator(".file-pictures.several .file-picture").count()).toBe(2);
    expect(await message.locator(".file-card").getAttribute("aria-label")).toBe("notes.txt");
    expect(await message.getAttribute("data-state")).toBeNull();
  }
  // The thumbnails come later, in place; both have the ratio of the picture.
  await bo.message("three files").locator(".file-picture img[srcset]").first().waitFor();
  // Who was at the end still is.
  expect(await bo.page.locator(".conversation .to-end").count()).toBe(0);
  const box = (await bo.message("three files").locator(".file-picture").nth(1).boundingBox())!;
  expect(box.width / box.height).toBeCloseTo(96 / 168, 1);
  await bo.message("three files").locator(".file-card [aria-expanded=false]").first().click();
  await bo.message("three files").getByText("second line").waitFor();
  await Promise.all([ann.accessible(), bo.accessible()]);
  await bo.screenshot("files-message");
  const [sent] = (await server.history(server.seed.people[0]!.token, channel)).slice(-1) as unknown as [{ text: string; files: { name: string; alt_txt?: string }[] }];
  expect(sent.files.map((file) => file.name)).toEqual(["the roof.png", "tall.png", "notes.txt"]);
  expect(sent.text).toBe("three files");
});

test("formatting stays, a message may be files only, and a thread takes them too", async () => {
  await attach(ann, [plain("only.txt", "only this")]);
  await ann.area().press("Enter");
  const only = bo.feed().locator("article", { has: bo.page.locator(".file-card[aria-label='only.txt']") });
  await only.waitFor();
  await ann.action(ann.message("three files"), "Reply in thread");
  await ann.area(".thread").waitFor();
  await drop(ann.page, ann.thread().locator("[role=feed]"), [picture("reply.png", 200, 100)]);
  await ready(ann, 1, ".thread");
  await ann.area(".thread").focus();
  await ann.page.keyboard.press("Control+b");
  await ann.page.keyboard.type("bold");
  await ann.page.keyboard.press("Enter");
  const reply = ann.thread().locator("article", { has: ann.page.locator(".file-picture") }).last();
  await reply.locator("strong", { hasText: "bold" }).waitFor();
  await ann.page.keyboard.press("Escape");
  await ann.thread().waitFor({ state: "detached" });
});

test("a drag shows where it may be dropped and does not flicker; the draft keeps what is attached", async () => {
  const feed = ann.feed();
  await drop(ann.page, feed, [picture("dragged.png", 64, 64)], "over");
  const target = ann.page.locator(".drop-target");
  await target.waitFor();
  await ann.screenshot("files-drop");
  // From one part of the pane to another: it is there all the time.
  const gone = ann.page.evaluate(
    () =>
      new Promise<boolean>((resolve) => {
        const watch = new MutationObserver(() => document.querySelector(".drop-target") === null && resolve(true));
        watch.observe(document.body, { childList: true, subtree: true });
        setTimeout(() => resolve(false), 300);
      }),
  );
  for (const part of [".conversation .pane-head", ".conversation [role=feed] article:last-of-type", ".conversation .writer", ".conversation [role=feed]"]) {
    await drop(ann.page, ann.page.locator(part).first(), [picture("dragged.png", 64, 64)], "over");
  }
  expect(await gone).toBe(false);
  // The drag went elsewhere without a word.
  await target.waitFor({ state: "detached" });
  await drop(ann.page, feed, [picture("dragged.png", 64, 64)]);
  await ready(ann, 1);
  await ann.channel(server.seed.channels["random"]!);
  expect(await tiles(ann).count()).toBe(0);
  await ann.channel(channel);
  await ready(ann, 1);
  await tiles(ann).getByRole("button", { name: "Remove dragged.png" }).click();
  await tiles(ann).waitFor({ state: "detached" });
});

test("a picture from the clipboard gets a name, and text stays text", async () => {
  const paste = (withText: boolean) =>
    ann.area().evaluate(
      (area, [bytes, text]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes as number[])], "", { type: "image/png" }));
        if (text) data.setData("text/plain", "words win");
        area.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
      },
      [[...png(80, 60, [10, 200, 120])], withText] as const,
    );
  await ann.area().focus();
  await paste(true);
  await ann.area().getByText("words win").waitFor();
  expect(await tiles(ann).count()).toBe(0);
  await ann.clear();
  await paste(false);
  await ready(ann, 1);
  expect(await tiles(ann).getAttribute("data-name")).toMatch(/^Pasted \d{4}-\d\d-\d\d [\d.]+\.png$/);
  await ann.send("pasted");
  await bo.message("pasted").locator(".file-picture").waitFor();
});

test("what the server refuses is said at the file, and nothing is lost", async () => {
  await ann.page.route("**/api/files.getUploadURLExternal", (route) => route.fulfill({ json: { ok: false, error: "file_upload_size_restricted" } }));
  await attach(ann, [plain("huge.txt", "too much")]);
  const tile = tiles(ann).first();
  await tile.getByText("larger than this server takes").first().waitFor();
  await ann.area().fill("with something huge");
  expect(await ann.page.locator(".conversation .send").isDisabled()).toBe(true);
  await ann.accessible();
  await ann.page.unroute("**/api/files.getUploadURLExternal");
  await tile.getByRole("button", { name: "Try again: huge.txt" }).click();
  await ready(ann, 1);
  // The message itself is refused: it says so, and a second try sends it.
  await ann.page.route("**/api/files.completeUploadExternal", (route) => route.fulfill({ json: { ok: false, error: "posting_to_channel_denied" } }));
  await ann.area().press("Enter");
  const failed = ann.message("with something huge");
  await failed.getByText("You cannot write in this channel").waitFor();
  await ann.page.unroute("**/api/files.completeUploadExternal");
  await failed.getByRole("button", { name: "Try again" }).click();
  await bo.message("with something huge").locator(".file-card").waitFor();
});

test("an upload that the network breaks off goes on, an answer that is lost makes no second message", async () => {
  ann.expectNoise();
  await ann.page.context().setOffline(true);
  await attach(ann, [plain("later.txt", "sent later")]);
  await tiles(ann).getByText("It goes on by itself").waitFor();
  await ann.send("after the break");
  await ann.message("after the break").getByText("Sending with its files").waitFor();
  await ann.page.context().setOffline(false);
  await bo.message("after the break").locator(".file-card").waitFor();

  await attach(ann, [plain("twice.txt", "sent once")]);
  await ready(ann, 1);
  const lost = server.proxy.loseAnswer("ann", "POST /api/files.completeUploadExternal");
  await ann.send("sent once only");
  await lost;
  await bo.message("sent once only").locator(".file-card").waitFor();
  await ann.message("sent once only").locator(".file-card").waitFor();
  await expect.poll(() => ann.message("sent once only").getAttribute("data-state")).toBeNull();
  const history = await server.history(server.seed.people[0]!.token, channel);
  expect(history.filter((it) => it.text === "sent once only").length).toBe(1);
});

test("a reload says which files have to be chosen again", async () => {
  await attach(ann, [plain("left.txt", "left behind")]);
  await ready(ann, 1);
  await ann.page.reload();
  await ann.online();
  const tile = tiles(ann).first();
  await tile.getByText("the file is needed again").first().waitFor();
  await ann.screenshot("files-gone");
  await ann.accessible();
  await tile.locator("input[type=file]").setInputFiles([plain("left.txt", "left behind")]);
  await ready(ann, 1);
  // A message that was on its way.
  await ann.page.route("**/api/files.completeUploadExternal", () => {});
  await ann.send("never closed");
  await ann.message("never closed").waitFor();
  await ann.page.reload();
  await ann.online();
  await ann.page.unroute("**/api/files.completeUploadExternal");
  const message = ann.message("never closed");
  await message.getByText("Choose them again, and it is sent").waitFor();
  await message.locator(".attached-tile input[type=file]").setInputFiles([plain("left.txt", "left behind")]);
  await bo.message("never closed").locator(".file-card").waitFor();
});

test("names that mean no good stay in their box and run nothing", async () => {
  const names = ["<img src=x onerror=window.hit=1>.txt", `${"W".repeat(240)}.pdf`, "invoice\u202egpj.exe", "'\"><script>window.hit=1</script>.html"];
  await attach(ann, names.map((name) => plain(name, "<script>window.hit=1</script>")));
  await ready(ann, names.length);
  await ann.send("bad names");
  const message = bo.message("bad names");
  await message.locator(".file-card").nth(names.length - 1).waitFor();
  expect(await bo.page.evaluate(() => "hit" in window)).toBe(false);
  // Nothing is wider than its pane, and no name turns what follows it.
  const widest = await message.locator(".file-card").evaluateAll((cards) => Math.max(...cards.map((card) => card.scrollWidth - card.clientWidth)));
  expect(widest).toBeLessThanOrEqual(0);
  expect(await message.locator(".file-name").allTextContents()).not.toContainEqual(expect.stringContaining("\u202e"));
  // The file itself, opened, is only to be saved.
  const html = message.locator(".file-card", { hasText: ".html" }).locator("a").first();
  const answer = await bo.page.request.get(new URL((await html.getAttribute("href"))!, bo.page.url()).href);
  expect(answer.headers()["content-disposition"]).toMatch(/^attachment/);
  await bo.screenshot("files-hostile");
});

test("sound has the browser's controls, and a deleted file is a quiet line", async () => {
  await attach(ann, [{ name: "tone.wav", mimeType: "audio/wav", buffer: wav() }, plain("mistake.txt", "oops")]);
  await ready(ann, 2);
  await ann.send("a tone");
  const message = bo.message("a tone");
  await message.locator("audio[controls]").waitFor();
  const card = ann.message("a tone").locator(".file-card[aria-label='mistake.txt']");
  await card.getByRole("button", { name: "More about mistake.txt" }).click();
  await ann.page.getByRole("menuitem", { name: "Delete file" }).click();
  await ann.accessible();
  await ann.page.locator("dialog").getByRole("button", { name: "Delete file" }).click();
  await message.getByText("This file was deleted.").waitFor();
  await ann.message("a tone").getByText("This file was deleted.").waitFor();
});

test("pictures are looked at by keyboard, and the focus goes back", async () => {
  const open = bo.message("three files").locator(".file-picture").first();
  await open.scrollIntoViewIfNeeded();
  await open.focus();
  await bo.page.keyboard.press("Enter");
  const box = bo.page.locator(".lightbox");
  await box.waitFor();
  await box.getByText("1 of 2").first().waitFor();
  await box.locator(".lightbox-stage img").waitFor();
  await bo.accessible();
  await bo.screenshot("files-lightbox");
  const scale = () => box.locator(".lightbox-stage img").evaluate((img) => new DOMMatrix(getComputedStyle(img).transform).a);
  await bo.page.keyboard.press("+");
  expect(await scale()).toBeGreaterThan(1);
  await bo.page.keyboard.press("0");
  expect(await scale()).toBe(1);
  await bo.page.keyboard.press("ArrowRight");
  await box.getByText("2 of 2").first().waitFor();
  await bo.page.keyboard.press("ArrowRight");
  await box.getByText("1 of 2").first().waitFor();
  // The focus cannot leave it.
  for (let i = 0; i < 12; i++) await bo.page.keyboard.press("Tab");
  expect(await bo.page.evaluate(() => document.activeElement === document.body || document.querySelector(".lightbox")!.contains(document.activeElement))).toBe(true);
  await bo.page.keyboard.press("Escape");
  await box.waitFor({ state: "detached" });
  expect(await open.evaluate((button) => button === document.activeElement)).toBe(true);
});

test("every file is found again: by kind, by person, of one conversation, and gone when it is deleted", async () => {
  await bo.page.click("[data-place=files]");
  const place = bo.page.locator("main.place");
  await place.locator(".file-card[aria-label='notes.txt']").waitFor();
  await bo.accessible();
  await bo.screenshot("files-place");
  await place.getByRole("button", { name: "Pictures", exact: true }).click();
  await place.locator(".file-tiles .file-picture").first().waitFor();
  expect(await place.locator(".file-card").count()).toBe(0);
  await bo.accessible();
  await bo.screenshot("files-place-pictures");
  // Nobody but Ann has sent any.
  await place.getByRole("button", { name: "From anybody" }).click();
  await bo.page.locator("dialog .pick", { hasText: "Bo Okafor" }).click();
  await place.getByText("No such files").waitFor();
  await place.getByRole("button", { name: "Not only from Bo Okafor" }).click();
  await place.locator(".file-tiles .file-picture").first().waitFor();
  await place.getByRole("button", { name: "All", exact: true }).click();
  // A file's place leads to its message.
  const notes = place.locator(".file-card[aria-label='notes.txt']");
  await notes.getByRole("button", { name: "More about notes.txt" }).click();
  expect(await bo.page.getByRole("menuitem", { name: "Delete file" }).count()).toBe(0);
  await bo.page.getByRole("menuitem", { name: "Go to message" }).click();
  await bo.message("three files").waitFor();

  // In the details of the channel, while another person looks.
  await ann.goto(`/c/${channel}/details/files`);
  await ann.online();
  const side = ann.page.locator(".side");
  const card = side.locator(".file-card[aria-label='notes.txt']");
  await card.waitFor();
  await ann.accessible();
  await ann.screenshot("files-details");
  await bo.goto(`/c/${channel}/details/files`);
  const other = bo.page.locator(".side .file-card[aria-label='notes.txt']");
  await other.waitFor();
  await card.getByRole("button", { name: "More about notes.txt" }).click();
  await ann.page.getByRole("menuitem", { name: "Delete file" }).click();
  await ann.page.locator("dialog").getByRole("button", { name: "Delete file" }).click();
  await card.waitFor({ state: "detached" });
  await other.waitFor({ state: "detached" });
});

test("on a phone, in the dark: files are attached, read and swiped", async () => {
  const phone = await Device.open(browser, server, "bo-phone", { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, colorScheme: "dark" });
  await phone.signIn(server.seed.people[1]!);
  await phone.goto(`/c/${channel}`);
  await phone.online();
  await phone.area().waitFor();
  await attach(phone, [picture("sea.png", 1200, 500, [40, 120, 190]), picture("sand.png", 400, 700, [210, 180, 120]), plain(`${"a long name ".repeat(9)}.txt`, "x")]);
  await ready(phone, 3);
  await phone.screenshot("files-phone-attached");
  await phone.accessible();
  await phone.area().fill("from the beach");
  await phone.page.click(".conversation .send");
  const message = phone.message("from the beach");
  await message.locator(".file-picture img").nth(1).waitFor();
  await phone.toEnd();
  expect(await phone.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  await phone.accessible();
  await phone.screenshot("files-phone");
  await message.locator(".file-picture").first().tap();
  const box = phone.page.locator(".lightbox");
  await box.locator(".lightbox-stage img").waitFor();
  await phone.accessible();
  await phone.screenshot("files-phone-lightbox");
  const swipe = async (from: number, to: number) => {
    const stage = box.locator(".lightbox-stage");
    const finger = { pointerId: 7, pointerType: "touch", clientY: 400, isPrimary: true };
    // A pointer that the browser did not make cannot be captured.
    await stage.evaluate((it) => (it.setPointerCapture = () => {}));
    await stage.dispatchEvent("pointerdown", { ...finger, clientX: from });
    await stage.dispatchEvent("pointermove", { ...finger, clientX: (from + to) / 2 });
    await stage.dispatchEvent("pointerup", { ...finger, clientX: to });
  };
  await swipe(300, 80);
  await box.getByText("2 of 2").first().waitFor();
  await swipe(80, 300);
  await box.getByText("1 of 2").first().waitFor();
  await box.getByRole("button", { name: "Close" }).click();
  await box.waitFor({ state: "detached" });
  await phone.close();
});
