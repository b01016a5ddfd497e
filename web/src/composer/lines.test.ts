import fc from "fast-check";
import { expect, test } from "vitest";
import { contentOf, editOf, linesOfMessage, tooFormatted } from "./content";
import { finish } from "./finish";
import { isPlain, linesOf, numberItems, richTextOf, trimLines } from "./lines";
import type { Line, RichText, Span } from "./lines";
import { linesOfMrkdwn, linesOfPlain } from "./read";
import { anyLines } from "./testing";
import { mrkdwnOf } from "./write";

const text = (it: string, style?: Span["style"]): Span => (style ? { type: "text", text: it, style } : { type: "text", text: it });
const plain = (it: string): Line => ({ kind: "text", spans: it === "" ? [] : [text(it)] });
const item = (it: string, more: Partial<Extract<Line, { kind: "item" }>> = {}): Line => ({ kind: "item", ordered: false, indent: 0, offset: 0, spans: [text(it)], ...more });
const section = (...elements: Span[]) => ({ type: "rich_text_section" as const, elements });
const rich = (...elements: RichText["elements"]): RichText => ({ type: "rich_text", elements });

test("what is sent comes back as it was written", () => {
  fc.assert(
    fc.property(anyLines, (lines) => {
      expect(linesOf(richTextOf(lines))).toEqual(lines);
    }),
    { numRuns: 2_000 },
  );
});

test("a block that was read once stays itself", () => {
  fc.assert(
    fc.property(anyLines, (lines) => {
      const block = richTextOf(lines);
      expect(richTextOf(linesOf(block))).toEqual(block);
    }),
    { numRuns: 500 },
  );
});

// The same cases as in crates/wire/src/mrkdwn.rs; e2e/composer.test.ts compares arbitrary ones with the real server.
test("mrkdwn is written as the server writes it", () => {
  const bold = { bold: true } as const;
  const cases: [RichText, string][] = [
    [
      rich(
        section(text("hello "), text("bold", bold), text(" and "), { type: "user", user_id: "U1" }, { type: "emoji", name: "wave", skin_tone: 3 }, { type: "link", url: "https://x.org", text: "here" }),
        { type: "rich_text_list", style: "ordered", indent: 1, offset: 2, elements: [section(text("item"))] },
        { type: "rich_text_quote", elements: [text("a\nb")] },
        { type: "rich_text_preformatted", elements: [text("x < y")] },
      ),
      "hello *bold* and <@U1>:wave::skin-tone-3:<https://x.org|here>\n    3. item\n> a\n> b\n```\nx &lt; y\n```",
    ],
    [rich(section(text("a ", bold), text("b", { bold: true, italic: true }), text(" c ", bold), { type: "link", url: "https://x.org", text: "d", style: bold }, text("e", { bold: true, code: true }))), "*a _b_ c <https://x.org|d>`e`*"],
    [rich(section(text("intro\n")), { type: "rich_text_list", style: "bullet", indent: 0, elements: [section(text("i"))] }, section(text("\nend"))), "intro\n• i\nend"],
  ];
  for (const [block, expected] of cases) expect(mrkdwnOf(block)).toBe(expected);
});

test("items are numbered as they are read: deeper ones do not interrupt", () => {
  const one = { ordered: true };
  const lines = [item("a", one), item("b", { ordered: true, indent: 1 }), item("c", { ordered: true, indent: 1 }), item("d", one), item("e"), item("f", one), plain("x"), item("g", { ordered: true, offset: 4 }), item("h", one)];
  expect(numberItems(lines)).toEqual([1, 1, 2, 2, 0, 1, 0, 5, 6]);
  expect(mrkdwnOf(richTextOf(lines))).toBe("1. a\n    1. b\n    2. c\n2. d\n• e\n1. f\nx\n5. g\n6. h");
});

test("an empty line beside a list is neither lost nor doubled", () => {
  const lines = [plain("a"), plain(""), item("b"), plain(""), item("c"), plain(""), plain("d")];
  expect(mrkdwnOf(richTextOf(lines))).toBe("a\n\n• b\n\n• c\n\nd");
  expect(linesOf(richTextOf(lines))).toEqual(lines);
});

