import { useEffect, useId, useMemo, useRef, useState } from "react";
import type { KeyboardEvent } from "react";
import { useSession } from "../store/context";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { emojiChar, emojiTable, loadEmoji, searchEmoji } from "../text/emoji";
import type { Emoji } from "../text/emoji";
import { emojiUse, loadUse, oftenUsed, remember, used } from "../text/emojiUse";
import type { Tone } from "../text/emojiUse";

/** What stands for the often used, and for each of Unicode's groups. */
const TABS = ["★", "😀", "👋", "🌿", "🍎", "🚲", "⚽", "💡", "❤️", "🏳️"];
/** Search results shown at once. */
const FOUND_MAX = 72;
/** The often used that are shown. */
const OFTEN_MAX = 40;
/** Emoji in a row; the style sheet says the same. */
const COLUMNS = 8;
const TONES: Tone[] = [1, 2, 3, 4, 5, 6];

export default function EmojiTable({ onPick }: { onPick(name: string): void }) {
  const session = useSession();
  const table = useSignal(emojiTable);
  const use = useSignal(emojiUse);
  const [query, setQuery] = useState("");
  const [group, setGroup] = useState(0);
  const [at, setAt] = useState(0);
  const grid = useRef<HTMLDivElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const id = useId();
  useEffect(() => {
    void loadEmoji();
    loadUse(session).catch(() => {});
  }, [session]);
  const wanted = query.trim();
  // What was used most does not change places under the pointer.
  const [often] = useState(() => oftenUsed(use, OFTEN_MAX));
  const shown = useMemo((): Emoji[] => {
    if (table === undefined) return [];
    if (wanted !== "") return searchEmoji(table, wanted, FOUND_MAX);
    if (group > 0) return table.groups[group - 1] ?? [];
    // Who has used few yet finds the first of the faces behind them.
    return [...new Set([...often.flatMap((name) => table.byName.get(name) ?? []), ...(table.groups[0] ?? [])])].slice(0, OFTEN_MAX);
  }, [table, wanted, group, often]);
  const current = shown[Math.min(at, shown.length - 1)];
  const nameOf = (emoji: Emoji) => (emoji.toned && use.tone > 1 ? `${emoji.names[0]}::skin-tone-${use.tone}` : emoji.names[0]!);
  const pick = (emoji: Emoji) => {
    remember(session, used(use, emoji.names[0]!));
    onPick(nameOf(emoji));
  };
  const show = (next: number) => {
    setQuery("");
    setGroup(next);
    setAt(0);
    grid.current?.scrollTo(0, 0);
  };
  const move = (event: KeyboardEvent) => {
    const step: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -COLUMNS, ArrowDown: COLUMNS, Home: -shown.length, End: shown.length };
    const by = step[event.key];
    if (by === undefined) return;
    event.preventDefault();
    if (event.key === "ArrowUp" && at < COLUMNS) return search.current?.focus();
    const next = Math.max(0, Math.min(shown.length - 1, at + by));
    setAt(next);
    grid.current?.querySelectorAll<HTMLElement>("button")[next]?.focus();
  };
  return (
    <>
      <input
        ref={search}
        className="input"
        type="search"
        autoFocus
        placeholder={t.emoji.search}
        aria-label={t.emoji.search}
        aria-controls={id}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && current !== undefined) {
            event.preventDefault();
            pick(current);
          } else if (event.key === "ArrowDown") {
            event.preventDefault();
            grid.current?.querySelectorAll<HTMLElement>("button")[at]?.focus();
          }
        }}
      />
      <div className="emoji-tabs" role="tablist" aria-label={t.emoji.kinds}>
        {[t.emoji.often, ...t.emoji.groups].map((name, i) => (
          <button key={name} type="button" role="tab" tabIndex={group === i ? 0 : -1} aria-selected={group === i && wanted === ""} aria-controls={id} aria-label={name} title={name} onClick={() => show(i)} onKeyDown={(event) => stepTab(event, i, show)}>
            {TABS[i]}
          </button>
        ))}
      </div>
      <div ref={grid} id={id} className="emoji-grid" role="group" aria-label={wanted === "" ? [t.emoji.often, ...t.emoji.groups][group] : t.emoji.found(shown.length)} onKeyDown={move}>
        {shown.map((emoji, i) => (
          <button key={emoji.names[0]} type="button" tabIndex={i === Math.min(at, shown.length - 1) ? 0 : -1} aria-label={spoken(emoji)} onClick={() => pick(emoji)} onFocus={() => setAt(i)} onPointerEnter={() => setAt(i)}>
            {emojiChar(table, nameOf(emoji))}
          </button>
        ))}
        {shown.length === 0 && table !== undefined && <p className="emoji-none">{t.emoji.none}</p>}
      </div>
      <div className="emoji-foot">
        <span className="emoji-name" aria-hidden="true">
          {current && (
            <>
              <b>{emojiChar(table, nameOf(current))}</b>
              {`:${current.names[0]}:`}
            </>
          )}
        </span>
        <TonePicker tone={use.tone} onTone={(tone) => remember(session, { ...use, tone })} />
      </div>
      <span className="sr-only" role="status">
        {wanted !== "" && t.emoji.found(shown.length)}
      </span>
    </>
  );
}

function spoken(emoji: Emoji): string {
  return emoji.names[0]!.replaceAll("_", " ");
}

function stepTab(event: KeyboardEvent, at: number, show: (group: number) => void): void {
  const by = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
  if (by === 0) return;
  event.preventDefault();
  const next = (at + by + TABS.length) % TABS.length;
  show(next);
  event.currentTarget.parentElement?.querySelectorAll<HTMLElement>("button")[next]?.focus();
}

/** The skin tone of everything that has one. */
function TonePicker({ tone, onTone }: { tone: Tone; onTone(tone: Tone): void }) {
  const table = useSignal(emojiTable);
  return (
    <fieldset className="emoji-tones">
      <legend className="sr-only">{t.emoji.tone}</legend>
      {TONES.map((it) => (
        <label key={it} title={t.emoji.tones[it - 1]}>
          <input type="radio" name="tone" className="sr-only" checked={it === tone} onChange={() => onTone(it)} aria-label={t.emoji.tones[it - 1]} />
          <span aria-hidden="true">{emojiChar(table, it === 1 ? "hand" : `hand::skin-tone-${it}`)}</span>
        </label>
      ))}
    </fieldset>
  );
}
