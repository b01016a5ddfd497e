import fc from "fast-check";
import { expect, test } from "vitest";
import { documentOf, linesOfDocument } from "./document";
import { linesOf, richTextOf } from "./lines";
import { anyLines } from "./testing";

test("a document is sent as a rich text and comes back as the same document", () => {
  fc.assert(
    fc.property(anyLines, (lines) => {
      const doc = documentOf(lines);
      doc.check();
      expect(linesOfDocument(doc)).toEqual(lines);
      expect(documentOf(linesOf(richTextOf(linesOfDocument(doc)))).eq(doc)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test("an empty document is one empty line", () => {
  expect(linesOfDocument(documentOf([]))).toEqual([{ kind: "text", spans: [] }]);
});
