import fc from "fast-check";
import type { Browser, Locator } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { richTextOf } from "../src/composer/lines";
import { anyLines } from "../src/composer/testing";
import { mrkdwnOf } from "../src/composer/write";
import { Device, launch, showFailures } from "./support/browser";
import { Server } from "./support/server";
import type { Message, Seed } from "./support/server";

// One writes with formatting, and another one sees it.
let browser: Browser;
let server: Server;
let ann: Seed["people"][number];
let bo: Seed["people"][number];
let writer: Device;
let reader: Device;
let general: string;
let area: Locator;

type Rich = Message & { blocks?: { type: string; elements?: unknown[] }[] };

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), Server.start({ seeded: true })]);
  [ann, bo] = server.seed.people as [typeof ann, typeof bo];
  general = server.seed.channels["general"]!;
  writer = await Device.open(browser, server, "ann-desk");
  reader = await Device.open(browser, server, "bo-desk");
  await writer.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  for (const [device, person] of [[writer, ann], [reader, bo]] as const) {
    await device.signIn(person);
    await device.channel(general);
    await device.toEnd();
  }
  area = writer.area();
});

showFailures(() => [writer, reader]);

afterAll(async () => {
  await writer.close();
  await reader.close();
  await browser.close();
  await server.stop();
});

const type = async (text: string) => writer.page.keyboard.type(text);
const press = async (...keys: string[]) => {
  for (const key of keys) await writer.page.keyboard.press(key);
};
const newest = async (): Promise<Rich> => (await server.history(ann.token, general)).at(-1) as Rich;
const elements = (message: Rich) => message.blocks?.[0]?.elements;
/** Sends what is there and waits until the server has it. */
async function sent(...keys: string[]): Promise<Rich> {
  const before = (await newest()).ts;
  await press(...(keys.length > 0 ? keys : ["Enter"]));
  await expect.poll(async () => (await newest()).ts).not.toBe(before);
  await expect.poll(() => area.textContent()).toBe("");
  await expect.poll(() => writer.feed().locator("article[data-state]").count()).toBe(0);
  return newest();
}
/**
 * Pastes what another program has put on the clipboard: as it is, because a browser cleans what a page puts there. No hand
 * pastes before the page was told what the keys before have selected.
 */
async function paste(html: string, text: string): Promise<void> {
  await area.evaluate(
    async (it, [html, text]) => {
      for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
      const data = new DataTransfer();
      if (html) data.setData("text/html", html);
      data.setData("text/plain", text!);
      it.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    },
    [html, text],
  );
}

test("the markdown way of typing becomes formatting at once, and arrives as it looked", async () => {
  await area.click();
  await type("plain **bold** and *bold too*, _it_ ~gone~ `x * y` snake_case_name 2*3*4");
  expect(await area.locator("strong").allTextContents()).toEqual(["bold", "bold too"]);
  expect(await area.locator("em").allTextContents()).toEqual(["it"]);
  expect(await area.locator("s").allTextContents()).toEqual(["gone"]);
  expect(await area.locator("code").allTextContents()).toEqual(["x * y"]);
  const message = await sent();
  expect(message.text).toBe("plain *bold* and *bold too*, _it_ ~gone~ `x * y` snake_case_name 2*3*4");
  expect(elements(message)).toMatchObject([{ type: "rich_text_section" }]);
  const row = reader.feed().locator("article").last();
  await row.locator("strong", { hasText: "bold too" }).waitFor();
  await row.locator("code", { hasText: "x * y" }).waitFor();
});

test("a plain text goes without blocks", async () => {
  await area.click();
  await type("just words");
  const message = await sent();
  expect(message.text).toBe("just words");
  expect(message.blocks).toBeUndefined();
  await reader.message("just words").waitFor();
});

