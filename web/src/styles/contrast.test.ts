import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const css = readFileSync(new URL("./tokens.css", import.meta.url), "utf8");
const [light, dark, contrast] = css.split(/:root\[data-theme="\w+"\]/) as [string, string, string];

/** The colours of one value set. */
function colours(block: string): Map<string, [number, number, number]> {
  const found = new Map<string, [number, number, number]>();
  for (const [, name, l, c, h] of block.matchAll(/--([\w-]+): oklch\(([\d.]+) ([\d.]+) ([\d.]+)\);/g)) {
    found.set(name!, toLinear(Number(l), Number(c), Number(h)));
  }
  return found;
}

/** OKLCH to linear sRGB (Björn Ottosson's matrices), clipped to the gamut as a browser does at worst. */
function toLinear(l: number, c: number, h: number): [number, number, number] {
  const a = c * Math.cos((h * Math.PI) / 180);
  const b = c * Math.sin((h * Math.PI) / 180);
  const [x, y, z] = [l + 0.3963377774 * a + 0.2158037573 * b, l - 0.1055613458 * a - 0.0638541728 * b, l - 0.0894841775 * a - 1.291485548 * b].map((v) => v ** 3) as [number, number, number];
  const rgb = [4.0767416621 * x - 3.3077115913 * y + 0.2309699292 * z, -1.2684380046 * x + 2.6097574011 * y - 0.3413193965 * z, -0.0041960863 * x - 0.7034186147 * y + 1.707614701 * z];
  return rgb.map((v) => Math.min(1, Math.max(0, v))) as [number, number, number];
}

const luminance = ([r, g, b]: [number, number, number]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;

function ratio(a: [number, number, number], b: [number, number, number]): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const SURFACES = ["surface-0", "surface-1", "surface-2"];
/** Text on background, WCAG AA: 4.5. */
const TEXT: [string, string[]][] = [
  ["text-strong", [...SURFACES, "surface-3", "highlight"]],
  ["text", [...SURFACES, "surface-3", "highlight"]],
  ["text-muted", [...SURFACES, "surface-3", "highlight"]],
  ["text-faint", [...SURFACES, "highlight"]],
  ["accent", ["surface-0", "surface-1"]],
  ["accent-text", ["accent", "accent-hover"]],
  ["accent-soft-text", ["accent-soft"]],
  ["link", [...SURFACES, "highlight"]],
  ["code", ["surface-0", "surface-2", "surface-3"]],
  ["mention-text", ["mention"]],
  ["warning", ["warning-soft", "surface-0", "surface-1"]],
  ["danger", ["danger-soft", "surface-1"]],
  ["danger-text", ["danger"]],
  ["surface-1", ["text-strong"]],
];
/** Borders of fields, dots and focus rings: 3. */
const SHAPES: [string, string[]][] = [
  ["line-strong", ["surface-0", "surface-1"]],
  ["focus", SURFACES],
  ["accent", [...SURFACES, "accent-soft"]],
  ["positive", ["surface-0"]],
];

// High contrast is held to AAA: 7 for text, 4.5 for shapes.
for (const [scheme, block, text, shape] of [["light", light, 4.5, 3], ["dark", dark, 4.5, 3], ["contrast", contrast, 7, 4.5]] as const) {
  const set = colours(block);
  const check = (pairs: [string, string[]][], least: number) => {
    for (const [front, backs] of pairs) {
      for (const back of backs) {
        test(`${scheme}: ${front} on ${back}`, () => {
          expect(set.get(front), front).toBeDefined();
          expect(set.get(back), back).toBeDefined();
          expect(ratio(set.get(front)!, set.get(back)!)).toBeGreaterThanOrEqual(least);
        });
      }
    }
  };
  check(TEXT, text);
  check(SHAPES, shape);

  test(`${scheme}: initials on every avatar`, () => {
    const l = Number(/--avatar-l: ([\d.]+)/.exec(block)![1]);
    const c = Number(/--avatar-c: ([\d.]+)/.exec(block)![1]);
    for (let hue = 10; hue < 360; hue += 20) expect(ratio(set.get("avatar-text")!, toLinear(l, c, hue)), String(hue)).toBeGreaterThanOrEqual(text);
  });
}

test("all value sets name the same roles", () => {
  for (const block of [dark, contrast]) expect([...colours(block).keys()].sort()).toEqual([...colours(light).keys()].sort());
});
