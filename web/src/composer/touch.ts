/** Whether fingers write here: then Enter breaks the line, and a button sends. */
export function touch(): boolean {
  return window.matchMedia("(hover: none) and (pointer: coarse)").matches;
}
