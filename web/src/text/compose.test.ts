import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeText, encodeText, textLength } from "./compose";
import { parseMrkdwn, plainText } from "./mrkdwn";

const names = {
  users: [
    { id: "U1", name: "Ann" },
    { id: "U2", name: "Ann Lee" },
    { id: "U3", name: "bo" },
    { id: "U4", name: "bo" },
  ],
  channels: [{ id: "C1", name: "general" }],
};

test.each([
  ["hi @Ann Lee, and @Ann!", "hi <@U2>, and <@U1>!"],
  ["@Anna is somebody else", "@Anna is somebody else"],
  ["mail me: ann@Ann", "mail me: ann@Ann"],
  ["@bo", "<@U3>"],
  ["#general #gener @here", "<#C1> #gener <!here>"],
  ["a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"],
  ["`@Ann <b>` @Ann", "`@Ann &lt;b&gt;` <@U1>"],
  ["```\n@Ann\n```", "```\n@Ann\n```"],
  ["> quoted", "&gt; quoted"],
  ["<https://a.example|x> <script>", "<https://a.example|x> &lt;script&gt;"],
])("%j is sent as %j", (typed, sent) => {
  expect(encodeText(typed, names)).toBe(sent);
});

test("a text that is edited comes back as it was typed", () => {
  const piece = fc.constantFrom("@Ann Lee", "@Ann", "#general", "@here", " ", "<", "&", ">", "text", "`", "\n", "<https://a.example|x>");
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const typed = pieces.join("");
      const sent = encodeText(typed, names);
      expect(decodeText(sent, names)).toBe(typed);
      expect(encodeText(decodeText(sent, names), names)).toBe(sent);
    }),
    { numRuns: 2000 },
  );
});

test("what is typed without marks is what others read", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z<>& ]{0,20}$/), (typed) => {
      const read = plainText(parseMrkdwn(encodeText(`x${typed}x`, names)), { user: String, channel: String });
      expect(read).toBe(`x${typed}x`);
    }),
  );
});

test("length is counted in characters, not in code units", () => {
  expect([textLength("abc"), textLength("👋"), textLength("é")]).toEqual([3, 1, 1]);
});
