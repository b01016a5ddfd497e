/**
 * Block Kit as a tree to show. It never fails: what is missing is left out, and a block of a type that
 * is not known makes nothing, so that the message's text can stand in.
 */
import { list, number, record, text } from "./json";
import type { Json } from "./json";
import { parseMrkdwn, plainText, safeUrl } from "./mrkdwn";
import type { Align, Block, Inline, PlainNames } from "./mrkdwn";
import { readRichText } from "./richText";

/** A picture that a message names; nothing is fetched by naming it. */
export interface Picture {
  url: string;
  alt: string;
  /** Pixels, when the sender or the server told. */
  width?: number;
  height?: number;
}

/** What an app lets one press or choose. Without `url` it is for the app, which nobody runs here. */
export type Control =
  | { type: "button"; label: string; url?: string; style: "default" | "primary" | "danger" }
  | { type: "menu"; label: string }
  | { type: "field"; label: string }
  | { type: "choices"; kind: "checkbox" | "radio"; options: { label: Block[]; chosen: boolean }[] }
  | { type: "picture"; picture: Picture };

export type DisplayBlock =
  | { type: "text"; blocks: Block[] }
  | { type: "markdown"; source: string }
  | { type: "section"; text: Block[]; fields: Block[][]; accessory?: Control }
  | { type: "header"; children: Inline[] }
  | { type: "context"; parts: ({ type: "words"; blocks: Block[] } | { type: "picture"; picture: Picture })[] }
  | { type: "divider" }
  | { type: "image"; picture: Picture; title: Block[] }
  | { type: "actions"; controls: Control[] }
  | { type: "input"; label: string; hint: string; control?: Control }
  | { type: "video"; title: string; url: string; description: string; source: string; thumbnail?: Picture }
  | { type: "table"; rows: Block[][][]; align: Align[] }
  | { type: "alert"; level: (typeof LEVELS)[number]; text: Block[] }
  | { type: "card"; hero?: Picture; icon?: Picture; title: Block[]; subtitle: Block[]; body: Block[]; controls: Control[] }
  | { type: "cards"; cards: DisplayBlock[] }
  | { type: "container"; title: string; subtitle: string; folds: boolean; folded: boolean; children: DisplayBlock[] }
  | { type: "reference"; kind: "file" | "call"; id: string }
  | { type: "tasks"; title: string; tasks: string[] };

export const LEVELS = ["default", "info", "warning", "error", "success"] as const;

/** Containers in containers that are shown. */
const DEPTH_MAX = 4;

export function readBlocks(value: unknown, depth = 0): DisplayBlock[] {
  if (depth > DEPTH_MAX) return [];
  return list(value).map(record).flatMap((block) => readBlock(block, depth) ?? []);
}

