/**
 * What was copied elsewhere, as lines: from Slack, Google Docs, Word and web pages. Only words and what a rich text
 * can say of them come through; the nodes belong to a document that shows and runs nothing.
 */
import { safeUrl } from "../text/mrkdwn";
import { INDENT_MAX, merged } from "./lines";
import type { Line, Span, Style } from "./lines";

const SKIPPED = new Set(["SCRIPT", "STYLE", "HEAD", "TEMPLATE", "NOSCRIPT", "TITLE", "META", "LINK", "BUTTON", "SELECT", "SVG", "svg", "IFRAME", "OBJECT"]);
const BLOCKS = new Set(["P", "DIV", "SECTION", "ARTICLE", "HEADER", "FOOTER", "MAIN", "ASIDE", "NAV", "FIGURE", "FIGCAPTION", "TABLE", "TR", "UL", "OL", "LI", "DL", "DT", "DD", "BLOCKQUOTE", "PRE", "H1", "H2", "H3", "H4", "H5", "H6", "HR", "FORM", "DETAILS", "SUMMARY"]);
/** Deeper than people nest: a bomb. */
const DEPTH_MAX = 200;

interface Item {
  ordered: boolean;
  indent: number;
  offset: number;
  /** Its line has begun. */
  begun: boolean;
}

interface Place {
  style: Style;
  href?: string;
  quote: boolean;
  /** Lists around. */
  lists: number;
  item?: Item;
  /** Blanks count. */
  exact: boolean;
}

/** The lines of a piece of HTML. */
export function linesOfHtml(root: Node): Line[] {
  const reader = new Reader();
  reader.children(root, { style: {}, quote: false, lists: 0, exact: false }, 0);
  return reader.end();
}

class Reader {
  private readonly lines: Line[] = [];
  /** The spans of the line that is being read. */
  private open: Span[] | undefined;
  /** The open line is already among the lines: an item that goes on. */
  private going = false;
  private kind: Place = { style: {}, quote: false, lists: 0, exact: false };

  children(node: Node, place: Place, depth: number): void {
    if (depth > DEPTH_MAX) return;
    for (const child of node.childNodes) {
      if (child.nodeType === 3) this.text(child.nodeValue ?? "", place);
      else if (child.nodeType === 1) this.element(child as HTMLElement, place, depth);
    }
  }

  end(): Line[] {
    this.close();
    let to = this.lines.length;
    const blank = (line: Line | undefined) => line?.kind === "text" && line.spans.length === 0;
    while (to > 0 && blank(this.lines[to - 1])) to--;
    let from = 0;
    while (from < to && blank(this.lines[from])) from++;
    return this.lines.slice(from, to);
  }

  private element(it: HTMLElement, place: Place, depth: number): void {
    const name = it.tagName;
    const css = cssOf(it);
    if (SKIPPED.has(name) || css["display"] === "none" || css["mso-list"]?.toLowerCase() === "ignore") return;
    if (name === "BR") return this.lineBreak(place);
    const span = spanOf(it);
    if (span !== undefined) return this.put({ ...span, ...(Object.keys(place.style).length > 0 ? { style: withoutCode(place.style) } : {}) } as Span, place);
    if (name === "IMG" || name === "INPUT") return;
    if (name === "PRE") return this.code(it);
    const inside = placeIn(it, css, place);
    if (!BLOCKS.has(name)) {
      if (name === "TD" || name === "TH") this.text(" ", inside);
      return this.children(it, inside, depth + 1);
    }
    this.close();
    const before = this.lines.length;
    this.children(it, inside, depth + 1);
    this.close();
    // An empty paragraph is an empty line.
    if (name === "P" && this.lines.length === before && inside.item === undefined) this.lines.push({ kind: inside.quote ? "quote" : "text", spans: [] });
  }

