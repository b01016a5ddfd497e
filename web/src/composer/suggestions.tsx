import { useEffect, useMemo } from "react";
import type { ReactNode } from "react";
import { Avatar } from "../components/Avatar";
import { Icon } from "../components/Icon";
import { compareNames, nameOf, useSession } from "../store/context";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { emojiTable, loadEmoji, searchEmoji } from "../text/emoji";
import { COMMANDS } from "./commands";
import type { Span } from "./lines";
import type { Token } from "./token";

/** One suggestion after `@`, `#`, `:` or `/`. */
export interface Suggestion {
  key: string;
  /** What takes the place of the token: something that has a meaning, or characters. */
  insert: Span | string;
  title: string;
  /** What somebody would have typed to mean it without choosing. */
  typed?: string;
  hint?: string;
  picture: ReactNode;
}

/** Shown at once. */
const SUGGESTIONS_MAX = 8;

/** What the token could become, best first. `audience`: how many people a call to everybody reaches. */
export function useSuggestions(token: Token | undefined, channel: string | undefined, audience: number | undefined): Suggestion[] {
  const { state } = useSession();
  const table = useSignal(emojiTable);
  const sign = token?.sign;
  const query = token?.query.toLowerCase() ?? "";
  useEffect(() => {
    if (sign === ":") void loadEmoji();
  }, [sign]);
  return useMemo((): Suggestion[] => {
    const { users, conversations, self } = state.get();
    switch (sign) {
      case undefined:
        return [];
      case "/":
        return channel === undefined ? [] : COMMANDS.filter((it) => it.name.startsWith(query)).map((it) => ({ key: it.name, insert: `/${it.name} `, typed: `/${it.name}`, title: `/${it.name} ${it.usage}`, hint: it.hint, picture: <Icon name="slash" /> }));
      case ":":
        if (query.length < 2) return [];
        return searchEmoji(table, query, SUGGESTIONS_MAX).map((it) => ({ key: it.names[0]!, insert: { type: "emoji", name: it.names[0]! }, title: `:${it.names[0]}:`, picture: <span className="emoji">{it.char}</span> }));
      case "#":
        return Object.values(conversations)
          .filter(({ channel: it, gone }) => !gone && !it.is_im && !it.is_mpim && it.name?.includes(query))
          .sort((a, b) => Number(b.channel.name!.startsWith(query)) - Number(a.channel.name!.startsWith(query)) || compareNames(a.channel.name!, b.channel.name!))
          .slice(0, SUGGESTIONS_MAX)
          .map(({ channel: it }) => ({ key: it.id, insert: { type: "channel", channel_id: it.id }, typed: `#${it.name}`, title: it.name!, picture: <Icon name={it.is_private ? "lock" : "hash"} /> }));
      case "@": {
        const people = Object.values(users)
          .filter((user) => !user.deleted && `${nameOf(user)} ${user.name}`.toLowerCase().split(/[\s.]+/).some((word) => word.startsWith(query)))
          .sort((a, b) => Number(a.id === self?.id) - Number(b.id === self?.id) || compareNames(nameOf(a), nameOf(b)))
          .slice(0, SUGGESTIONS_MAX)
          .map((user): Suggestion => ({ key: user.id, insert: { type: "user", user_id: user.id }, typed: `@${nameOf(user)}`, title: nameOf(user), hint: user.id === self?.id ? t.you : user.name, picture: <Avatar user={user} size={20} /> }));
        const all = Object.entries(t.composer.broadcasts)
          .filter(([name]) => query !== "" && name.startsWith(query))
          .map(([name, hint]): Suggestion => ({ key: name, insert: { type: "broadcast", range: name }, typed: `@${name}`, title: `@${name}`, hint: audience === undefined ? hint : t.composer.reaches(hint, audience), picture: <Icon name="people" /> }));
        return [...people.slice(0, SUGGESTIONS_MAX - all.length), ...all];
      }
    }
  }, [sign, query, state, table, channel, audience]);
}

/** The list above the field. The field keeps the focus and says which one is active. */
export function SuggestionList({ id, items, active, onActive, onPick }: { id: string; items: readonly Suggestion[]; active: number; onActive(index: number): void; onPick(item: Suggestion): void }) {
  useEffect(() => {
    // Newer browsers answer with a promise, which is no clean-up.
    document.getElementById(`${id}-${active}`)?.scrollIntoView({ block: "nearest" });
  }, [id, active]);
  return (
    <>
      <ul className="suggestions" role="listbox" id={id} aria-label={t.composer.suggestions}>
        {items.map((it, i) => (
          <li
            key={it.key}
            id={`${id}-${i}`}
            role="option"
            aria-selected={i === active}
            className="suggestion"
            onMouseDown={(event) => {
              event.preventDefault();
              onPick(it);
            }}
            onMouseMove={() => i !== active && onActive(i)}
          >
            {it.picture}
            <span>{it.title}</span>
            {it.hint && <small>{it.hint}</small>}
          </li>
        ))}
      </ul>
      <p className="sr-only" role="status">
        {t.composer.found(items.length)}
      </p>
    </>
  );
}
