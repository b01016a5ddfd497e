import { signal } from "./signal";

/** The time to the minute, milliseconds since 1970, for what says "5 min ago" and "today". */
export const minute = signal(Date.now());

if (typeof window !== "undefined") setInterval(() => minute.set(Date.now()), 60_000);
