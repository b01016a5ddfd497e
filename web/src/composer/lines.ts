/**
 * What a person writes, as lines: the form between the editor's document and the block `rich_text`
 * (docs.slack.dev, "rich_text block"). Every line has one kind, so nothing can stand in a place that
 * the block has no room for.
 */

export interface Style {
  bold?: true;
  italic?: true;
  strike?: true;
  code?: true;
}

/** A piece of a line: an element of a `rich_text_section` as it goes over the wire. */
export type Span = { style?: Style } & (
  | { type: "text"; text: string }
  /** Without a text it shows its address. */
  | { type: "link"; url: string; text?: string }
  | { type: "user"; user_id: string }
  | { type: "channel"; channel_id: string }
  | { type: "broadcast"; range: string }
  | { type: "emoji"; name: string; skin_tone?: number }
  /** What nobody writes here, but somebody may edit: it stays as it came. */
  | { type: "usergroup"; usergroup_id: string }
  | { type: "date"; timestamp: number; format: string; url?: string; fallback?: string }
  | { type: "color"; value: string }
  | { type: "team"; team_id: string }
);

export type Line =
  | { kind: "text" | "quote"; spans: Span[] }
  /** `offset`: numbers before the first item's, of an ordered list that does not go on with an earlier one. */
  | { kind: "item"; ordered: boolean; indent: number; offset: number; spans: Span[] }
  | { kind: "code"; text: string; language?: string };

export type RichElement =
  | { type: "rich_text_section" | "rich_text_quote"; elements: Span[] }
  | { type: "rich_text_preformatted"; elements: Span[]; language?: string }
  | { type: "rich_text_list"; style: "bullet" | "ordered"; indent: number; offset?: number; elements: { type: "rich_text_section"; elements: Span[] }[] };

export interface RichText {
  type: "rich_text";
  block_id?: string;
  elements: RichElement[];
}

/** Deepest list. */
export const INDENT_MAX = 8;
/** Most parts and spans that the server takes in one list of them. */
export const ELEMENTS_MAX = 4_000;

/** The lines as a block. */
export function richTextOf(lines: readonly Line[]): RichText {
  const elements: RichElement[] = [];
  const numbers = numberItems(lines);
  for (let at = 0; at < lines.length; ) {
    const first = lines[at]!;
    let end = at + 1;
    while (end < lines.length && joins(first, lines[end]!)) end++;
    const group = lines.slice(at, end);
    elements.push(element(first, group, { number: numbers[at] ?? 0, afterList: lines[at - 1]?.kind === "item", beforeList: lines[end]?.kind === "item" }));
    at = end;
  }
  return { type: "rich_text", elements };
}

/** The number of each ordered item: it goes on where only deeper items stand between. 0: no ordered item. */
export function numberItems(lines: readonly Line[]): number[] {
  /** Per indent the last number that can go on; 0 for a bullet. */
  let open: (number | undefined)[] = [];
  return lines.map((line) => {
    if (line.kind !== "item") {
      open = [];
      return 0;
    }
    open.length = Math.min(open.length, line.indent + 1);
    const last = open[line.indent];
    const number = line.ordered ? (last ? last + 1 : line.offset + 1) : 0;
    open[line.indent] = number;
    return number;
  });
}

function joins(a: Line, b: Line): boolean {
  if (a.kind === "item") return b.kind === "item" && a.ordered === b.ordered && a.indent === b.indent;
  return a.kind === b.kind && a.kind !== "code";
}

