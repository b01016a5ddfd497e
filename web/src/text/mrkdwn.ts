/**
 * Slack's mrkdwn as a tree. It never fails and never makes HTML: what is not understood stays text,
 * and only `http`, `https` and `mailto` addresses become links.
 */

import { dateText } from "./date";

export type Inline =
  | { type: "text"; text: string }
  | { type: "bold" | "italic" | "strike" | "underline" | "highlight"; children: Inline[] }
  | { type: "code"; text: string }
  | { type: "link"; url: string; label: string }
  | { type: "user"; id: string; label?: string }
  | { type: "channel"; id: string; label?: string }
  | { type: "broadcast"; name: string }
  | { type: "group"; id: string; label?: string }
  | { type: "emoji"; name: string }
  | { type: "date"; seconds: number; format: string; url?: string; fallback: string }
  | { type: "color"; value: string }
  | { type: "break" };

export type Block =
  | { type: "paragraph" | "quote"; children: Inline[] }
  | { type: "heading"; level: number; children: Inline[] }
  | { type: "pre"; text: string; language?: string }
  /** `indent`: how deep, from 0. `offset`: numbers before the first item's. */
  | { type: "list"; ordered: boolean; indent: number; offset: number; items: Inline[][] }
  | { type: "table"; rows: Inline[][][]; align: Align[]; head: boolean }
  | { type: "rule" };

export type Align = "left" | "center" | "right";

/** Reads a message's text. */
export function parseMrkdwn(text: string): Block[] {
  const blocks: Block[] = [];
  // Fences first: nothing inside them means anything.
  const parts = text.split("```");
  parts.forEach((part, i) => {
    const closed = i < parts.length - 1;
    if (i % 2 === 1 && closed) blocks.push({ type: "pre", text: unescape(part.replace(/^\n/, "").replace(/\n$/, "")) });
    else parseLines(i % 2 === 1 ? `\`\`\`${part}` : part, blocks, i > 0, closed);
  });
  return blocks;
}

/** Whether a text is nothing but one to three emoji, which are shown large. */
export function onlyEmoji(blocks: readonly Block[]): boolean {
  const [first, ...rest] = blocks;
  if (first?.type !== "paragraph" || rest.length > 0) return false;
  const visible = first.children.filter((it) => it.type !== "text" || it.text.trim() !== "");
  return visible.length > 0 && visible.length <= 3 && visible.every((it) => it.type === "emoji" || (it.type === "text" && /^\p{Extended_Pictographic}\ufe0f?$/u.test(it.text.trim())));
}

function parseLines(text: string, blocks: Block[], afterFence: boolean, beforeFence: boolean): void {
  let body = text;
  if (afterFence) body = body.replace(/^\n/, "");
  if (beforeFence) body = body.replace(/\n$/, "");
  if (body === "") return;
  let kind: "paragraph" | "quote" | undefined;
  let lines: string[] = [];
  let rest = false;
  const flush = () => {
    if (kind !== undefined && (kind === "quote" || lines.some((line) => line.trim() !== "") || lines.length > 1)) {
      const children: Inline[] = [];
      lines.forEach((line, i) => {
        if (i > 0) children.push({ type: "break" });
        children.push(...parseInline(line));
      });
      blocks.push({ type: kind, children });
    }
    lines = [];
  };
  for (const line of body.split("\n")) {
    const all = /^(?:&gt;|>){3} ?/.exec(line);
    const one = /^(?:&gt;|>) ?/.exec(line);
    const next = rest || all || one ? "quote" : "paragraph";
    if (next !== kind) flush();
    kind = next;
    lines.push(rest ? line : all ? line.slice(all[0].length) : one ? line.slice(one[0].length) : line);
    if (all) rest = true;
  }
  flush();
}

const BARE_URL = /^https?:\/\/[^\s<>|*`]+/;
const EMOJI = /^:([a-z0-9_+'-]+(?:::skin-tone-[2-6])?):/;
const MARKS: Record<string, "bold" | "italic" | "strike"> = { "*": "bold", _: "italic", "~": "strike" };

/** One line. */
export function parseInline(line: string): Inline[] {
  const out: Inline[] = [];
  let plain = "";
  const flush = () => {
    if (plain !== "") out.push({ type: "text", text: unescape(plain) });
    plain = "";
  };
  let at = 0;
  while (at < line.length) {
    const found = tokenAt(line, at);
    if (found === undefined) {
      plain += line[at];
      at += 1;
    } else {
      flush();
      out.push(found.node);
      at = found.end;
    }
  }
  flush();
  return out;
}

function tokenAt(line: string, at: number): { node: Inline; end: number } | undefined {
  const char = line[at]!;
  if (char === "<") return angleAt(line, at);
  if (char === "`") {
    const end = line.indexOf("`", at + 1);
    return end > at + 1 ? { node: { type: "code", text: unescape(line.slice(at + 1, end)) }, end: end + 1 } : undefined;
  }
  if (char === ":") {
    const match = EMOJI.exec(line.slice(at, at + 100));
    return match && !isWord(line[at - 1]) ? { node: { type: "emoji", name: match[1]! }, end: at + match[0].length } : undefined;
  }
  if (char === "h" && !isWord(line[at - 1])) {
    const match = BARE_URL.exec(line.slice(at, at + 4000));
    if (!match) return undefined;
    const url = trimUrl(match[0]);
    return { node: { type: "link", url: unescape(url), label: unescape(url) }, end: at + url.length };
  }
  const mark = MARKS[char];
  if (mark === undefined || isWord(line[at - 1])) return undefined;
  const next = line[at + 1];
  if (next === undefined || next === " " || next === char) return undefined;
  for (let end = line.indexOf(char, at + 2); end > 0; end = line.indexOf(char, end + 1)) {
    if (line[end - 1] === " " || isWord(line[end + 1]) || line[end + 1] === char) continue;
    if (inCode(line, at, end)) continue;
    return { node: { type: mark, children: parseInline(line.slice(at + 1, end)) }, end: end + 1 };
  }
  return undefined;
}

