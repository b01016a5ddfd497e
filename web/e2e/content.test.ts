import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Device, launch } from "./support/browser";
import { Server } from "./support/server";
import type { Seed } from "./support/server";
import { ATTACHMENTS, BLOCKS, HOSTILE_TEXTS, hostileAttachments, hostileBlocks } from "./support/content";

// What apps send, looked at in every form that the client knows.
let browser: Browser;
let server: Server;
let ann: Seed["people"][number];
let bo: Seed["people"][number];
let general: string;
let random: string;
let laptop: Device;
const devices: Device[] = [];

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), Server.start({ seeded: true })]);
  [ann, bo] = server.seed.people as [typeof ann, typeof bo];
  general = server.seed.channels["general"]!;
  random = server.seed.channels["random"]!;
  laptop = await open("laptop");
  await open("phone", { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, colorScheme: "dark" });
  await open("dark", { colorScheme: "dark" });
});

afterAll(async () => {
  for (const device of devices) await device.close();
  await browser.close();
  await server.stop();
});

async function open(name: string, options: Parameters<typeof Device.open>[3] = {}): Promise<Device> {
  const device = await Device.open(browser, server, name, options);
  devices.push(device);
  await device.signIn(ann);
  return device;
}

/** Nothing is wider than the window, on any side. */
async function holds(device: Device): Promise<void> {
  const wide = await device.page.evaluate(() => {
    const feed = document.querySelector(".conversation [role=feed]")!;
    const right = feed.getBoundingClientRect().right + 1;
    const out = [...feed.querySelectorAll("article *")].filter((it) => it.getBoundingClientRect().right > right && it.closest(".table-box, pre, .cards") === null && !it.classList.contains("sr-only"));
    return { page: document.documentElement.scrollWidth - innerWidth, feed: feed.scrollWidth - feed.clientWidth, out: out.slice(0, 3).map((it) => it.outerHTML.slice(0, 120)) };
  });
  expect(wide, device.name).toEqual({ page: 0, feed: 0, out: [] });
}

test("every block and attachment is shown, in light, dark and on a phone", async () => {
  for (const [i, blocks] of BLOCKS.entries()) await server.call(bo.token, "chat.postMessage", { channel: general, text: `fallback ${i}`, blocks });
  await server.call(bo.token, "chat.postMessage", { channel: general, text: "Two things hang under this:", attachments: ATTACHMENTS });
  await server.call(bo.token, "chat.postMessage", { channel: general, text: `Where <!date^1392734382^we met {date_num}|back then> and code:\n\`\`\`fn main() {\n    println!("{}", 1 + 1); // two\n}\nstruct Point { x: f64 }\`\`\`` });
  for (const device of devices) {
    await device.channel(general);
    await device.toEnd();
    await device.feed().getByText("Second field").first().waitFor();
    const seen: string[] = [];
    const box = device.feed();
    for (let page = 0, last = -1; page < 12; page++) {
      await device.quiet();
      seen.push(...(await box.locator("article").allInnerTexts()));
      await holds(device);
      await device.screenshot(`content-${device.name}-${page}`);
      if (page % 3 === 0) await device.accessible();
      const top = await device.scroll(-0.8);
      if (top === last) break;
      last = top;
    }
    const text = seen.join("\n");
    for (const words of ["Deploy finished", "deep item", "Ordered three", "Restart", "Quarterly film", "Row two", "Careful now", "Card title", "Inside a container", "Markdown heading", "cell b", "grafana", "Second field", "we met 2014-02-18"]) expect(text, device.name).toContain(words);
    expect(text).not.toContain("fallback");
  }
});

test("code is coloured when it is seen, and copied as it was", async () => {
  await laptop.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await laptop.toEnd();
  const block = laptop.feed().locator(".code-block").last();
  await block.locator(".code-keyword", { hasText: "struct" }).waitFor();
  await block.hover();
  await block.getByLabel("Copy code").click();
  await block.getByLabel("Copied").waitFor();
  expect(await laptop.page.evaluate(() => navigator.clipboard.readText())).toContain('println!("{}", 1 + 1); // two');
});