test("a plain text goes as a text only, and what looks like formatting does not", () => {
  for (const it of ["hello", "a\n\nb", "2*3*4", "snake_case", "a - b", "1. x", "- y", "half: done", "x < y & z"]) expect(contentOf(linesOfPlain(it)).blocks, it).toBeUndefined();
  for (const it of ["*a*", "(_b_)", "~c~", "a`b`", "> quote", ":tada:", "```x```"]) expect(contentOf(linesOfPlain(it)).blocks, it).toHaveLength(1);
  expect(contentOf([item("a")]).blocks).toHaveLength(1);
  expect(contentOf(linesOfPlain("a < b"))).toEqual({ text: "a &lt; b" });
});

const pieces = fc.array(fc.oneof({ weight: 5, arbitrary: fc.stringMatching(/^[a-z ]{1,6}$/) }, fc.constantFrom("*", "_", "~", "`", ">", "&", "<", "&gt;", ":a:", "\n", "\n", "- ", "(", "https://x.org", "@")), { maxLength: 12 });

test("what goes as a text only is read as what was written", () => {
  let plainOnes = 0;
  fc.assert(
    fc.property(pieces, (all) => {
      const lines = finish(trimLines(linesOfPlain(all.join(""))), { names: { users: [], channels: [] }, isEmoji: () => false });
      if (lines.length === 0 || !isPlain(lines)) return;
      plainOnes++;
      expect(linesOfMrkdwn(contentOf(lines).text)).toEqual(lines);
    }),
    { numRuns: 5_000 },
  );
  expect(plainOnes).toBeGreaterThan(500);
});

test("names, addresses and emoji that were typed out become what they mean, but not in code", () => {
  const meanings = { names: { users: [{ id: "U1", name: "Ann" }, { id: "U2", name: "Ann Lee" }], channels: [{ id: "C1", name: "general" }] }, isEmoji: (name: string) => name === "tada" };
  const [line] = finish([{ kind: "text", spans: [text("@Ann Lee, see https://x.org/a(b). #general :tada: :nope: a@Ann "), text("@Ann", { code: true }), text("@here", { bold: true })] }], meanings);
  expect(line).toEqual({
    kind: "text",
    spans: [
      { type: "user", user_id: "U2" },
      text(", see "),
      { type: "link", url: "https://x.org/a(b)" },
      text(". "),
      { type: "channel", channel_id: "C1" },
      text(" "),
      { type: "emoji", name: "tada" },
      text(" :nope: a@Ann "),
      text("@Ann", { code: true }),
      { type: "broadcast", range: "here", style: { bold: true } },
    ],
  });
});

test("an address is found behind something that only looks like one", () => {
  const [line] = finish([plain("ahttps://x.org*https://y.org and :x:tada:")], { names: { users: [], channels: [] }, isEmoji: (name) => name === "tada" });
  expect(line).toEqual({ kind: "text", spans: [text("ahttps://x.org*"), { type: "link", url: "https://y.org" }, text(" and :x:tada:")] });
});

test("an edit keeps the blocks that are not its text, and takes formatting away that went", () => {
  const block = { ...richTextOf([item("a")]), block_id: "b1" } as unknown as { type: string };
  const divider = { type: "divider" };
  expect(linesOfMessage({ text: "• a", blocks: [block] })).toEqual([item("a")]);
  expect(linesOfMessage({ text: "*a*" })).toEqual([{ kind: "text", spans: [text("a", { bold: true })] }]);
  expect(editOf({ blocks: [block] }, [plain("b")])).toEqual({ text: "b", blocks: [] });
  expect(editOf({}, [plain("b")])).toEqual({ text: "b" });
  expect(editOf({ blocks: [divider, block] }, [plain("b")])).toEqual({ text: "b", blocks: [divider, richTextOf([plain("b")])] });
  expect(editOf({ blocks: [divider] }, [plain("b")])).toEqual({ text: "b" });
});

test("more formatting than the server takes is noticed", () => {
  expect(tooFormatted(contentOf(Array.from({ length: 3_000 }, () => item("x"))))).toBe(true);
  expect(tooFormatted(contentOf(Array.from({ length: 200 }, () => item("x"))))).toBe(false);
});

test("empty lines and blanks around a message are not sent", () => {
  expect(trimLines([plain(""), plain(" "), plain("  a "), plain("")])).toEqual([plain("a")]);
  expect(trimLines([plain(""), item("")])).toEqual([]);
});