function angleAt(line: string, at: number): { node: Inline; end: number } | undefined {
  const close = line.indexOf(">", at + 1);
  if (close < 0) return undefined;
  const inner = line.slice(at + 1, close);
  const bar = inner.indexOf("|");
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? undefined : unescape(inner.slice(bar + 1));
  const end = close + 1;
  const named = label === undefined || label === "" ? {} : { label };
  if (target.startsWith("@")) return { node: { type: "user", id: target.slice(1), ...named }, end };
  if (target.startsWith("#")) return { node: { type: "channel", id: target.slice(1), ...named }, end };
  if (target.startsWith("!")) {
    const name = target.slice(1);
    if (name === "here" || name === "channel" || name === "everyone") return { node: { type: "broadcast", name }, end };
    const group = /^subteam\^(\w+)$/.exec(name);
    if (group) return { node: { type: "group", id: group[1]!, ...named }, end };
    const date = /^date\^(\d{1,12})\^([^^]+)(?:\^(.+))?$/.exec(name);
    if (date) return { node: dateNode(Number(date[1]), unescape(date[2]!), date[3] === undefined ? undefined : unescape(date[3]), label ?? ""), end };
    return { node: { type: "text", text: label ?? unescape(name) }, end };
  }
  const url = unescape(target);
  if (!safeUrl(url)) return undefined;
  return { node: { type: "link", url, label: label ?? url.replace(/^mailto:/, "") }, end };
}

/** A moment; its address only if it may become a link. */
export function dateNode(seconds: number, format: string, url: string | undefined, fallback: string): Inline {
  return { type: "date", seconds, format, fallback, ...(url !== undefined && safeUrl(url) ? { url } : {}) };
}

/** Addresses that may become links. */
export function safeUrl(url: string): boolean {
  return /^(https?:\/\/|mailto:)[^\s]+$/i.test(url);
}

/** Punctuation at the end of a bare address belongs to the sentence. */
function trimUrl(url: string): string {
  let text = url.replace(/(?:&gt;|&lt;).*$/, "").replace(/[.,:;!?'"_~]+$/, "");
  while (text.endsWith(")") && text.split("(").length < text.split(")").length) text = text.slice(0, -1);
  return text;
}

function inCode(line: string, from: number, to: number): boolean {
  return line.slice(from, to).split("`").length % 2 === 0;
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /[\p{L}\p{N}]/u.test(char);
}

/** Slack escapes exactly these three. */
export function unescape(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Names for what a text only has the ids of. */
export interface PlainNames {
  user(id: string): string;
  channel(id: string): string;
}

/** The text without marks, for announcements and previews. */
export function plainText(blocks: readonly Block[], names: PlainNames): string {
  const all = (nodes: readonly Inline[]) => nodes.map((node) => plainInline(node, names)).join("");
  const texts = blocks.flatMap((block): string[] => {
    switch (block.type) {
      case "pre":
        return [block.text];
      case "list":
        return block.items.map(all);
      case "table":
        return block.rows.map((row) => row.map(all).join(" "));
      case "rule":
        return [];
      default:
        return [all(block.children)];
    }
  });
  return texts.join(" ");
}

function plainInline(node: Inline, names: PlainNames): string {
  switch (node.type) {
    case "text":
    case "code":
      return node.text;
    case "link":
      return node.label;
    case "user":
      return `@${node.label ?? names.user(node.id)}`;
    case "channel":
      return `#${node.label ?? names.channel(node.id)}`;
    case "group":
      return node.label ?? `@${node.id}`;
    case "broadcast":
      return `@${node.name}`;
    case "emoji":
      return `:${node.name}:`;
    case "date":
      return dateText(node.seconds, node.format, node.fallback, Date.now());
    case "color":
      return node.value;
    case "break":
      return " ";
    default:
      return node.children.map((child) => plainInline(child, names)).join("");
  }
}
