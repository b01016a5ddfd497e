import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Device, launch, showFailures } from "./support/browser";
import { Server } from "./support/server";
import type { Seed } from "./support/server";

// The ways to a message: links, dates, pins, what is unread; and how a screen reader and a keyboard go through a conversation.
let browser: Browser;
let server: Server;
let ann: Seed["people"][number];
let bo: Seed["people"][number];
let general: string;
let random: string;
let laptop: Device;
let phone: Device;
let desk: Device;

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), Server.start({ seeded: true })]);
  [ann, bo] = server.seed.people as [typeof ann, typeof bo];
  general = server.seed.channels["general"]!;
  random = server.seed.channels["random"]!;
  laptop = await Device.open(browser, server, "laptop");
  phone = await Device.open(browser, server, "phone", { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
  desk = await Device.open(browser, server, "desk", { colorScheme: "dark" });
  await laptop.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  for (let i = 0; i < 180; i++) await server.call(bo.token, "chat.postMessage", { channel: random, text: `line ${i}` });
  await laptop.signIn(ann);
  await phone.signIn(ann);
  await desk.signIn(bo);
});

showFailures(() => [laptop, phone, desk]);

afterAll(async () => {
  await laptop.close();
  await phone.close();
  await desk.close();
  await browser.close();
  await server.stop();
});

const post = (text: string, more: object = {}, token = bo.token, channel = general) => server.call<{ ts: string }>(token, "chat.postMessage", { channel, text, ...more });

/** The message that the link led to is marked, in sight, and has the focus. */
async function landed(device: Device, text: string, pane = ".conversation"): Promise<void> {
  const row = device.page.locator(`${pane} .slot.linked article`, { hasText: text });
  await row.waitFor();
  await expect.poll(() => row.evaluate((it) => (it === document.activeElement ? "focus" : document.activeElement?.outerHTML.slice(0, 200)))).toBe("focus");
  const [box, list] = [await row.boundingBox(), await device.page.locator(`${pane} [role=feed]`).boundingBox()];
  expect(box!.y).toBeGreaterThanOrEqual(list!.y - 1);
  expect(box!.y + box!.height).toBeLessThanOrEqual(list!.y + list!.height + 1);
}

test("a link opens its message in its place, however far back, with what is around it", async () => {
  const far = (await server.history(ann.token, random)).find((it) => it.text === "line 20")!;
  const { permalink } = await server.call<{ permalink: string }>(bo.token, "chat.getPermalink", { channel: random, message_ts: far.ts });
  await laptop.page.goto(permalink);
  await laptop.online();
  await landed(laptop, "line 20");
  await laptop.message("line 19").waitFor();
  await laptop.message("line 21").waitFor();
  await laptop.screenshot("linked");
  await laptop.accessible();
  // It is not the end, and the way there is at hand.
  await laptop.page.locator(".to-end").click();
  await laptop.message("line 179").waitFor();
  expect(await laptop.message("line 20").count()).toBe(0);
});

test("back and forward go between links, and a link in a message stays in the client", async () => {
  const at = (await server.history(ann.token, random)).find((it) => it.text === "line 90")!;
  const { permalink } = await server.call<{ permalink: string }>(bo.token, "chat.getPermalink", { channel: random, message_ts: at.ts });
  await post(`see ${permalink}`);
  await laptop.channel(general);
  await laptop.toEnd();
  await laptop.page.evaluate(() => ((window as unknown as { same: boolean }).same = true));
  await laptop.feed().getByRole("link", { name: permalink }).click();
  await landed(laptop, "line 90");
  await laptop.page.goBack();
  await laptop.feed().getByRole("link", { name: permalink }).waitFor();
  await laptop.page.goForward();
  await landed(laptop, "line 90");
  expect(await laptop.page.evaluate(() => (window as unknown as { same?: boolean }).same)).toBe(true);
});

