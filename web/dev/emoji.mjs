// Writes src/text/emoji-data.json: the emoji with Slack's short names, by group. Run after updating emojibase-data.
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";

const require = createRequire(import.meta.url);
const names = require("emojibase-data/en/shortcodes/iamcal.json");
const emoji = require("emojibase-data/en/compact.json");

const groups = new Map();
for (const it of emoji.sort((a, b) => (a.order ?? 0) - (b.order ?? 0))) {
  const short = names[it.hexcode];
  if (short === undefined || it.group === undefined || it.group === 2) continue;
  const line = [it.unicode, ...[short].flat()].join(" ") + (it.skins ? " +" : "");
  groups.set(it.group, [...(groups.get(it.group) ?? []), line]);
}
const data = [...groups].sort(([a], [b]) => a - b).map(([, lines]) => lines);
writeFileSync(new URL("../src/text/emoji-data.json", import.meta.url), `${JSON.stringify(data, null, 0)}\n`);
console.log(data.map((lines) => lines.length), JSON.stringify(data).length);