function readBlock(block: Json, depth: number): DisplayBlock | undefined {
  switch (block["type"]) {
    case "rich_text":
      return { type: "text", blocks: readRichText(block) };
    case "markdown":
      return { type: "markdown", source: text(block["text"]) };
    case "section": {
      const accessory = readControl(record(block["accessory"]));
      return { type: "section", text: words(block["text"]), fields: list(block["fields"]).map(words), ...(accessory ? { accessory } : {}) };
    }
    case "header":
      return { type: "header", children: inlineOf(words(block["text"])) };
    case "context":
      return { type: "context", parts: list(block["elements"]).map(record).map(contextPart) };
    case "divider":
      return { type: "divider" };
    case "image": {
      const picture = readPicture(block);
      return picture && { type: "image", picture, title: words(block["title"]) };
    }
    case "actions":
    case "context_actions":
      return { type: "actions", controls: controls(block["elements"]) };
    case "input": {
      const control = readControl(record(block["element"]));
      return { type: "input", label: wording(block["label"]), hint: wording(block["hint"]), ...(control ? { control } : {}) };
    }
    case "video": {
      const url = text(block["title_url"]) || text(block["video_url"]);
      const thumbnail = pictureOf(text(block["thumbnail_url"]), text(block["alt_text"]));
      const source = [text(block["author_name"]), text(block["provider_name"])].filter(Boolean).join(" · ");
      return { type: "video", title: wording(block["title"]), url: safeUrl(url) ? url : "", description: wording(block["description"]), source, ...(thumbnail ? { thumbnail } : {}) };
    }
    case "table":
    case "data_table":
      return { type: "table", rows: list(block["rows"]).map((row) => list(row).map(cell)), align: list(block["column_settings"]).map(alignOf) };
    case "alert":
      return { type: "alert", level: LEVELS.find((level) => level === block["level"]) ?? "default", text: words(block["text"]) };
    case "card": {
      const hero = readPicture(record(block["hero_image"]));
      const icon = readPicture(record(block["icon"]));
      return { type: "card", title: words(block["title"]), subtitle: words(block["subtitle"]), body: words(block["body"]), controls: controls(block["actions"]), ...(hero ? { hero } : {}), ...(icon ? { icon } : {}) };
    }
    case "carousel":
      return { type: "cards", cards: readBlocks(block["elements"], depth + 1) };
    case "container": {
      const folds = block["is_collapsible"] === true;
      return { type: "container", title: wording(block["title"]), subtitle: wording(block["subtitle"]), folds, folded: folds && block["default_collapsed"] === true, children: readBlocks(block["child_blocks"], depth + 1) };
    }
    case "file":
      return { type: "reference", kind: "file", id: text(block["external_id"]) };
    case "call":
      return { type: "reference", kind: "call", id: text(block["call_id"]) };
    case "task_card":
      return { type: "tasks", title: wording(block["title"]), tasks: [] };
    case "plan":
      return { type: "tasks", title: wording(block["title"]), tasks: list(block["tasks"]).map((task) => wording(record(task)["title"])) };
    default:
      return undefined;
  }
}

/** A text object, or a bare string, as a tree. */
export function words(value: unknown): Block[] {
  const object = record(value);
  const content = typeof value === "string" ? value : text(object["text"]);
  if (content === "") return [];
  if (object["type"] === "mrkdwn") return parseMrkdwn(content);
  const children = plainInlines(content, object["emoji"] !== false);
  return [{ type: "paragraph", children }];
}

