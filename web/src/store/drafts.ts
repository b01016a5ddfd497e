import type { LogKey } from "../realtime/state";

/** What a person has begun to write, per conversation and thread; it outlives a reload. */
export function loadDraft(user: string, key: LogKey): string {
  return localStorage.getItem(`parlance.draft.${user}.${key}`) ?? "";
}

export function saveDraft(user: string, key: LogKey, text: string): void {
  const name = `parlance.draft.${user}.${key}`;
  if (text === "") localStorage.removeItem(name);
  else localStorage.setItem(name, text);
}
