import { linesOf, richTextOf } from "../composer/lines";
import type { Line, RichText } from "../composer/lines";
import type { LogKey } from "../realtime/state";
import { signal } from "./signal";

/** Another number whenever a draft of this window changed. */
export const draftsChanged = signal(0);

/** What a person has begun to write, per conversation and thread; it outlives a reload. As somebody would have typed it. */
export function loadDraft(user: string, key: LogKey): string {
  return localStorage.getItem(textKey(user, key)) ?? "";
}

/** The same with its formatting; undefined when it was typed without any. */
export function loadDraftLines(user: string, key: LogKey): Line[] | undefined {
  const raw = loadDraft(user, key) === "" ? null : localStorage.getItem(linesKey(user, key));
  if (raw === null) return undefined;
  try {
    return linesOf(JSON.parse(raw) as RichText);
  } catch {
    return undefined;
  }
}

/** Keeps a draft, or forgets it when there is no text. */
export function saveDraft(user: string, key: LogKey, text: string, lines?: readonly Line[]): void {
  if (text === "") localStorage.removeItem(textKey(user, key));
  else localStorage.setItem(textKey(user, key), text);
  if (text === "" || lines === undefined) localStorage.removeItem(linesKey(user, key));
  else localStorage.setItem(linesKey(user, key), JSON.stringify(richTextOf(lines)));
  draftsChanged.set(draftsChanged.get() + 1);
}

function textKey(user: string, key: LogKey): string {
  return `parlance.draft.${user}.${key}`;
}

function linesKey(user: string, key: LogKey): string {
  return `parlance.draft-lines.${user}.${key}`;
}
