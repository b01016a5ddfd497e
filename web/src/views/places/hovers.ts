/** Whether this device has a pointer that can rest: where it has not, taking the focus opens a keyboard over half of the screen. */
export const hovers = typeof window !== "undefined" && window.matchMedia("(hover: hover)").matches;
