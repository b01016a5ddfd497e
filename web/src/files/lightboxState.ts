import { signal } from "../store/signal";
import type { FilePlace, SharedFile } from "../wire/files";

/** A picture that can be looked at, and the message that has it, where that is known. */
export interface Viewed {
  file: SharedFile;
  place: FilePlace | undefined;
}

/** The pictures that are open over the window, and the first one that was asked for. */
export const lightbox = signal<{ items: readonly Viewed[]; at: number } | undefined>(undefined);

export function openLightbox(items: readonly Viewed[], at: number): void {
  lightbox.set({ items, at });
}
