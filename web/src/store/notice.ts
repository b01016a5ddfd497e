import { failureOf } from "../wire/api";
import { errorText } from "../strings/en";
import { signal } from "./signal";

/** A short message at the edge of the window; it goes by itself. */
export const notice = signal<{ text: string; id: number } | undefined>(undefined);

const NOTICE_MS = 6_000;
let last = 0;

export function notify(text: string): void {
  const id = ++last;
  notice.set({ text, id });
  setTimeout(() => {
    if (notice.get()?.id === id) notice.set(undefined);
  }, NOTICE_MS);
}

/** Tells why something did not work. */
export function notifyFailure(thrown: unknown): void {
  notify(errorText(failureOf(thrown).error));
}
