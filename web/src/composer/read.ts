/** A message's text as lines: for messages that have no rich text, and for what was typed without an editor. */
import { parseMrkdwn } from "../text/mrkdwn";
import type { Inline } from "../text/mrkdwn";
import { merged, splitLines } from "./lines";
import type { Line, Span, Style } from "./lines";

/** Reads mrkdwn. */
export function linesOfMrkdwn(text: string): Line[] {
  return parseMrkdwn(text).flatMap((block): Line[] => {
    if (block.type === "pre") return [{ kind: "code", text: block.text }];
    if (block.type !== "paragraph" && block.type !== "quote") return [];
    const kind = block.type === "quote" ? "quote" : "text";
    return splitLines(block.children.flatMap((node) => spansOf(node, {}))).map((spans) => ({ kind, spans }));
  });
}

/** Lines of characters, as they are. */
export function linesOfPlain(text: string): Line[] {
  return text.replaceAll(/\r\n?/g, "\n").split("\n").map((line) => ({ kind: "text", spans: merged([{ type: "text", text: line }]) }));
}

function spansOf(node: Inline, style: Style): Span[] {
  const styled = <T extends Span>(span: T): Span[] => [Object.keys(style).length > 0 ? { ...span, style } : span];
  switch (node.type) {
    case "bold":
    case "italic":
    case "strike":
      return node.children.flatMap((child) => spansOf(child, { ...style, [node.type]: true }));
    case "text":
      return styled({ type: "text", text: node.text });
    case "code":
      return [{ type: "text", text: node.text, style: { ...style, code: true } }];
    case "break":
      return [{ type: "text", text: "\n" }];
    case "link":
      return styled(node.label === node.url ? { type: "link", url: node.url } : { type: "link", url: node.url, text: node.label });
    case "user":
      return styled({ type: "user", user_id: node.id });
    case "channel":
      return styled({ type: "channel", channel_id: node.id });
    case "broadcast":
      return styled({ type: "broadcast", range: node.name });
    case "emoji": {
      const [name, tone] = node.name.split("::skin-tone-") as [string, string?];
      return styled(tone === undefined ? { type: "emoji", name } : { type: "emoji", name, skin_tone: Number(tone) });
    }
  }
  return further(node as Further).flatMap((it) => ("span" in it ? styled(it.span) : spansOf(it.node, style)));
}

/** What a reader of mrkdwn may find besides: nobody writes it here, and it stays what it was. */
type Further =
  | { type: "group"; id: string }
  | { type: "date"; seconds: number; format: string; url?: string; fallback: string }
  | { type: "color"; value: string }
  | { type: "underline" | "highlight"; children: Inline[] };

function further(node: Further): ({ span: Span } | { node: Inline })[] {
  switch (node.type) {
    case "group":
      return [{ span: { type: "usergroup", usergroup_id: node.id } }];
    case "date":
      return [{ span: { type: "date", timestamp: node.seconds, format: node.format, ...(node.url === undefined ? {} : { url: node.url }), fallback: node.fallback } }];
    case "color":
      return [{ span: { type: "color", value: node.value } }];
    case "underline":
    case "highlight":
      return node.children.map((child) => ({ node: child }));
  }
}
