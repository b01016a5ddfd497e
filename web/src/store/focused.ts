import { signal } from "./signal";

/** Whether somebody looks at the window. */
export const focused = signal(typeof document === "undefined" || document.hasFocus());

if (typeof window !== "undefined") {
  const update = () => focused.set(document.hasFocus() && !document.hidden);
  window.addEventListener("focus", update);
  window.addEventListener("blur", update);
  document.addEventListener("visibilitychange", update);
}
