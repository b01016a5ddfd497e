import fc from "fast-check";
import { expect, test } from "vitest";
import { readAttachments } from "./attachments";
import { blocksText, readBlocks } from "./blocks";
import { parseMarkdown } from "./markdown";
import { plainText } from "./mrkdwn";
import type { Block, Inline } from "./mrkdwn";
import { readRichText } from "./richText";

const names = { user: (id: string) => `person ${id}`, channel: (id: string) => `channel ${id}` };
const section = (...elements: object[]) => ({ type: "rich_text_section", elements });
const rich = (...elements: object[]) => ({ type: "rich_text", elements });

/** Every address in a tree, wherever it is. */
function addresses(tree: unknown): string[] {
  if (Array.isArray(tree)) return tree.flatMap(addresses);
  if (typeof tree !== "object" || tree === null) return [];
  return Object.entries(tree).flatMap(([key, value]) => (/url$/i.test(key) && typeof value === "string" && value !== "" ? [value] : addresses(value)));
}

test("a rich text keeps its lines, styles, lists and code", () => {
  const tree = readRichText(
    rich(
      section({ type: "text", text: "Hi " }, { type: "text", text: "bold", style: { bold: true, italic: true } }, { type: "text", text: "\nx = 1\n", style: { code: false } }),
      { type: "rich_text_list", style: "ordered", indent: 1, offset: 2, elements: [section({ type: "user", user_id: "U1" }), section({ type: "emoji", name: "wave", skin_tone: 3 })] },
      { type: "rich_text_quote", elements: [{ type: "channel", channel_id: "C1" }] },
      { type: "rich_text_preformatted", language: "rust", elements: [{ type: "text", text: "fn a() {}\n" }] },
    ),
  );
  expect(tree).toEqual([
    {
      type: "paragraph",
      children: [{ type: "text", text: "Hi " }, { type: "bold", children: [{ type: "italic", children: [{ type: "text", text: "bold" }] }] }, { type: "break" }, { type: "text", text: "x = 1" }],
    },
    { type: "list", ordered: true, indent: 1, offset: 2, items: [[{ type: "user", id: "U1" }], [{ type: "emoji", name: "wave::skin-tone-3" }]] },
    { type: "quote", children: [{ type: "channel", id: "C1" }] },
    { type: "pre", text: "fn a() {}", language: "rust" },
  ]);
});

test("addresses that could do harm are words", () => {
  const evil = "javascript:alert(1)";
  const blocks = readBlocks([
    rich(section({ type: "link", url: evil, text: "click" }, { type: "date", timestamp: 1, format: "{time}", url: evil, fallback: "x" })),
    { type: "actions", elements: [{ type: "button", url: evil, text: { type: "plain_text", text: "press" } }] },
    { type: "image", image_url: "data:image/svg+xml,<svg onload=alert(1)>", alt_text: "svg" },
    { type: "video", title: { type: "plain_text", text: "film" }, title_url: evil, video_url: evil, thumbnail_url: evil, alt_text: "x" },
    { type: "section", text: { type: "mrkdwn", text: `<${evil}|link>` } },
  ]);
  const attachments = readAttachments([{ title: "t", title_link: evil, author_name: "a", author_link: evil, image_url: evil, thumb_url: "data:text/html,x", color: "red;background:url(x)", text: "y" }]);
  expect([addresses(blocks), addresses(attachments), attachments[0]!.color]).toEqual([[], [], undefined]);
  expect(blocksText(blocks, names)).toContain("click");
  expect(addresses(parseMarkdown(`[a](${evil}) ![b](data:image/svg+xml,x) <${evil}> [c](https://c.example)`))).toEqual(["https://c.example"]);
});

test("what only looks like an address or a text is nothing", () => {
  expect(readBlocks([{ type: "image", image_url: "https://[", alt_text: "x" }, { type: "image", image_url: "/\\evil.example/x", alt_text: "x" }])).toEqual([]);
  const odd = { toString: 1, valueOf: 2 };
  expect(readAttachments([{ text: odd, title: odd, fields: [{ title: odd, value: odd }, { value: 7 }], color: "constructor", author_name: "a" }])[0]).toMatchObject({ author: "a", fields: [{ value: [] }, { value: [{ type: "paragraph" }] }] });
  expect(readBlocks([{ type: "alert", level: "__proto__", text: "x" }])[0]).toMatchObject({ level: "default" });
});

test("a block of an unknown type shows nothing, and tells so by being missing", () => {
  expect(readBlocks([{ type: "hologram" }, { type: "divider" }, null, 7, "x"])).toEqual([{ type: "divider" }]);
});

test("an attachment with nothing but a fallback shows it", () => {
  expect(plainText(readAttachments([{ fallback: "all that is known" }])[0]!.text, names)).toBe("all that is known");
  expect(readAttachments([{}, null, "x"])).toEqual([]);
});

test("markdown becomes the same tree", () => {
  const source = "# Head\n\n**bold** and *it* `code` <@U1>\n\n- one\n  1. deep\n- [x] done\n\n| a | b |\n|:-:|--:|\n| 1 | 2 |\n\n> said\n\n```js\nlet x\n```\n\n<b onclick=alert(1)>html</b>";
  const tree = parseMarkdown(source);
  expect(tree.map((block) => (block.type === "list" ? `list ${block.indent} ${block.ordered}` : block.type))).toEqual(["heading", "paragraph", "list 0 false", "list 1 true", "list 0 false", "table", "quote", "pre", "paragraph"]);
  expect(plainText(tree, names)).toBe("Head bold and it code @person U1 one deep ☑ done a b 1 2 said let x <b onclick=alert(1)>html</b>");
});

