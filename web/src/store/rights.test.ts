import { expect, test } from "vitest";
import type { Channel, Team, User } from "../wire/types";
import { may, rightsOf } from "./rights";

const owner: User = { id: "U0", name: "olu", is_admin: true, is_owner: true };
const admin: User = { id: "U1", name: "mara", is_admin: true };
const member: User = { id: "U2", name: "ivo" };
const open: Channel = { id: "C1", creator: "U2" };
const team = (prefs: Record<string, unknown>): Team => ({ id: "T1", name: "Harbour", prefs });
const allowed = (channel: Channel, self: User, prefs: Record<string, unknown> = {}) =>
  Object.entries(rightsOf(channel, self, team(prefs)))
    .filter(([, yes]) => yes)
    .map(([name]) => name);

test("who may do what with a channel", () => {
  expect(allowed(open, admin)).toEqual(["rename", "convert", "archive", "leave", "kick"]);
  expect(allowed(open, member)).toEqual(["rename", "archive", "leave", "kick"]);
  expect(allowed({ ...open, creator: "U1" }, member)).toEqual(["archive", "leave"]);
  expect(allowed({ ...open, creator: "U1", is_private: true }, member)).toEqual(["archive", "leave", "kick"]);
  expect(allowed({ ...open, is_general: true }, admin)).toEqual(["rename"]);
  expect(allowed({ ...open, is_general: true }, member)).toEqual([]);
  expect(allowed({ ...open, is_archived: true }, admin)).toEqual(["archive"]);
});

test("what a workspace decides holds", () => {
  const strict = { who_can_archive_channels: "owner", who_can_kick_groups: "admin" };
  expect(allowed({ ...open, creator: "U1", is_private: true }, member, strict)).toEqual(["leave"]);
  expect(allowed({ ...open, creator: "U9", is_private: true }, admin, strict)).toEqual(["rename", "convert", "leave", "kick"]);
  expect(allowed(open, owner, strict)).toContain("archive");
  expect(may(team({}), member, "who_can_invite")).toBe(false);
  expect(may(team({ who_can_invite: "regular" }), member, "who_can_invite")).toBe(true);
  expect(may(team({ who_can_invite: "a word of tomorrow" }), admin, "who_can_invite")).toBe(false);
  expect(may(undefined, admin, "who_can_invite")).toBe(true);
});
