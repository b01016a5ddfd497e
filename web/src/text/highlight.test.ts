import fc from "fast-check";
import { expect, test } from "vitest";
import { colour } from "./highlight";

const text = (code: string, language?: string) => colour(code, language)?.pieces.map((piece) => piece.text).join("");

test("keywords, strings and comments are told apart", () => {
  const pieces = colour('fn main() { let x = "a"; } // end', "rust")!.pieces.filter((piece) => piece.kind !== undefined);
  expect(pieces.map((piece) => `${piece.kind} ${piece.text}`)).toEqual(["keyword fn", "name main", "keyword let", 'string "a"', "comment // end"]);
});

test("a language is guessed from code and not from prose", () => {
  const code = 'import os\n\ndef read(path):\n    with open(path) as file:\n        return file.read()\n\nif __name__ == "__main__":\n    print(read("x"))\n';
  expect(colour(code, undefined)?.language).toBe("python");
  expect(colour("Dear all,\nthe meeting is at ten tomorrow.\nSee you there, Ann", undefined)).toBeUndefined();
  expect(colour("x", "klingon")).toBeUndefined();
});

test("coloured code is the same code", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), fc.constantFrom("rust", "javascript", "xml", "markdown", "bash", "diff"), (code, language) => {
      expect(text(code, language)).toBe(code);
    }),
  );
});
