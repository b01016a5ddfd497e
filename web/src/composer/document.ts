/** Between the editor's document and lines. */
import { Fragment } from "prosemirror-model";
import type { Mark, Node } from "prosemirror-model";
import { merged } from "./lines";
import type { Line, Span, Style } from "./lines";
import { schema } from "./schema";
import type { StyleName } from "./schema";

const { nodes, marks } = schema;
const STYLES: readonly StyleName[] = ["bold", "italic", "strike", "code"];

/** The document of some lines; without lines an empty one. */
export function documentOf(lines: readonly Line[]): Node {
  return nodes.doc.create(null, lines.length === 0 ? nodes.paragraph.create() : fragmentOf(lines));
}

export function fragmentOf(lines: readonly Line[]): Fragment {
  return Fragment.from(lines.map(nodeOf));
}

function nodeOf(line: Line): Node {
  switch (line.kind) {
    case "code":
      return nodes.code_block.create({ language: line.language ?? null }, line.text === "" ? null : schema.text(line.text));
    case "item":
      return nodes.list_item.create({ ordered: line.ordered, indent: line.indent, offset: line.offset }, line.spans.flatMap(inlineOf));
    case "quote":
      return nodes.quote.create(null, line.spans.flatMap(inlineOf));
    case "text":
      return nodes.paragraph.create(null, line.spans.flatMap(inlineOf));
  }
}

/** A span as nodes of a line. */
export function inlineOf(span: Span): Node[] {
  const on = STYLES.filter((name) => span.style?.[name]).map((name) => marks[name].create());
  const atom = on.filter((mark) => mark.type !== marks.code);
  switch (span.type) {
    case "text":
      return span.text.split("\n").flatMap((text, i) => [...(i > 0 ? [nodes.hard_break.create()] : []), ...(text === "" ? [] : [schema.text(text, on)])]);
    case "link":
      return [schema.text(span.text || span.url, [...atom, marks.link.create({ href: span.url })])];
    case "user":
      return [nodes.user.create({ id: span.user_id }, null, atom)];
    case "channel":
      return [nodes.channel.create({ id: span.channel_id }, null, atom)];
    case "broadcast":
      return [nodes.broadcast.create({ id: span.range }, null, atom)];
    case "emoji":
      return [nodes.emoji.create({ name: span.name, tone: span.skin_tone ?? null }, null, atom)];
    default: {
      const { style: _, ...bare } = span;
      return [nodes.kept.create({ span: bare, text: keptText(span) }, null, atom)];
    }
  }
}

function keptText(span: Span): string {
  switch (span.type) {
    case "date":
      return span.fallback ?? new Date(span.timestamp * 1000).toLocaleString();
    case "color":
      return span.value;
    case "usergroup":
      return `@${span.usergroup_id}`;
    default:
      return `@${span.type}`;
  }
}

/** The lines of a document. */
export function linesOfDocument(doc: Node): Line[] {
  const lines: Line[] = [];
  doc.forEach((node) => {
    const { type } = node;
    if (type === nodes.code_block) {
      const language = node.attrs["language"] as string | null;
      lines.push({ kind: "code", text: node.textContent, ...(language === null ? {} : { language }) });
      return;
    }
    const spans = spansOf(node);
    if (type === nodes.list_item) {
      const { ordered, indent, offset } = node.attrs as { ordered: boolean; indent: number; offset: number };
      lines.push({ kind: "item", ordered, indent, offset, spans });
      return;
    }
    // A line break in a line makes two of it: only items have some inside.
    for (const part of splitAtBreaks(spans)) lines.push({ kind: type === nodes.quote ? "quote" : "text", spans: part });
  });
  return lines;
}

function splitAtBreaks(spans: readonly Span[]): Span[][] {
  const parts: Span[][] = [[]];
  for (const span of spans) {
    if (span.type !== "text" || !span.text.includes("\n")) parts[parts.length - 1]!.push(span);
    else
      span.text.split("\n").forEach((text, i) => {
        if (i > 0) parts.push([]);
        parts[parts.length - 1]!.push({ ...span, text });
      });
  }
  return parts.map(merged);
}

function spansOf(line: Node): Span[] {
  const spans: Span[] = [];
  line.forEach((node) => {
    const span = bareSpan(node);
    const style = styleOf(node.marks, node.isText);
    const next = style === undefined ? span : { ...span, style };
    spans.push(next);
  });
  return merged(spans);
}

function bareSpan(node: Node): Span {
  const { id } = node.attrs as { id: string };
  switch (node.type) {
    case nodes.hard_break:
      return { type: "text", text: "\n" };
    case nodes.user:
      return { type: "user", user_id: id };
    case nodes.channel:
      return { type: "channel", channel_id: id };
    case nodes.broadcast:
      return { type: "broadcast", range: id };
    case nodes.emoji: {
      const { name, tone } = node.attrs as { name: string; tone: number | null };
      return { type: "emoji", name, ...(tone === null ? {} : { skin_tone: tone }) };
    }
    case nodes.kept:
      return node.attrs["span"] as Span;
  }
  const text = node.text ?? "";
  const href = node.marks.find((mark) => mark.type === marks.link)?.attrs["href"] as string | undefined;
  if (href === undefined) return { type: "text", text };
  return text === href ? { type: "link", url: href } : { type: "link", url: href, text };
}

function styleOf(list: readonly Mark[], isText: boolean): Style | undefined {
  const names = STYLES.filter((name) => (isText || name !== "code") && list.some((mark) => mark.type === marks[name]));
  return names.length === 0 ? undefined : (Object.fromEntries(names.map((name) => [name, true])) as Style);
}
