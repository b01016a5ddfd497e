import type { Ts } from "../wire/types";
import { signal } from "./signal";

/**
 * The conversation that the person has marked unread while looking at it: it stays unread until they leave it or say otherwise.
 * `line`: read up to here.
 */
export const keptUnread = signal<{ channel: string; line: Ts } | undefined>(undefined);