test("a link to a reply opens the thread at it", async () => {
  const parent = await post("a thread to link into");
  for (let i = 0; i < 30; i++) await post(`reply ${i}`, { thread_ts: parent.ts });
  const reply = await post("the reply that is meant", { thread_ts: parent.ts });
  for (let i = 30; i < 50; i++) await post(`reply ${i}`, { thread_ts: parent.ts });
  const { permalink } = await server.call<{ permalink: string }>(bo.token, "chat.getPermalink", { channel: general, message_ts: reply.ts });
  await laptop.page.goto(permalink);
  await laptop.online();
  await landed(laptop, "the reply that is meant", ".thread");
  await laptop.screenshot("linked-reply");
  await phone.page.goto(permalink);
  await phone.online();
  await landed(phone, "the reply that is meant", ".thread");
  await phone.screenshot("linked-reply-phone");
});

test("copying a message's link gives the address that leads to it", async () => {
  const { ts } = await post("link me");
  await laptop.goto(`/c/${general}`);
  await laptop.online();
  await laptop.toEnd();
  const row = laptop.message("link me");
  await laptop.action(row, "More actions");
  await laptop.screenshot("message-menu");
  await laptop.page.getByRole("menuitem", { name: "Copy link" }).click();
  await laptop.page.getByText("The link was copied.").waitFor();
  const copied = await laptop.page.evaluate(() => navigator.clipboard.readText());
  expect(new URL(copied).pathname).toBe(`/archives/${general}/p${ts.replace(".", "")}`);
});

test("a link to what was deleted says so", async () => {
  const { ts } = await post("soon gone", {}, bo.token, random);
  await server.call(bo.token, "chat.delete", { channel: random, ts });
  await laptop.goto(`/archives/${random}/p${ts.replace(".", "")}`);
  await laptop.online();
  await laptop.page.getByText("This message was deleted, or it never was here.").waitFor();
  await laptop.message("line 179").waitFor();
});

test("one jumps to a day, and to the beginning", async () => {
  await laptop.channel(random);
  await laptop.toEnd();
  await laptop.page.locator(".day-pill").click();
  await laptop.screenshot("jump-to-date");
  await laptop.accessible();
  await laptop.page.getByRole("button", { name: "The very beginning" }).click();
  await laptop.page.getByText("This is the very beginning of #random").waitFor();
  expect(await laptop.message("line 179").count()).toBe(0);
  await laptop.page.locator("header").getByLabel("Jump to date").click();
  await laptop.page.getByLabel("Jump to date").getByRole("textbox").or(laptop.page.locator(".jump-menu input")).first().press("Enter");
  // Today's first message, with its day above it.
  const day = laptop.feed().locator(".divider", { hasText: "Today" });
  await day.waitFor();
  await expect.poll(async () => (await day.boundingBox())!.y - (await laptop.feed().boundingBox())!.y).toBeLessThan(120);
});

test("marked unread stays unread on every device until one reads on", async () => {
  const { ts } = await post("remember this");
  await post(`and this, <@${ann.id}>`);
  await laptop.channel(general);
  await laptop.toEnd();
  await laptop.message("remember this").waitFor();
  await phone.goto("/");
  await phone.online();
  await expect.poll(() => phone.entry(general).getAttribute("class")).not.toContain("unread");
  await laptop.page.locator(`article[data-ts="${ts}"]`).focus();
  await laptop.page.keyboard.press("u");
  await laptop.feed().locator(".new-line").waitFor();
  await phone.entry(general).locator(".mentions", { hasText: "1" }).waitFor();
  expect(await laptop.entry(general).getAttribute("class")).toContain("unread");
  await laptop.screenshot("marked-unread");
  // Still, although the end is in sight; gone when one leaves and comes back.
  await laptop.channel(random);
  expect(await laptop.entry(general).getAttribute("class")).toContain("unread");
  await laptop.channel(general);
  await laptop.feed().locator(".new-line").waitFor();
  await phone.entry(general).locator(".mentions").waitFor({ state: "detached" });
});

