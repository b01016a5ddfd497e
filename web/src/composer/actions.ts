/** What the toolbar and the shortcuts do to the document. */
import { toggleMark } from "prosemirror-commands";
import { Fragment } from "prosemirror-model";
import type { Node, ResolvedPos } from "prosemirror-model";
import { Selection, TextSelection } from "prosemirror-state";
import type { Command, EditorState, Transaction } from "prosemirror-state";
import { INDENT_MAX } from "./lines";
import { schema } from "./schema";
import type { StyleName } from "./schema";

const { nodes, marks } = schema;

/** The kinds that a line can be made. */
export type LineKind = "text" | "quote" | "bullet" | "ordered" | "code";

export function toggleStyle(name: StyleName): Command {
  return toggleMark(marks[name]);
}

/** The kind of the line that a position is in. */
export function kindAt($at: ResolvedPos): LineKind {
  const { type, attrs } = $at.parent;
  if (type === nodes.code_block) return "code";
  if (type === nodes.quote) return "quote";
  if (type === nodes.list_item) return attrs["ordered"] ? "ordered" : "bullet";
  return "text";
}

/** The selected lines become of this kind, or plain again if they all are. */
export function toggleKind(kind: Exclude<LineKind, "text">): Command {
  return (state, dispatch) => {
    const selected = selectedLines(state);
    const all = selected.every(({ node }) => kindOf(node) === kind);
    const tr = state.tr;
    if (all) setKind(tr, state, selected, "text");
    else setKind(tr, state, selected, kind);
    dispatch?.(tr.scrollIntoView());
    return true;
  };
}

function kindOf(node: Node): LineKind {
  return kindAt({ parent: node } as ResolvedPos);
}

interface Selected {
  node: Node;
  pos: number;
}

function selectedLines(state: EditorState): Selected[] {
  const { from, to } = state.selection;
  const found: Selected[] = [];
  state.doc.nodesBetween(from, to, (node, pos) => {
    if (node.isTextblock) found.push({ node, pos });
    return !node.isTextblock;
  });
  return found;
}

function setKind(tr: Transaction, state: EditorState, selected: readonly Selected[], kind: LineKind): void {
  const first = selected[0]!;
  const last = selected[selected.length - 1]!;
  const from = first.pos;
  const to = last.pos + last.node.nodeSize;
  const anchor = state.selection.from;
  if (kind === "code") {
    const text = selected.map(({ node }) => node.textBetween(0, node.content.size, "\n", textOf)).join("\n");
    tr.replaceWith(from, to, nodes.code_block.create(null, text === "" ? null : schema.text(text)));
    tr.setSelection(TextSelection.near(tr.doc.resolve(Math.min(from + 1 + text.length, tr.doc.content.size))));
    return;
  }
  const type = kind === "quote" ? nodes.quote : kind === "text" ? nodes.paragraph : nodes.list_item;
  if (!selected.some(({ node }) => node.type === nodes.code_block)) {
    for (const { node, pos } of selected) tr.setNodeMarkup(pos, type, kind === "quote" || kind === "text" ? null : { ordered: kind === "ordered", indent: (node.attrs["indent"] as number | undefined) ?? 0, offset: 0 });
    return;
  }
  const lines = selected.flatMap(({ node }) =>
    node.type === nodes.code_block ? node.textContent.split("\n").map((text) => type.create({ ordered: kind === "ordered" }, text === "" ? null : schema.text(text))) : [type.create({ ordered: kind === "ordered" }, node.content)],
  );
  tr.replaceWith(from, to, Fragment.from(lines));
  tr.setSelection(Selection.near(tr.doc.resolve(Math.min(anchor, tr.doc.content.size))));
}

/** What stands in a line and is no character, as characters. */
export function textOf(node: Node): string {
  if (node.type === nodes.hard_break) return "\n";
  if (node.type === nodes.emoji) return `:${String(node.attrs["name"])}:`;
  const shown = node.type.spec.toDOM?.(node) as readonly unknown[] | undefined;
  return String(shown?.[shown.length - 1] ?? "");
}

/** Items go one step in or out, as far as the item above allows. False outside of lists. */
export function indent(by: 1 | -1): Command {
  return (state, dispatch) => {
    const items = selectedLines(state).filter(({ node }) => node.type === nodes.list_item);
    const first = items[0];
    if (first === undefined) return false;
    const above = state.doc.resolve(first.pos).nodeBefore;
    const allowed = above?.type === nodes.list_item ? (above.attrs["indent"] as number) + 1 : 0;
    const at = first.node.attrs["indent"] as number;
    if (by > 0 ? at >= Math.min(allowed, INDENT_MAX) : at === 0) return false;
    const tr = state.tr;
    for (const { node, pos } of items) tr.setNodeMarkup(pos, null, { ...node.attrs, indent: Math.max(0, Math.min(INDENT_MAX, (node.attrs["indent"] as number) + by)) });
    dispatch?.(tr);
    return true;
  };
}

/** A new line of the same kind; in an empty one the kind ends. */
export const newLine: Command = (state, dispatch) => {
  const { $from } = state.selection;
  const { parent } = $from;
  if (parent.type === nodes.code_block) return newCodeLine(state, dispatch);
  if (parent.content.size === 0 && parent.type !== nodes.paragraph) return plainLine(state, dispatch);
  if (dispatch) {
    const styles = state.storedMarks ?? ($from.parentOffset > 0 ? $from.marks() : null);
    const tr = state.tr.deleteSelection();
    const attrs = parent.type === nodes.list_item ? { ...parent.attrs, offset: 0 } : parent.attrs;
    tr.split(tr.selection.from, 1, [{ type: parent.type, attrs }]);
    if (styles) tr.ensureMarks(styles);
    dispatch(tr.scrollIntoView());
  }
  return true;
};