function element(first: Line, group: readonly Line[], beside: { number: number; afterList: boolean; beforeList: boolean }): RichElement {
  if (first.kind === "code") {
    return { type: "rich_text_preformatted", elements: first.text === "" ? [] : [{ type: "text", text: first.text }], ...(first.language === undefined ? {} : { language: first.language }) };
  }
  const spans = group.map((line) => (line.kind === "code" ? [] : line.spans));
  if (first.kind === "item") {
    return {
      type: "rich_text_list",
      style: first.ordered ? "ordered" : "bullet",
      indent: first.indent,
      ...(beside.number > 1 ? { offset: beside.number - 1 } : {}),
      elements: spans.map((elements) => ({ type: "rich_text_section", elements: merged(elements) })),
    };
  }
  const joined = joinLines(spans);
  if (first.kind === "quote") return { type: "rich_text_quote", elements: joined };
  // One line break beside a list belongs to the list, so an empty line there needs a second one.
  const lead: Span[] = beside.afterList && spans[0]!.length === 0 ? [{ type: "text", text: "\n" }] : [];
  const trail: Span[] = beside.beforeList && spans[spans.length - 1]!.length === 0 ? [{ type: "text", text: "\n" }] : [];
  return { type: "rich_text_section", elements: merged([...lead, ...joined, ...trail]) };
}

/** The lines of a block. What it does not know is left out. */
export function linesOf(block: RichText): Line[] {
  const elements = block.elements.filter((it) => Array.isArray(it?.elements));
  const lines: Line[] = [];
  elements.forEach((it, at) => {
    switch (it.type) {
      case "rich_text_section": {
        const spans = trimBreak(known(it.elements), elements[at - 1]?.type === "rich_text_list", elements[at + 1]?.type === "rich_text_list");
        for (const line of splitLines(spans)) lines.push({ kind: "text", spans: line });
        break;
      }
      case "rich_text_quote":
        for (const line of splitLines(known(it.elements))) lines.push({ kind: "quote", spans: line });
        break;
      case "rich_text_preformatted":
        lines.push({ kind: "code", text: it.elements.map(plainOf).join(""), ...(typeof it.language === "string" ? { language: it.language } : {}) });
        break;
      case "rich_text_list":
        it.elements.forEach((item, number) => {
          const indent = Math.max(0, Math.min(INDENT_MAX, it.indent ?? 0));
          lines.push({ kind: "item", ordered: it.style === "ordered", indent, offset: number === 0 && it.style === "ordered" ? (it.offset ?? 0) : 0, spans: merged(known(item.elements ?? [])) });
        });
        break;
    }
  });
  return canonical(lines);
}

/** Without offsets that say nothing: those of items that go on with an earlier one. */
function canonical(lines: Line[]): Line[] {
  return lines.map((line, at) => (line.kind === "item" && line.offset > 0 && goesOn(lines, at) ? { ...line, offset: 0 } : line));
}

function goesOn(lines: readonly Line[], at: number): boolean {
  const line = lines[at]!;
  if (line.kind !== "item" || !line.ordered) return false;
  for (let before = at - 1; before >= 0; before--) {
    const other = lines[before]!;
    if (other.kind !== "item" || other.indent < line.indent) return false;
    if (other.indent === line.indent) return other.ordered;
  }
  return false;
}

const KNOWN = new Set(["text", "link", "user", "channel", "broadcast", "emoji", "usergroup", "date", "color", "team"]);

function known(spans: readonly Span[]): Span[] {
  return spans.filter((span) => KNOWN.has(span?.type) && (span.type !== "text" || typeof span.text === "string")).map(plainStyle);
}

/** With the four styles that can be written, and no others. */
function plainStyle(span: Span): Span {
  const { style, ...bare } = span;
  const on: Style = {};
  for (const name of ["bold", "italic", "strike", "code"] as const) if (style?.[name]) on[name] = true;
  if (bare.type === "link" && (bare.text === "" || bare.text === bare.url)) delete bare.text;
  return (Object.keys(on).length > 0 ? { ...bare, style: on } : bare) as Span;
}

function trimBreak(spans: Span[], afterList: boolean, beforeList: boolean): Span[] {
  const out = [...spans];
  const first = out[0];
  if (afterList && first?.type === "text" && first.text.startsWith("\n")) out[0] = { ...first, text: first.text.slice(1) };
  const last = out[out.length - 1];
  if (beforeList && last?.type === "text" && last.text.endsWith("\n")) out[out.length - 1] = { ...last, text: last.text.slice(0, -1) };
  return out;
}