test("lists, quotes and code: Enter does what one expects, and Ctrl Enter sends from everywhere", async () => {
  await area.click();
  await type("- one");
  await press("Enter", "Tab");
  await type("inner");
  await press("Enter");
  await press("Enter");
  await type("two");
  await press("Enter", "Enter");
  await type("1. first");
  await press("Enter");
  await type("second");
  await press("Enter", "Enter");
  await type("> said");
  await press("Shift+Enter", "Shift+Enter");
  await type("```let x = 1;");
  await press("Enter");
  await type("let y = 2;");
  expect(await area.locator(".item").allTextContents()).toEqual(["one", "inner", "two", "first", "second"]);
  expect(await area.locator(".item[data-indent='1']").allTextContents()).toEqual(["inner"]);
  expect(await area.locator(".item[data-number]").evaluateAll((all) => all.map((it) => (it as HTMLElement).dataset["number"]))).toEqual(["1", "2"]);
  await writer.screenshot("composer-lists");
  await writer.accessible();
  const message = await sent("Control+Enter");
  expect(message.text).toBe("• one\n    • inner\n• two\n1. first\n2. second\n> said\n```\nlet x = 1;\nlet y = 2;\n```");
  expect((elements(message) as { type: string }[]).map((it) => it.type)).toEqual(["rich_text_list", "rich_text_list", "rich_text_list", "rich_text_list", "rich_text_quote", "rich_text_preformatted"]);
  await reader.feed().locator("article").last().getByText("let y = 2;").waitFor();
});

test("shortcuts and the toolbar, undo and redo", async () => {
  await area.click();
  await press("Control+b");
  await type("b");
  await press("Control+b", "Control+i");
  await type("i");
  await press("Control+i", "Control+Shift+x");
  await type("s");
  await press("Control+Shift+x", "Control+Shift+c");
  await type("c");
  expect(await area.innerHTML()).toContain("<strong>b</strong><em>i</em><s>s</s>");
  await writer.page.getByRole("button", { name: "Formatting" }).click();
  const bar = writer.page.getByRole("toolbar", { name: "Formatting" });
  await expect.poll(() => bar.getByRole("button", { name: "Code", exact: true }).getAttribute("aria-pressed")).toBe("true");
  await press("Control+a");
  await bar.getByRole("button", { name: "Bulleted list" }).click();
  expect(await area.locator(".item").count()).toBe(1);
  await press("Control+z");
  expect(await area.locator(".item").count()).toBe(0);
  await press("Control+Shift+z");
  expect(await area.locator(".item").count()).toBe(1);
  await writer.screenshot("composer-toolbar");
  await writer.accessible();
  const message = await sent("Control+Enter");
  expect(message.text).toBe("• *b*_i_~s~`c`");
  await writer.page.getByRole("button", { name: "Formatting" }).click();
  await bar.waitFor({ state: "detached" });
});

test("a link by Ctrl K over a selection, by pasting over it, and none without a selection", async () => {
  await area.click();
  await type("see the docs");
  await press("Control+Shift+ArrowLeft", "Control+k");
  const dialog = writer.page.getByRole("dialog");
  await dialog.getByLabel("Address").fill("not an address");
  await press("Enter");
  await dialog.getByRole("alert").waitFor();
  await dialog.getByLabel("Address").fill("docs.example.org/a");
  await press("Enter");
  await dialog.waitFor({ state: "detached" });
  expect(await area.locator("a").getAttribute("href")).toBe("https://docs.example.org/a");
  await type(" here");
  await press("Control+Shift+ArrowLeft");
  await paste("", "https://example.org/?a=1&b=2");
  expect(await area.locator("a").allTextContents()).toEqual(["docs", "here"]);
  await press("End", "Control+k");
  await writer.page.getByRole("dialog", { name: "Jump to a conversation" }).waitFor();
  await press("Escape");
  await area.focus();
  const message = await sent();
  expect(message.text).toBe("see the <https://docs.example.org/a|docs> <https://example.org/?a=1&amp;b=2|here>");
  const link = reader.feed().locator("article").last().locator("a", { hasText: "here" });
  expect(await link.getAttribute("href")).toBe("https://example.org/?a=1&b=2");
});

test("rich text is pasted as what it says; with Shift as its words only", async () => {
  await area.focus();
  await paste(`<h1>Head</h1><p>some <b>bold</b> <a href="https://example.org">link</a><script>window.hacked = 1</script><img src=x onerror="window.hacked = 1"></p><ul><li>a<ol><li>b</li></ol></li></ul>`, "Head some bold link a b");
  const message = await sent("Control+Enter");
  expect(message.text).toBe("*Head*\nsome *bold* <https://example.org|link>\n• a\n    1. b");
  expect(await writer.page.evaluate(() => (window as { hacked?: number }).hacked)).toBeUndefined();
  await writer.page.evaluate(async () => navigator.clipboard.write([new ClipboardItem({ "text/html": new Blob(["<b>loud</b>"], { type: "text/html" }), "text/plain": new Blob(["loud"], { type: "text/plain" }) })]));
  await area.focus();
  await press("Control+Shift+v");
  expect(await area.locator("strong").count()).toBe(0);
  expect((await sent()).text).toBe("loud");
});

