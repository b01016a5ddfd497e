/**
 * The service worker: the page opens without the server. Of the program's own files only; what the
 * workspace says never passes through here.
 *
 * The page itself comes from the server whenever that answers in time, so that a new version is there with
 * the next load; its files have their content's hash in their names and come from the cache. The files of
 * the version before stay, for windows that still run it.
 */

/** The build fills these in: every file of this version, and a name for it. */
declare const PARLANCE_FILES: string[];
declare const PARLANCE_VERSION: string;

/** The part of the worker's global scope that is used; the page's types are the window's. */
interface Scope {
  addEventListener(type: "install" | "activate", listener: (event: { waitUntil(work: Promise<unknown>): void }) => void): void;
  addEventListener(type: "fetch", listener: (event: { request: Request; respondWith(answer: Promise<Response>): void }) => void): void;
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  location: Location;
}
const scope = globalThis as unknown as Scope;

const PREFIX = "parlance-files-";
const CACHE = PREFIX + PARLANCE_VERSION;
const PAGE = "/";
/** A server that takes longer for the page is not waited for, milliseconds. */
const PAGE_MS = 2_000;
/** Versions whose files are kept. */
const VERSIONS_MAX = 2;

scope.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      // Past the browser's own cache: it may hold the page of the version before.
      await cache.addAll([PAGE, ...PARLANCE_FILES].map((path) => new Request(path, { cache: "reload" })));
      await scope.skipWaiting();
    })(),
  );
});

scope.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      // In the order in which they were made.
      const ours = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
      for (const name of ours.slice(0, Math.max(0, ours.length - VERSIONS_MAX + 1))) await caches.delete(name);
      await scope.clients.claim();
    })(),
  );
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== scope.location.origin) return;
  if (request.mode === "navigate") {
    if (["/api/", "/realtime/", "/files/", "/photos/"].some((path) => url.pathname.startsWith(path))) return;
    event.respondWith(page(request));
  } else if (PARLANCE_FILES.includes(url.pathname) || url.pathname.startsWith("/assets/")) {
    event.respondWith(file(request));
  }
});

/** Every address of the client is the same page. */
async function page(request: Request): Promise<Response> {
  const kept = await (await caches.open(CACHE)).match(PAGE);
  if (kept === undefined) return fetch(request);
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PAGE_MS) });
    if (answer.type === "opaqueredirect") return answer;
    // All of it, because the time runs out for the rest, too.
    await answer.clone().arrayBuffer();
    return answer.ok ? answer : kept;
  } catch {
    return kept;
  }
}

async function file(request: Request): Promise<Response> {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}
