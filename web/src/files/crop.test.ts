import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ZOOM_MAX, middle, shift, zoomTo } from "./crop";

test("it begins with the largest square in the middle", () => {
  expect(middle({ width: 400, height: 300 })).toEqual({ x: 50, y: 0, edge: 300 });
});

test("zooming keeps the middle, and ends where there is no more to see", () => {
  const size = { width: 400, height: 300 };
  expect(zoomTo(middle(size), 2, size)).toEqual({ x: 125, y: 75, edge: 150 });
  expect(zoomTo(middle(size), 100, size).edge).toBe(300 / ZOOM_MAX);
});

test("whatever is done to it, the square is inside of the picture", () => {
  const step = fc.oneof(fc.record({ zoom: fc.double({ min: 0.1, max: 9, noNaN: true }) }), fc.record({ dx: fc.integer({ min: -5_000, max: 5_000 }), dy: fc.integer({ min: -5_000, max: 5_000 }) }));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4_000 }), fc.integer({ min: 1, max: 4_000 }), fc.array(step, { maxLength: 12 }), (width, height, steps) => {
      const size = { width, height };
      const crop = steps.reduce((was, it) => ("zoom" in it ? zoomTo(was, it.zoom, size) : shift(was, it.dx, it.dy, size)), middle(size));
      expect(crop.x).toBeGreaterThanOrEqual(0);
      expect(crop.y).toBeGreaterThanOrEqual(0);
      expect(crop.x + crop.edge).toBeLessThanOrEqual(width + 1e-6);
      expect(crop.y + crop.edge).toBeLessThanOrEqual(height + 1e-6);
      expect(crop.edge).toBeGreaterThan(0);
    }),
  );
});
