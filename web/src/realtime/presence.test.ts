import { expect, test } from "vitest";
import { PresenceWatch, WATCHED_MAX } from "./presence";
import { FakeWorld } from "./testing";

test("who is shown is watched, told together, and as long as anything shows them", async () => {
  const world = new FakeWorld();
  const sent: string[][] = [];
  const watch = new PresenceWatch(world, (users) => sent.push(users));
  const first = watch.watch("U1");
  const again = watch.watch("U1");
  const other = watch.watch("U2");
  await world.pass(1_000);
  expect(sent).toEqual([["U1", "U2"]]);
  first();
  first();
  await world.pass(1_000);
  expect(sent.length).toBe(1);
  again();
  other();
  await world.pass(1_000);
  expect(sent.slice(1)).toEqual([[]]);
});

test("of more people than the server takes those who were shown last are watched", async () => {
  const world = new FakeWorld();
  const sent: string[][] = [];
  const watch = new PresenceWatch(world, (users) => sent.push(users));
  for (let i = 0; i < WATCHED_MAX + 2; i++) watch.watch(`U${i}`);
  await world.pass(1_000);
  expect(sent[0]!.length).toBe(WATCHED_MAX);
  expect([sent[0]![0], sent[0]!.at(-1)]).toEqual(["U2", `U${WATCHED_MAX + 1}`]);
});