test("people, channels and emoji are found while one types, by keyboard and for screen readers", async () => {
  await area.click();
  await type("@bo");
  const list = writer.page.getByRole("listbox", { name: "Suggestions" });
  await list.getByRole("option", { name: "Bo Okafor" }).waitFor();
  const activeId = await area.getAttribute("aria-activedescendant");
  expect(await list.locator(`[id="${activeId}"]`).getAttribute("aria-selected")).toBe("true");
  expect(await area.getAttribute("aria-controls")).toBe(await list.getAttribute("id"));
  await writer.screenshot("composer-suggestions");
  await writer.accessible();
  await press("Enter");
  await type("see #ran");
  await list.getByRole("option", { name: "random" }).waitFor();
  await press("Tab");
  await type(":tad");
  await list.getByRole("option", { name: ":tada:" }).waitFor();
  await press("Enter");
  await type(":wave: @zzz");
  await list.waitFor({ state: "detached" });
  for (let i = 0; i < 5; i++) await press("Backspace");
  const message = await sent();
  expect(message.text).toBe(`<@${bo.id}> see <#${server.seed.channels["random"]}> :tada: :wave:`);
  await reader.feed().locator("article").last().locator(".mention.me", { hasText: "@Bo Okafor" }).waitFor();
});

test("Esc closes the suggestions and leaves what was typed", async () => {
  await area.click();
  await type("@ann");
  const list = writer.page.getByRole("listbox", { name: "Suggestions" });
  await list.waitFor();
  await press("Escape");
  await list.waitFor({ state: "detached" });
  expect(await area.textContent()).toBe("@ann");
  await press("Control+a", "Backspace");
});

test("a message is edited as it was written, and the other one sees the change", async () => {
  await area.click();
  await type("- *first* point");
  await press("Enter");
  await type("second @Bo Okafor ");
  await sent("Control+Enter");
  await press("ArrowUp");
  const editor = writer.page.locator(".editor [data-ready=true] [role=textbox]");
  await expect.poll(() => editor.locator(".item").allTextContents()).toEqual(["first point", "second @Bo Okafor"]);
  expect(await editor.locator("strong").textContent()).toBe("first");
  await press("Escape");
  await editor.waitFor({ state: "detached" });
  await area.focus();
  await press("ArrowUp");
  await editor.waitFor();
  await press("Control+End", "Enter");
  await type("third");
  await writer.screenshot("composer-edit");
  await press("Control+Enter");
  await editor.waitFor({ state: "detached" });
  await reader.feed().locator("article").last().getByText("third").waitFor();
  const message = await newest();
  expect(message.text).toBe(`• *first* point\n• second <@${bo.id}>\n• third`);
  expect(elements(message)).toMatchObject([{ type: "rich_text_list", elements: [{}, {}, {}] }]);
  // Without its list it is a plain text again, and no block is left over.
  await area.focus();
  await press("ArrowUp");
  await editor.waitFor();
  await press("Control+a");
  await type("plain now");
  await press("Enter");
  await editor.waitFor({ state: "detached" });
  await expect.poll(async () => (await newest()).text).toBe("plain now");
  expect((await newest()).blocks ?? []).toEqual([]);
  await reader.feed().locator("article", { hasText: "plain now (edited)" }).waitFor();
});

test("blocks that are not the text stay when it is edited", async () => {
  const rich = { type: "rich_text", elements: [{ type: "rich_text_section", elements: [{ type: "text", text: "with a line" }] }] };
  const { ts } = await server.call<{ ts: string }>(ann.token, "chat.postMessage", { channel: general, text: "with a line", blocks: [rich, { type: "divider" }], attachments: [{ text: "attached" }] });
  await writer.feed().locator(`[data-ts="${ts}"]`).waitFor();
  await area.focus();
  await press("ArrowUp");
  const editor = writer.page.locator(".editor [data-ready=true] [role=textbox]");
  await expect.poll(() => editor.textContent()).toBe("with a line");
  await press("Control+End");
  await type(" below");
  await press("Enter");
  await editor.waitFor({ state: "detached" });
  const message = (await newest()) as Rich & { attachments?: unknown[] };
  expect(message.blocks?.map((block) => block.type)).toEqual(["rich_text", "divider"]);
  expect(elements(message)).toMatchObject([{ elements: [{ text: "with a line below" }] }]);
  expect(message.attachments).toMatchObject([{ text: "attached" }]);
});

