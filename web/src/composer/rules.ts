/** The markdown way of typing: what is written becomes what it means as soon as its end is typed. */
import { InputRule, inputRules } from "prosemirror-inputrules";
import type { NodeType } from "prosemirror-model";
import type { EditorState, Plugin } from "prosemirror-state";
import { safeUrl } from "../text/mrkdwn";
import { schema } from "./schema";
import type { StyleName } from "./schema";

const { nodes, marks } = schema;
/** A character that stands for a mention or an emoji. */
const ATOM = "\ufffc";

export function typingRules(isEmoji: (name: string) => boolean): Plugin {
  return inputRules({
    rules: [
      style(/(?<![\p{L}\p{N}*])\*\*([^*\s](?:[^*]*[^*\s])?)\*\*$/u, "bold", 2),
      style(/(?<![\p{L}\p{N}*])\*([^*\s](?:[^*]*[^*\s])?)\*$/u, "bold", 1),
      style(/(?<![\p{L}\p{N}_])_([^_\s](?:[^_]*[^_\s])?)_$/u, "italic", 1),
      style(/(?<![\p{L}\p{N}~])~~([^~\s](?:[^~]*[^~\s])?)~~$/u, "strike", 2),
      style(/(?<![\p{L}\p{N}~])~([^~\s](?:[^~]*[^~\s])?)~$/u, "strike", 1),
      style(/(?<!`)`([^`\ufffc]+)`$/, "code", 1),
      line(/^>\s$/, nodes.quote, () => null),
      line(/^[-*•]\s$/, nodes.list_item, () => ({ ordered: false })),
      line(/^(\d{1,5})[.)]\s$/, nodes.list_item, (match) => ({ ordered: true, offset: Math.max(0, Number(match[1]) - 1) })),
      line(/^```$/, nodes.code_block, () => null),
      link(),
      emoji(isEmoji),
      tone(),
    ],
  });
}

/** `*text*`: `length` signs on each side; the last one is just being typed. */
function style(pattern: RegExp, name: StyleName, length: number): InputRule {
  return new InputRule(
    pattern,
    (state, _match, start, end) => {
      const mark = marks[name];
      if (name !== "code" && hasCode(state, start, end)) return null;
      const tr = state.tr.delete(end - (length - 1), end).delete(start, start + length);
      tr.addMark(start, end - (length - 1) - length, mark.create());
      return tr.removeStoredMark(mark);
    },
    { inCodeMark: false },
  );
}

function hasCode(state: EditorState, from: number, to: number): boolean {
  return state.doc.rangeHasMark(from, from + 1, marks.code) || state.doc.rangeHasMark(to - 1, to, marks.code);
}

/** Signs at the beginning of a plain line. */
function line(pattern: RegExp, type: NodeType, attrs: (match: RegExpMatchArray) => object | null): InputRule {
  return new InputRule(
    pattern,
    (state, match, start, end) => {
      if (state.doc.resolve(start).parent.type !== nodes.paragraph) return null;
      const tr = state.tr.delete(start, end);
      return tr.setBlockType(start, start, type, attrs(match) as Record<string, unknown> | null);
    },
    { inCodeMark: false },
  );
}

/** `[text](https://…)` */
function link(): InputRule {
  return new InputRule(
    /\[([^\]\ufffc]+)\]\((https?:\/\/[^\s()]+)\)$/,
    (state, match, start, end) => {
      const [, text, href] = match as unknown as [string, string, string];
      if (!safeUrl(href)) return null;
      return state.tr.replaceWith(start, end, schema.text(text, [marks.link.create({ href })])).removeStoredMark(marks.link);
    },
    { inCodeMark: false },
  );
}

function emoji(isEmoji: (name: string) => boolean): InputRule {
  return new InputRule(
    /(?<![\p{L}\p{N}:]):([a-z0-9_+'-]+):$/u,
    (state, match, start, end) => {
      const name = match[1]!;
      return isEmoji(name) ? state.tr.replaceWith(start, end, nodes.emoji.create({ name }, null, state.doc.resolve(start).marks())) : null;
    },
    { inCodeMark: false },
  );
}

/** `:skin-tone-3:` after an emoji. */
function tone(): InputRule {
  return new InputRule(new RegExp(`${ATOM}:skin-tone-([2-6]):$`), (state, match, start, end) => {
    const node = state.doc.nodeAt(start);
    return node?.type === nodes.emoji ? state.tr.replaceWith(start, end, nodes.emoji.create({ ...node.attrs, tone: Number(match[1]) }, null, node.marks)) : null;
  });
}
