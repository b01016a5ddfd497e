import type { ComponentType } from "react";
import { signal } from "../store/signal";
import type { RichProps } from "./RichEditor";

/** The editor, once it has come; until then a plain field serves. */
export const rich = signal<ComponentType<RichProps> | undefined>(undefined);

let coming = false;

/** Fetches the editor when the browser has time for it; again after a failure, whenever it is wanted. */
export function loadRich(): void {
  if (coming || rich.get() !== undefined) return;
  coming = true;
  const idle = window.requestIdleCallback ?? ((run: () => void) => setTimeout(run, 50));
  idle(() => {
    import("./RichEditor").then(
      (module) => rich.set(module.default),
      () => (coming = false),
    );
  });
}

if (typeof window !== "undefined") window.addEventListener("online", () => rich.get() === undefined && loadRich());
