import { useEffect } from "react";
import { attentionOfAll } from "../realtime/attention";
import { labelOf, nameOf, useWorkspace } from "../store/context";
import { route } from "../store/route";
import { useSignal } from "../store/signal";
import { t } from "../strings";

/** The window's title and icon: where one is, and whether something waits elsewhere. */
export function WindowMarks() {
  const at = useSignal(route);
  const waiting = useWorkspace(attentionOfAll, (a, b) => a.unread === b.unread && a.mentions === b.mentions);
  const title = useWorkspace((state) => {
    const person = at.name === "place" && at.person !== undefined ? nameOf(state.users[at.person]) : undefined;
    const name = at.name === "channel" ? (state.conversations[at.channel] === undefined ? undefined : labelOf(state, at.channel)) : at.name === "place" ? (person ?? t.places.names[at.place]) : undefined;
    return [...(name === undefined ? [] : [name]), state.team?.name ?? t.app].join(" · ");
  });
  const { unread, mentions } = waiting;
  useEffect(() => {
    document.title = `${mentions > 0 ? `(${mentions}) ` : unread ? "• " : ""}${title}`;
  }, [title, unread, mentions]);
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    if (link === null) return;
    const plain = "/icon.svg";
    if (!unread && mentions === 0) {
      link.href = plain;
      return;
    }
    let current = true;
    void marked(plain, mentions > 0).then((href) => {
      if (current) link.href = href;
    });
    return () => {
      current = false;
    };
  }, [unread, mentions]);
  return null;
}

/** The icon with a mark in its corner: a ring for unread, a full dot for mentions. The plain one if it cannot be read. */
async function marked(plain: string, mentioned: boolean): Promise<string> {
  try {
    const response = await fetch(plain);
    const svg = await response.text();
    if (!response.ok || !svg.includes("</svg>")) return plain;
    const [, , , width = 32] = /viewBox="([^"]+)"/.exec(svg)?.[1]?.split(" ").map(Number) ?? [];
    const r = width * 0.2;
    const mark = `<circle cx="${width - r - 1}" cy="${r + 1}" r="${r}" fill="${mentioned ? "#b3261e" : "#fff"}" stroke="${mentioned ? "#fff" : "#0f5c5c"}" stroke-width="${width / 16}"/>`;
    return `data:image/svg+xml,${encodeURIComponent(svg.replace("</svg>", `${mark}</svg>`))}`;
  } catch {
    return plain;
  }
}
