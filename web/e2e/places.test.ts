import type { Browser, Locator } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Device, launch, showFailures } from "./support/browser";
import { Server } from "./support/server";
import type { Seed } from "./support/server";

// What is around the conversations: Ann on two devices, Bo on one.
let browser: Browser;
let server: Server;
let ann: Seed["people"][number];
let bo: Seed["people"][number];
let cy: Seed["people"][number];
let laptop: Device;
let phone: Device;
let desk: Device;
let general: string;
let random: string;

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), Server.start({ seeded: true })]);
  [ann, bo, cy] = server.seed.people as [typeof ann, typeof bo, typeof cy];
  general = server.seed.channels["general"]!;
  random = server.seed.channels["random"]!;
  laptop = await Device.open(browser, server, "ann-laptop", { permissions: ["clipboard-read", "clipboard-write"] });
  phone = await Device.open(browser, server, "ann-phone", { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
  desk = await Device.open(browser, server, "bo-desk");
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

const place = (device: Device, name: string): Locator => device.page.locator(`[data-place="${name}"]`);
const post = async (who: typeof ann, channel: string, text: string, more: object = {}) => (await server.call<{ ts: string }>(who.token, "chat.postMessage", { channel, text, ...more })).ts;
/** Opens a place from the list. */
const visit = async (device: Device, name: string) => {
  await place(device, name).click();
  await device.page.waitForURL(`**/${name}`);
};
/** Presses the button, if it is there: what was marked elsewhere may take it away under the pointer. */
const markAll = async () => {
  const button = laptop.page.getByRole("button", { name: "Mark all as read" });
  if (await button.isVisible()) await button.click({ timeout: 2_000 }).catch(() => {});
};
/** Everything is read, threads too, on all devices. */
const readAll = async () => {
  await laptop.goto("/threads");
  await laptop.online();
  await laptop.page.locator(".thread-card, .empty").first().waitFor();
  await markAll();
  await place(laptop, "threads").locator(".dot, .mentions").waitFor({ state: "detached" });
  await laptop.goto("/unread");
  await laptop.online();
  const done = laptop.page.getByRole("heading", { name: "Everything is read" });
  await laptop.page.getByRole("button", { name: "Mark all as read" }).or(done).first().waitFor();
  await markAll();
  await done.waitFor();
  await place(phone, "unread").locator(".dot").waitFor({ state: "detached" });
};

test("everything that is unread is in one place, and is marked read for all devices", async () => {
  const texts = ["one for the list", "two for the list"];
  for (const text of texts) await post(bo, random, text);
  await visit(laptop, "unread");
  const card = laptop.page.locator(`[data-waiting="${random}"]`);
  for (const text of texts) await card.locator("article", { hasText: text }).waitFor();
  await laptop.accessible();
  await laptop.screenshot("places-unread");
  await card.getByRole("button", { name: "Mark as read" }).click();
  await card.waitFor({ state: "detached" });
  await expect.poll(() => phone.entry(random).getAttribute("class")).not.toContain("unread");
  await readAll();
  expect(await laptop.page.title()).not.toMatch(/^[•(]/);
  // What comes in while one looks is there by itself.
  await post(bo, random, "just now");
  await card.locator("article", { hasText: "just now" }).waitFor();
  expect(await laptop.page.title()).toMatch(/^• Unread/);
  await expect.poll(() => laptop.page.locator('link[rel="icon"]').getAttribute("href")).toContain("data:image/svg+xml");
  await readAll();
  await expect.poll(() => laptop.page.locator('link[rel="icon"]').getAttribute("href")).toBe("/icon.svg");
});

test("a number is for mentions only, and reading on one device clears it on the other", async () => {
  await laptop.page.goto(`${server.proxy.url}/people`);
  await laptop.online();
  await post(bo, general, "nobody in particular");
  for (const device of [laptop, phone]) {
    await device.entry(general).locator(".dot").waitFor();
    expect(await device.entry(general).locator(".mentions").count()).toBe(0);
  }
  await post(bo, general, `<@${ann.id}> in particular`);
  for (const device of [laptop, phone]) {
    await device.entry(general).locator(".mentions", { hasText: "1" }).waitFor();
    await place(device, "mentions").locator(".mentions", { hasText: "1" }).waitFor();
  }
  expect(await laptop.page.title()).toMatch(/^\(1\) /);
  await phone.entry(general).click();
  await phone.feed().waitFor();
  await phone.toEnd();
  for (const name of ["mentions", "unread"]) await place(laptop, name).locator(".mentions, .dot").waitFor({ state: "detached" });
  expect(await laptop.entry(general).locator(".mentions, .dot").count()).toBe(0);
  await phone.page.getByRole("button", { name: "Back" }).first().click();
});

test("a muted conversation only tells of mentions, on every device", async () => {
  await laptop.entry(random).click({ button: "right" });
  await laptop.page.getByRole("menuitem", { name: "Mute" }).click();
  for (const device of [laptop, phone]) await device.entry(random).getByRole("img", { name: "muted" }).waitFor();
  await post(bo, random, "nobody needs to know");
  await post(bo, general, "after it");
  await phone.entry(general).locator(".dot").waitFor();
  expect(await phone.entry(random).locator(".dot").count()).toBe(0);
  await post(bo, random, `but <@${ann.id}> does`);
  await phone.entry(random).locator(".mentions", { hasText: "1" }).waitFor();
  // By key: the menu of the entry that has the focus.
  await laptop.entry(random).focus();
  await laptop.page.keyboard.press("Shift+F10");
  await laptop.page.getByRole("menuitem", { name: "Mark as read" }).click();
  await phone.entry(random).locator(".mentions").waitFor({ state: "detached" });
  await laptop.entry(random).click({ button: "right" });
  await laptop.page.getByRole("menuitem", { name: "Copy link" }).click();
  expect(await laptop.page.evaluate(() => navigator.clipboard.readText())).toBe(`${server.proxy.url}/c/${random}`);
  await laptop.entry(random).click({ button: "right" });
  await laptop.page.getByRole("menuitem", { name: "Unmute" }).click();
  await phone.entry(random).getByRole("img", { name: "muted" }).waitFor({ state: "detached" });
  await readAll();
});

test("followed threads come together, are answered in place, and read once for all devices", async () => {
  const parent = await post(ann, general, "who has the plan?");
  const thread = `${general}/${parent}`;
  await post(bo, general, "I do", { thread_ts: parent });
  await post(bo, general, `<@${ann.id}> it is on your desk`, { thread_ts: parent });
  for (const device of [laptop, phone]) await place(device, "threads").locator(".mentions", { hasText: "1" }).waitFor();
  await visit(laptop, "threads");
  const card = laptop.page.locator(`[data-thread="${thread}"]`);
  await card.locator("article", { hasText: "it is on your desk" }).waitFor();
  await card.locator(".new-line").waitFor();
  await laptop.page.bringToFront();
  for (const device of [laptop, phone]) await place(device, "threads").locator(".mentions").waitFor({ state: "detached" });
  await laptop.accessible();
  await laptop.screenshot("places-threads");
  await card.getByRole("button", { name: "Reply…" }).click();
  const field = card.locator(".writer .composer[data-ready=true] [role=textbox]");
  await field.fill("found it, thanks");
  await field.press("Enter");
  await card.locator("article", { hasText: "found it, thanks" }).waitFor();
  await expect.poll(async () => (await server.call<{ messages: { text: string }[] }>(bo.token, "conversations.replies", { channel: general, ts: parent })).messages.map((it) => it.text).at(-1)).toBe("found it, thanks");
  await expect.poll(() => card.locator("article", { hasText: "found it, thanks" }).count()).toBe(1);
  // A reply while one looks arrives in its place.
  await post(bo, general, "you are welcome", { thread_ts: parent });
  await card.locator("article", { hasText: "you are welcome" }).waitFor();
  await card.getByRole("button", { name: "Following" }).click();
  await card.getByRole("button", { name: "Follow", exact: true }).waitFor();
  await post(bo, general, "nobody hears this", { thread_ts: parent });
  await post(bo, random, "but this");
  await phone.entry(random).locator(".dot").waitFor();
  expect(await place(phone, "threads").locator(".dot, .mentions").count()).toBe(0);
  await card.getByRole("button", { name: "Open thread" }).click();
  await laptop.thread().getByRole("button", { name: "Follow", exact: true }).click();
  await laptop.thread().getByRole("button", { name: "Following" }).waitFor();
  await readAll();
});

test("messages that mention one come together, and lead to their place", async () => {
  await post(bo, random, `<@${ann.id}> look at the tug`);
  await visit(laptop, "mentions");
  const row = laptop.page.locator(".mention-row", { hasText: "look at the tug" });
  await row.waitFor();
  await laptop.accessible();
  await laptop.screenshot("places-mentions");
  await post(bo, random, "<!channel> and at the crane");
  await laptop.page.locator(".mention-row", { hasText: "and at the crane" }).waitFor();
  await row.getByRole("button", { name: "in #random" }).click();
  await laptop.page.waitForURL(`**/c/${random}`);
  await laptop.feed().locator("article", { hasText: "look at the tug" }).waitFor();
  await laptop.toEnd();
  await laptop.page.goBack();
  // Its time leads to itself, however far back it is.
  await row.locator(".excerpt-time").click();
  await laptop.page.waitForURL(`**/archives/${random}/p*`);
  await laptop.page.locator(".slot.linked article", { hasText: "look at the tug" }).waitFor();
  await readAll();
});

test("drafts are kept where they can be found, and a scheduled message can be taken back", async () => {
  await laptop.channel(random);
  await laptop.area().fill("half a thought");
  await place(laptop, "drafts").locator(".entry-count", { hasText: "1" }).waitFor();
  await visit(laptop, "drafts");
  const draft = laptop.page.locator(`[data-draft="${random}"]`);
  await draft.getByText("half a thought").waitFor();
  await laptop.accessible();
  await draft.getByRole("button", { name: "Discard" }).click();
  await laptop.page.getByRole("heading", { name: "No drafts" }).waitFor();
  await laptop.page.getByRole("button", { name: "Undo" }).click();
  await draft.getByRole("button", { name: /Go on writing/ }).click();
  await expect.poll(() => laptop.area().textContent()).toBe("half a thought");
  await laptop.clear();
  await place(laptop, "drafts").locator(".entry-count").waitFor({ state: "detached" });
  const { scheduled_message_id } = await server.call<{ scheduled_message_id: string }>(ann.token, "chat.scheduleMessage", { channel: general, text: "later then", post_at: Math.floor(Date.now() / 1000) + 7_200 });
  await visit(laptop, "drafts");
  await laptop.page.getByRole("button", { name: "Scheduled" }).click();
  await laptop.page.waitForURL("**/scheduled");
  const row = laptop.page.locator(`[data-scheduled="${scheduled_message_id}"]`);
  await row.getByText("later then").waitFor();
  await laptop.accessible();
  await row.getByRole("button", { name: "Do not send" }).click();
  await laptop.page.getByRole("heading", { name: "Nothing is scheduled" }).waitFor();
  expect((await server.call<{ scheduled_messages: object[] }>(ann.token, "chat.scheduledMessages.list", {})).scheduled_messages).toEqual([]);
  // The text is not lost.
  await laptop.channel(general);
  await expect.poll(() => laptop.area().textContent()).toBe("later then");
  await laptop.clear();
});

test("people are found with typos, and others see one's status and that one is not to be disturbed", async () => {
  await visit(laptop, "people");
  await laptop.page.getByLabel("Search by name").fill("okafro");
  await laptop.page.locator(`[data-person="${bo.id}"]`).click();
  await laptop.page.waitForURL(`**/people/${bo.id}`);
  const profile = laptop.page.locator(".side");
  await profile.getByRole("heading", { name: "Bo Okafor" }).waitFor();
  await laptop.accessible();
  await desk.page.getByRole("button", { name: "Account and workspace" }).click();
  await desk.page.getByRole("menuitem", { name: "Set a status" }).click();
  await desk.accessible();
  await desk.page.getByRole("button", { name: /In a meeting/ }).click();
  await desk.page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await profile.getByText("In a meeting").waitFor();
  await profile.getByText(/^until /).waitFor();
  await desk.page.getByRole("button", { name: "Account and workspace" }).click();
  await desk.page.getByRole("menuitem", { name: "Pause notifications" }).click();
  await desk.accessible();
  await desk.page.getByRole("button", { name: /For 1 hour/ }).click();
  await profile.getByText(/Notifications are paused until/).waitFor();
  await laptop.screenshot("places-profile");
  await laptop.page.reload();
  await laptop.online();
  await profile.getByText(/Notifications are paused until/).waitFor();
  await desk.page.getByRole("button", { name: "Account and workspace" }).click();
  await desk.page.getByRole("menuitem", { name: "Resume notifications" }).click();
  await profile.getByText(/Notifications are paused until/).waitFor({ state: "detached" });
  await desk.page.getByRole("button", { name: "Account and workspace" }).click();
  await desk.page.getByRole("menuitem", { name: "Profile" }).click();
  await desk.page.locator(".side").getByRole("button", { name: "Edit profile" }).click();
  await desk.page.getByRole("dialog").getByLabel("What you do").fill("Harbour master");
  await desk.page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await profile.getByText("Harbour master").waitFor();
  await desk.page.locator(".side").getByRole("button", { name: "Change status" }).click();
  await desk.page.getByRole("dialog").getByRole("button", { name: "Clear status" }).click();
  await profile.getByText("In a meeting").waitFor({ state: "detached" });
  await laptop.page.keyboard.press("Escape");
  await profile.waitFor({ state: "detached" });
});

test("who is there is shown, and who says that they are away is away", async () => {
  await visit(laptop, "people");
  const row = laptop.page.locator(`[data-person="${bo.id}"]`);
  await row.locator(".presence.active").waitFor();
  const menu = async (item: string) => {
    await desk.page.getByRole("button", { name: "Account and workspace" }).click();
    await desk.page.getByRole("menuitem", { name: item }).click();
  };
  await menu("Set yourself as away");
  await row.locator(".presence.away").waitFor();
  await desk.page.getByText("You are shown as away").waitFor();
  await laptop.accessible();
  await menu("Set yourself as active");
  await row.locator(".presence.active").waitFor();
  // Nobody is said to be there while the server cannot be heard.
  laptop.expectNoise();
  server.proxy.silence("ann-laptop");
  await laptop.page.evaluate(() => window.dispatchEvent(new Event("offline")));
  await row.locator(".presence").waitFor({ state: "detached" });
  server.proxy.heal("ann-laptop");
  await laptop.online(30_000);
  await row.locator(".presence.active").waitFor();
});

test("a channel's details are changed by who may, and everybody sees it", async () => {
  await laptop.page.keyboard.press("Control+k");
  await laptop.page.keyboard.press("Escape");
  const { channel } = await server.call<{ channel: { id: string } }>(bo.token, "conversations.create", { name: "berth-plans" });
  const id = channel.id;
  await server.call(bo.token, "conversations.invite", { channel: id, users: `${ann.id},${cy.id}` });
  await desk.page.locator(`[data-channel="${id}"]`).click();
  await desk.page.getByRole("heading", { name: "berth-plans", level: 1 }).waitFor();
  await laptop.page.goto(`${server.proxy.url}/c/${id}/details`);
  await laptop.online();
  const details = laptop.page.locator(".side");
  await details.getByRole("button", { name: "Edit: Topic" }).click();
  await details.getByLabel("Topic").fill("Quay 4 first");
  await details.getByLabel("Topic").press("Enter");
  await details.getByText("Quay 4 first").waitFor();
  await desk.page.locator(".topic", { hasText: "Quay 4 first" }).waitFor();
  await laptop.accessible();
  await details.getByRole("tab", { name: "Members" }).click();
  await details.locator(`[data-member="${cy.id}"]`).waitFor();
  await details.getByLabel("Search members").fill("mrain");
  await expect.poll(() => details.locator("[data-member]").count()).toBe(1);
  await details.getByRole("button", { name: /^Remove Cy/ }).click();
  await laptop.page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await details.getByText("No member by that name.").waitFor();
  await laptop.accessible();
  await details.getByRole("tab", { name: "Settings" }).click();
  await details.getByLabel("Name").fill("quay-plans");
  await details.getByRole("button", { name: "Save" }).click();
  await desk.page.getByRole("heading", { name: "quay-plans", level: 1 }).waitFor();
  await details.getByRole("button", { name: "Make private" }).click();
  await laptop.page.getByRole("dialog").getByRole("button", { name: "Make private" }).click();
  await details.getByRole("button", { name: "Make public" }).waitFor();
  await laptop.accessible();
  await details.getByRole("button", { name: "Archive channel" }).click();
  await laptop.page.getByRole("dialog").getByRole("button", { name: "Archive channel" }).click();
  await desk.page.getByText("This channel is archived.").waitFor();
  await details.getByRole("button", { name: "Bring back from the archive" }).click();
  await desk.page.getByText("This channel is archived.").waitFor({ state: "detached" });
  await details.getByRole("button", { name: "Leave channel" }).click();
  await laptop.page.getByRole("dialog").getByText("It is private").waitFor();
  await laptop.page.getByRole("dialog").getByRole("button", { name: "Leave channel" }).click();
  await laptop.entry(id).waitFor({ state: "detached" });
});

test("channels are browsed with filters, and those in the archive can be read", async () => {
  const { channel } = await server.call<{ channel: { id: string } }>(bo.token, "conversations.create", { name: "tug-spotting" });
  const old = await server.call<{ channel: { id: string } }>(bo.token, "conversations.create", { name: "old-cranes" });
  await server.call(bo.token, "conversations.archive", { channel: old.channel.id });
  await laptop.page.getByRole("link", { name: "Browse channels" }).click();
  const row = (id: string) => laptop.page.locator(`[data-listed="${id}"]`);
  await row(general).waitFor();
  await laptop.page.getByRole("button", { name: "Not joined" }).click();
  await row(channel.id).waitFor();
  expect(await row(general).count()).toBe(0);
  await laptop.page.getByLabel("Archived too").check();
  await row(old.channel.id).getByText("archived").waitFor();
  expect(await row(old.channel.id).getByRole("button", { name: /Join/ }).count()).toBe(0);
  await laptop.page.getByRole("searchbox", { name: "Search channels" }).fill("tgu");
  await laptop.page.getByRole("searchbox", { name: "Search channels" }).fill("spoting");
  await laptop.accessible();
  await laptop.screenshot("places-channels");
  await row(channel.id).getByRole("button", { name: "Join #tug-spotting" }).click();
  await laptop.page.waitForURL(`**/c/${channel.id}`);
  await laptop.entry(channel.id).waitFor();
});

test("every place is reached by keys, Esc closes the innermost, back and forward lead through them", async () => {
  await laptop.channel(general);
  await laptop.feed().focus();
  await laptop.page.keyboard.press("?");
  const sheet = laptop.page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await sheet.waitFor();
  await laptop.accessible();
  await laptop.screenshot("places-keys");
  await laptop.page.keyboard.press("Escape");
  await sheet.waitFor({ state: "detached" });
  for (const [key, path] of [["u", "unread"], ["t", "threads"], ["m", "mentions"], ["d", "drafts"], ["s", "scheduled"], ["c", "channels"]] as const) {
    await laptop.page.keyboard.press("g");
    await laptop.page.keyboard.press(key);
    await laptop.page.waitForURL(`**/${path}`);
    // Where a search takes the focus, letters are letters.
    await laptop.page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  }
  await laptop.page.goBack();
  await laptop.page.waitForURL("**/scheduled");
  await laptop.page.goBack();
  await laptop.page.waitForURL("**/drafts");
  await laptop.page.goForward();
  await laptop.page.waitForURL("**/scheduled");
  // It is there with the next frame.
  const there = await laptop.page.evaluate(() => {
    window.dispatchEvent(new KeyboardEvent("keydown", { key: "k", ctrlKey: true }));
    return new Promise<boolean>((resolve) => requestAnimationFrame(() => resolve(document.querySelector(".switcher [role=option]") !== null)));
  });
  expect(there).toBe(true);
  await laptop.page.getByRole("combobox").fill("genrall");
  await laptop.page.getByRole("option").first().getByText("general").waitFor();
  await laptop.accessible();
  await laptop.page.keyboard.press("Enter");
  await laptop.page.waitForURL(`**/c/${general}`);
  await post(bo, random, "somewhere else");
  await laptop.entry(random).locator(".dot").waitFor();
  await laptop.page.keyboard.press("Alt+Shift+ArrowDown");
  await laptop.page.waitForURL(`**/c/${random}`);
  await laptop.page.keyboard.press("Alt+ArrowUp");
  await expect.poll(() => laptop.page.url()).not.toContain(random);
  await laptop.page.keyboard.press("Alt+ArrowDown");
  await laptop.page.waitForURL(`**/c/${random}`);
  // A profile beside the conversation, a dialog over both.
  await laptop.page.goto(`${server.proxy.url}/c/${random}/u/${bo.id}`);
  await laptop.online();
  await laptop.page.locator(".side").getByRole("heading", { name: "Bo Okafor" }).waitFor();
  await laptop.page.keyboard.press("Control+/");
  await sheet.waitFor();
  await laptop.page.keyboard.press("Escape");
  await sheet.waitFor({ state: "detached" });
  expect(laptop.page.url()).toContain(`/u/${bo.id}`);
  await laptop.page.keyboard.press("Escape");
  await laptop.page.waitForURL(`**/c/${random}`);
});

test("colours and density are the person's, on every device and before the server answers", async () => {
  const theme = (device: Device) => device.page.evaluate(() => document.documentElement.dataset["theme"]);
  await laptop.page.getByRole("button", { name: "Account and workspace" }).click();
  await laptop.page.getByRole("menuitem", { name: "Preferences" }).click();
  await laptop.accessible();
  for (const [name, value] of [["Dark", "dark"], ["High contrast", "contrast"]] as const) {
    await laptop.page.getByLabel(name).check();
    for (const device of [laptop, phone]) await expect.poll(() => theme(device), { message: device.name }).toBe(value);
    for (const device of [laptop, phone]) await device.accessible();
    await laptop.screenshot(`places-${value}`);
  }
  await laptop.page.getByLabel("Dense").check();
  await expect.poll(() => phone.page.evaluate(() => document.documentElement.dataset["density"])).toBe("dense");
  await laptop.page.keyboard.press("Escape");
  await laptop.channel(general);
  expect(await laptop.feed().locator(".gutter .avatar").first().isVisible()).toBe(false);
  await laptop.screenshot("places-dense");
  await laptop.page.route("**/api/client.userBoot", () => {});
  await laptop.page.reload({ waitUntil: "commit" });
  await expect.poll(() => theme(laptop)).toBe("contrast");
  await laptop.page.unroute("**/api/client.userBoot");
  await laptop.page.reload();
  await laptop.online();
  for (const [pref, value] of [["ui_theme", "system"], ["ui_density", "comfortable"]]) await server.call(ann.token, "users.prefs.set", { name: pref, value });
  for (const device of [laptop, phone]) await expect.poll(() => theme(device), { message: device.name }).toBe("light");
});

test("on a phone every place fits, and leads back", async () => {
  await phone.goto("/");
  await phone.online();
  for (const path of ["/unread", "/threads", "/mentions", "/drafts", "/scheduled", "/people", `/people/${bo.id}`, "/channels", `/c/${general}/details/about`, `/c/${general}/details/members`, `/c/${random}/details/settings`]) {
    await phone.goto(path);
    await phone.online();
    await phone.page.locator(".place h1, .side h1").last().waitFor();
    await phone.accessible();
    expect(await phone.page.evaluate(() => document.documentElement.scrollWidth), path).toBeLessThanOrEqual(390);
    await phone.screenshot(`phone${path.replaceAll("/", "-")}`);
  }
  await phone.goto("/threads");
  await phone.online();
  await phone.page.getByRole("button", { name: "Back" }).click();
  await phone.page.locator(".sidebar").waitFor();
});
