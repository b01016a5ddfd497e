/** Colours code by its language. Loaded when the first code block is seen. */
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import csharp from "highlight.js/lib/languages/csharp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import kotlin from "highlight.js/lib/languages/kotlin";
import markdown from "highlight.js/lib/languages/markdown";
import php from "highlight.js/lib/languages/php";
import python from "highlight.js/lib/languages/python";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import shell from "highlight.js/lib/languages/shell";
import sql from "highlight.js/lib/languages/sql";
import swift from "highlight.js/lib/languages/swift";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";

/** What a piece of code is, in the few kinds that have a colour. */
export type Kind = "keyword" | "string" | "value" | "name" | "comment" | "added" | "removed";

export interface Colouring {
  language: string;
  /** In order; together exactly the code. */
  pieces: { text: string; kind?: Kind }[];
}

const lowlight = createLowlight({ bash, c, cpp, csharp, css, diff, go, ini, java, javascript, json, kotlin, markdown, php, python, ruby, rust, shell, sql, swift, typescript, xml, yaml });

/** Languages that a text without a language may be guessed to be: those whose texts look like no other's. */
const GUESSED = ["bash", "cpp", "css", "diff", "go", "java", "javascript", "json", "python", "rust", "sql", "typescript", "xml", "yaml"];
/** Below this a guess is none: prose scores a little in every language. */
const RELEVANCE_MIN = 6;

const KINDS: Record<string, Kind> = {
  keyword: "keyword",
  "selector-tag": "keyword",
  tag: "keyword",
  meta: "comment",
  comment: "comment",
  quote: "comment",
  string: "string",
  regexp: "string",
  symbol: "string",
  char: "string",
  number: "value",
  literal: "value",
  type: "value",
  built_in: "value",
  title: "name",
  name: "name",
  attr: "name",
  attribute: "name",
  property: "name",
  section: "name",
  "selector-class": "name",
  addition: "added",
  deletion: "removed",
};

/** The code in coloured pieces; undefined if its language is neither known nor to be guessed. */
export function colour(code: string, language: string | undefined): Colouring | undefined {
  const named = language?.toLowerCase();
  const known = named !== undefined && lowlight.registered(named);
  if (named !== undefined && !known) return undefined;
  const tree = known ? lowlight.highlight(named, code) : lowlight.highlightAuto(code, { subset: GUESSED });
  const found = tree.data?.language;
  if (found === undefined || (!known && (tree.data?.relevance ?? 0) < RELEVANCE_MIN)) return undefined;
  const pieces: Colouring["pieces"] = [];
  for (const node of tree.children) collect(node as Node, undefined, pieces);
  return { language: found, pieces };
}

/** The two kinds of nodes that lowlight makes. */
type Node = { type: "text"; value: string } | { type: "element"; properties: { className?: string[] }; children: Node[] };

function collect(node: Node, kind: Kind | undefined, pieces: Colouring["pieces"]): void {
  if (node.type === "text") {
    pieces.push({ text: node.value, ...(kind === undefined ? {} : { kind }) });
    return;
  }
  if (node.type !== "element") return;
  const name = node.properties.className?.[0]?.replace("hljs-", "") ?? "";
  for (const child of node.children) collect(child, KINDS[name] ?? kind, pieces);
}