  private text(raw: string, place: Place): void {
    if (place.exact) {
      raw.replaceAll(/\r\n?/g, "\n")
        .split("\n")
        .forEach((text, i) => {
          if (i > 0) this.lineBreak(place);
          if (text !== "") this.put(styled(text, place), place);
        });
      return;
    }
    let text = raw.replaceAll(/[\s\u200b]+/g, (run) => (run.includes("\u00a0") ? run : " ")).replaceAll("\u00a0", " ");
    const last = this.open?.[this.open.length - 1];
    if (this.open === undefined || last === undefined || (last.type === "text" && /\s$/.test(last.text))) text = text.replace(/^ +/, "");
    if (text !== "") this.put(styled(text, place), place);
  }

  private put(span: Span, place: Place): void {
    if (this.open === undefined) this.begin(place);
    this.open!.push(span);
  }

  private begin(place: Place): void {
    this.kind = place;
    const last = this.lines[this.lines.length - 1];
    // A second paragraph of an item is a second line in it.
    this.going = place.item?.begun === true && last?.kind === "item" && last.indent === place.item.indent;
    this.open = this.going && last?.kind === "item" ? [...last.spans, { type: "text", text: "\n" }] : [];
    if (place.item) place.item.begun = true;
  }

  private lineBreak(place: Place): void {
    if (place.item?.begun === true && this.open !== undefined) {
      this.open.push({ type: "text", text: "\n" });
      return;
    }
    if (this.open === undefined) this.begin(place);
    this.close();
  }

  private close(): void {
    if (this.open === undefined) return;
    const spans = trimEnd(merged(this.open), this.kind.exact);
    const { item, quote } = this.kind;
    if (this.going) this.lines.pop();
    this.lines.push(item ? { kind: "item", ordered: item.ordered, indent: item.indent, offset: item.offset, spans } : { kind: quote ? "quote" : "text", spans });
    this.open = undefined;
  }

