import { useEffect } from "react";
import { attentionOf, isListed, mutedOf } from "../realtime/attention";
import type { Session } from "../realtime/session";
import type { State } from "../realtime/state";
import { compareNames, titleOf, useSession } from "../store/context";
import { dialog, openDialog } from "../store/dialogs";
import { notify, notifyFailure } from "../store/notice";
import { PLACES, navigate, route } from "../store/route";
import { SECOND_KEY_MS, actionOf, singleKeys } from "../store/shortcuts";
import type { Action } from "../store/shortcuts";
import { t } from "../strings";

/** Listens to the keys that work everywhere. */
export function useShortcuts(onJump: () => void): void {
  const session = useSession();
  useEffect(() => {
    let first: { key: string; at: number } | undefined;
    const press = (event: KeyboardEvent) => {
      if (event.isComposing || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
      const writing = event.target instanceof Element && event.target.closest("input, textarea, select, [contenteditable=true]") !== null;
      const before = first !== undefined && event.timeStamp - first.at < SECOND_KEY_MS ? first.key : undefined;
      first = undefined;
      const action = actionOf({ key: event.key, ctrlKey: event.ctrlKey, metaKey: event.metaKey, altKey: event.altKey, shiftKey: event.shiftKey, writing }, before, singleKeys.get());
      if (action === undefined) return;
      // Over a selection in the composer it makes a link.
      if (action === "jump" && writing && document.getSelection()?.isCollapsed === false) return;
      // What is open in front of everything has the keys; only the way elsewhere is open.
      if (document.querySelector("dialog[open]") !== null && action !== "jump") return;
      if (action === "first") {
        first = { key: event.key, at: event.timeStamp };
        return;
      }
      event.preventDefault();
      event.stopPropagation();
      if (action === "jump") onJump();
      else run(session, action);
    };
    // Before the composer, for which an arrow with Alt is an arrow.
    window.addEventListener("keydown", press, true);
    return () => window.removeEventListener("keydown", press, true);
  }, [session, onJump]);
}

function run(session: Session, action: Exclude<Action, "jump">): void {
  const place = PLACES.find((it) => it === action);
  if (place !== undefined) return navigate({ name: "place", place });
  const at = route.get();
  const channel = at.name === "channel" ? at.channel : undefined;
  switch (action) {
    case "previous":
    case "next":
    case "previousUnread":
    case "nextUnread": {
      const to = neighbour(session.state.get(), channel, action.startsWith("next") ? 1 : -1, action.endsWith("Unread"));
      if (to !== undefined) navigate({ name: "channel", channel: to });
      return;
    }
    case "help":
      return dialog.set(dialog.get() === "help" ? undefined : "help");
    case "newMessage":
      return openDialog("people");
    case "preferences":
    case "status":
      return openDialog(action);
    case "details":
      if (channel !== undefined) navigate({ name: "channel", channel, details: "about" });
      return;
    case "mute": {
      if (channel === undefined) return;
      const muted = mutedOf(session.state.get()).has(channel);
      session.places.mute(channel, !muted).then(() => notify(muted ? t.places.conversation.unmute : t.places.conversation.muted), notifyFailure);
    }
  }
}

/** The conversation before or after one in the order of the list, round its ends. */
export function neighbour(state: State, from: string | undefined, by: 1 | -1, unreadOnly: boolean): string | undefined {
  const muted = mutedOf(state);
  const all = Object.values(state.conversations).filter(isListed);
  const direct = (it: (typeof all)[number]) => Number(it.channel.is_im === true || it.channel.is_mpim === true);
  const list = all.sort((a, b) => direct(a) - direct(b) || compareNames(titleOf(state, a.channel), titleOf(state, b.channel)));
  const at = list.findIndex((it) => it.channel.id === from);
  // From nowhere the first one is next and the last one is previous.
  const start = at < 0 && by < 0 ? list.length : at;
  for (let step = 1; step <= list.length; step++) {
    const it = list[(((start + by * step) % list.length) + list.length) % list.length]!;
    const { unread, mentions } = attentionOf(it, muted.has(it.channel.id));
    if (it.channel.id !== from && (!unreadOnly || unread || mentions > 0)) return it.channel.id;
  }
  return undefined;
}
