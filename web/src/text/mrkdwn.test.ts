import fc from "fast-check";
import { expect, test } from "vitest";
import { escape, onlyEmoji, parseMrkdwn, plainText, unescape } from "./mrkdwn";
import type { Block, Inline } from "./mrkdwn";

/** The tree as one line: tags stand for nodes. */
function show(blocks: readonly Block[]): string {
  const inline = (node: Inline): string => {
    switch (node.type) {
      case "text":
        return node.text;
      case "code":
        return `[code ${node.text}]`;
      case "link":
        return `[${node.label}](${node.url})`;
      case "user":
      case "channel":
      case "group":
        return `[${node.type} ${node.id}${node.label === undefined ? "" : ` ${node.label}`}]`;
      case "broadcast":
      case "emoji":
        return `[${node.type} ${node.name}]`;
      case "date":
        return `[date ${node.seconds} ${node.format} ${node.url ?? ""}|${node.fallback}]`;
      case "color":
        return node.value;
      case "break":
        return "⏎";
      default:
        return `[${node.type} ${node.children.map(inline).join("")}]`;
    }
  };
  const one = (block: Block): string => {
    if (block.type === "pre") return `{pre ${block.text}}`;
    if (block.type === "quote") return `{quote ${block.children.map(inline).join("")}}`;
    return block.type === "paragraph" ? block.children.map(inline).join("") : `{${block.type}}`;
  };
  return blocks.map(one).join("|");
}

test.each([
  ["plain", "plain"],
  ["*bold* _italic_ ~strike~", "[bold bold] [italic italic] [strike strike]"],
  ["*bold _both_*", "[bold bold [italic both]]"],
  ["2*3*4 snake_case_name a~b~c", "2*3*4 snake_case_name a~b~c"],
  ["* not bold * _ nor _", "* not bold * _ nor _"],
  ["**", "**"],
  ["`code *x* &lt;b&gt;`", "[code code *x* <b>]"],
  ["*a `*` b*", "[bold a [code *] b]"],
  ["``", "``"],
  ["a ```\nlet x = &lt;T&gt;;\n``` b", "a |{pre let x = <T>;}| b"],
  ["```unclosed", "```unclosed"],
  ["&gt; one\n&gt; two\nthree", "{quote one⏎two}|three"],
  ["> one\n> two", "{quote one⏎two}"],
  ["&gt;&gt;&gt; all\nof it", "{quote all⏎of it}"],
  ["one\n\ntwo", "one⏎⏎two"],
  ["<https://a.example/x?y=1&amp;z=2|label &amp; more>", "[label & more](https://a.example/x?y=1&z=2)"],
  ["<https://a.example>", "[https://a.example](https://a.example)"],
  ["<mailto:a@b.example|a@b.example>", "[a@b.example](mailto:a@b.example)"],
  ["see https://a.example/b_(c). Or (https://d.example/e)!", "see [https://a.example/b_(c)](https://a.example/b_(c)). Or ([https://d.example/e](https://d.example/e))!"],
  ["<@U123ABC> and <@U123ABC|ann>", "[user U123ABC] and [user U123ABC ann]"],
  ["<#C123ABC|general>", "[channel C123ABC general]"],
  ["<!here> <!channel> <!everyone>", "[broadcast here] [broadcast channel] [broadcast everyone]"],
  ["<!subteam^S1|@team> <!date^1^{date}|Monday>", "[group S1 @team] [date 1 {date} |Monday]"],
  ["<!date^1^at {time}^https://a.example/?a=1&amp;b=2|x>", "[date 1 at {time} https://a.example/?a=1&b=2|x]"],
  ["<!date^1^{time}^javascript:alert(1)|x>", "[date 1 {time} |x]"],
  ["<!date^soon^{time}|x> <!other|y>", "x y"],
  [":tada: :wave::skin-tone-3: at 10:30:00 a:b:", "[emoji tada] [emoji wave::skin-tone-3] at 10:30:00 a:b:"],
  ["<javascript:alert(1)|click> <data:text/html,x>", "<javascript:alert(1)|click> <data:text/html,x>"],
  ["&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"],
  ["&amp;lt;", "&lt;"],
  ["a < b", "a < b"],
  ["*größe* _日本_", "[bold größe] [italic 日本]"],
])("%j", (text, expected) => {
  expect(show(parseMrkdwn(text))).toBe(expected);
});

test("no text makes it fail, and only safe addresses become links", () => {
  const piece = fc.constantFrom("*", "_", "~", "`", "```", "<", ">", "|", "&gt;", "&lt;", "&amp;", "@U1", "#C1", "!here", ":", "a", " ", "\n", "https://x.example", "javascript:", "http");
  const links = (nodes: readonly Inline[]): string[] => nodes.flatMap((node) => (node.type === "link" ? [node.url] : "children" in node ? links(node.children) : []));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      for (const block of parseMrkdwn(pieces.join(""))) {
        if ("children" in block) for (const url of links(block.children)) expect(url).toMatch(/^(https?:\/\/|mailto:)/);
      }
    }),
    { numRuns: 3000 },
  );
});

test("what is escaped and shown is what was typed", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(unescape(escape(text))).toBe(text);
    }),
  );
});

test("up to three emoji alone are large", () => {
  const large = (text: string) => onlyEmoji(parseMrkdwn(text));
  expect([large(":tada:"), large(":tada: :wave:"), large("👋"), large("hi :tada:"), large(":a: :b: :c: :d:"), large("1"), large("")]).toEqual([true, true, true, false, false, false, false]);
});

test("announcements have no marks", () => {
  const names = { user: () => "Ann", channel: () => "general" };
  expect(plainText(parseMrkdwn("*hi* <@U1>, see <#C1> `now`\n&gt; ok"), names)).toBe("hi @Ann, see #general now ok");
});
