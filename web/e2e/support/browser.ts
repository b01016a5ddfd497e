import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";
import type { Browser, BrowserContext, BrowserContextOptions, CDPSession, Locator, Page } from "playwright-core";
import { afterEach, expect } from "vitest";
import type { Seed, Server } from "./server";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** Debian's Chromium, or the one that `CHROMIUM` names. */
export async function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium", args: FLAGS });
}

/** What a broken network makes a browser write on its console; the tests that break it allow this. */
export const NETWORK_NOISE = /net::ERR_|WebSocket connection to/;

/** One device of one person: a browser context with its own cookies and its own name at the proxy. */
export class Device {
  private readonly problems: string[] = [];
  private noise: RegExp | undefined;
  private sleeper: CDPSession | undefined;

  private constructor(
    readonly name: string,
    readonly context: BrowserContext,
    readonly page: Page,
    private readonly server: Server,
  ) {
    page.on("console", (message) => {
      // What a test asked for by `serviceWorkers: "block"`.
      if (message.text() === "Service Worker registration blocked by Playwright") return;
      if (["error", "warning"].includes(message.type())) this.problems.push(`${name}: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.problems.push(`${name}: ${error.message}`));
    page.on("dialog", (dialog) => {
      // Whoever leaves while something is being sent is asked; here they leave.
      if (dialog.type() === "beforeunload") {
        void dialog.accept();
        return;
      }
      this.problems.push(`${name}: a dialog opened: ${dialog.message()}`);
      void dialog.dismiss();
    });
  }

  /** Without the service worker, unless asked for: a request that it passes on is beyond a test's reach. */
  static async open(browser: Browser, server: Server, name: string, options: BrowserContextOptions = {}): Promise<Device> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", userAgent: `Mozilla/5.0 (e2e) device/${name}`, serviceWorkers: "block", ...options });
    context.setDefaultTimeout(15_000);
    return new Device(name, context, await context.newPage(), server);
  }

  /** Another window of the same browser, at the same address. */
  async another(): Promise<Device> {
    const other = new Device(this.name, this.context, await this.context.newPage(), this.server);
    other.noise = this.noise;
    await other.page.goto(this.page.url());
    await other.online();
    return other;
  }

  /**
   * Puts the page to sleep: not one more of its instructions runs. A browser that freezes a page tells it before
   * (`told`), a machine that suspends does not. (CDP's own `Page.setWebLifecycleState` does nothing to a page that
   * counts as visible, and Playwright makes every page count as that.)
   */
  async sleep({ told }: { told: boolean }): Promise<void> {
    this.sleeper ??= await this.context.newCDPSession(this.page);
    if (told) await this.page.evaluate(() => document.dispatchEvent(new Event("freeze")));
    await this.sleeper.send("Debugger.enable");
    await this.sleeper.send("Debugger.pause");
  }

  async wake({ told }: { told: boolean }): Promise<void> {
    await this.sleeper!.send("Debugger.resume");
    await this.sleeper!.send("Debugger.disable");
    if (told) await this.page.evaluate(() => document.dispatchEvent(new Event("resume")));
  }

  /** The network is about to be broken on purpose. */
  expectNoise(): void {
    this.noise = NETWORK_NOISE;
  }

  /** Nothing was written to the console: no error, no warning, no violation of the page's policy. */
  async close(): Promise<void> {
    await this.context.close();
    expect(this.problems.filter((problem) => !this.noise?.test(problem))).toEqual([]);
  }

  /** Takes away what this account has stored, so that the next page begins with a snapshot. */
  async forget(): Promise<void> {
    // From an address of the server's that is not the client: nobody has the database open.
    await this.goto("/icon.svg");
    await this.page.evaluate(async () => {
      for (const { name } of await indexedDB.databases()) {
        await new Promise((resolve, reject) => {
          const asked = indexedDB.deleteDatabase(name!);
          asked.onsuccess = resolve;
          asked.onerror = () => reject(asked.error);
        });
      }
    });
  }

  async goto(path: string): Promise<void> {
    await this.page.goto(this.server.proxy.url + path);
  }

  /** Signs in and waits until the workspace is there and live. */
  async signIn(person: Seed["people"][number]): Promise<void> {
    await this.goto("/signin");
    await this.page.fill("[name=email]", person.email);
    await this.page.fill("[name=password]", person.password);
    await this.page.click("button[type=submit]");
    await this.online();
  }

  async online(timeout = 15_000): Promise<void> {
    await this.page.waitForSelector("[data-link=online]", { state: "attached", timeout });
  }

  /** Opens a channel from the list. */
  async channel(id: string): Promise<void> {
    await this.page.click(`[data-channel="${id}"]`);
    await this.feed().locator("article").last().waitFor();
  }

  /** To the newest message, wherever the conversation opened. */
  async toEnd(): Promise<void> {
    const button = this.page.locator(".conversation .to-end");
    // It may go by itself meanwhile, and come again with what the server adds to what the device had.
    for (const until = Date.now() + 15_000; Date.now() < until && (await button.count()) > 0; ) {
      await button.click({ timeout: 2_000 }).catch(() => {});
    }
    expect(await button.count()).toBe(0);
  }

  /** Scrolls by so many heights of the list, as a wheel does; how far down it is then, in pixels. */
  async scroll(heights: number): Promise<number> {
    return this.feed().evaluate((box, by) => {
      box.dispatchEvent(new WheelEvent("wheel", { bubbles: true }));
      return (box.scrollTop += box.clientHeight * by);
    }, heights);
  }

  feed(): Locator {
    return this.page.locator(".conversation [role=feed]");
  }

  thread(): Locator {
    return this.page.locator(".thread");
  }

  entry(id: string): Locator {
    return this.page.locator(`[data-channel="${id}"]`);
  }

  /** The message with this text, in the conversation. */
  message(text: string): Locator {
    return this.feed().locator("article", { has: this.page.getByText(text, { exact: true }) });
  }

  /** Clicks one of the actions that a message has under the pointer; points at it again if it moved away meanwhile. */
  async action(row: Locator, label: string): Promise<void> {
    const until = Date.now() + 15_000;
    for (;;) {
      await row.hover();
      const clicked = await row.getByRole("toolbar").getByLabel(label).click({ timeout: 1_500 }).then(() => undefined, (thrown: unknown) => thrown);
      if (clicked === undefined) return;
      if (Date.now() > until) throw clicked;
    }
  }

  async send(text: string): Promise<void> {
    await this.write(".conversation", text);
  }

  async reply(text: string): Promise<void> {
    await this.write(".thread", text);
  }

  /** Takes away what is in the composer. An editor that was just given the focus sets the selection once more: then again. */
  async clear(): Promise<void> {
    const text = async () => {
      await this.area().fill("");
      return this.area().textContent();
    };
    await expect.poll(text).toBe("");
  }

  /** Where one writes in a pane: the editor, once it has come. */
  area(pane = ".conversation"): Locator {
    return this.page.locator(`${pane} .writer .composer[data-ready=true] [role=textbox]`);
  }

  private async write(pane: string, text: string): Promise<void> {
    const area = this.area(pane);
    await area.fill(text);
    await area.press("Enter");
  }

  /** Until nothing is being fetched and what was scrolled to is drawn. */
  async quiet(): Promise<void> {
    for (let frame = 0; frame < 3; frame++) {
      await this.page.locator(".conversation [role=feed][aria-busy=false]").waitFor();
      await this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    }
  }

  /** Where each message is, in pixels below the top of the list. */
  async places(): Promise<Map<string, number>> {
    const rows = await this.feed().evaluate((box) => {
      const top = box.getBoundingClientRect().top;
      return [...box.querySelectorAll<HTMLElement>("article[data-ts]")].map((row) => [row.dataset["ts"]!, Math.round(row.getBoundingClientRect().top - top)] as const);
    });
    return new Map(rows);
  }

  /** Every message of the open conversation as it is on screen, oldest first: scrolls from the end through all of it. */
  async shown(): Promise<{ ts: string; text: string; reactions: string[]; replies: string }[]> {
    const found = new Map<string, { ts: string; text: string; reactions: string[]; replies: string }>();
    const feed = this.feed();
    await this.toEnd();
    for (let still = 0, last = -1; still < 3; ) {
      const rows = await feed.evaluate((box) =>
        [...box.querySelectorAll<HTMLElement>("article.message")].map((row) => ({
          ts: row.dataset["ts"] ?? "",
          text: row.querySelector(".text")?.textContent?.replace(/ \(edited\)$/, "") ?? "",
          reactions: [...row.querySelectorAll<HTMLElement>("[data-reaction]")].map((it) => `${it.dataset["reaction"]} ${it.querySelector(".count")?.textContent}`).sort(),
          replies: row.querySelector(".thread-link b")?.textContent ?? "",
        })),
      );
      for (const row of rows) found.set(row.ts, row);
      const top = await this.scroll(-0.7);
      await this.quiet();
      still = top === last ? still + 1 : 0;
      last = top;
    }
    return [...found.values()].sort((a, b) => (a.ts < b.ts ? -1 : 1));
  }

  /** Nothing on screen keeps anybody out: axe's rules for WCAG 2 A and AA. */
  async accessible(): Promise<void> {
    // What is still fading in has no contrast yet.
    await this.page.evaluate(() => Promise.all(document.getAnimations().filter((it) => it.effect?.getComputedTiming().iterations !== Infinity).map((it) => it.finished.catch(() => {}))));
    await this.page.evaluate(AXE);
    const found = await this.page.evaluate(async () => {
      const axe = (window as unknown as { axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } }).axe;
      const { violations } = await axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] });
      return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 160)}`));
    });
    expect(found, this.name).toEqual([]);
  }

  /** Saves what is on screen, if `PARLANCE_SCREENSHOTS` says where. */
  async screenshot(name: string): Promise<void> {
    const directory = process.env["PARLANCE_SCREENSHOTS"];
    if (!directory) return;
    await mkdir(directory, { recursive: true });
    await this.page.screenshot({ path: join(directory, `${name}.png`) });
  }
}

/** After a test that failed: what each device shows. */
export function showFailures(devices: () => Device[]): void {
  afterEach(async ({ task }) => {
    if (task.result?.state !== "fail") return;
    for (const device of devices()) await device.screenshot(`failed-${device.name}-${task.name.slice(0, 30)}`);
  });
}
