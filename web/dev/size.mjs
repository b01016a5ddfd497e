// What sign-in and reading a channel cost, compressed: the scripts that the page names, what they import, and what
// is fetched at the start anyway. What only some ever need (colours of code, markdown, the emoji table) is listed
// beside it. Fails over the budget.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

/** Compressed JavaScript, bytes. */
const BUDGET = 250 * 1024;
/** Chunks that `App.tsx` fetches as soon as somebody is inside. */
const AT_START = /^emoji-data-/;

const dist = new URL("../dist/", import.meta.url);
const read = (name) => readFileSync(new URL(`assets/${name}`, dist), "utf8");
const named = [...readFileSync(new URL("index.html", dist), "utf8").matchAll(/assets\/([\w.-]+\.js)/g)].map((match) => match[1]);
const all = readdirSync(new URL("assets/", dist)).sort();
const needed = new Set();
const need = (name) => {
  if (needed.has(name)) return;
  needed.add(name);
  for (const [, other] of read(name).matchAll(/(?:from|import)\s*["'`]\.\/([\w.-]+\.js)["'`]/g)) need(other);
};
for (const name of [...named, ...all.filter((name) => AT_START.test(name))]) need(name);
if (named.length === 0) throw new Error("dist/index.html names no script");

let scripts = 0;
for (const name of all) {
  const bytes = readFileSync(new URL(`assets/${name}`, dist));
  const gzip = gzipSync(bytes, { level: 9 }).length;
  const later = name.endsWith(".js") && !needed.has(name);
  if (needed.has(name)) scripts += gzip;
  console.log(`${name.padEnd(32)} ${String(bytes.length).padStart(8)} B  ${String(gzip).padStart(7)} B gzip${later ? "  on demand" : ""}`);
}
console.log(`JavaScript compressed: ${(scripts / 1024).toFixed(1)} KB of ${BUDGET / 1024} KB`);
process.exitCode = scripts > BUDGET ? 1 : 0;
