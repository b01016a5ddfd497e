import { signal } from "./signal";
import type { Ts } from "../wire/types";

/** Views of the workspace that are no conversation, in the order of the list. The address of each is its name. */
export const PLACES = ["unread", "threads", "mentions", "drafts", "scheduled", "people", "channels"] as const;
export type Place = (typeof PLACES)[number];

/** Tabs of a channel's details. */
export const DETAILS = ["about", "members", "settings"] as const;
export type Details = (typeof DETAILS)[number];

/** Where the person is. The address says it, so back, forward and reload work. */
export type Route =
  | { name: "home" | "signin" | "setup" }
  | { name: "invite"; code: string }
  /** At most one of the panes beside the conversation is open. */
  | { name: "channel"; channel: string; thread?: Ts; details?: Details; person?: string }
  | { name: "place"; place: Place; person?: string };

export function parseRoute(path: string): Route {
  const parts = path.split("/").filter(Boolean).map(decoded);
  const [first, second, third, fourth] = parts;
  if (first === "signin") return { name: "signin" };
  if (first === "setup") return { name: "setup" };
  if (first === "invite" && second) return { name: "invite", code: second };
  if (first === "c" && second) {
    if (third === "t" && fourth) return { name: "channel", channel: second, thread: fourth };
    if (third === "details") return { name: "channel", channel: second, details: DETAILS.find((tab) => tab === fourth) ?? "about" };
    if (third === "u" && fourth) return { name: "channel", channel: second, person: fourth };
    return { name: "channel", channel: second };
  }
  const place = PLACES.find((it) => it === first);
  if (place === "people" && second) return { name: "place", place, person: second };
  return place === undefined ? { name: "home" } : { name: "place", place };
}

/** Somebody may type anything into the address. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
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
    case "channel": {
      const channel = `/c/${encodeURIComponent(route.channel)}`;
      if (route.thread !== undefined) return `${channel}/t/${encodeURIComponent(route.thread)}`;
      if (route.details !== undefined) return `${channel}/details/${route.details}`;
      return route.person === undefined ? channel : `${channel}/u/${encodeURIComponent(route.person)}`;
    }
    case "place":
      return route.person === undefined ? `/${route.place}` : `/${route.place}/${encodeURIComponent(route.person)}`;
  }
}

/** Whether an address is inside of the workspace: where somebody who signs in comes back to. */
export function isInside(route: Route): boolean {
  return route.name === "channel" || route.name === "place";
}

export const route = signal<Route>(typeof location === "undefined" ? { name: "home" } : parseRoute(location.pathname));

/** Goes somewhere; `replace` leaves no step to come back to. */
export function navigate(to: Route, replace = false): void {
  const path = pathOf(to);
  if (path !== location.pathname) history[replace ? "replaceState" : "pushState"](null, "", path);
  route.set(to);
}

/** Opens somebody's profile beside what is there. */
export function showPerson(person: string): void {
  const at = route.get();
  navigate(at.name === "channel" ? { name: "channel", channel: at.channel, person } : { name: "place", place: "people", person });
}

if (typeof window !== "undefined") window.addEventListener("popstate", () => route.set(parseRoute(location.pathname)));
