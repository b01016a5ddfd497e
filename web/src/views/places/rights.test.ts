import { expect, test } from "vitest";
import type { Channel, User } from "../../wire/types";
import { rightsOf } from "./rights";

const admin: User = { id: "U1", name: "mara", is_admin: true };
const member: User = { id: "U2", name: "ivo" };
const open: Channel = { id: "C1", creator: "U2" };
const may = (channel: Channel, self: User) =>
  Object.entries(rightsOf(channel, self))
    .filter(([, allowed]) => allowed)
    .map(([name]) => name);

test("who may do what with a channel", () => {
  expect(may(open, admin)).toEqual(["rename", "convert", "archive", "leave", "kick"]);
  expect(may(open, member)).toEqual(["rename", "archive", "leave", "kick"]);
  expect(may({ ...open, creator: "U1" }, member)).toEqual(["archive", "leave"]);
  expect(may({ ...open, creator: "U1", is_private: true }, member)).toEqual(["archive", "leave", "kick"]);
  expect(may({ ...open, is_general: true }, admin)).toEqual(["rename"]);
  expect(may({ ...open, is_general: true }, member)).toEqual([]);
  expect(may({ ...open, is_archived: true }, admin)).toEqual(["archive"]);
});