/** Spans with line breaks in their texts, as one list of spans per line. */
export function splitLines(spans: readonly Span[]): Span[][] {
  const lines: Span[][] = [[]];
  for (const span of spans) {
    if (span.type !== "text") {
      lines[lines.length - 1]!.push(span);
      continue;
    }
    span.text.split("\n").forEach((text, i) => {
      if (i > 0) lines.push([]);
      if (text !== "") lines[lines.length - 1]!.push({ ...span, text });
    });
  }
  return lines.map(merged);
}

function joinLines(lines: readonly Span[][]): Span[] {
  return merged(lines.flatMap((spans, i): Span[] => (i === 0 ? spans : [{ type: "text", text: "\n" }, ...spans])));
}

/** Joins texts that stand side by side in one style; empty ones go. */
export function merged(spans: readonly Span[]): Span[] {
  const all: Span[] = [];
  for (const span of spans) {
    const last = all[all.length - 1];
    if (span.type === "text" && span.text === "") continue;
    if (span.type === "text" && last?.type === "text" && sameStyle(last.style, span.style)) all[all.length - 1] = { ...last, text: last.text + span.text };
    else all.push(span);
  }
  return all;
}

export function sameStyle(a: Style | undefined, b: Style | undefined): boolean {
  return !!a?.bold === !!b?.bold && !!a?.italic === !!b?.italic && !!a?.strike === !!b?.strike && !!a?.code === !!b?.code;
}

function plainOf(span: Span): string {
  return span.type === "text" ? span.text : span.type === "link" ? (span.text ?? span.url) : "";
}

/** Without empty lines and blanks at the beginning and the end. */
export function trimLines(lines: readonly Line[]): Line[] {
  const blank = (line: Line | undefined) => line !== undefined && line.kind !== "code" && line.spans.every((span) => span.type === "text" && span.text.trim() === "");
  let from = 0;
  let to = lines.length;
  while (from < to && blank(lines[from]) && lines[from]!.kind !== "item") from++;
  while (to > from && blank(lines[to - 1])) to--;
  const kept = lines.slice(from, to);
  const trim = (at: number, edit: (text: string) => string, edge: 0 | -1) => {
    const line = kept.at(at);
    if (line === undefined || line.kind === "code") return;
    const span = line.spans.at(edge);
    if (span?.type !== "text" || span.style?.code) return;
    const spans = line.spans.with(edge, { ...span, text: edit(span.text) });
    kept[at < 0 ? kept.length + at : at] = { ...line, spans: merged(spans) };
  };
  trim(0, (text) => text.trimStart(), 0);
  trim(-1, (text) => text.trimEnd(), -1);
  return kept;
}

/** Whether there is nothing that could be sent. */
export function isEmpty(lines: readonly Line[]): boolean {
  return lines.every((line) => (line.kind === "code" ? line.text.trim() === "" : line.spans.every((span) => span.type === "text" && span.text.trim() === "")));
}

/** Whether the text alone would be shown as these lines are: there is no formatting, and nothing looks like it. */
export function isPlain(lines: readonly Line[]): boolean {
  return lines.every((line) => line.kind === "text" && line.spans.every((span) => span.style === undefined && (span.type !== "text" || !looksFormatted(span.text)) && (span.type !== "link" || span.text === undefined)) && !/^\s*>/.test(firstText(line.spans)));
}

function firstText(spans: readonly Span[]): string {
  const first = spans[0];
  return first?.type === "text" ? first.text : "";
}

/** Marks that a reader of mrkdwn might take for the beginning of something. */
function looksFormatted(text: string): boolean {
  return /`|(?:^|[^\p{L}\p{N}])[*_~]|:[\p{L}\p{N}_+'-]+:/u.test(text);
}

/** How many parts and spans the longest list of them has. */
export function elementsMax(block: RichText): number {
  return Math.max(block.elements.length, ...block.elements.map((it) => it.elements.length));
}

/** Whether two texts are the same in everything that is sent of them. */
export function sameLines(a: readonly Line[], b: readonly Line[]): boolean {
  const sorted = (_key: string, value: unknown) => (typeof value === "object" && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1))) : value);
  return JSON.stringify(richTextOf(a), sorted) === JSON.stringify(richTextOf(b), sorted);
}
