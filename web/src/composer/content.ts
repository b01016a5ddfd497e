/** What goes over the wire of what was written. */
import { ELEMENTS_MAX, elementsMax, isPlain, linesOf, richTextOf } from "./lines";
import type { Line, RichText } from "./lines";
import { linesOfMrkdwn } from "./read";
import { mrkdwnOf } from "./write";
import type { Block, Message } from "../wire/types";

/** A message's content. Without blocks the text says everything. */
export interface Content {
  text: string;
  blocks?: Block[];
  /** A reply that its channel shows too. */
  broadcast?: true;
}

/** Bytes of blocks that the server takes. */
const BLOCKS_BYTES_MAX = 100 << 10;
/** No formatting of a text this short can be too much, characters. */
const SHORT = 1_000;

/** Makes the content of finished lines: with blocks only if the text alone would be shown otherwise. */
export function contentOf(lines: readonly Line[]): Content {
  const block = richTextOf(lines);
  const text = mrkdwnOf(block);
  return isPlain(lines) ? { text } : { text, blocks: [block as unknown as Block] };
}

/** Whether the formatting is more than the server takes, whatever the length of the text. */
export function tooFormatted(content: Content): boolean {
  const block = content.blocks?.[0] as unknown as RichText | undefined;
  if (block === undefined) return false;
  return elementsMax(block) > ELEMENTS_MAX || (content.text.length > SHORT && new TextEncoder().encode(JSON.stringify(content.blocks)).length > BLOCKS_BYTES_MAX);
}

/** The lines of a message, for editing it. */
export function linesOfMessage(message: Pick<Message, "text" | "blocks">): Line[] {
  const block = richBlockOf(message);
  return block === undefined ? linesOfMrkdwn(message.text ?? "") : linesOf(block);
}

/** The blocks of a message, as far as they are some. */
function blocksOf(message: Pick<Message, "blocks">): Block[] {
  return Array.isArray(message.blocks) ? message.blocks.filter((block): block is Block => typeof (block as Block | null)?.type === "string") : [];
}

function richBlockOf(message: Pick<Message, "blocks">): RichText | undefined {
  return blocksOf(message).find((block) => block.type === "rich_text" && Array.isArray(block["elements"])) as unknown as RichText | undefined;
}

/**
 * The content of an edit. Blocks that are not the text keep their places around it; an empty list takes away the
 * formatting that the message had.
 */
export function editOf(message: Pick<Message, "blocks">, lines: readonly Line[]): Content {
  const content = contentOf(lines);
  const rich = richBlockOf(message);
  if (rich === undefined) return content;
  const blocks = blocksOf(message);
  if (blocks.length === 1) return { text: content.text, blocks: content.blocks ?? [] };
  return { text: content.text, blocks: blocks.map((block) => (block === (rich as unknown as Block) ? (richTextOf(lines) as unknown as Block) : block)) };
}
