/** Slack's attachments as what is shown of them. Never fails. */
import { pictureOf, readBlocks, words } from "./blocks";
import type { DisplayBlock, Picture } from "./blocks";
import { list, number, record, text } from "./json";
import { parseMrkdwn, safeUrl } from "./mrkdwn";
import type { Block } from "./mrkdwn";

export interface Attachment {
  /** A CSS colour that is one of the named ones or hexadecimal, nothing else. */
  color?: string;
  pretext: Block[];
  author: string;
  authorUrl?: string;
  title: Block[];
  titleUrl?: string;
  text: Block[];
  fields: { title: string; value: Block[]; short: boolean }[];
  image?: Picture;
  thumb?: Picture;
  footer: string;
  /** Seconds since 1970. */
  ts?: number;
  blocks: DisplayBlock[];
  /** Labels of the old kind of buttons. */
  buttons: string[];
}

const NAMED: Record<string, string> = { good: "var(--positive)", warning: "var(--warning)", danger: "var(--danger)" };

/** Attachments that show something. */
export function readAttachments(value: unknown): Attachment[] {
  return list(value).map(readAttachment).filter(isVisible);
}

function readAttachment(value: unknown): Attachment {
  const it = record(value);
  const color = colorOf(text(it["color"]));
  const blocks = readBlocks(it["blocks"]);
  const image = pictureOf(text(it["image_url"]), text(it["fallback"]) || text(it["title"]), it["image_width"], it["image_height"]);
  const thumb = pictureOf(text(it["thumb_url"]), "", it["thumb_width"], it["thumb_height"]);
  const ts = number(it["ts"]);
  const content = {
    pretext: parseMrkdwn(text(it["pretext"])),
    author: text(it["author_name"]),
    title: words({ type: "plain_text", text: text(it["title"]) }),
    text: parseMrkdwn(text(it["text"])),
    fields: list(it["fields"]).map(record).map((field) => ({ title: text(field["title"]), value: parseMrkdwn(text(field["value"]) || String(number(field["value"]) ?? "")), short: field["short"] === true })),
    footer: text(it["footer"]),
    blocks,
    buttons: list(it["actions"]).map((action) => text(record(action)["text"])).filter(Boolean),
  };
  // Only what nothing else of it could show.
  const nothing = content.pretext.length + content.title.length + content.text.length + content.fields.length + blocks.length === 0 && !image && !thumb && content.author === "";
  return {
    ...content,
    ...(nothing ? { text: parseMrkdwn(text(it["fallback"])) } : {}),
    ...(color === undefined ? {} : { color }),
    ...link("authorUrl", text(it["author_link"])),
    ...link("titleUrl", text(it["title_link"])),
    ...(image ? { image } : {}),
    ...(thumb ? { thumb } : {}),
    ...(ts === undefined ? {} : { ts }),
  };
}

function link<K extends string>(name: K, url: string): Partial<Record<K, string>> {
  return (safeUrl(url) ? { [name]: url } : {}) as Partial<Record<K, string>>;
}

function colorOf(value: string): string | undefined {
  if (Object.hasOwn(NAMED, value)) return NAMED[value];
  return /^#?(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(value) ? `#${value.replace("#", "")}` : undefined;
}

/** Whether there is nothing to draw a bar beside. */
export function onlyPretext(it: Attachment): boolean {
  return it.title.length + it.text.length + it.fields.length + it.blocks.length + it.buttons.length === 0 && it.author === "" && it.footer === "" && !it.image && !it.thumb;
}

function isVisible(it: Attachment): boolean {
  return it.pretext.length > 0 || !onlyPretext(it);
}
