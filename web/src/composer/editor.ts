/** The editor itself: ProseMirror with this program's document, keys, rules and clipboard. */
import { baseKeymap, chainCommands } from "prosemirror-commands";
import { history, redo, undo } from "prosemirror-history";
import { undoInputRule } from "prosemirror-inputrules";
import { keymap } from "prosemirror-keymap";
import { DOMSerializer, Slice } from "prosemirror-model";
import type { Node } from "prosemirror-model";
import { EditorState, Plugin, TextSelection } from "prosemirror-state";
import type { Command } from "prosemirror-state";
import { Decoration, DecorationSet, EditorView } from "prosemirror-view";
import { safeUrl } from "../text/mrkdwn";
import { backspaceKind, deleteAtom, indent, kindAt, leaveCode, leaveCodeBlock, linkAt, newLine, setLink, softBreak, textOf, toggleKind, toggleStyle } from "./actions";
import type { LineKind } from "./actions";
import { documentOf, fragmentOf, inlineOf, linesOfDocument } from "./document";
import { meaningsIn } from "./finish";
import type { Meanings } from "./finish";
import { linesOfHtml } from "./html";
import { numberItems } from "./lines";
import type { Line, Span } from "./lines";
import { linesOfPlain } from "./read";
import { typingRules } from "./rules";
import { schema } from "./schema";
import type { StyleName } from "./schema";
import { tokenBefore } from "./token";
import type { Token } from "./token";

const { nodes, marks } = schema;

/** What a view has to know of the editor after a step. */
export interface Snapshot {
  /** The document has changed. */
  changed: boolean;
  lines: Line[];
  styles: ReadonlySet<StyleName>;
  kind: LineKind;
  href: string | undefined;
  /** Characters are selected. */
  selected: boolean;
  /** What is being named before the caret. */
  token: Token | undefined;
}

export interface EditorHost {
  meanings(): Meanings;
  /** Whether Enter sends, rather than breaks the line. */
  enterSends(): boolean;
  changed(snapshot: Snapshot): void;
  /** Gets every key first; true: it was used. */
  key(event: KeyboardEvent): boolean;
  submit(): void;
  /** Wants an address for what is selected. */
  askLink(): void;
}

/** What the toolbar can ask for. */
export type Action = StyleName | "quote" | "bullet" | "ordered" | "code_block" | "undo" | "redo";

export class Editor {
  readonly view: EditorView;
  private lines: { doc: Node; lines: Line[] } | undefined;

  constructor(
    place: HTMLElement,
    private readonly host: EditorHost,
    lines: readonly Line[],
    attributes: Record<string, string>,
  ) {
    let shift = false;
    this.view = new EditorView(place, {
      state: this.stateOf(lines),
      attributes,
      dispatchTransaction: (tr) => {
        this.view.updateState(this.view.state.apply(tr));
        this.tell(tr.docChanged);
      },
      // ProseMirror would swallow Esc, which closes what is around the editor when the editor has no use for it.
      handleDOMEvents: {
        keydown: (_view, event) => {
          if (event.key !== "Escape" || event.isComposing) return false;
          if (this.host.key(event)) event.preventDefault();
          return true;
        },
        // Before ProseMirror reads the clipboard in its own way.
        paste: (_view, event) => {
          if (!this.paste(event, shift)) return false;
          event.preventDefault();
          return true;
        },
      },
      handleKeyDown: (_view, event) => {
        shift = event.shiftKey;
        if (event.metaKey || event.ctrlKey) this.catchUp();
        if (!this.host.key(event)) return this.shortcut(event);
        event.preventDefault();
        return true;
      },
      handleDrop: (_view, event, _slice, moved) => !moved && this.drop(event),
      clipboardTextSerializer: (slice) => slice.content.textBetween(0, slice.content.size, "\n", textOf),
    });
    this.tell(false);
  }

  destroy(): void {
    this.view.destroy();
  }

  focus(): void {
    this.view.focus();
  }

  /** Begins anew: nothing to undo. */
  set(lines: readonly Line[]): void {
    this.view.updateState(this.stateOf(lines));
    this.tell(true);
  }

  /** Draws emoji again: their table has come. Another view of a node makes ProseMirror draw all of them. */
  redraw(): void {
    const emoji = (node: Node) => ({ dom: DOMSerializer.renderSpec(document, nodes.emoji.spec.toDOM!(node)).dom });
    this.view.setProps({ nodeViews: { emoji } });
  }

  attributes(attributes: Record<string, string>): void {
    this.view.setProps({ attributes });
  }

  run(action: Action): void {
    const commands: Record<Action, Command> = {
      bold: toggleStyle("bold"),
      italic: toggleStyle("italic"),
      strike: toggleStyle("strike"),
      code: toggleStyle("code"),
      quote: toggleKind("quote"),
      bullet: toggleKind("bullet"),
      ordered: toggleKind("ordered"),
      code_block: toggleKind("code"),
      undo,
      redo,
    };
    this.command(commands[action]);
  }

