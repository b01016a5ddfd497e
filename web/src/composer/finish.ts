/**
 * What a person typed out instead of choosing it: addresses, `@names`, `#channels` and `:emoji:` in plain
 * characters. They are marked while one writes and become what they mean when the message is sent.
 */
import { nameAt } from "../text/compose";
import type { Names } from "../text/compose";
import { safeUrl } from "../text/mrkdwn";
import { merged } from "./lines";
import type { Line, Span } from "./lines";

/** Something that stands for more than its characters, from `from` up to `to`. */
export interface Found {
  from: number;
  to: number;
  span: Span;
}

export interface Meanings {
  names: Names;
  isEmoji(name: string): boolean;
}

const SIGNS = /https?:\/\/[^\s<>|"`\ufffc]+|:([a-z0-9_+'-]+)(?:::skin-tone-([2-6]))?:|[@#]/g;

/** What a piece of plain characters names, in its order. */
export function meaningsIn(text: string, meanings: Meanings): Found[] {
  const found: Found[] = [];
  const signs = new RegExp(SIGNS);
  for (let match = signs.exec(text); match !== null; match = signs.exec(text)) {
    const from = match.index;
    const it = /[\p{L}\p{N}]/u.test(text[from - 1] ?? "") ? undefined : meaning(text, from, match, meanings);
    // What begins nothing may have the beginning of something in it.
    signs.lastIndex = it?.to ?? from + 1;
    if (it !== undefined) found.push(it);
  }
  return found;
}

function meaning(text: string, from: number, match: RegExpExecArray, { names, isEmoji }: Meanings): Found | undefined {
  const [whole, emoji, tone] = match;
  if (whole === "@" || whole === "#") {
    const named = nameAt(text, from, whole, names);
    if (named === undefined) return undefined;
    const id = named.code.slice(2, -1);
    const span: Span = whole === "#" ? { type: "channel", channel_id: id } : named.code.startsWith("<!") ? { type: "broadcast", range: id } : { type: "user", user_id: id };
    return { from, to: from + named.length, span };
  }
  if (emoji !== undefined) {
    return isEmoji(emoji) ? { from, to: from + whole.length, span: { type: "emoji", name: emoji, ...(tone === undefined ? {} : { skin_tone: Number(tone) }) } } : undefined;
  }
  const url = trimUrl(whole);
  return safeUrl(url) ? { from, to: from + url.length, span: { type: "link", url } } : undefined;
}

/** Punctuation at the end of an address belongs to the sentence. */
function trimUrl(url: string): string {
  let text = url.replace(/[.,:;!?'*_~]+$/, "");
  while (text.endsWith(")") && text.split("(").length < text.split(")").length) text = text.slice(0, -1);
  return text;
}

/** The lines with everything that was typed out as what it means. What stands in code stays. */
export function finish(lines: readonly Line[], meanings: Meanings): Line[] {
  return lines.map((line) => (line.kind === "code" ? line : { ...line, spans: merged(line.spans.flatMap((span) => finishSpan(span, meanings))) }));
}

function finishSpan(span: Span, meanings: Meanings): Span[] {
  if (span.type !== "text" || span.style?.code) return [span];
  const out: Span[] = [];
  let at = 0;
  for (const it of meaningsIn(span.text, meanings)) {
    out.push({ ...span, text: span.text.slice(at, it.from) }, span.style ? { ...it.span, style: span.style } : it.span);
    at = it.to;
  }
  return [...out, { ...span, text: span.text.slice(at) }];
}
