/** How a picture lies in its window: as large as fits, or larger and moved. */

/** 1: as large as fits. */
export interface View {
  scale: number;
  /** Moved from the middle, pixels. */
  x: number;
  y: number;
}

export const FITTED: View = { scale: 1, x: 0, y: 0 };
export const SCALE_MAX = 8;
export const STEP = 1.5;

/** Another scale, around a point that stays where it is; the point is given from the middle of the window. */
export function zoomed(view: View, factor: number, at: { x: number; y: number } = { x: 0, y: 0 }): View {
  const scale = Math.min(SCALE_MAX, Math.max(1, view.scale * factor));
  if (scale === 1) return FITTED;
  const by = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * by, y: at.y - (at.y - view.y) * by };
}

/** Moved, but never out of sight: `box` is the picture as large as fits, `frame` the window. */
export function moved(view: View, dx: number, dy: number, box: { width: number; height: number }, frame: { width: number; height: number }): View {
  const reach = (size: number, room: number) => Math.max(0, (size * view.scale - room) / 2);
  const clamp = (value: number, max: number) => Math.min(max, Math.max(-max, value));
  return { ...view, x: clamp(view.x + dx, reach(box.width, frame.width)), y: clamp(view.y + dy, reach(box.height, frame.height)) };
}