  /** Something in the place of what was being named, or at the caret. */
  insert(span: Span, token?: Token): void {
    const { state } = this.view;
    const { from, to, $from } = state.selection;
    const inCode = $from.parent.type === nodes.code_block;
    const content = inCode ? [schema.text(plain(span))] : inlineOf(span).map((node) => node.mark($from.marks().filter((mark) => mark.type !== marks.code && mark.type !== marks.link)));
    const start = token === undefined ? from : to - token.whole.length;
    const tr = state.tr.replaceWith(start, to, content);
    const after = tr.mapping.map(to);
    if (!/^\s/.test(tr.doc.textBetween(after, Math.min(after + 1, tr.doc.content.size), "\n"))) tr.insertText(" ", after);
    tr.setSelection(TextSelection.create(tr.doc, after + 1));
    this.view.dispatch(tr.scrollIntoView());
    this.view.focus();
  }

  /** Characters in the place of what was being named. */
  complete(text: string, token: Token): void {
    const { to } = this.view.state.selection;
    this.view.dispatch(this.view.state.tr.insertText(text, to - token.whole.length, to).scrollIntoView());
    this.view.focus();
  }

  /** The address under the selection, and the selected characters. */
  link(): { href: string | undefined; text: string; from: number; to: number } {
    const range = linkAt(this.view.state);
    return { ...range, text: this.view.state.doc.textBetween(range.from, range.to, " ", textOf) };
  }

  setLink(range: { from: number; to: number }, href: string | undefined, text?: string): void {
    this.command(setLink(range, href, text));
  }

  private command(command: Command): void {
    command(this.view.state, this.view.dispatch, this.view);
    this.view.focus();
  }

  private stateOf(lines: readonly Line[]): EditorState {
    const doc = documentOf(lines);
    const { host } = this;
    const state = EditorState.create({
      doc,
      plugins: [typingRules((name) => host.meanings().isEmoji(name)), this.keys(), keymap(baseKeymap), history(), tidy, numbers, typedOut(() => host.meanings())],
    });
    return state.apply(state.tr.setSelection(TextSelection.atEnd(doc)));
  }

  private keys(): Plugin {
    const send: Command = () => {
      this.host.submit();
      return true;
    };
    const enter: Command = (state, dispatch) => {
      const kind = kindAt(state.selection.$from);
      if (this.host.enterSends() && (kind === "text" || kind === "quote")) return send(state);
      return newLine(state, dispatch);
    };
    return keymap({
      Enter: enter,
      "Shift-Enter": softBreak,
      "Mod-Enter": send,
      Tab: indent(1),
      "Shift-Tab": indent(-1),
      Backspace: chainCommands(undoInputRule, deleteAtom("before"), backspaceKind),
      Delete: deleteAtom("after"),
      ArrowRight: leaveCode,
      ArrowDown: leaveCodeBlock,
      "Mod-b": toggleStyle("bold"),
      "Mod-i": toggleStyle("italic"),
      "Mod-Shift-x": toggleStyle("strike"),
      "Mod-Shift-c": toggleStyle("code"),
      "Mod-Alt-Shift-c": toggleKind("code"),
      "Mod-Shift-7": toggleKind("ordered"),
      "Mod-Shift-8": toggleKind("bullet"),
      "Mod-Shift-9": toggleKind("quote"),
      "Mod-z": undo,
      "Mod-Shift-z": redo,
      "Mod-y": redo,
    });
  }

  /** Browsers tell of a new selection once a frame: a shortcut that follows at once means what is selected by then. */
  private catchUp(): void {
    const { state, dom } = this.view;
    const now = dom.ownerDocument.getSelection();
    if (!now?.anchorNode || !now.focusNode || !dom.contains(now.anchorNode) || !dom.contains(now.focusNode) || !(state.selection instanceof TextSelection)) return;
    const anchor = this.view.posAtDOM(now.anchorNode, now.anchorOffset);
    const head = this.view.posAtDOM(now.focusNode, now.focusOffset);
    if (anchor === state.selection.anchor && head === state.selection.head) return;
    this.view.dispatch(state.tr.setSelection(TextSelection.between(state.doc.resolve(anchor), state.doc.resolve(head))));
  }

  /** Ctrl/Cmd K is a link when something is selected, and the switcher's otherwise. */
  private shortcut(event: KeyboardEvent): boolean {
    const mod = (event.metaKey || event.ctrlKey) && !event.altKey;
    const key = event.key.toLowerCase();
    const link = mod && ((key === "k" && !event.shiftKey && !this.view.state.selection.empty) || (key === "u" && event.shiftKey));
    if (!link || this.view.state.selection.$from.parent.type === nodes.code_block) return false;
    event.stopPropagation();
    event.preventDefault();
    this.host.askLink();
    return true;
  }

  private paste(event: ClipboardEvent, asPlain: boolean): boolean {
    const data = event.clipboardData;
    if (data === null) return false;
    const text = data.getData("text/plain");
    // Code editors copy colours; the words are meant.
    const html = asPlain || data.types.includes("vscode-editor-data") ? "" : data.getData("text/html");
    if (text === "" && html === "") return false;
    return this.put(html, text);
  }