test("buttons that lead somewhere lead there, and those for an app say that they do nothing", async () => {
  const link = laptop.feed().getByRole("link", { name: "Open report" }).first();
  for (let step = 0; step < 15 && (await link.count()) === 0; step++) {
    await laptop.scroll(-0.8);
    await laptop.quiet();
  }
  expect([await link.getAttribute("href"), await link.getAttribute("rel"), await link.getAttribute("target")]).toEqual(["https://report.example/1", "noopener noreferrer nofollow", "_blank"]);
  const silent = laptop.feed().getByRole("button", { name: "Restart" }).first();
  expect(await silent.getAttribute("aria-disabled")).toBe("true");
  expect(await silent.getAttribute("title")).toContain("does not run apps");
});

test("a picture of another site is fetched only when the reader asks", async () => {
  const asked: string[] = [];
  await laptop.page.route("https://pictures.example/**", (route) => {
    asked.push(route.request().url());
    return route.fulfill({ contentType: "image/svg+xml", body: '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><rect width="300" height="200" fill="teal"/></svg>' });
  });
  await server.call(bo.token, "chat.postMessage", { channel: general, text: "chart", blocks: [{ type: "image", image_url: "https://pictures.example/chart.svg", alt_text: "a chart of the week", image_width: 300, image_height: 200 }] });
  await laptop.toEnd();
  const row = laptop.feed().locator("article").last();
  await row.getByText("a chart of the week").waitFor();
  await laptop.quiet();
  const before = await row.boundingBox();
  expect(asked).toEqual([]);
  await row.getByRole("button", { name: "Show image" }).click();
  await row.getByRole("img", { name: "a chart of the week" }).waitFor();
  await expect.poll(() => row.locator("img").evaluate((it: HTMLImageElement) => it.naturalWidth)).toBe(300);
  expect(asked).toEqual(["https://pictures.example/chart.svg"]);
  expect((await row.boundingBox())!.height).toBe(before!.height);
  // By plain http it is a link, and nothing is fetched.
  await server.call(bo.token, "chat.postMessage", { channel: general, text: "plain", blocks: [{ type: "image", image_url: "http://plain.example/a.png", alt_text: "by http" }] });
  await laptop.feed().locator("article").last().getByRole("link", { name: "Open on plain.example" }).waitFor();
  expect(await laptop.feed().locator('img[src^="http://plain"]').count()).toBe(0);
});

test("hostile content never executes, and the layout holds", async () => {
  await server.call(bo.token, "users.profile.set", { profile: { display_name: '\u202e<img src=x onerror="window.hit=1">' } });
  for (const text of HOSTILE_TEXTS) await server.call(bo.token, "chat.postMessage", { channel: random, text });
  for (const blocks of hostileBlocks()) await server.call(bo.token, "chat.postMessage", { channel: random, text: "hostile", blocks });
  await server.call(bo.token, "chat.postMessage", { channel: random, text: "hostile", attachments: hostileAttachments() });
  for (const device of devices) {
    await device.goto("/");
    await device.online();
    await device.channel(random);
    await device.toEnd();
    for (let page = 0, last = -1; page < 12; page++) {
      await device.quiet();
      await holds(device);
      if (page < 4) await device.screenshot(`hostile-${device.name}-${page}`);
      const found = await device.page.evaluate(() => ({
        hit: (window as unknown as { hit?: number }).hit ?? 0,
        scripts: document.querySelectorAll("[role=feed] :is(script, iframe, object, embed, form, base, link, style, svg:not(.icon), [onerror], [onclick], [onload])").length,
        links: [...document.querySelectorAll<HTMLAnchorElement>("[role=feed] a")].map((it) => it.protocol).filter((it) => !["http:", "https:", "mailto:"].includes(it)),
        images: [...document.querySelectorAll<HTMLImageElement>("[role=feed] img")].map((it) => it.src),
      }));
      expect(found, device.name).toEqual({ hit: 0, scripts: 0, links: [], images: [] });
      const top = await device.scroll(-0.8);
      if (top === last) break;
      last = top;
    }
  }
  // What a name turns around stays within the name.
  await server.call(ann.token, "chat.postMessage", { channel: random, text: "between" });
  await server.call(bo.token, "chat.postMessage", { channel: random, text: "with a name" });
  await laptop.toEnd();
  await laptop.message("with a name").waitFor();
  await laptop.screenshot("hostile-name");
  const author = laptop.feed().locator(".author").last();
  expect(await author.evaluate((it) => getComputedStyle(it).unicodeBidi)).toBe("isolate");
});