test("a draft is kept with its formatting, per conversation and thread, across a reload", async () => {
  await area.click();
  await type("- a *draft*");
  await writer.page.reload();
  await writer.online();
  await expect.poll(() => area.locator(".item strong").allTextContents()).toEqual(["draft"]);
  await writer.channel(server.seed.channels["random"]!);
  await expect.poll(() => area.textContent()).toBe("");
  await writer.channel(general);
  await expect.poll(() => area.locator(".item").allTextContents()).toEqual(["a draft"]);
  await area.click();
  await press("Control+a", "Backspace", "Backspace");
  expect(await writer.page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("parlance.draft")))).toEqual([]);
});

test("what is typed before the editor has come is not lost in the change, and can be sent", async () => {
  let waiting: (() => void)[] = [];
  const release = async () => {
    await expect.poll(() => waiting.length).toBeGreaterThan(0);
    for (const go of waiting) go();
    waiting = [];
  };
  await writer.page.route("**/assets/RichEditor-*.js", async (route) => {
    await new Promise<void>((go) => waiting.push(go));
    await route.continue();
  });
  await writer.page.reload();
  await writer.online();
  const field = writer.page.locator(".writer textarea");
  await field.pressSequentially("before the editor");
  const before = (await newest()).ts;
  await field.press("Enter");
  await expect.poll(async () => (await newest()).ts).not.toBe(before);
  expect((await newest()).text).toBe("before the editor");
  await field.pressSequentially("half a *thought* and @Bo Okafor");
  await release();
  await area.waitFor();
  await type(" goes on");
  expect(await area.textContent()).toBe("half a thought and @Bo Okafor goes on");
  const message = await sent();
  expect(message.text).toBe(`half a *thought* and <@${bo.id}> goes on`);
  // Whoever reads when it comes goes on reading.
  await writer.page.reload();
  await writer.online();
  await field.waitFor();
  const row = writer.feed().locator("article").last();
  // A row can have the focus once it has been measured.
  await expect.poll(() => row.evaluate((it) => ((it as HTMLElement).focus(), it === document.activeElement))).toBe(true);
  await release();
  await area.waitFor();
  expect(await row.evaluate((it) => it === document.activeElement)).toBe(true);
  await writer.page.unroute("**/assets/RichEditor-*.js");
});

test("mrkdwn of any document is what the server makes of its blocks", async () => {
  const documents = fc.sample(anyLines, { numRuns: 150, seed: 7 }).filter((lines) => lines.some((line) => line.kind !== "text"));
  expect(documents.length).toBeGreaterThan(80);
  const direct = await server.call<{ channel: { id: string } }>(ann.token, "conversations.open", { users: ann.id });
  for (const lines of documents) {
    const block = richTextOf(lines);
    const { message } = await server.call<{ message: Rich }>(ann.token, "chat.postMessage", { channel: direct.channel.id, blocks: [block] });
    expect(message.text, JSON.stringify(block)).toBe(mrkdwnOf(block));
    expect(elements(message)).toEqual(block.elements);
  }
});

test("a message can be sent later", async () => {
  await area.click();
  await type("for *later*");
  await writer.page.getByRole("button", { name: "Send later" }).click();
  await writer.screenshot("composer-later");
  await writer.page.getByRole("menuitem", { name: "Another time" }).click();
  const dialog = writer.page.getByRole("dialog", { name: "Send later" });
  await writer.accessible();
  await dialog.getByLabel("Date and time").fill("2020-01-01T09:00");
  await press("Enter");
  await dialog.getByRole("alert").getByText("This time has passed.").waitFor();
  const at = new Date(Date.now() + 2 * 86_400_000);
  at.setHours(9, 30, 0, 0);
  await dialog.getByLabel("Date and time").fill(`${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}T09:30`);
  await dialog.getByRole("button", { name: "Schedule" }).click();
  await writer.page.locator(".notice", { hasText: "It will be sent" }).waitFor();
  await writer.screenshot("composer-notice");
  await expect.poll(() => area.textContent()).toBe("");
  const { scheduled_messages } = await server.call<{ scheduled_messages: { text: string; post_at: number; channel_id: string }[] }>(ann.token, "chat.scheduledMessages.list", { channel: general });
  expect(scheduled_messages).toMatchObject([{ text: "for *later*", post_at: at.getTime() / 1000, channel_id: general }]);
});