  private code(it: HTMLElement): void {
    this.close();
    const language = /(?:language|lang|highlight-source)-([a-z0-9+#]+)/i.exec(`${it.className} ${it.querySelector("code")?.className ?? ""}`)?.[1];
    const copy = it.cloneNode(true) as HTMLElement;
    for (const br of copy.querySelectorAll("br")) br.replaceWith("\n");
    this.lines.push({ kind: "code", text: (copy.textContent ?? "").replaceAll(/\r\n?/g, "\n").replace(/\n$/, ""), ...(language === undefined ? {} : { language: language.slice(0, 50) }) });
  }
}

function styled(text: string, place: Place): Span {
  const style = Object.keys(place.style).length > 0 ? { style: place.style } : {};
  if (place.href !== undefined && !place.style.code) return place.href === text ? { type: "link", url: place.href, ...style } : { type: "link", url: place.href, text, ...style };
  return { type: "text", text, ...style };
}

function trimEnd(spans: Span[], exact: boolean): Span[] {
  const last = spans[spans.length - 1];
  if (exact || last?.type !== "text" || last.style?.code) return spans;
  return merged(spans.with(-1, { ...last, text: last.text.trimEnd() }));
}

/** The declarations of a `style` attribute, Word's own among them, which browsers drop. */
function cssOf(it: HTMLElement): Record<string, string> {
  const css: Record<string, string> = {};
  for (const declaration of (it.getAttribute("style") ?? "").split(";")) {
    const colon = declaration.indexOf(":");
    if (colon > 0) css[declaration.slice(0, colon).trim().toLowerCase()] = declaration.slice(colon + 1).trim();
  }
  return css;
}

function placeIn(it: HTMLElement, css: Record<string, string>, place: Place): Place {
  const next: Place = { ...place, style: styleIn(it, css, place.style) };
  const space = css["white-space"] ?? "";
  if (space.startsWith("pre") || space === "break-spaces") next.exact = space !== "pre-line";
  switch (it.tagName) {
    case "A": {
      const href = it.getAttribute("href") ?? "";
      if (safeUrl(href)) next.href = href;
      break;
    }
    case "BLOCKQUOTE":
      next.quote = true;
      break;
    case "UL":
    case "OL":
      next.lists = place.lists + 1;
      break;
    case "LI":
      next.item = itemOf(it, next.lists);
      break;
    case "P": {
      const word = /level(\d+)/.exec(css["mso-list"] ?? "");
      if (word) next.item = { ordered: /^\s*(\d+|[a-z]{1,4})[.)]/i.test(it.textContent ?? ""), indent: clamp(Number(word[1]) - 1), offset: 0, begun: false };
      break;
    }
  }
  return next;
}

function itemOf(it: HTMLElement, lists: number): Item {
  const list = it.parentElement;
  // Slack's lists say how deep they are, because they are not nested.
  const said = Number(list?.dataset["indent"] ?? Number.NaN);
  const ordered = list?.tagName === "OL";
  const first = list?.querySelector("li") === it;
  const start = ordered && first ? Number(list?.getAttribute("start") ?? 1) : 1;
  return { ordered, indent: clamp(Number.isFinite(said) ? said : lists - 1), offset: Math.max(0, (Number.isInteger(start) ? start : 1) - 1), begun: false };
}

function clamp(indent: number): number {
  return Math.max(0, Math.min(INDENT_MAX, indent));
}

function styleIn(it: HTMLElement, css: Record<string, string>, outer: Style): Style {
  const style: Style = { ...outer };
  const set = (name: keyof Style, on: boolean) => {
    if (on) style[name] = true;
    else delete style[name];
  };
  const name = it.tagName;
  if (["B", "STRONG", "H1", "H2", "H3", "H4", "H5", "H6", "TH", "DT"].includes(name)) set("bold", true);
  if (["I", "EM", "CITE", "DFN", "VAR"].includes(name)) set("italic", true);
  if (["S", "STRIKE", "DEL"].includes(name)) set("strike", true);
  if (["CODE", "KBD", "SAMP", "TT"].includes(name)) set("code", true);
  const weight = css["font-weight"];
  if (weight !== undefined && !/inherit|initial/.test(weight)) set("bold", /^bold/.test(weight) || Number.parseInt(weight, 10) >= 600);
  if (css["font-style"] !== undefined) set("italic", /italic|oblique/.test(css["font-style"]));
  const decoration = css["text-decoration"] ?? css["text-decoration-line"];
  if (decoration?.includes("line-through")) set("strike", true);
  return style;
}

/** A mention or an emoji of this program, or an emoji that elsewhere is a picture. */
function spanOf(it: HTMLElement): Span | undefined {
  const { user, channelId, broadcast, emoji, tone, stringifyEmoji } = it.dataset;
  if (it.tagName === "SPAN") {
    if (user !== undefined && /^[A-Z0-9]+$/.test(user)) return { type: "user", user_id: user };
    if (channelId !== undefined && /^[A-Z0-9]+$/.test(channelId)) return { type: "channel", channel_id: channelId };
    if (broadcast !== undefined && ["here", "channel", "everyone"].includes(broadcast)) return { type: "broadcast", range: broadcast };
    if (emoji !== undefined) return { type: "emoji", name: emoji, ...(tone !== undefined && /^[2-6]$/.test(tone) ? { skin_tone: Number(tone) } : {}) };
  }
  if (it.tagName !== "IMG") return undefined;
  const named = /^:([a-z0-9_+'-]+)(?:::skin-tone-([2-6]))?:$/.exec(stringifyEmoji ?? it.getAttribute("alt") ?? "");
  if (named) return { type: "emoji", name: named[1]!, ...(named[2] === undefined ? {} : { skin_tone: Number(named[2]) }) };
  const alt = it.getAttribute("alt") ?? "";
  return /^(?:\p{Extended_Pictographic}|\p{Emoji_Component}){1,12}$/u.test(alt) && /\p{Extended_Pictographic}/u.test(alt) ? { type: "text", text: alt } : undefined;
}

function withoutCode(style: Style): Style {
  const { code: _, ...rest } = style;
  return rest;
}