test("hostile content does no harm where it is quoted, either: cards, pins, threads, jumping, the window's title", async () => {
  const { page } = laptop;
  const { ts } = await server.call<{ ts: string }>(bo.token, "chat.postMessage", { channel: random, text: `<@${bo.id}> ${HOSTILE_TEXTS[0]!}`, attachments: hostileAttachments() });
  await server.call(bo.token, "chat.postMessage", { channel: random, thread_ts: ts, reply_broadcast: true, text: HOSTILE_TEXTS[1]! });
  await server.call(bo.token, "pins.add", { channel: random, timestamp: ts });
  await server.call(bo.token, "reactions.add", { channel: random, timestamp: ts, name: "tada" });
  await server.call(bo.token, "conversations.setTopic", { channel: random, topic: HOSTILE_TEXTS[0]! });
  // Polled: a card that rises is a few pixels elsewhere for a moment.
  const harmless = () =>
    expect
      .poll(() =>
        page.evaluate(() => ({
          hit: (window as unknown as { hit?: number }).hit ?? 0,
          elements: document.querySelectorAll("#root :is(script, iframe, object, embed, base, link, style, svg:not(.icon)), body > :not(#root):not(script) :is(script, iframe, svg:not(.icon)), [onerror], [onclick], [onload], img[src]").length,
          wide: document.documentElement.scrollWidth - innerWidth,
        })),
      )
      .toEqual({ hit: 0, elements: 0, wide: 0 });
  await laptop.toEnd();
  const row = page.locator(`.conversation article[data-ts="${ts}"]`);
  await row.locator("button.mention").click();
  await page.locator(".person-card").waitFor();
  await harmless();
  await laptop.screenshot("hostile-card");
  await page.keyboard.press("Escape");
  await page.getByLabel("Pinned messages").click();
  await page.locator(".pin").waitFor();
  await harmless();
  await laptop.screenshot("hostile-pins");
  await page.keyboard.press("Escape");
  await row.locator(".thread-link").click();
  await laptop.thread().locator("article").last().waitFor();
  await harmless();
  await laptop.screenshot("hostile-thread");
  await page.keyboard.press("Escape");
  await row.locator("[data-reaction]").hover();
  await page.locator(".tooltip").waitFor();
  await harmless();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("img");
  await harmless();
  await page.keyboard.press("Escape");
  // Around the conversations the same words stand again.
  await server.call(bo.token, "chat.postMessage", { channel: random, thread_ts: ts, text: `<@${ann.id}> ${HOSTILE_TEXTS[0]!}`, attachments: hostileAttachments() });
  for (const [place, part] of [["mentions", ".excerpt .attachment"], ["threads", ".excerpt .attachment"], ["people", ".person-row"], [`people/${bo.id}`, ".side-body h2"]] as const) {
    await laptop.goto(`/${place}`);
    await laptop.online();
    await page.locator(part).first().waitFor();
    await harmless();
    expect(await page.locator(".place-body, .side-body").evaluateAll((all) => all.map((it) => it.scrollWidth - it.clientWidth).filter((it) => it > 0))).toEqual([]);
    await laptop.screenshot(`hostile-${place.split("/").length > 1 ? "profile" : place}`);
  }
});

test("a message that cannot be shown takes nothing with it, and says its text", async () => {
  // A page of its own: React tells the console what went wrong, and so it should.
  const page = await laptop.context.newPage();
  await page.addInitScript(() => {
    window.URL = class extends URL {
      constructor(url: string | URL, base?: string | URL) {
        if (String(url).includes("boom.example")) throw new Error("boom");
        super(url, base);
      }
    };
  });
  await server.call(bo.token, "chat.postMessage", { channel: general, text: "before it" });
  await server.call(bo.token, "chat.postMessage", { channel: general, text: "its text", blocks: [{ type: "image", image_url: "https://boom.example/a.png", alt_text: "never seen" }] });
  await server.call(bo.token, "chat.postMessage", { channel: general, text: "after it" });
  await page.goto(`${server.proxy.url}/c/${general}`);
  for (const text of ["before it", "its text", "after it"]) await page.locator("[role=feed]").getByText(text, { exact: true }).waitFor();
  expect(await page.getByText("never seen").count()).toBe(0);
  await page.close();
});
