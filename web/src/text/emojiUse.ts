/** Which emoji a person uses, and in which skin tone: remembered on this device, and by the server for the others. */
import type { Session } from "../realtime/session";
import { signal } from "../store/signal";
import { QUICK } from "./emoji";

/** 1: the yellow one. 2 to 6: Slack's numbers of Unicode's five. */
export type Tone = 1 | 2 | 3 | 4 | 5 | 6;

export interface EmojiUse {
  tone: Tone;
  /** How much each was used; earlier uses count less and less. */
  scores: Readonly<Record<string, number>>;
}

/** Names that are remembered; those used least are forgotten. */
const REMEMBERED_MAX = 60;
/** What a use is worth after the next one. */
const FADE = 0.95;
/** Sent to the server this long after the last use, milliseconds. */
const SAVE_MS = 2_000;
const KEY = "parlance.emoji";

export const emojiUse = signal<EmojiUse>(readUse(typeof localStorage === "undefined" ? null : localStorage.getItem(KEY)));

/** What was stored, or nothing if it is not what it should be. */
export function readUse(stored: string | null): EmojiUse {
  try {
    const value = JSON.parse(stored ?? "null") as { tone?: unknown; scores?: unknown } | null;
    return { tone: toneOf(value?.tone), scores: scoresOf(value?.scores) };
  } catch {
    return { tone: 1, scores: {} };
  }
}

function toneOf(value: unknown): Tone {
  const tone = Number(value);
  return tone >= 2 && tone <= 6 && Number.isInteger(tone) ? (tone as Tone) : 1;
}

function scoresOf(value: unknown): Record<string, number> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, score]) => typeof score === "number" && Number.isFinite(score) && score > 0));
}

/** The use with one more of an emoji. */
export function used({ tone, scores }: EmojiUse, name: string): EmojiUse {
  const faded = Object.entries(scores).map(([it, score]) => [it, Math.round(score * FADE * 1000) / 1000] as const);
  const next = { ...Object.fromEntries(faded), [name]: (scores[name] ?? 0) * FADE + 1 };
  return { tone, scores: Object.fromEntries(ranked(next).slice(0, REMEMBERED_MAX)) };
}

function ranked(scores: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(scores).sort((a, b) => b[1] - a[1]);
}

/** Names of what is used most, first those; then the usual ones. */
export function oftenUsed({ scores }: EmojiUse, max: number): string[] {
  return [...new Set([...ranked(scores).map(([name]) => name), ...QUICK])].slice(0, max);
}

/** Two devices' memories as one. */
export function mergeUse(here: EmojiUse, there: EmojiUse): EmojiUse {
  const scores: Record<string, number> = { ...there.scores };
  for (const [name, score] of Object.entries(here.scores)) scores[name] = Math.max(score, scores[name] ?? 0);
  return { tone: there.tone === 1 ? here.tone : there.tone, scores: Object.fromEntries(ranked(scores).slice(0, REMEMBERED_MAX)) };
}

let asked: Session | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Takes in what other devices remember; once for each session. Without an answer this device's memory does. */
export async function loadUse(session: Session): Promise<void> {
  if (asked === session) return;
  asked = session;
  const prefs = await session.readPreferences("emoji_use,preferred_skin_tone");
  const stored = readUse(`{"tone":${JSON.stringify(prefs["preferred_skin_tone"] ?? "")},"scores":${typeof prefs["emoji_use"] === "string" ? prefs["emoji_use"] || "{}" : "{}"}}`);
  emojiUse.set(mergeUse(emojiUse.get(), stored));
}

/** Remembers a use or a tone. */
export function remember(session: Session, use: EmojiUse): void {
  emojiUse.set(use);
  localStorage.setItem(KEY, JSON.stringify(use));
  clearTimeout(timer);
  timer = setTimeout(() => {
    // A failure costs nothing: the next use sends it again.
    session.writePreferences({ emoji_use: JSON.stringify(use.scores), preferred_skin_tone: use.tone === 1 ? "" : String(use.tone) }).catch(() => {});
  }, SAVE_MS);
}
