import { signal } from "../store/signal";
import type { Signal } from "../store/signal";

export interface Emoji {
  char: string;
  /** Slack's short names, the usual one first. */
  names: string[];
  /** Whether it takes skin tones. */
  toned: boolean;
}

export interface EmojiTable {
  /** In the order of Unicode's groups. */
  groups: Emoji[][];
  byName: ReadonlyMap<string, Emoji>;
}

/** The emoji that the picker offers first. */
export const QUICK = ["+1", "white_check_mark", "eyes", "tada", "heart", "joy"];

const TONES = ["\u{1f3fb}", "\u{1f3fc}", "\u{1f3fd}", "\u{1f3fe}", "\u{1f3ff}"];

/** Everything; loaded apart from the first paint. Until then short names are shown as they are. */
export const emojiTable: Signal<EmojiTable | undefined> = signal<EmojiTable | undefined>(undefined);

export async function loadEmoji(): Promise<void> {
  if (emojiTable.get() !== undefined) return;
  const { default: data } = await import("./emoji-data.json");
  emojiTable.set(tableOf(data));
}

/** Reads the generated file: per group, lines of `char name… [+]`. */
export function tableOf(data: string[][]): EmojiTable {
  const byName = new Map<string, Emoji>();
  const groups = data.map((lines) =>
    lines.map((line) => {
      const [char, ...rest] = line.split(" ") as [string, ...string[]];
      const toned = rest[rest.length - 1] === "+";
      const emoji = { char, names: toned ? rest.slice(0, -1) : rest, toned };
      for (const name of emoji.names) byName.set(name, emoji);
      return emoji;
    }),
  );
  return { groups, byName };
}

/** The characters of a short name, skin tone included (`wave::skin-tone-3`); undefined if there is none. */
export function emojiChar(table: EmojiTable | undefined, name: string): string | undefined {
  const [base, tone] = name.split("::skin-tone-") as [string, string?];
  const emoji = table?.byName.get(base);
  if (emoji === undefined || tone === undefined || !emoji.toned) return emoji?.char;
  const modifier = TONES[Number(tone) - 2];
  return modifier === undefined ? emoji.char : emoji.char.replace("\ufe0f", "") + modifier;
}

/** Emoji whose names contain the query; those that begin with it first. */
export function searchEmoji(table: EmojiTable | undefined, query: string, max: number): Emoji[] {
  const wanted = query.toLowerCase().replaceAll(" ", "_");
  const begin: Emoji[] = [];
  const contain: Emoji[] = [];
  for (const emoji of table?.groups.flat() ?? []) {
    if (emoji.names.some((name) => name.startsWith(wanted))) begin.push(emoji);
    else if (emoji.names.some((name) => name.includes(wanted))) contain.push(emoji);
  }
  return [...begin, ...contain].slice(0, max);
}
