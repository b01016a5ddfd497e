import { signal } from "./signal";
import type { Ts } from "../wire/types";

/** Where the person is. The address says it, so back, forward and reload work. */
export type Route =
  | { name: "home" | "signin" | "setup" }
  | { name: "invite"; code: string }
  | { name: "channel"; channel: string; thread?: Ts };

export function parseRoute(path: string): Route {
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  const [first, second, third, fourth] = parts;
  if (first === "signin") return { name: "signin" };
  if (first === "setup") return { name: "setup" };
  if (first === "invite" && second) return { name: "invite", code: second };
  if (first === "c" && second) return third === "t" && fourth ? { name: "channel", channel: second, thread: fourth } : { name: "channel", channel: second };
  return { name: "home" };
}

export function pathOf(route: Route): string {
  switch (route.name) {
    case "home":
      return "/";
    case "signin":
    case "setup":
      return `/${route.name}`;
    case "invite":
      return `/invite/${encodeURIComponent(route.code)}`;
    case "channel":
      return route.thread === undefined ? `/c/${route.channel}` : `/c/${route.channel}/t/${route.thread}`;
  }
}

export const route = signal<Route>(typeof location === "undefined" ? { name: "home" } : parseRoute(location.pathname));

/** Goes somewhere; `replace` leaves no step to come back to. */
export function navigate(to: Route, replace = false): void {
  const path = pathOf(to);
  if (path !== location.pathname) history[replace ? "replaceState" : "pushState"](null, "", path);
  route.set(to);
}

if (typeof window !== "undefined") window.addEventListener("popstate", () => route.set(parseRoute(location.pathname)));
