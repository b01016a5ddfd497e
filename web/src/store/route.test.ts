import fc from "fast-check";
import { expect, test } from "vitest";
import { DETAILS, PLACES, parseRoute, pathOf } from "./route";
import type { Route } from "./route";

const id = fc.stringMatching(/^[A-Z0-9]{2,12}$/);
const ts = fc.stringMatching(/^\d{10}\.\d{6}$/);
const routes: fc.Arbitrary<Route> = fc.oneof(
  fc.constantFrom<Route>({ name: "home" }, { name: "signin" }, { name: "setup" }),
  fc.record({ name: fc.constant("invite" as const), code: fc.string({ minLength: 1 }) }),
  fc.record({ name: fc.constant("channel" as const), channel: id }),
  fc.record({ name: fc.constant("channel" as const), channel: id, thread: ts }),
  fc.record({ name: fc.constant("channel" as const), channel: id, details: fc.constantFrom(...DETAILS) }),
  fc.record({ name: fc.constant("channel" as const), channel: id, person: id }),
  fc.record({ name: fc.constant("place" as const), place: fc.constantFrom(...PLACES) }),
  fc.record({ name: fc.constant("place" as const), place: fc.constant("people" as const), person: id }),
);

test("every place has an address that leads back to it", () => {
  fc.assert(fc.property(routes, (route) => void expect(parseRoute(pathOf(route))).toEqual(route)));
});

test("whatever somebody types into the address leads somewhere", () => {
  fc.assert(fc.property(fc.string(), (path) => void expect(() => parseRoute(path)).not.toThrow()));
  expect(parseRoute("/%E0%A4%A")).toEqual({ name: "home" });
  expect(parseRoute("/c/C1/details/nonsense")).toEqual({ name: "channel", channel: "C1", details: "about" });
});
