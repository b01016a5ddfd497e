/** What the realtime parts need of the world; tests give them another one. */
export interface World {
  now(): number;
  /** A number in [0, 1). */
  random(): number;
  /** Runs `run` once after `ms`; the answer cancels it. */
  after(ms: number, run: () => void): () => void;
  openSocket(url: string): SocketLike;
  /** False when the browser knows that it has no network; true says nothing. */
  networkUp(): boolean;
}

/** The part of `WebSocket` that is used. */
export interface SocketLike {
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onerror: (() => void) | null;
  send(data: string): void;
  close(): void;
}

export const browserWorld: World = {
  now: () => Date.now(),
  random: () => Math.random(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  openSocket: (url) => new WebSocket(url) as unknown as SocketLike,
  networkUp: () => navigator.onLine,
};

/**
 * Full jitter: a random wait below a bound that doubles with each attempt, so that a crowd that lost
 * the same server does not come back as one.
 */
export function fullJitterMs(attempt: number, baseMs: number, capMs: number, random: number): number {
  return Math.floor(random * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 16)));
}

/** A random UUID, also where the page is no secure context and `crypto.randomUUID` is missing. */
export function uuid(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
