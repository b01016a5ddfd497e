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
  /** At most one of the panes beside the conversation is open. `at`: the message that a link leads to, in the channel or in its thread. */
  | { name: "channel"; channel: string; thread?: Ts; at?: Ts; details?: Details; person?: string }
  | { name: "place"; place: Place; person?: string };

export function parseRoute(path: string, search = ""): Route {
  const parts = path.split("/").filter(Boolean).map(decoded);
  const [first, second, third, fourth] = parts;
  if (first === "signin") return { name: "signin" };
  if (first === "setup") return { name: "setup" };
  if (first === "invite" && second) return { name: "invite", code: second };
  if (first === "archives" && second) return linkRoute(second, third, new URLSearchParams(search).get("thread_ts"));
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

/** Slack's form of a message's address: `/archives/C1/p1712345678000200?thread_ts=1712345600.000100&cid=C1`. */
function linkRoute(channel: string, message: string | undefined, thread: string | null): Route {
  const digits = /^p(\d{7,20})$/.exec(message ?? "")?.[1];
  if (digits === undefined) return { name: "channel", channel };
  const at = `${digits.slice(0, -6)}.${digits.slice(-6)}`;
  return thread !== null && /^\d+\.\d{6}$/.test(thread) ? { name: "channel", channel, thread, at } : { name: "channel", channel, at };
}

/** The address of a message, for others. */
export function messageLink(origin: string, channel: string, ts: Ts, thread: Ts | undefined): string {
  const reply = thread !== undefined && thread !== ts;
  return origin + pathOf(reply ? { name: "channel", channel, thread, at: ts } : { name: "channel", channel, at: ts });
}

/** Where an address in a text leads within this client; undefined if it leads elsewhere. */
export function routeOfLink(url: string): Route | undefined {
  if (typeof location === "undefined" || !URL.canParse(url)) return undefined;
  const { origin, pathname, search } = new URL(url);
  const to = origin === location.origin ? parseRoute(pathname, search) : undefined;
  return to?.name === "channel" ? to : undefined;
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
      if (route.at !== undefined) return `/archives/${encodeURIComponent(route.channel)}/p${route.at.replace(".", "")}${route.thread === undefined ? "" : `?thread_ts=${route.thread}&cid=${encodeURIComponent(route.channel)}`}`;
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

export const route = signal<Route>(typeof location === "undefined" ? { name: "home" } : parseRoute(location.pathname, location.search));

/** Goes somewhere; `replace` leaves no step to come back to. */
export function navigate(to: Route, replace = false): void {
  const path = pathOf(to);
  if (path !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", path);
  route.set(to);
}

/** Opens somebody's profile beside what is there. */
export function showPerson(person: string): void {
  const at = route.get();
  navigate(at.name === "channel" ? { name: "channel", channel: at.channel, person } : { name: "place", place: "people", person });
}

if (typeof window !== "undefined") window.addEventListener("popstate", () => route.set(parseRoute(location.pathname, location.search)));