test("marked unread while an earlier mark is on its way stays unread", async () => {
  await laptop.channel(general);
  await laptop.toEnd();
  let pass = () => {};
  const held = new Promise<void>((resolve) => (pass = resolve));
  await laptop.page.route(
    "**/api/conversations.mark",
    async (route) => {
      await held;
      await route.continue();
    },
    { times: 1 },
  );
  const asked = laptop.page.waitForRequest("**/api/conversations.mark");
  const { ts } = await post("not now");
  await laptop.message("not now").waitFor();
  await asked;
  await laptop.page.locator(`article[data-ts="${ts}"]`).focus();
  await laptop.page.keyboard.press("u");
  await laptop.feed().locator(".new-line").waitFor();
  const back = laptop.page.waitForResponse((it) => it.url().endsWith("/api/conversations.mark") && !it.request().postData()!.includes(ts));
  pass();
  await back;
  await phone.entry(general).locator("xpath=self::*[contains(@class, 'unread')]").waitFor();
  expect(await laptop.entry(general).getAttribute("class")).toContain("unread");
  await laptop.feed().locator(".new-line").waitFor();
});

test("while something unread is above, a bar leads to it or is done with it", async () => {
  await laptop.channel(general);
  await laptop.toEnd();
  await laptop.channel(random);
  for (let i = 0; i < 70; i++) await post(`unread ${i}`);
  await laptop.channel(general);
  await laptop.message("unread 0").waitFor();
  await laptop.quiet();
  const bar = laptop.page.locator(".unread-bar");
  await laptop.feed().hover();
  const down = async () => {
    await laptop.page.mouse.wheel(0, 300);
    return bar.getByText(/new since/).count();
  };
  await expect.poll(down).toBe(1);
  await laptop.screenshot("unread-bar");
  await laptop.accessible();
  await bar.getByLabel("Jump to the first new message").click();
  await bar.waitFor({ state: "detached" });
  await laptop.message("unread 0").waitFor();
  await laptop.feed().hover();
  await expect.poll(down).toBe(1);
  await bar.getByLabel("Mark as read").click();
  await bar.waitFor({ state: "detached" });
  await expect.poll(() => laptop.entry(general).getAttribute("class")).not.toContain("unread");
});

test("pins come and go live, are listed, and lead to their message", async () => {
  const far = (await server.history(ann.token, random)).find((it) => it.text === "line 3")!;
  await server.call(bo.token, "pins.add", { channel: random, timestamp: far.ts });
  await desk.channel(random);
  await desk.toEnd();
  await laptop.channel(random);
  await laptop.toEnd();
  const row = laptop.message("line 178");
  await row.focus();
  await laptop.page.keyboard.press("p");
  await desk.message("line 178").locator(".pin-note").waitFor();
  await laptop.page.getByLabel("Pinned messages").click();
  const panel = laptop.page.getByRole("dialog", { name: "Pinned messages" });
  await panel.getByText("line 178").waitFor();
  await laptop.screenshot("pins");
  await laptop.accessible();
  await server.call(bo.token, "pins.remove", { channel: random, timestamp: (await server.history(ann.token, random)).find((it) => it.text === "line 178")!.ts });
  await panel.getByText("line 178").waitFor({ state: "detached" });
  await laptop.message("line 178").locator(".pin-note").waitFor({ state: "detached" });
  await panel.locator(".pin", { hasText: "line 3" }).getByRole("button", { name: "Go to message" }).click();
  await landed(laptop, "line 3");
});