  private drop(event: DragEvent): boolean {
    const html = event.dataTransfer?.getData("text/html") ?? "";
    const text = event.dataTransfer?.getData("text/plain") ?? "";
    if (html === "" && text === "") return false;
    const at = this.view.posAtCoords({ left: event.clientX, top: event.clientY });
    if (at) this.view.dispatch(this.view.state.tr.setSelection(TextSelection.near(this.view.state.doc.resolve(at.pos))));
    event.preventDefault();
    return this.put(html, text);
  }

  private put(html: string, text: string): boolean {
    const { state } = this.view;
    const { $from, from, to, empty } = state.selection;
    if ($from.parent.type === nodes.code_block || marks.code.isInSet($from.marks())) {
      const code = $from.parent.type === nodes.code_block ? text.replaceAll(/\r\n?/g, "\n") : text.replaceAll(/\s*[\r\n]+\s*/g, " ");
      this.view.dispatch(state.tr.insertText(code, from, to).scrollIntoView());
      return true;
    }
    if (!empty && safeUrl(text.trim()) && $from.sameParent(state.selection.$to)) {
      this.command(setLink({ from, to }, text.trim()));
      return true;
    }
    const read = html === "" ? [] : linesOfHtml(new DOMParser().parseFromString(withoutHandlers(html), "text/html").body);
    const lines = read.length > 0 ? read : linesOfPlain(text);
    const tr = state.tr.replaceRange(from, to, new Slice(fragmentOf(lines), 1, 1));
    this.view.dispatch(tr.setSelection(TextSelection.near(tr.doc.resolve(tr.mapping.map(to)), -1)).scrollIntoView());
    return true;
  }

  private tell(changed: boolean): void {
    const { state } = this.view;
    const { $from, from, to, empty } = state.selection;
    if (this.lines?.doc !== state.doc) this.lines = { doc: state.doc, lines: linesOfDocument(state.doc) };
    const on = (name: StyleName) => (empty ? marks[name].isInSet(state.storedMarks ?? $from.marks()) !== undefined : state.doc.rangeHasMark(from, to, marks[name]));
    const kind = kindAt($from);
    const inCode = kind === "code" || on("code");
    const before = $from.parent.textBetween(Math.max(0, $from.parentOffset - 42), $from.parentOffset, "\n", "\ufffc");
    this.host.changed({
      changed,
      lines: this.lines.lines,
      styles: new Set((["bold", "italic", "strike", "code"] as const).filter(on)),
      kind,
      href: linkAt(state).href,
      selected: !empty,
      token: empty && !inCode ? tokenBefore(before, kind === "text" && $from.index(0) === 0) : undefined,
    });
  }
}

/** Nothing runs in the document that it is read in; but browsers report what would have, as if this page had tried it. */
function withoutHandlers(html: string): string {
  return html.replaceAll(/<[a-z][^>]*>/gi, (tag) => tag.replaceAll(/\son[a-z]+\s*=/gi, " data-was="));
}

function plain(span: Span): string {
  return span.type === "emoji" ? `:${span.name}:` : "text" in span ? (span.text ?? "") : "";
}

/** Mentions and emoji are no code and carry no address. */
const tidy = new Plugin({
  appendTransaction: (transactions, _before, state) => {
    if (!transactions.some((tr) => tr.docChanged)) return null;
    const tr = state.tr;
    state.doc.descendants((node, pos) => {
      if (!node.isInline || node.isText) return;
      for (const mark of [marks.code, marks.link]) if (mark.isInSet(node.marks)) tr.removeNodeMark(pos, mark);
    });
    return tr.docChanged ? tr : null;
  },
});

/** Items show their numbers. */
const numbers = new Plugin({
  props: {
    decorations: (state) => {
      const lines: Line[] = [];
      const places: [number, number][] = [];
      state.doc.forEach((node, pos) => {
        const { ordered, indent: depth, offset } = node.attrs as { ordered: boolean; indent: number; offset: number };
        lines.push(node.type === nodes.list_item ? { kind: "item", ordered, indent: depth, offset, spans: [] } : { kind: "text", spans: [] });
        places.push([pos, pos + node.nodeSize]);
      });
      const found = numberItems(lines);
      return DecorationSet.create(
        state.doc,
        places.flatMap(([from, to], i) => (found[i] ? [Decoration.node(from, to, { "data-number": String(found[i]) })] : [])),
      );
    },
  },
});

/** What was typed out looks like what it will be. */
function typedOut(meanings: () => Meanings): Plugin {
  return new Plugin({
    props: {
      decorations: (state) => {
        const found: Decoration[] = [];
        const known = meanings();
        state.doc.descendants((node, pos) => {
          if (node.type === nodes.code_block) return false;
          if (!node.isText || marks.code.isInSet(node.marks) || marks.link.isInSet(node.marks) || !/[@#:]/.test(node.text!)) return true;
          for (const it of meaningsIn(node.text!, known)) found.push(Decoration.inline(pos + it.from, pos + it.to, { class: it.span.type === "link" ? "typed-link" : it.span.type === "emoji" ? "typed-emoji" : "mention" }));
          return true;
        });
        return DecorationSet.create(state.doc, found);
      },
    },
  });
}
