/**
 * A rich text as mrkdwn, character by character as the server writes it (`crates/wire/src/mrkdwn`): the
 * text of a message is the same whoever makes it.
 */
import { escape } from "../text/mrkdwn";
import { INDENT_MAX } from "./lines";
import type { RichElement, RichText, Span, Style } from "./lines";

/** The text of a block. */
export function mrkdwnOf(block: RichText): string {
  let out = "";
  block.elements.forEach((element, at) => {
    const list = element.type === "rich_text_list" || block.elements[at - 1]?.type === "rich_text_list";
    // A list that stands beside a line break needs no other one.
    if (at > 0 && !(list && (out.endsWith("\n") || beginsWithBreak(element)))) out += "\n";
    out += part(element);
  });
  return out;
}

function beginsWithBreak(element: RichElement): boolean {
  const first = element.type === "rich_text_section" ? nodes(element.elements)[0] : undefined;
  return first?.kind === "span" && first.span.type === "text" && !first.span.style?.code && first.span.text.startsWith("\n");
}

function part(element: RichElement): string {
  switch (element.type) {
    case "rich_text_section":
      return inline(element.elements);
    case "rich_text_quote":
      return `> ${inline(element.elements).replaceAll("\n", "\n> ")}`;
    case "rich_text_preformatted":
      return `\`\`\`\n${escape(element.elements.map((span) => (span.type === "text" ? span.text : span.type === "link" ? (span.text ?? span.url) : "")).join(""))}\n\`\`\``;
    case "rich_text_list": {
      const margin = "    ".repeat(Math.min(element.indent, INDENT_MAX));
      const first = (element.offset ?? 0) + 1;
      return element.elements.map((item, i) => `${margin}${element.style === "ordered" ? `${first + i}. ` : "• "}${inline(item.elements)}`).join("\n");
    }
  }
}

function inline(spans: readonly Span[]): string {
  return nodes(spans).map(written).join("");
}

const MARKS = [
  ["bold", "*"],
  ["italic", "_"],
  ["strike", "~"],
] as const;

type Node = { kind: "span"; span: Span } | { kind: "mark"; mark: string; inside: Node[] };

/** What has a style in common with its neighbours has one mark with them. */
function nodes(spans: readonly Span[]): Node[] {
  const out: Node[] = [];
  for (let at = 0; at < spans.length; ) {
    const reach = MARKS.map(([style]) => {
      let end = at;
      while (end < spans.length && spans[end]!.style?.[style]) end++;
      return end - at;
    });
    const longest = Math.max(...reach);
    if (longest === 0) {
      out.push({ kind: "span", span: spans[at]! });
      at++;
      continue;
    }
    const [style, mark] = MARKS[reach.indexOf(longest)]!;
    out.push({ kind: "mark", mark, inside: nodes(spans.slice(at, at + longest).map((span) => without(span, style))) });
    at += longest;
  }
  return out;
}

function without(span: Span, name: keyof Style): Span {
  const { [name]: _, ...style } = span.style ?? {};
  return { ...span, style };
}

function written(node: Node): string {
  if (node.kind === "mark") return `${node.mark}${node.inside.map(written).join("")}${node.mark}`;
  const { span } = node;
  switch (span.type) {
    case "text":
      return span.style?.code ? `\`${escape(span.text)}\`` : escape(span.text);
    case "link":
      return entity("", span.url, span.text || undefined);
    case "user":
      return entity("@", span.user_id);
    case "channel":
      return entity("#", span.channel_id);
    case "usergroup":
      return entity("!subteam^", span.usergroup_id);
    case "broadcast":
      return entity("!", span.range);
    case "emoji":
      return span.skin_tone === undefined ? `:${span.name}:` : `:${span.name}::skin-tone-${span.skin_tone}:`;
    case "date":
      return entity("!date^", `${span.timestamp}^${span.format}${span.url === undefined ? "" : `^${span.url}`}`, span.fallback ?? "");
    case "color":
      return escape(span.value);
    case "team":
      return "";
  }
}

function entity(sign: string, target: string, label?: string): string {
  return `<${sign}${escape(target)}${label === undefined ? "" : `|${escape(label)}`}>`;
}
