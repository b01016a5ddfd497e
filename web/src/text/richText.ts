/** The block `rich_text` as the same tree that mrkdwn makes. What it does not know is left out; it never fails. */
import { dateNode, safeUrl } from "./mrkdwn";
import type { Block, Inline } from "./mrkdwn";
import { list, number, record, text } from "./json";
import type { Json } from "./json";

/** Deepest nesting of lists that is shown. */
const INDENT_MAX = 8;

export function readRichText(block: unknown): Block[] {
  const elements = list(record(block)["elements"]).map(record);
  return elements.flatMap((element, i): Block[] => {
    switch (element["type"]) {
      case "rich_text_section": {
        // The line break before a list or quote only ends the line above it.
        const children = spans(element, i < elements.length - 1);
        return children.length > 0 ? [{ type: "paragraph", children }] : [];
      }
      case "rich_text_quote":
        return [{ type: "quote", children: spans(element, true) }];
      case "rich_text_preformatted": {
        const content = list(element["elements"]).map(record).map((it) => text(it["text"]) || text(it["url"]));
        const language = text(element["language"]);
        return [{ type: "pre", text: content.join("").replace(/\n$/, ""), ...(language === "" ? {} : { language }) }];
      }
      case "rich_text_list":
        return [
          {
            type: "list",
            ordered: element["style"] === "ordered",
            indent: Math.min(INDENT_MAX, Math.max(0, Math.trunc(number(element["indent"]) ?? 0))),
            offset: Math.max(0, Math.trunc(number(element["offset"]) ?? 0)),
            items: list(element["elements"]).map((item) => spans(record(item), true)),
          },
        ];
      default:
        return [];
    }
  });
}

function spans(section: Json, trim: boolean): Inline[] {
  const nodes = list(section["elements"]).map(record).flatMap(span);
  if (trim && nodes[nodes.length - 1]?.type === "break") nodes.pop();
  return nodes;
}

function span(element: Json): Inline[] {
  const style = record(element["style"]);
  const bare = bareSpan(element, style["code"] === true);
  const marks = (["highlight", "underline", "strike", "italic", "bold"] as const).filter((mark) => style[mark] === true);
  if (style["client_highlight"] === true && !marks.includes("highlight")) marks.unshift("highlight");
  return marks.reduce<Inline[]>((children, mark) => (children.length > 0 ? [{ type: mark, children }] : []), bare);
}

function bareSpan(element: Json, code: boolean): Inline[] {
  switch (element["type"]) {
    case "text":
      return code ? [{ type: "code", text: text(element["text"]) }] : lines(text(element["text"]));
    case "link": {
      const url = text(element["url"]);
      const label = text(element["text"]) || url.replace(/^mailto:/, "");
      return safeUrl(url) ? [{ type: "link", url, label }] : lines(label);
    }
    case "user":
      return [{ type: "user", id: text(element["user_id"]) }];
    case "channel":
      return [{ type: "channel", id: text(element["channel_id"]) }];
    case "usergroup":
      return [{ type: "group", id: text(element["usergroup_id"]) }];
    case "broadcast":
      return [{ type: "broadcast", name: text(element["range"]) }];
    case "emoji": {
      const tone = number(element["skin_tone"]);
      const name = text(element["name"]);
      return name === "" ? [] : [{ type: "emoji", name: tone === undefined ? name : `${name}::skin-tone-${tone}` }];
    }
    case "date":
      return [dateNode(number(element["timestamp"]) ?? Number.NaN, text(element["format"]), text(element["url"]), text(element["fallback"]))];
    case "color":
      return [{ type: "color", value: text(element["value"]) }];
    default:
      return [];
  }
}

/** Text with its line breaks as nodes. */
function lines(content: string): Inline[] {
  return content.split("\n").flatMap((line, i): Inline[] => [...(i > 0 ? [{ type: "break" } as const] : []), ...(line === "" ? [] : [{ type: "text", text: line } as const])]);
}
