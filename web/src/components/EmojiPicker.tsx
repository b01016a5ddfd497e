import { useEffect, useMemo, useState } from "react";
import type { RefObject } from "react";
import { t } from "../strings";
import { useSignal } from "../store/signal";
import { QUICK, emojiTable, loadEmoji, searchEmoji } from "../text/emoji";
import type { Emoji } from "../text/emoji";
import { Popover } from "./overlay";

/** What stands for each of Unicode's groups. */
const TABS = ["😀", "👋", "🌿", "🍎", "🚲", "⚽", "💡", "❤️", "🏳️"];
/** Search results shown at once. */
const FOUND_MAX = 64;

/** A small table of emoji beside what opened it. */
export function EmojiPicker({ anchor, onPick, onClose }: { anchor: RefObject<Element | null>; onPick(name: string): void; onClose(): void }) {
  const table = useSignal(emojiTable);
  const [query, setQuery] = useState("");
  const [group, setGroup] = useState(-1);
  useEffect(() => void loadEmoji(), []);
  const shown = useMemo((): Emoji[] => {
    if (table === undefined) return [];
    if (query.trim() !== "") return searchEmoji(table, query.trim(), FOUND_MAX);
    if (group < 0) return [...new Set([...QUICK.flatMap((name) => table.byName.get(name) ?? []), ...(table.groups[0] ?? []).slice(0, 50)])];
    return table.groups[group] ?? [];
  }, [table, query, group]);
  const pick = (emoji: Emoji) => {
    onPick(emoji.names[0]!);
    onClose();
  };
  return (
    <Popover anchor={anchor} onClose={onClose} label={t.message.react} className="emoji-picker">
      <input
        className="input"
        type="search"
        autoFocus
        placeholder={t.emoji.search}
        aria-label={t.emoji.search}
        value={query}
        onChange={(event) => setQuery(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && shown[0] !== undefined) {
            event.preventDefault();
            pick(shown[0]);
          }
        }}
      />
      <div className="emoji-tabs" role="tablist">
        {[t.emoji.often, ...t.emoji.groups].map((name, i) => (
          <button key={name} type="button" role="tab" aria-selected={group === i - 1 && query === ""} aria-label={name} title={name} onClick={() => (setQuery(""), setGroup(i - 1))}>
            {i === 0 ? "★" : TABS[i - 1]}
          </button>
        ))}
      </div>
      <div className="emoji-grid" key={group}>
        {shown.map((emoji) => (
          <button key={emoji.names[0]} type="button" title={`:${emoji.names[0]}:`} aria-label={emoji.names[0]!.replaceAll("_", " ")} onClick={() => pick(emoji)}>
            {emoji.char}
          </button>
        ))}
        {shown.length === 0 && table !== undefined && <p className="emoji-none">{t.emoji.none}</p>}
      </div>
    </Popover>
  );
}
