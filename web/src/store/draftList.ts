import { useEffect } from "react";
import { channelOf } from "../realtime/state";
import type { LogKey, State } from "../realtime/state";
import { useWorkspace } from "./context";
import { draftsChanged } from "./drafts";
import { signal, useSelected } from "./signal";

/** Something that was begun and not sent. */
export interface Draft {
  key: LogKey;
  text: string;
}

const PREFIX = "parlance.draft.";
const drafts = signal<readonly Draft[]>([]);

/** Everything that was begun by a person, by conversation; drafts of blanks do not count. */
export function draftsOf(storage: Storage, user: string): Draft[] {
  const prefix = `${PREFIX}${user}.`;
  const names = Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? "").filter((name) => name.startsWith(prefix));
  return names
    .map((name): Draft => ({ key: name.slice(prefix.length), text: storage.getItem(name) ?? "" }))
    .filter((it) => it.text.trim() !== "")
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Keeps the list up to date with this window and the other ones of this browser. */
function useReading(): void {
  const user = useWorkspace((state) => state.self?.id ?? "");
  useEffect(() => {
    const look = () => drafts.set(draftsOf(localStorage, user));
    look();
    const stop = draftsChanged.subscribe(look);
    window.addEventListener("storage", look);
    return () => {
      stop();
      window.removeEventListener("storage", look);
    };
  }, [user]);
}

/** A draft of a conversation that one has left stays, and is not shown. */
const isReachable = (conversations: State["conversations"]) => (it: Draft) => conversations[channelOf(it.key)]?.gone === false;

/** The drafts of conversations that one is in. */
export function useDrafts(): readonly Draft[] {
  useReading();
  const conversations = useWorkspace((state) => state.conversations);
  return useSelected(drafts, (all) => all).filter(isReachable(conversations));
}

/** How many there are: changes less often than what they say. */
export function useDraftCount(): number {
  useReading();
  const conversations = useWorkspace((state) => state.conversations);
  return useSelected(drafts, (all) => all.filter(isReachable(conversations)).length);
}