// --- Whatever comes --------------------------------------------------------------------------------

const word = fc.stringMatching(/^[a-z]{3,9}$/);
const TYPES = ["rich_text", "section", "header", "context", "divider", "image", "actions", "input", "video", "table", "alert", "card", "carousel", "container", "file", "call", "plan", "task_card", "markdown", "button", "checkboxes", "overflow", "plain_text", "mrkdwn", "rich_text_list", "rich_text_section", "rich_text_preformatted", "text", "link", "date", "emoji"];
const KEYS = ["type", "text", "elements", "fields", "accessory", "title", "image_url", "alt_text", "rows", "url", "options", "label", "element", "child_blocks", "style", "indent", "offset", "timestamp", "format", "column_settings", "actions", "value", "blocks", "attachments", "ts", "color", "level", "toString", "__proto__"];
/** Something that looks like Block Kit as if by accident. */
const { anything } = fc.letrec<{ anything: unknown }>((tie) => ({
  anything: fc.oneof(
    { maxDepth: 6 },
    fc.constantFrom<unknown>(...TYPES, null, true, 0, -1, 1e300, "https://a.example/x", "https://[", "constructor", "javascript:alert(1)", "*b* <!date^1^{x}|y>", "mrkdwn"),
    fc.array(tie("anything"), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...KEYS), tie("anything"), { maxKeys: 6 }),
    fc.record({ type: fc.constantFrom(...TYPES), elements: fc.array(tie("anything"), { maxLength: 3 }), text: tie("anything") }),
  ),
}));

test("nothing that comes makes reading fail, and only safe addresses get out", () => {
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 5 }), (value) => {
      const blocks = readBlocks(value);
      const attachments = readAttachments(value);
      blocksText(blocks, names);
      for (const address of addresses([blocks, attachments])) expect(address).toMatch(/^(https?:\/\/|mailto:|\/[^/])/i);
    }),
    { numRuns: 3000 },
  );
});

test("what blocks say comes out as words", () => {
  const plain = (text: string) => ({ type: "plain_text", text });
  const mrkdwn = (text: string) => ({ type: "mrkdwn", text: `*${text}*` });
  const shapes: ((text: string) => object)[] = [
    (it) => rich(section({ type: "text", text: it, style: { bold: true } })),
    (it) => rich({ type: "rich_text_list", style: "bullet", elements: [section({ type: "link", url: "https://a.example", text: it })] }),
    (it) => rich({ type: "rich_text_preformatted", elements: [{ type: "text", text: it }] }),
    (it) => ({ type: "section", text: mrkdwn(it) }),
    (it) => ({ type: "section", fields: [plain(it)], accessory: { type: "overflow", options: [] } }),
    (it) => ({ type: "header", text: plain(it) }),
    (it) => ({ type: "context", elements: [mrkdwn(it)] }),
    (it) => ({ type: "image", image_url: "https://a.example/a.png", alt_text: it }),
    (it) => ({ type: "actions", elements: [{ type: "button", text: plain(it) }] }),
    (it) => ({ type: "input", label: plain(it), element: { type: "plain_text_input" } }),
    (it) => ({ type: "video", title: plain(it), video_url: "https://a.example", thumbnail_url: "https://a.example/t.png", alt_text: "x" }),
    (it) => ({ type: "table", rows: [[{ type: "raw_text", text: it }, rich(section({ type: "text", text: "x" }))]] }),
    (it) => ({ type: "alert", text: mrkdwn(it) }),
    (it) => ({ type: "card", body: plain(it) }),
    (it) => ({ type: "carousel", elements: [{ type: "card", title: plain(it) }] }),
    (it) => ({ type: "container", child_blocks: [{ type: "section", text: plain(it) }] }),
    (it) => ({ type: "markdown", text: `**${it}**` }),
    (it) => ({ type: "plan", title: "x", tasks: [{ type: "task_card", title: it }] }),
  ];
  fc.assert(
    fc.property(fc.array(fc.tuple(word, fc.nat(shapes.length - 1)), { maxLength: 8 }), (parts) => {
      const text = blocksText(readBlocks(parts.map(([it, shape]) => shapes[shape]!(it))), names);
      for (const [it] of parts) expect(text).toContain(it);
    }),
    { numRuns: 1000 },
  );
});

test("markdown keeps every word and never fails", () => {
  const piece = fc.oneof(word, fc.constantFrom("# ", "**", "*", "_", "`", "```\n", "> ", "- ", "1. ", "| ", "|-|-|\n", "[", "](https://a.example)", "](javascript:x)", "<b>", "&amp;", "\n", "\n\n", "    ", "~~", "<!--"));
  const links = (nodes: readonly Inline[]): string[] => nodes.flatMap((node) => (node.type === "link" ? [node.url] : "children" in node ? links(node.children) : []));
  const all = (block: Block): Inline[] => ("children" in block ? block.children : block.type === "list" ? block.items.flat() : block.type === "table" ? block.rows.flat(2) : []);
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const tree = parseMarkdown(pieces.join(""));
      for (const url of links(tree.flatMap(all))) expect(url).toMatch(/^(https?:\/\/|mailto:)/);
    }),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), fc.constantFrom("# ", "- ", "> ", "**", "1. ", ""), (some, mark) => {
      const text = plainText(parseMarkdown(some.map((it) => `${mark}${it}${mark === "**" ? mark : ""}`).join("\n\n")), names);
      for (const it of some) expect(text).toContain(it);
    }),
  );
});
