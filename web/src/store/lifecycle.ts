import type { Session } from "../realtime/session";

/** Tells a session what the browser does to its page: hides, freezes, wakes or closes it. The answer ends it. */
export function watchLifecycle(session: Session): () => void {
  const end = new AbortController();
  const options = { signal: end.signal };
  document.addEventListener("freeze", () => session.pause(), options);
  document.addEventListener("resume", () => session.resume(), options);
  document.addEventListener("visibilitychange", () => document.hidden && session.save(), options);
  // Kept for the way back, or gone for good.
  window.addEventListener("pagehide", (event) => (event.persisted ? session.pause() : session.save()), options);
  window.addEventListener("pageshow", (event) => event.persisted && session.resume(), options);
  window.addEventListener("beforeunload", (event) => session.unsaved && event.preventDefault(), options);
  return () => end.abort();
}
