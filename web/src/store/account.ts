import type { Trouble } from "./database";
import { signal } from "./signal";

/** Whose workspace this browser shows: what a start without the server goes by. The cookie decides, this only remembers. */
export interface Account {
  team: string;
  user: string;
}

const NAME = "parlance.account";

export function loadAccount(storage: Storage): Account | undefined {
  try {
    const it = JSON.parse(storage.getItem(NAME) ?? "null") as Partial<Account> | null;
    return typeof it?.team === "string" && typeof it.user === "string" ? { team: it.team, user: it.user } : undefined;
  } catch {
    return undefined;
  }
}

export function saveAccount(storage: Storage, account: Account | undefined): void {
  if (account === undefined) storage.removeItem(NAME);
  else storage.setItem(NAME, JSON.stringify(account));
}

/** Calls `changed` when another window of this browser signs in as somebody else, or out. The answer ends it. */
export function watchAccount(account: Account, changed: () => void): () => void {
  const look = (event: StorageEvent) => {
    if (event.key !== NAME && event.key !== null) return;
    const now = loadAccount(localStorage);
    if (now?.team !== account.team || now.user !== account.user) changed();
  };
  window.addEventListener("storage", look);
  return () => window.removeEventListener("storage", look);
}

/** Why this device keeps nothing, while it keeps nothing. */
export const storeTrouble = signal<Trouble | undefined>(undefined);
