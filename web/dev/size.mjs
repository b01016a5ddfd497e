// What sign-in and reading a channel cost: every script and style of the build, compressed. Fails over the budget.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

/** Compressed JavaScript, bytes. */
const BUDGET = 250 * 1024;

const assets = new URL("../dist/assets/", import.meta.url);
let scripts = 0;
for (const name of readdirSync(assets).sort()) {
  const bytes = readFileSync(new URL(name, assets));
  const gzip = gzipSync(bytes, { level: 9 }).length;
  if (name.endsWith(".js")) scripts += gzip;
  console.log(`${name.padEnd(32)} ${String(bytes.length).padStart(8)} B  ${String(gzip).padStart(7)} B gzip`);
}
console.log(`JavaScript compressed: ${(scripts / 1024).toFixed(1)} KB of ${BUDGET / 1024} KB`);
process.exitCode = scripts > BUDGET ? 1 : 0;
