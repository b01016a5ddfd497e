import fc from "fast-check";
import { JSDOM } from "jsdom";
import { expect, test } from "vitest";
import { documentOf } from "./document";
import { linesOfHtml } from "./html";
import { richTextOf } from "./lines";
import { mrkdwnOf } from "./write";

const lines = (html: string) => linesOfHtml(new JSDOM(html).window.document.body);
const text = (html: string) => mrkdwnOf(richTextOf(lines(html)));

test("a web page keeps its words, marks, lists, quotes and code", () => {
  expect(
    text(`<h2>Title</h2><p>Some <b>bold</b>, <em>it</em>
      and <a href="https://x.org">a link</a>, <a href="javascript:alert(1)">no link</a>.</p>
      <ul><li>one</li><li><p>two</p><p>more</p><ol start="3"><li>three</li><li>four</li></ol></li><li>five</li></ul>
      <blockquote><p>said<br>so</p></blockquote><pre><code class="language-rust">let x = 1;
  y</code></pre><script>bad()</script>`),
  ).toBe("*Title*\nSome *bold*, _it_ and <https://x.org|a link>, no link.\n• one\n• two\nmore\n    3. three\n    4. four\n• five\n> said\n> so\n```\nlet x = 1;\n  y\n```");
});

test("Google Docs: the bold that is none, weights and lists", () => {
  expect(
    text(
      `<meta charset="utf-8"><b style="font-weight:normal;" id="docs-internal-guid-1"><p dir="ltr"><span style="font-weight:400;font-style:normal;white-space:pre-wrap;">plain </span><span style="font-weight:700;white-space:pre-wrap;">bold</span><span style="text-decoration:line-through;"> gone</span></p><ul><li dir="ltr" aria-level="1"><p dir="ltr" role="presentation"><span>item</span></p></li><ul><li aria-level="2"><p><span>inner</span></p></li></ul></ul></b>`,
    ),
  ).toBe("plain *bold*~ gone~\n• item\n    • inner");
});

test("Word: lists that are paragraphs", () => {
  expect(
    text(
      `<p class=MsoNormal>Intro<o:p></o:p></p><p class=MsoListParagraph style='margin-left:.5in;mso-list:l0 level1 lfo1'><!--[if !supportLists]--><span style='mso-list:Ignore'>·<span>&nbsp;&nbsp; </span></span><!--[endif]-->One</p><p style='mso-list:l1 level2 lfo2'><span style='mso-list:Ignore'>1.<span>&nbsp; </span></span>Deep</p>`,
    ),
  ).toBe("Intro\n• One\n    1. Deep");
});

test("Slack: flat lists, quotes, emoji that are pictures, and mentions of another place as their text", () => {
  expect(
    text(
      `<b data-stringify-type="bold">hi</b> <a class="c-member_slug" data-member-id="U9" href="/team/U9">@ann</a> <img data-stringify-emoji=":wave::skin-tone-3:" alt=":wave::skin-tone-3:" src="x.png"><ul data-indent="0"><li>a</li></ul><ul data-indent="1"><li>b</li></ul><blockquote type="cite">q</blockquote>`,
    ),
  ).toBe("*hi* @ann :wave::skin-tone-3:\n• a\n    • b\n> q");
});

test("what was copied here is the same when it is pasted here", () => {
  expect(text(`<p dir="auto">to <span class="mention" data-user="U1">@Ann</span> <span class="mention" data-channel-id="C1">#x</span> <span class="emoji" data-emoji="wave" data-tone="3">👋</span> <span class="mention" data-broadcast="here">@here</span></p>`)).toBe("to <@U1> <#C1> :wave::skin-tone-3: <!here>");
});

test("blanks of the source are none of the text; empty paragraphs are empty lines", () => {
  expect(lines("<div>\n  <p> a  b\n c </p>\n  <p></p><p>d</p>\n</div>")).toEqual([
    { kind: "text", spans: [{ type: "text", text: "a b c" }] },
    { kind: "text", spans: [] },
    { kind: "text", spans: [{ type: "text", text: "d" }] },
  ]);
});

test("whatever is pasted becomes a document, and its words are there", () => {
  const tag = fc.constantFrom("p", "div", "b", "i", "ul", "ol", "li", "blockquote", "pre", "code", "a href=https://x.org", "table", "tr", "td", "span style=font-weight:700", "br", "h1", "span data-user=U1");
  const node = fc.letrec((tie) => ({ tree: fc.oneof({ depthSize: "small" }, fc.stringMatching(/^[a-z]{1,6} ?$/), fc.tuple(tag, fc.array(tie("tree"), { maxLength: 4 })).map(([name, inside]) => `<${name}>${inside.join("")}</${name.split(" ")[0]}>`)) })).tree as fc.Arbitrary<string>;
  fc.assert(
    fc.property(fc.array(node, { maxLength: 5 }), (html) => {
      const { document } = new JSDOM(html.join("")).window;
      for (const hidden of document.querySelectorAll("[data-user]")) hidden.textContent = "";
      const found = linesOfHtml(document.body);
      documentOf(found).check();
      const words = (it: string) => it.replaceAll(/\s/g, "");
      expect(words(found.map((line) => (line.kind === "code" ? line.text : line.spans.map((it) => ("text" in it ? it.text : it.type === "link" ? it.url : "")).join(""))).join(""))).toBe(words(document.body.textContent ?? ""));
    }),
    { numRuns: 300 },
  );
});
