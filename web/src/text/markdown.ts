/** Markdown, as the block `markdown` has it, as the tree that every text becomes. Loaded when the first one is shown. */
import { Lexer } from "marked";
import type { Token, Tokens } from "marked";
import { safeUrl } from "./mrkdwn";
import type { Block, Inline } from "./mrkdwn";

/** Deepest nesting that is followed. */
const DEPTH_MAX = 12;

export function parseMarkdown(source: string): Block[] {
  return blocksOf(new Lexer({ gfm: true }).lex(source), 0);
}

function blocksOf(tokens: readonly Token[], depth: number): Block[] {
  if (depth > DEPTH_MAX) return [];
  return tokens.flatMap((token): Block[] => {
    switch (token.type) {
      case "heading":
        return [{ type: "heading", level: (token as Tokens.Heading).depth, children: inlinesOf(children(token), depth + 1) }];
      case "paragraph":
      case "text":
        return [{ type: "paragraph", children: inlinesOf(token.type === "text" && !("tokens" in token) ? [token] : children(token), depth + 1) }];
      case "blockquote":
        return [{ type: "quote", children: flat(blocksOf(children(token), depth + 1)) }];
      case "code": {
        const { text, lang } = token as Tokens.Code;
        const language = lang?.split(/\s/)[0];
        return [{ type: "pre", text, ...(language ? { language } : {}) }];
      }
      case "list":
        return listOf(token as Tokens.List, 0, depth + 1);
      case "table": {
        const { header, rows, align } = token as Tokens.Table;
        const cells = (row: Tokens.TableCell[]) => row.map((cell) => inlinesOf(cell.tokens, depth + 1));
        return [{ type: "table", head: true, align: align.map((it) => it ?? "left"), rows: [cells(header), ...rows.map(cells)] }];
      }
      case "hr":
        return [{ type: "rule" }];
      case "space":
      case "def":
        return [];
      default:
        // HTML is shown as it was written.
        return token.raw.trim() === "" ? [] : [{ type: "paragraph", children: lines(token.raw.trimEnd()) }];
    }
  });
}

/** A list and the lists in it, one after another with their depth, as `rich_text` has them. */
function listOf(list: Tokens.List, indent: number, depth: number): Block[] {
  if (depth > DEPTH_MAX) return [];
  const blocks: Block[] = [];
  let number = list.ordered ? Number(list.start) || 1 : 1;
  for (const item of list.items) {
    const own = item.tokens.filter((token) => token.type !== "list" && token.type !== "checkbox");
    const check: Inline[] = item.task ? [{ type: "text", text: item.checked ? "☑ " : "☐ " }] : [];
    const content = [...check, ...flat(blocksOf(own, depth + 1))];
    const last = blocks[blocks.length - 1];
    if (last?.type === "list" && last.indent === indent) last.items.push(content);
    else blocks.push({ type: "list", ordered: list.ordered, indent, offset: number - 1, items: [content] });
    for (const token of item.tokens) if (token.type === "list") blocks.push(...listOf(token as Tokens.List, indent + 1, depth + 1));
    number += 1;
  }
  return blocks;
}

/** Blocks as lines of one. */
function flat(blocks: readonly Block[]): Inline[] {
  const parts = blocks.map((block): Inline[] => {
    if ("children" in block) return block.children;
    if (block.type === "pre") return [{ type: "code", text: block.text }];
    if (block.type === "list") return block.items.flatMap((item, i): Inline[] => [...(i > 0 ? [{ type: "break" } as const] : []), { type: "text", text: block.ordered ? `${block.offset + i + 1}. ` : "• " }, ...item]);
    return block.type === "table" ? block.rows.flatMap((row) => row.flatMap((cell): Inline[] => [...cell, { type: "text", text: " " }])) : [];
  });
  return parts.filter((part) => part.length > 0).flatMap((part, i): Inline[] => (i > 0 ? [{ type: "break" }, ...part] : part));
}

function inlinesOf(tokens: readonly Token[], depth: number): Inline[] {
  if (depth > DEPTH_MAX) return tokens.flatMap((token) => lines(token.raw));
  return tokens.flatMap((token): Inline[] => {
    switch (token.type) {
      case "strong":
        return [{ type: "bold", children: inlinesOf(children(token), depth + 1) }];
      case "em":
        return [{ type: "italic", children: inlinesOf(children(token), depth + 1) }];
      case "del":
        return [{ type: "strike", children: inlinesOf(children(token), depth + 1) }];
      case "codespan":
        return [{ type: "code", text: (token as Tokens.Codespan).text }];
      case "link":
      case "image": {
        const { href, text } = token as Tokens.Link;
        return safeUrl(href) ? [{ type: "link", url: href, label: text || href }] : lines(token.raw);
      }
      case "br":
        return [{ type: "break" }];
      case "escape":
        return lines((token as Tokens.Escape).text);
      case "text":
        return "tokens" in token && token.tokens !== undefined ? inlinesOf(token.tokens, depth + 1) : lines(token.raw);
      default:
        return lines(token.raw);
    }
  });
}

/** Plain words, with the entities that Slack has in markdown, too. */
function lines(content: string): Inline[] {
  return content.split("\n").flatMap((line, i): Inline[] => {
    const words = line.split(/(<[@#!][^<>\s]+>|:[a-z0-9_+'-]+(?:::skin-tone-[2-6])?:)/).flatMap((part, at): Inline[] => (part === "" ? [] : [at % 2 === 1 ? entity(part) : { type: "text", text: part }]));
    return i > 0 ? [{ type: "break" }, ...words] : words;
  });
}

function entity(part: string): Inline {
  if (part.startsWith(":")) return { type: "emoji", name: part.slice(1, -1) };
  const [target = "", label] = part.slice(1, -1).split("|");
  const named = label ? { label } : {};
  if (target.startsWith("@")) return { type: "user", id: target.slice(1), ...named };
  if (target.startsWith("#")) return { type: "channel", id: target.slice(1), ...named };
  const name = target.slice(1);
  return ["here", "channel", "everyone"].includes(name) ? { type: "broadcast", name } : { type: "text", text: part };
}

function children(token: Token): readonly Token[] {
  return ("tokens" in token ? token.tokens : undefined) ?? [];
}
