import { signal } from "./signal";

/** Dialogs that more than one thing opens: the account's menu, a key, a profile. One at a time. */
export type DialogName = "help" | "preferences" | "status" | "profile" | "pause" | "invite" | "create" | "people";

export const dialog = signal<DialogName | undefined>(undefined);

export function openDialog(name: DialogName): void {
  dialog.set(name);
}

export function closeDialog(): void {
  dialog.set(undefined);
}