test("notices, deleted parents, me-messages and broadcasts are told in words", async () => {
  const { channel } = await server.call<{ channel: { id: string } }>(ann.token, "conversations.create", { name: "told" });
  const id = channel.id;
  await server.call(ann.token, "conversations.invite", { channel: id, users: bo.id });
  await server.call(ann.token, "conversations.setTopic", { channel: id, topic: "tides" });
  await server.call(ann.token, "conversations.setPurpose", { channel: id, purpose: "to know" });
  await server.call(ann.token, "conversations.rename", { channel: id, name: "retold" });
  await server.call(ann.token, "conversations.archive", { channel: id });
  await server.call(ann.token, "conversations.unarchive", { channel: id });
  await server.call(bo.token, "chat.meMessage", { channel: id, text: "waves" });
  const parent = await post("a parent", {}, bo.token, id);
  await post("a reply", { thread_ts: parent.ts }, bo.token, id);
  await post("for all", { thread_ts: parent.ts, reply_broadcast: true }, bo.token, id);
  await laptop.channel(id);
  await laptop.message("for all").waitFor();
  const text = await laptop.feed().innerText();
  for (const words of ["joined", `was added by ${ann.name}`, "set the topic: tides", "set the purpose: to know", "renamed the channel from told to retold", "archived this channel", "brought this channel back from the archive", "waves", "replied to a thread: a parent"]) expect(text).toContain(words);
  await server.call(bo.token, "chat.delete", { channel: id, ts: parent.ts });
  await laptop.feed().getByText("This message was deleted.").waitFor();
  expect(await laptop.feed().locator("article", { hasText: "This message was deleted." }).locator(".thread-link").innerText()).toContain("2 replies");
  expect(await laptop.feed().locator("article.me .text").evaluate((it) => getComputedStyle(it).fontStyle)).toBe("italic");
  await laptop.screenshot("notices");
  await laptop.accessible();
});

test("a screen reader hears a conversation as a script, and a keyboard goes through it", async () => {
  const { channel } = await server.call<{ channel: { id: string } }>(ann.token, "conversations.create", { name: "script" });
  const id = channel.id;
  await server.call(ann.token, "conversations.invite", { channel: id, users: bo.id });
  await post("Shall we *sail*?", {}, bo.token, id);
  const { ts } = await post("Yes, at <https://example.org|nine>.", {}, ann.token, id);
  await server.call(bo.token, "reactions.add", { channel: id, timestamp: ts, name: "tada" });
  await laptop.channel(id);
  await laptop.message("sail").waitFor();
  await laptop.feed().locator("[data-reaction]").waitFor();
  const names = await laptop.feed().locator("article.message").evaluateAll((rows) =>
    rows.map((row) => {
      const words = (attribute: string) => (row.getAttribute(attribute) ?? "").split(" ").map((it) => document.getElementById(it)?.textContent?.trim() ?? "").filter(Boolean).join(" ");
      return `${words("aria-labelledby")} | ${words("aria-describedby").replace(/^.*\d\d:\d\d/, "<time>")}`;
    }),
  );
  expect(names).toEqual([`${bo.name}: Shall we sail? | <time>`, `${ann.name}: Yes, at nine. | <time> Reactions: tada 1`]);
  const tree = (await laptop.feed().ariaSnapshot()).replace(/\d\d:\d\d/g, "00:00").replace(/, [A-Z][a-z]+,? \d[^"]* at 00:00/g, ", <time>");
  expect(tree).toContain(`article "${bo.name}: Shall we sail?"`);
  expect(tree).toContain('- strong: sail');
  expect(tree).toContain('- link "nine"');
  expect(tree).toMatch(/button "tada 1"( \[pressed=false\])?/);
  expect(tree.indexOf("Shall we")).toBeLessThan(tree.indexOf("Yes, at"));
  // Exactly one message is reached by Tab; arrows go to the others.
  const stops = () => laptop.feed().locator("article").evaluateAll((rows) => rows.filter((row) => row.tabIndex === 0).map((row) => row.textContent?.includes("nine") ?? false));
  expect(await stops()).toEqual([true]);
  await laptop.feed().locator("article").last().focus();
  await laptop.page.keyboard.press("ArrowUp");
  await expect.poll(() => laptop.page.evaluate(() => document.activeElement?.textContent)).toContain("Shall we sail?");
  expect(await stops()).toEqual([false]);
  await laptop.page.keyboard.press("t");
  await laptop.thread().locator("article", { hasText: "Shall we" }).waitFor();
  await laptop.page.keyboard.press("Escape");
  // What arrives is told while one is at the end.
  await post("Cast off!", {}, bo.token, id);
  await laptop.page.locator("[aria-live=polite]", { hasText: `${bo.name}: Cast off!` }).waitFor({ state: "attached" });
});
