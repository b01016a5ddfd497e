import { expect, test } from "vitest";
import { FITTED, SCALE_MAX, moved, zoomed } from "./zoom";

const box = { width: 800, height: 600 };
const frame = { width: 1000, height: 600 };

test("the point under the finger stays under it", () => {
  const at = { x: 120, y: -80 };
  const once = zoomed(FITTED, 2, at);
  // The picture's own point that is there before and after.
  const own = (view: typeof once) => ({ x: (at.x - view.x) / view.scale, y: (at.y - view.y) / view.scale });
  expect(own(once)).toEqual(own(FITTED));
  const twice = zoomed(once, 1.5, at);
  expect(own(twice).x).toBeCloseTo(own(once).x);
  expect(own(twice).y).toBeCloseTo(own(once).y);
});

test("it is never smaller than fits, nor larger than is of use", () => {
  expect(zoomed({ scale: 2, x: 50, y: 9 }, 0.1)).toEqual(FITTED);
  expect(zoomed(FITTED, 1_000).scale).toBe(SCALE_MAX);
});

test("it cannot be moved out of sight", () => {
  expect(moved(FITTED, 500, 500, box, frame)).toEqual({ scale: 1, x: 0, y: 0 });
  // Twice as large it is 600 pixels wider and 600 higher than the window.
  expect(moved({ scale: 2, x: 0, y: 0 }, 999, -999, box, frame)).toEqual({ scale: 2, x: 300, y: -300 });
});
