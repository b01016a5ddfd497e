/** The key of shortcuts on this machine, as people know it. */
const MAC = typeof navigator !== "undefined" && /Mac|iP(hone|ad)/.test(navigator.platform);

/** `Ctrl Shift X`, or `⌘⇧X` where keys have signs. */
export function shortcut(keys: string): string {
  return MAC ? `⌘${keys.replace("Shift ", "⇧").replace("Enter", "↵")}` : `Ctrl ${keys}`;
}