test("commands do what they say; an unknown one is asked about before everybody reads it", async () => {
  await area.click();
  await type("/sh");
  const list = writer.page.getByRole("listbox", { name: "Suggestions" });
  await list.getByRole("option", { name: "/shrug" }).waitFor();
  await writer.screenshot("composer-commands");
  await press("Enter");
  await type("who knows");
  const shrug = await sent();
  expect(shrug.text).toBe("who knows ¯\\_(ツ)_/¯");
  // The text alone would be read as italics, so the blocks say what was meant.
  expect(elements(shrug)).toEqual([{ type: "rich_text_section", elements: [{ type: "text", text: "who knows ¯\\_(ツ)_/¯" }] }]);
  await reader.feed().locator(`[data-ts="${shrug.ts}"]`, { hasText: "who knows" }).waitFor();
  await type("/topic Tides & boats");
  await press("Enter");
  await reader.page.locator(".pane-head .topic", { hasText: "Tides & boats" }).waitFor();
  await type("/me waves");
  expect(await sent()).toMatchObject({ subtype: "me_message", text: "waves" });
  await type("/status :palm_tree: on holiday");
  await press("Enter");
  await writer.page.locator(".notice", { hasText: "Your status is set." }).waitFor();
  expect(await server.call(bo.token, "users.info", { user: ann.id })).toMatchObject({ user: { profile: { status_emoji: ":palm_tree:", status_text: "on holiday" } } });
  await type("/dnd soon");
  await press("Enter");
  await writer.page.getByRole("alert").getByText("Say for how long").waitFor();
  await press("Control+a");
  await type("/dnd 45m");
  await press("Enter");
  await writer.page.locator(".notice", { hasText: "45 minutes" }).waitFor();
  expect(await server.call(ann.token, "dnd.info", {})).toMatchObject({ snooze_enabled: true });
  await type("/nosuch thing");
  await press("Enter");
  await writer.page.getByRole("alert").getByText("There is no command /nosuch.").waitFor();
  expect((await newest()).text).not.toBe("/nosuch thing");
  expect((await sent()).text).toBe("/nosuch thing");
});

test("while a command is carried out one goes on writing, and what is refused comes back before that", async () => {
  const asked: string[] = [];
  let goOn = (): void => undefined;
  /** The next answer waits, and says this. */
  const held = async (answer?: { ok: false; error: string }) => {
    const wait = new Promise<void>((resolve) => (goOn = resolve));
    await writer.page.unroute("**/api/conversations.setTopic");
    await writer.page.route("**/api/conversations.setTopic", async (route) => {
      asked.push(route.request().postData() ?? "");
      const response = answer ? undefined : await route.fetch();
      await wait;
      await route.fulfill(answer ? { json: answer } : { response: response! });
    });
  };
  const problem = writer.page.getByRole("alert").getByText("You are not allowed to do that here.");

  await held();
  await area.click();
  await type("/topic High tide");
  await press("Enter");
  await reader.page.locator(".pane-head .topic", { hasText: "High tide" }).waitFor();
  expect(await area.textContent()).toBe("");
  await type("written meanwhile");
  // A second command waits for the first, a message does not.
  expect((await sent()).text).toBe("written meanwhile");
  await type("/topic Low tide");
  await press("Enter");
  await type("half a senten");
  expect(asked.length).toBe(1);
  goOn();
  await reader.page.locator(".pane-head .topic", { hasText: "Low tide" }).waitFor();
  expect(asked.length).toBe(2);
  await type("ce");
  expect(await area.textContent()).toBe("half a sentence");
  await press("Control+a", "Backspace");

  await held({ ok: false, error: "restricted_action" });
  await type("/topic No tide");
  await press("Enter");
  await type("written since");
  goOn();
  await problem.waitFor();
  expect(await area.locator("p").allTextContents()).toEqual(["/topic No tide", "written since"]);
  await press("Control+a", "Backspace");

  // Who has gone to another conversation is told, and finds it in the draft.
  await held({ ok: false, error: "restricted_action" });
  await type("/topic Never");
  await press("Enter");
  await type("and this");
  await writer.channel(server.seed.channels["random"]!);
  goOn();
  await writer.page.locator(".notice", { hasText: "You are not allowed to do that here." }).waitFor();
  expect(await area.textContent()).toBe("");
  await writer.channel(general);
  await expect.poll(() => area.locator("p").allTextContents()).toEqual(["/topic Never", "and this"]);
  await press("Control+a", "Backspace");
  await writer.page.unroute("**/api/conversations.setTopic");
});

