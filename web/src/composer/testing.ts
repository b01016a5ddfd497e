/** Arbitrary lines, as the editor can hold them. */
import fc from "fast-check";
import { INDENT_MAX, merged, numberItems } from "./lines";
import type { Line, Span, Style } from "./lines";

const words = fc.oneof(
  { weight: 4, arbitrary: fc.stringMatching(/^[a-z ]{1,8}$/) },
  fc.constantFrom("*", "_", "~x~", "`", "> ", "- ", "1. ", "&amp;", "<b>", "@ann", "a*b", "\\", "•", "ä€😀", "https://x.org/a?b=1&c"),
);

const style: fc.Arbitrary<Style | undefined> = fc.record({ bold: fc.boolean(), italic: fc.boolean(), strike: fc.boolean() }).map((on) => {
  const names = (["bold", "italic", "strike"] as const).filter((name) => on[name]);
  return names.length === 0 ? undefined : (Object.fromEntries(names.map((name) => [name, true])) as Style);
});

const bare: fc.Arbitrary<Span> = fc.oneof(
  { weight: 6, arbitrary: words.map((text): Span => ({ type: "text", text })) },
  { weight: 2, arbitrary: words.map((text): Span => ({ type: "text", text, style: { code: true } })) },
  fc.constantFrom<Span>(
    { type: "link", url: "https://x.org" },
    { type: "link", url: "https://x.org/?a=1&b=<>", text: "see *this*" },
    { type: "user", user_id: "U1" },
    { type: "channel", channel_id: "C1" },
    { type: "broadcast", range: "here" },
    { type: "emoji", name: "wave" },
    { type: "emoji", name: "wave", skin_tone: 3 },
    { type: "usergroup", usergroup_id: "S1" },
    { type: "date", timestamp: 1, format: "{date}", fallback: "then" },
    { type: "color", value: "#c0ffee" },
  ),
);

const span = fc.tuple(bare, style).map(([it, on]): Span => (on === undefined ? it : { ...it, style: { ...on, ...it.style } }));
const spans = fc.array(span, { maxLength: 5 }).map(joinLinks);

/** Links to one address that stand side by side in one style are one link. */
function joinLinks(list: Span[]): Span[] {
  return merged(list.filter((it, i) => !(it.type === "link" && list[i - 1]?.type === "link")));
}

const itemSpans = fc.array(fc.oneof({ weight: 5, arbitrary: span }, fc.constant<Span>({ type: "text", text: "\n" })), { maxLength: 4 }).map(joinLinks);

const line: fc.Arbitrary<Line> = fc.oneof(
  { weight: 3, arbitrary: spans.map((it): Line => ({ kind: "text", spans: it })) },
  spans.map((it): Line => ({ kind: "quote", spans: it })),
  {
    weight: 3,
    arbitrary: fc
      .record({ ordered: fc.boolean(), indent: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 2 }) }, fc.integer({ min: 0, max: INDENT_MAX })), offset: fc.constantFrom(0, 0, 0, 4), spans: itemSpans })
      .map((it): Line => ({ kind: "item", ...it, offset: it.ordered ? it.offset : 0 })),
  },
  fc.array(words, { maxLength: 4 }).map((it): Line => ({ kind: "code", text: it.join("\n") })),
);

/** Lines without offsets that say nothing. */
export const anyLines: fc.Arbitrary<Line[]> = fc.array(line, { minLength: 1, maxLength: 8 }).map((lines) => {
  const numbers = numberItems(lines);
  return lines.map((it, i) => (it.kind === "item" && it.ordered && numbers[i] !== it.offset + 1 ? { ...it, offset: 0 } : it)).map((it, i, all) => (it.kind === "item" && it.offset > 0 && numberItems(all.with(i, { ...it, offset: 0 }))[i] === it.offset + 1 ? { ...it, offset: 0 } : it));
});
