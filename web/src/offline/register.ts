/** Lets the page open without the server next time. Only a secure page may; the others need the server to open. */
export function registerWorker(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  // After what the person waits for.
  const register = () => void navigator.serviceWorker.register("/worker.js").catch(() => {});
  if (document.readyState === "complete") setTimeout(register, 1_000);
  else window.addEventListener("load", () => setTimeout(register, 1_000), { once: true });
}
