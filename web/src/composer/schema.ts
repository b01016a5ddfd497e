/** The editor's document: a list of lines, each of one kind. Nothing else of a document exists, whatever is pasted. */
import { Schema } from "prosemirror-model";
import type { DOMOutputSpec, Node } from "prosemirror-model";

/** What ids are called; the editor's owner says. */
export const labels = {
  user: (id: string): string => id,
  channel: (id: string): string => id,
  /** The characters of an emoji; undefined: its name is shown. */
  emoji: (_name: string, _tone: number | null): string | undefined => undefined,
};

const mention = (node: Node, name: string, text: string): DOMOutputSpec => ["span", { class: "mention", [`data-${name}`]: String(node.attrs["id"]) }, text];

export const schema = new Schema({
  nodes: {
    doc: { content: "line+" },
    text: { group: "inline" },
    paragraph: { group: "line", content: "inline*", parseDOM: [{ tag: "p" }, { tag: "div" }], toDOM: () => ["p", { dir: "auto" }, 0] },
    quote: { group: "line", content: "inline*", defining: true, parseDOM: [{ tag: "blockquote" }], toDOM: () => ["blockquote", { dir: "auto" }, 0] },
    list_item: {
      group: "line",
      content: "inline*",
      defining: true,
      attrs: { ordered: { default: false }, indent: { default: 0 }, offset: { default: 0 } },
      parseDOM: [
        {
          tag: "div[data-item]",
          priority: 60,
          getAttrs: (it) => ({ ordered: it.dataset["item"] === "ordered", indent: Number(it.dataset["indent"]) || 0, offset: Number(it.dataset["offset"]) || 0 }),
        },
      ],
      toDOM: (node) => ["div", { class: "item", dir: "auto", "data-item": node.attrs["ordered"] ? "ordered" : "bullet", "data-indent": String(node.attrs["indent"]), "data-offset": String(node.attrs["offset"]) }, 0],
    },
    code_block: {
      group: "line",
      content: "text*",
      marks: "",
      code: true,
      defining: true,
      attrs: { language: { default: null } },
      parseDOM: [{ tag: "pre", preserveWhitespace: "full" }],
      toDOM: () => ["pre", { spellcheck: "false" }, ["code", 0]],
    },
    hard_break: { group: "inline", inline: true, selectable: false, linebreakReplacement: true, parseDOM: [{ tag: "br" }], toDOM: () => ["br"] },
    user: { group: "inline", inline: true, atom: true, attrs: { id: {} }, parseDOM: [{ tag: "span[data-user]", getAttrs: (it) => ({ id: it.dataset["user"] }) }], toDOM: (node) => mention(node, "user", `@${labels.user(node.attrs["id"] as string)}`) },
    channel: { group: "inline", inline: true, atom: true, attrs: { id: {} }, parseDOM: [{ tag: "span[data-channel-id]", getAttrs: (it) => ({ id: it.dataset["channelId"] }) }], toDOM: (node) => mention(node, "channel-id", `#${labels.channel(node.attrs["id"] as string)}`) },
    broadcast: { group: "inline", inline: true, atom: true, attrs: { id: {} }, parseDOM: [{ tag: "span[data-broadcast]", getAttrs: (it) => ({ id: it.dataset["broadcast"] }) }], toDOM: (node) => mention(node, "broadcast", `@${String(node.attrs["id"])}`) },
    emoji: {
      group: "inline",
      inline: true,
      atom: true,
      attrs: { name: {}, tone: { default: null } },
      parseDOM: [{ tag: "span[data-emoji]", getAttrs: (it) => ({ name: it.dataset["emoji"], tone: it.dataset["tone"] ? Number(it.dataset["tone"]) : null }) }],
      toDOM: (node) => {
        const { name, tone } = node.attrs as { name: string; tone: number | null };
        return ["span", { class: "emoji", "data-emoji": name, ...(tone === null ? {} : { "data-tone": String(tone) }), title: `:${name}:` }, labels.emoji(name, tone) ?? `:${name}:`];
      },
    },
    /** An element that is kept as it came: a date, a user group. */
    kept: { group: "inline", inline: true, atom: true, attrs: { span: {}, text: {} }, toDOM: (node) => ["span", { class: "mention kept" }, String(node.attrs["text"])] },
  },
  marks: {
    link: { attrs: { href: {} }, inclusive: false, parseDOM: [{ tag: "a[href]", getAttrs: (it) => ({ href: it.getAttribute("href") }) }], toDOM: (mark) => ["a", { href: String(mark.attrs["href"]), title: String(mark.attrs["href"]) }, 0] },
    bold: { parseDOM: [{ tag: "strong" }, { tag: "b" }], toDOM: () => ["strong", 0] },
    italic: { parseDOM: [{ tag: "em" }, { tag: "i" }], toDOM: () => ["em", 0] },
    strike: { parseDOM: [{ tag: "s" }, { tag: "del" }], toDOM: () => ["s", 0] },
    code: { code: true, excludes: "code link", parseDOM: [{ tag: "code" }], toDOM: () => ["code", { spellcheck: "false" }, 0] },
  },
});

export type StyleName = "bold" | "italic" | "strike" | "code";
