import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Device, launch } from "./support/browser";
import { Server } from "./support/server";

// From an empty server to two people who talk.
let browser: Browser;
let server: Server;
let owner: Device;
let guest: Device;

beforeAll(async () => {
  [browser, server] = await Promise.all([launch(), Server.start({ seeded: false })]);
  owner = await Device.open(browser, server, "owner");
  guest = await Device.open(browser, server, "guest");
});

afterAll(async () => {
  await owner.close();
  await guest.close();
  await browser.close();
  await server.stop();
});

let invitation = "";

test("the first visitor sets the workspace up and owns it", async () => {
  await owner.goto("/");
  await owner.page.waitForURL("**/setup");
  await owner.screenshot("setup");
  await owner.page.fill("[name=team_name]", "Harbour Works");
  await owner.page.fill("[name=real_name]", "Mara Okafor");
  await owner.page.fill("[name=email]", "mara@example.com");
  await owner.page.fill("[name=password]", "correct horse");
  await owner.page.click("button[type=submit]");
  await owner.online();
  await owner.page.getByRole("heading", { name: "Harbour Works" }).waitFor();
  expect(await owner.page.locator(".group").first().locator(".entry-name").allTextContents()).toEqual(["general", "random", "Browse channels"]);
});

test("an invitation brings in somebody else", async () => {
  const { users } = await owner.page.evaluate(async () => {
    const response = await fetch("/api/users.list", { method: "POST", headers: { "X-Parlance-Client": "1", "Content-Type": "application/json" }, body: "{}" });
    return { users: ((await response.json()) as { members: { tz: string }[] }).members };
  });
  expect(users.map((it) => it.tz)).toContain(await owner.page.evaluate(() => new Intl.DateTimeFormat().resolvedOptions().timeZone));
  await owner.page.getByText("Nobody else is here yet.").waitFor();
  await owner.screenshot("first-run");
  await owner.page.getByRole("button", { name: "Invite people" }).click();
  await owner.accessible();
  await owner.screenshot("invite-dialog");
  await owner.page.getByRole("dialog").getByRole("button", { name: "Create link" }).click();
  invitation = await owner.page.locator("[data-invite]").inputValue();
  expect(invitation).toContain(`${server.proxy.url}/invite/`);
  await owner.page.keyboard.press("Escape");
  await guest.page.goto(invitation);
  await guest.page.getByRole("heading", { name: "Join Harbour Works" }).waitFor();
  await guest.page.getByText("Mara Okafor invited you.").waitFor();
  await guest.screenshot("invite");
  await guest.accessible();
  await guest.page.fill("[name=real_name]", "Ivo Lindqvist");
  await guest.page.fill("[name=email]", "ivo@example.com");
  await guest.page.fill("[name=password]", "short");
  await guest.page.fill("[name=password]", "battery staple");
  await guest.page.click("button[type=submit]");
  await guest.online();
  await guest.send("hello from the guest");
  await owner.message("hello from the guest").waitFor();
  await owner.page.locator(".author", { hasText: "Ivo Lindqvist" }).first().waitFor();
  expect(await owner.page.getByText("Nobody else is here yet.").count()).toBe(0);
  // Who cannot invite anybody is not asked to.
  expect(await guest.page.getByRole("button", { name: "Invite people" }).count()).toBe(0);
});

test("a channel is created, found and joined; a DM begins", async () => {
  await owner.page.getByRole("button", { name: "Create a channel" }).click();
  await owner.page.getByRole("dialog").getByLabel("Name").fill("Berth Plans");
  await owner.page.getByRole("dialog").getByRole("button", { name: "Create", exact: true }).click();
  await owner.page.getByRole("heading", { name: "berth-plans", level: 1 }).waitFor();
  await owner.send("first in here");
  await owner.message("first in here").waitFor();
  await guest.page.getByRole("link", { name: "Browse channels" }).click();
  await guest.page.getByRole("button", { name: "Join #berth-plans" }).click();
  await guest.message("first in here").waitFor();
  await guest.send("found it");
  await owner.message("found it").waitFor();
  await owner.page.getByRole("button", { name: "Ivo Lindqvist" }).first().click();
  await owner.page.getByRole("button", { name: "Message Ivo Lindqvist" }).click();
  await owner.page.getByRole("heading", { name: "Ivo Lindqvist", level: 1 }).waitFor();
  await owner.send("only for you");
  const entry = guest.page.locator(".entry", { hasText: "Mara Okafor" });
  await entry.locator(".dot, .mentions").waitFor();
  await entry.click();
  await guest.message("only for you").waitFor();
});

test("a wrong password is refused, and a used-up or unknown invitation says what to do", async () => {
  const stranger = await Device.open(browser, server, "stranger");
  await stranger.goto("/signin");
  await stranger.page.fill("[name=email]", "mara@example.com");
  await stranger.page.fill("[name=password]", "wrong password");
  await stranger.page.click("button[type=submit]");
  await stranger.page.getByRole("alert").getByText("E-mail and password do not match.").waitFor();
  await stranger.goto("/invite/not-a-code");
  await stranger.page.getByRole("heading", { name: "This invitation does not work any more" }).waitFor();
  await stranger.close();
});

test("signing out everywhere ends the other devices too", async () => {
  const second = await Device.open(browser, server, "owner-phone", { viewport: { width: 390, height: 780 } });
  await second.signIn({ id: "", name: "", token: "", email: "mara@example.com", password: "correct horse" });
  await owner.area().fill("a draft that nobody else should find");
  await owner.page.getByRole("button", { name: "Account and workspace" }).click();
  await owner.page.getByRole("menuitem", { name: "Sign out everywhere" }).click();
  await owner.page.waitForURL("**/signin");
  expect(await owner.page.evaluate(() => Object.keys(localStorage))).toEqual([]);
  await second.page.waitForURL("**/signin");
  await second.page.getByText("You were signed out.").waitFor();
  await guest.online();
  await second.close();
});