test("a call to everybody says how many it tells", async () => {
  await server.call(ann.token, "conversations.info", { channel: general });
  await writer.page.route("**/api/client.userBoot", async (route) => {
    const response = await route.fetch();
    const boot = (await response.json()) as { channels: { id: string; num_members?: number }[] };
    for (const channel of boot.channels) if (channel.id === general) channel.num_members = 240;
    await route.fulfill({ response, json: boot });
  });
  await writer.forget();
  await writer.goto(`/c/${general}`);
  await writer.online();
  await area.click();
  await type("@chan");
  await writer.page.getByRole("option", { name: "240 people" }).waitFor();
  await press("Enter");
  await writer.page.getByText("This tells 240 people.").waitFor();
  await writer.screenshot("composer-everybody");
  expect((await sent()).text).toBe("<!channel>");
  await writer.page.unroute("**/api/client.userBoot");
});

test("on a phone Enter breaks the line, a button sends, and the keyboard does not cover what one writes", async () => {
  const phone = await Device.open(browser, server, "bo-phone", { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, colorScheme: "dark" });
  await phone.signIn(bo);
  await phone.channel(general);
  const field = phone.area();
  await field.tap();
  await phone.page.keyboard.type("from the *phone*");
  await phone.page.keyboard.press("Enter");
  await phone.page.keyboard.type("second line");
  await phone.page.getByRole("button", { name: "Formatting" }).tap();
  await phone.page.getByRole("toolbar", { name: "Formatting" }).getByRole("button", { name: "Quote" }).tap();
  await phone.screenshot("composer-phone");
  await phone.accessible();
  for (const button of await phone.page.locator(".writer button").all()) expect((await button.boundingBox())!.height).toBeGreaterThanOrEqual(36);
  // What the keyboard of a phone does: less of the page is visible, and it was scrolled.
  await phone.page.evaluate(() => {
    const view = window.visualViewport!;
    Object.defineProperty(view, "height", { value: 420, configurable: true });
    Object.defineProperty(view, "offsetTop", { value: 60, configurable: true });
    view.dispatchEvent(new Event("resize"));
  });
  const send = phone.page.getByRole("button", { name: "Send", exact: true });
  await expect.poll(async () => (await send.boundingBox())!.y + (await send.boundingBox())!.height).toBeLessThanOrEqual(480);
  expect((await phone.page.locator(".pane-head").boundingBox())!.y).toBeGreaterThanOrEqual(60);
  await phone.screenshot("composer-phone-keyboard");
  expect(await phone.page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
  await send.tap();
  await expect.poll(async () => (await newest()).text).toBe("from the *phone*\n> second line");
  await writer.feed().locator("article").last().locator("blockquote", { hasText: "second line" }).waitFor();
  await phone.close();
});

test("a thread has a composer of its own, with its own draft", async () => {
  await area.click();
  await type("a question");
  const { ts } = await sent();
  const row = writer.feed().locator(`[data-ts="${ts}"]`);
  await writer.action(row, "Reply in thread");
  const reply = writer.area(".thread");
  await reply.click();
  await type("an *answer* half");
  await writer.page.reload();
  await writer.online();
  await expect.poll(() => reply.locator("strong").textContent()).toBe("answer");
  expect(await area.textContent()).toBe("");
  await reply.click();
  await press("Control+End");
  await type(" done");
  await press("Enter");
  await expect.poll(async () => (await server.call<{ messages: Message[] }>(ann.token, "conversations.replies", { channel: general, ts })).messages.at(-1)?.text).toBe("an *answer* half done");
  await reader.feed().locator(`[data-ts="${ts}"] .thread-link`, { hasText: "1 reply" }).waitFor();
  await writer.page.getByLabel("Also send to #general").check();
  await reply.click();
  await type("for everybody");
  await press("Enter");
  await reader.feed().locator("article", { hasText: "for everybody" }).locator(".broadcast-note").waitFor();
  expect(await writer.page.getByLabel("Also send to #general").isChecked()).toBe(false);
  await writer.screenshot("composer-thread");
  await press("Escape");
  await writer.thread().waitFor({ state: "detached" });
});

test("one's own message shows its formatting before the server has it", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await writer.page.route("**/api/chat.postMessage", async (route) => {
    await held;
    await route.continue();
  });
  await area.click();
  await type("*held* back");
  await press("Enter");
  const row = writer.feed().locator("article[data-state=sending]");
  await row.locator("strong", { hasText: "held" }).waitFor();
  release();
  await expect.poll(() => row.count()).toBe(0);
  await reader.feed().locator("article").last().locator("strong", { hasText: "held" }).waitFor();
  await writer.page.unroute("**/api/chat.postMessage");
});
