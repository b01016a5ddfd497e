import fc from "fast-check";
import { expect, test } from "vitest";
import { messageLink, parseRoute, pathOf } from "./route";

test("a message's address has Slack's form, and leads back to it", () => {
  expect(messageLink("https://chat.example", "C1", "1712345678.000200", undefined)).toBe("https://chat.example/archives/C1/p1712345678000200");
  expect(messageLink("https://chat.example", "C1", "1712345678.000200", "1712345678.000200")).toBe("https://chat.example/archives/C1/p1712345678000200");
  expect(messageLink("", "C1", "1712345678.000200", "1712345600.000000")).toBe("/archives/C1/p1712345678000200?thread_ts=1712345600.000000&cid=C1");
});

test("every route of a conversation comes back from its address", () => {
  const ts = fc.tuple(fc.integer({ min: 1, max: 9_999_999_999 }), fc.integer({ min: 0, max: 999_999 })).map(([s, us]) => `${s}.${String(us).padStart(6, "0")}`);
  const optional = fc.option(ts, { nil: undefined });
  fc.assert(
    fc.property(optional, optional, (thread, at) => {
      const route = { name: "channel" as const, channel: "C1", ...(thread === undefined ? {} : { thread }), ...(at === undefined ? {} : { at }) };
      const { pathname, search } = new URL(pathOf(route), "http://x");
      expect(parseRoute(pathname, search)).toEqual(route);
    }),
  );
});

test("an address of a message that makes no sense leads to the channel", () => {
  expect(parseRoute("/archives/C1/p12")).toEqual({ name: "channel", channel: "C1" });
  expect(parseRoute("/archives/C1/p1712345678000200", "?thread_ts=evil")).toEqual({ name: "channel", channel: "C1", at: "1712345678.000200" });
  expect(parseRoute("/archives")).toEqual({ name: "home" });
});

test("no address makes reading it fail", () => {
  expect(parseRoute("/c/%E0%A4%A")).toEqual({ name: "channel", channel: "%E0%A4%A" });
  fc.assert(fc.property(fc.string(), fc.string(), (path, search) => typeof parseRoute(`/${path}`, search).name === "string"));
});
