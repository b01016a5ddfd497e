/** What asks for the person's attention, and what they have silenced. Selectors over the state. */
import type { State } from "./state";
import { hasUnreads, mentionCount } from "./state";
import type { Conversation } from "./state";
import { threadUnread } from "./personal";
import type { Threads } from "./personal";

const NOBODY: ReadonlySet<string> = new Set();
let lastMuted: { text: unknown; set: ReadonlySet<string> } = { text: "", set: NOBODY };

/** The conversations that make no noise. The same set as long as the preference is the same. */
export function mutedOf(state: State): ReadonlySet<string> {
  const text = state.personal.prefs["muted_channels"];
  if (text !== lastMuted.text) lastMuted = { text, set: new Set(typeof text === "string" ? text.split(",").filter(Boolean) : []) };
  return lastMuted.set;
}

/** What an entry of the list shows: a muted one only tells of mentions. */
export interface Attention {
  unread: boolean;
  mentions: number;
}

export function attentionOf(it: Conversation, muted: boolean): Attention {
  return { unread: !muted && hasUnreads(it), mentions: hasUnreads(it) ? mentionCount(it) : 0 };
}

/** Whether a conversation is in the list. */
export function isListed(it: Conversation): boolean {
  return !it.gone && !it.channel.is_archived && it.channel.is_open !== false;
}

export function attentionOfThreads(threads: Threads): Attention {
  const unread = threads.elsewhere > 0 || Object.values(threads.followed).some(threadUnread);
  return { unread, mentions: unread ? threads.mentions : 0 };
}

/** Everything together: for the window's title and icon. */
export function attentionOfAll(state: State): Attention {
  const muted = mutedOf(state);
  const total = { ...attentionOfThreads(state.personal.threads) };
  for (const it of Object.values(state.conversations)) {
    if (!isListed(it)) continue;
    const { unread, mentions } = attentionOf(it, muted.has(it.channel.id));
    total.unread ||= unread;
    total.mentions += mentions;
  }
  return total;
}