function newCodeLine(state: EditorState, dispatch: ((tr: Transaction) => void) | undefined): boolean {
  const { $from, empty } = state.selection;
  const atEnd = empty && $from.parentOffset === $from.parent.content.size;
  if (!atEnd || !$from.parent.textContent.endsWith("\n")) {
    dispatch?.(state.tr.insertText("\n").scrollIntoView());
    return true;
  }
  // A second empty line ends the code.
  const tr = state.tr.delete($from.pos - 1, $from.pos);
  const after = tr.selection.$from.after();
  tr.insert(after, nodes.paragraph.create());
  tr.setSelection(TextSelection.create(tr.doc, after + 1));
  dispatch?.(tr.scrollIntoView());
  return true;
}

/** A line of a list or a quote becomes less of it: an inner item goes one step out, the rest becomes plain. */
export const plainLine: Command = (state, dispatch) => {
  const { $from } = state.selection;
  const { parent } = $from;
  if (parent.type === nodes.paragraph) return false;
  if (parent.type === nodes.list_item && (parent.attrs["indent"] as number) > 0) return indent(-1)(state, dispatch);
  if (parent.type === nodes.code_block && parent.content.size > 0) return false;
  dispatch?.(state.tr.setNodeMarkup($from.before(), nodes.paragraph, null).scrollIntoView());
  return true;
};

/** A line break inside an item; elsewhere a new line. */
export const softBreak: Command = (state, dispatch) => {
  if (state.selection.$from.parent.type !== nodes.list_item) return newLine(state, dispatch);
  dispatch?.(state.tr.replaceSelectionWith(nodes.hard_break.create()).scrollIntoView());
  return true;
};

/** The first key at the beginning of a line takes its kind away, and not its characters. */
export const backspaceKind: Command = (state, dispatch) => {
  const { $from, empty } = state.selection;
  return empty && $from.parentOffset === 0 ? plainLine(state, dispatch) : false;
};

/** Mentions and emoji go as a whole. */
export function deleteAtom(side: "before" | "after"): Command {
  return (state, dispatch) => {
    const { $from, empty } = state.selection;
    const node = side === "before" ? $from.nodeBefore : $from.nodeAfter;
    if (!empty || !node?.isInline || node.isText) return false;
    const [from, to] = side === "before" ? [$from.pos - node.nodeSize, $from.pos] : [$from.pos, $from.pos + node.nodeSize];
    dispatch?.(state.tr.delete(from, to).scrollIntoView());
    return true;
  };
}

/** Out of code that ends where the line does. */
export const leaveCode: Command = (state, dispatch) => {
  const { $from, empty } = state.selection;
  const inside = marks.code.isInSet(state.storedMarks ?? $from.marks());
  if (!empty || !inside || $from.parentOffset < $from.parent.content.size) return false;
  dispatch?.(state.tr.removeStoredMark(marks.code));
  return true;
};

/** Below code that is the last thing there. */
export const leaveCodeBlock: Command = (state, dispatch) => {
  const { $from, empty } = state.selection;
  const last = $from.after() === state.doc.content.size;
  if (!empty || $from.parent.type !== nodes.code_block || !last || $from.parent.textContent.indexOf("\n", $from.parentOffset) >= 0) return false;
  if (dispatch) {
    const at = $from.after();
    const tr = state.tr.insert(at, nodes.paragraph.create());
    dispatch(tr.setSelection(TextSelection.create(tr.doc, at + 1)).scrollIntoView());
  }
  return true;
};

/** The address under the selection, and the characters that carry it. */
export function linkAt(state: EditorState): { href: string | undefined; from: number; to: number } {
  const { $from, from, to, empty } = state.selection;
  const mark = marks.link.isInSet($from.marks()) ?? ($from.nodeAfter ? marks.link.isInSet($from.nodeAfter.marks) : undefined);
  if (!mark) return { href: undefined, from, to };
  if (!empty) return { href: String(mark.attrs["href"]), from, to };
  let start = $from.pos;
  let end = $from.pos;
  $from.parent.forEach((node, offset) => {
    const at = $from.start() + offset;
    if (mark.isInSet(node.marks) && at <= $from.pos && at + node.nodeSize >= $from.pos) [start, end] = [at, at + node.nodeSize];
  });
  return { href: String(mark.attrs["href"]), from: start, to: end };
}

/** Puts an address under a range, with another text if one is given; no address takes it away. */
export function setLink(range: { from: number; to: number }, href: string | undefined, text?: string): Command {
  return (state, dispatch) => {
    const tr = state.tr;
    let { to } = range;
    if (text !== undefined && text !== state.doc.textBetween(range.from, to)) {
      tr.insertText(text, range.from, to);
      to = range.from + text.length;
    }
    tr.removeMark(range.from, to, marks.link);
    if (href !== undefined) {
      tr.removeMark(range.from, to, marks.code);
      tr.addMark(range.from, to, marks.link.create({ href }));
    }
    tr.setSelection(TextSelection.create(tr.doc, to)).removeStoredMark(marks.link);
    dispatch?.(tr.scrollIntoView());
    return true;
  };
}