/** A plain text's lines and emoji. */
function plainInlines(content: string, emoji: boolean): Inline[] {
  return content.split("\n").flatMap((line, i): Inline[] => {
    const parts = emoji ? line.split(/(:[a-z0-9_+'-]+(?:::skin-tone-[2-6])?:)/) : [line];
    const nodes = parts.flatMap((part, at): Inline[] => (part === "" ? [] : at % 2 === 1 ? [{ type: "emoji", name: part.slice(1, -1) }] : [{ type: "text", text: part }]));
    return i > 0 ? [{ type: "break" }, ...nodes] : nodes;
  });
}

function inlineOf(blocks: readonly Block[]): Inline[] {
  return blocks.flatMap((block) => ("children" in block ? block.children : []));
}

/** What a text object says, without marks. */
function wording(value: unknown): string {
  return typeof value === "string" ? value : text(record(value)["text"]);
}

function contextPart(element: Json): Extract<DisplayBlock, { type: "context" }>["parts"][number] {
  const picture = element["type"] === "image" ? readPicture(element) : undefined;
  return picture ? { type: "picture", picture } : { type: "words", blocks: words(element["type"] === "image" ? element["alt_text"] : element) };
}

function readPicture(object: Json): Picture | undefined {
  const url = text(object["image_url"]) || text(record(object["slack_file"])["url"]);
  return pictureOf(url, text(object["alt_text"]) || wording(object["title"]), object["image_width"], object["image_height"]);
}

/** Only what the web serves, and files of this server. */
export function pictureOf(url: string, alt: string, width?: unknown, height?: unknown): Picture | undefined {
  if (!/^(https?:\/\/[^\s]+|\/[^/\\\s][^\s]*)$/i.test(url) || !URL.canParse(url, "https://own.example")) return undefined;
  const [w, h] = [number(width), number(height)];
  return { url, alt, ...(w !== undefined && h !== undefined && w > 0 && h > 0 ? { width: w, height: h } : {}) };
}

function controls(value: unknown): Control[] {
  return list(value).flatMap((element) => readControl(record(element)) ?? []);
}

function readControl(element: Json): Control | undefined {
  const type = text(element["type"]);
  switch (type) {
    case "":
      return undefined;
    case "button":
    case "workflow_button":
    case "icon_button": {
      const url = text(element["url"]);
      const style = element["style"];
      return { type: "button", label: wording(element["text"]), style: style === "primary" || style === "danger" ? style : "default", ...(safeUrl(url) ? { url } : {}) };
    }
    case "image": {
      const picture = readPicture(element);
      return picture && { type: "picture", picture };
    }
    case "checkboxes":
    case "radio_buttons": {
      const chosen = new Set([...list(element["initial_options"]), element["initial_option"]].map((option) => text(record(option)["value"])).filter(Boolean));
      const options = list(element["options"]).map(record).map((option) => ({ label: words(option["text"]), chosen: chosen.has(text(option["value"])) }));
      return { type: "choices", kind: type === "checkboxes" ? "checkbox" : "radio", options };
    }
    case "overflow":
      return { type: "menu", label: "⋯" };
    case "feedback_buttons":
      return { type: "button", label: wording(record(element["positive_button"])["text"]), style: "default" };
    default: {
      const initial = record(element["initial_option"])["text"];
      const label = wording(initial) || text(element["initial_date"]) || text(element["initial_time"]) || text(element["initial_value"]) || wording(element["placeholder"]);
      return type.endsWith("_input") ? { type: "field", label } : { type: "menu", label };
    }
  }
}

function cell(value: unknown): Block[] {
  const object = record(value);
  return object["type"] === "rich_text" ? readRichText(object) : words(text(object["text"]));
}

function alignOf(value: unknown): Align {
  const align = record(value)["align"];
  return align === "center" || align === "right" ? align : "left";
}

/** What blocks say, in words: for announcements and previews. */
export function blocksText(blocks: readonly DisplayBlock[], names: PlainNames): string {
  const plain = (tree: readonly Block[]) => plainText(tree, names);
  const control = (it: Control | undefined): string => {
    if (it === undefined) return "";
    if (it.type === "picture") return it.picture.alt;
    return it.type === "choices" ? it.options.map((option) => plain(option.label)).join(" ") : it.label;
  };
  const one = (block: DisplayBlock): string[] => {
    switch (block.type) {
      case "text":
        return [plain(block.blocks)];
      case "markdown":
        return [block.source];
      case "section":
        return [plain(block.text), ...block.fields.map(plain), control(block.accessory)];
      case "header":
        return [plain([{ type: "paragraph", children: block.children }])];
      case "context":
        return block.parts.map((part) => (part.type === "words" ? plain(part.blocks) : part.picture.alt));
      case "image":
        return [plain(block.title), block.picture.alt];
      case "actions":
        return block.controls.map(control);
      case "input":
        return [block.label, control(block.control), block.hint];
      case "video":
        return [block.title, block.description, block.source];
      case "table":
        return block.rows.flatMap((row) => row.map(plain));
      case "alert":
        return [plain(block.text)];
      case "card":
        return [plain(block.title), plain(block.subtitle), plain(block.body), ...block.controls.map(control)];
      case "cards":
        return [blocksText(block.cards, names)];
      case "container":
        return [block.title, block.subtitle, blocksText(block.children, names)];
      case "tasks":
        return [block.title, ...block.tasks];
      case "reference":
        return [block.id];
      case "divider":
        return [];
    }
  };
  return blocks.flatMap(one).filter(Boolean).join(" ");
}
