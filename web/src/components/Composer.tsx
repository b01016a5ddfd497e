import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { KeyboardEvent } from "react";
import { compareNames, nameOf, useSession } from "../store/context";
import { t } from "../strings";
import { TEXT_MAX, decodeText, encodeText, textLength } from "../text/compose";
import type { Names } from "../text/compose";
import { emojiTable, loadEmoji, searchEmoji } from "../text/emoji";
import type { State } from "../realtime/state";
import { Avatar } from "./Avatar";
import { EmojiPicker } from "./EmojiPicker";
import { Icon } from "./Icon";

interface Props {
  /** Changes when another text is to be written: a conversation, a message. */
  id: string;
  /** What is there at first, as typed. */
  initial: string;
  placeholder: string;
  autoFocus: boolean;
  onChange?(typed: string): void;
  /** Gets the text in the wire's form. */
  onSend(text: string): void;
  /** Esc, where there is something to cancel. */
  onCancel?(): void;
  /** Up-arrow in an empty composer. */
  onEditLast?(): void;
  submit?: string;
}

/** One suggestion after `@`, `#` or `:`. */
interface Suggestion {
  key: string;
  insert: string;
  title: string;
  hint?: string;
  picture: React.ReactNode;
}

const NO_NAMES: Names = { users: [], channels: [] };
const SUGGESTIONS_MAX = 7;
/** From here on the remaining characters are shown. */
const LEFT_SHOWN = 2_000;

/** A text field that grows, refuses what is too long, and knows people, channels and emoji. */
export function Composer({ id, initial, placeholder, autoFocus, onChange, onSend, onCancel, onEditLast, submit }: Props) {
  const session = useSession();
  const [typed, setTyped] = useState(initial);
  const [caret, setCaret] = useState(0);
  const [picking, setPicking] = useState(false);
  const [chosen, setChosen] = useState(0);
  const [dismissed, setDismissed] = useState("");
  const area = useRef<HTMLTextAreaElement>(null);
  const emojiButton = useRef<HTMLButtonElement>(null);
  /** Where the caret goes once an insertion is there. */
  const wantedCaret = useRef<number | undefined>(undefined);
  /** People picked here: of two with one name, the picked one is meant. */
  const picked = useRef<Names["users"][number][]>([]);

  const encoded = useMemo(() => encodeText(typed.trim(), /[@#]/.test(typed) ? namesOf(session.state.get(), picked.current) : NO_NAMES), [typed, session]);
  const left = TEXT_MAX - textLength(encoded);
  const empty = typed.trim() === "";

  useLayoutEffect(() => {
    const it = area.current;
    if (!it) return;
    it.style.height = "auto";
    it.style.height = `${it.scrollHeight}px`;
    if (wantedCaret.current === undefined) return;
    it.focus();
    it.setSelectionRange(wantedCaret.current, wantedCaret.current);
    wantedCaret.current = undefined;
  }, [typed]);

  useEffect(() => {
    const it = area.current;
    if (!it || !autoFocus || window.matchMedia("(pointer: coarse)").matches) return;
    it.focus({ preventScroll: true });
    it.setSelectionRange(it.value.length, it.value.length);
  }, [id, autoFocus]);

  const token = tokenBefore(typed, caret);
  const suggestions = useSuggestions(token === undefined || token.whole === dismissed ? undefined : token);
  // What is written out already needs no suggestion: Enter sends.
  const complete = suggestions.length === 1 && suggestions[0]!.insert.trim() === token?.whole;
  const open = suggestions.length > 0 && !complete;
  useEffect(() => setChosen(0), [token?.whole]);

  const change = (text: string, at: number) => {
    setTyped(text);
    setCaret(at);
    onChange?.(text);
  };

  const insert = (text: string, from: number, to: number) => {
    const next = typed.slice(0, from) + text + typed.slice(to);
    wantedCaret.current = from + text.length;
    change(next, from + text.length);
  };

  const accept = (suggestion: Suggestion) => {
    if (token === undefined) return;
    const user = session.state.get().users[suggestion.key];
    if (user) picked.current = [{ id: user.id, name: nameOf(user) }, ...picked.current];
    insert(suggestion.insert, token.start, caret);
  };

  const send = () => {
    if (empty || left < 0) return;
    onSend(encoded);
    if (!submit) change("", 0);
  };

  const keyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.nativeEvent.isComposing) return;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      setChosen((chosen + (event.key === "ArrowDown" ? 1 : suggestions.length - 1)) % suggestions.length);
    } else if (open && (event.key === "Enter" || event.key === "Tab") && !event.shiftKey) {
      event.preventDefault();
      accept(suggestions[Math.min(chosen, suggestions.length - 1)]!);
    } else if (event.key === "Escape" && open) {
      event.preventDefault();
      setDismissed(token?.whole ?? "");
    } else if (event.key === "Escape" && onCancel) {
      event.preventDefault();
      onCancel();
    } else if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      send();
    } else if (event.key === "ArrowUp" && typed === "" && onEditLast) {
      event.preventDefault();
      onEditLast();
    }
  };

  return (
    <div className={left < 0 ? "composer over" : "composer"}>
      {open && (
        <ul className="suggestions" role="listbox" id={`suggest-${id}`}>
          {suggestions.map((it, i) => (
            <li
              key={it.key}
              id={`suggest-${id}-${i}`}
              role="option"
              aria-selected={i === chosen}
              className="suggestion"
              onMouseDown={(event) => {
                event.preventDefault();
                accept(it);
              }}
              onMouseEnter={() => setChosen(i)}
            >
              {it.picture}
              <span>{it.title}</span>
              {it.hint && <small>{it.hint}</small>}
            </li>
          ))}
        </ul>
      )}
      <textarea
        ref={area}
        rows={1}
        value={typed}
        placeholder={placeholder}
        aria-label={placeholder}
        aria-autocomplete="list"
        aria-controls={open ? `suggest-${id}` : undefined}
        aria-activedescendant={open ? `suggest-${id}-${chosen}` : undefined}
        aria-invalid={left < 0}
        dir="auto"
        autoComplete="off"
        onChange={(event) => change(event.target.value, event.target.selectionStart)}
        onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
        onKeyDown={keyDown}
      />
      <div className="composer-tools">
        <button ref={emojiButton} type="button" className="icon-button" aria-label={t.composer.emoji} aria-expanded={picking} onClick={() => setPicking(!picking)}>
          <Icon name="smile" />
        </button>
        {submit ? (
          <>
            <button type="button" className="button small" onClick={onCancel}>
              {t.cancel}
            </button>
            <button type="button" className="button primary small" disabled={empty || left < 0} onClick={send}>
              {submit}
            </button>
          </>
        ) : (
          <button type="button" className="send" aria-label={t.composer.send} disabled={empty || left < 0} onClick={send} onMouseDown={(event) => event.preventDefault()}>
            <Icon name="send" />
          </button>
        )}
      </div>
      {left < 0 ? (
        <p className="composer-note" role="alert">
          {t.composer.tooLong(-left)}
        </p>
      ) : (
        left < LEFT_SHOWN && <p className="composer-note calm">{t.composer.left(left)}</p>
      )}
      {picking && <EmojiPicker anchor={emojiButton} onClose={() => setPicking(false)} onPick={(name) => insert(`:${name}: `, caret, caret)} />}
    </div>
  );
}

/** What the person is in the middle of naming. */
function tokenBefore(typed: string, caret: number): { sign: string; query: string; start: number; whole: string } | undefined {
  const match = /(?:^|[\s(])([@#:])([\p{L}\p{N}._+-]{0,40})$/u.exec(typed.slice(0, caret));
  if (!match) return undefined;
  const [, sign, query] = match as unknown as [string, string, string];
  return { sign, query, start: caret - query.length - 1, whole: sign + query };
}

function useSuggestions(token: { sign: string; query: string } | undefined): Suggestion[] {
  const state = useSession().state;
  const sign = token?.sign;
  const query = token?.query.toLowerCase() ?? "";
  useEffect(() => {
    if (sign === ":") void loadEmoji();
  }, [sign]);
  return useMemo(() => {
    if (sign === undefined) return [];
    const { users, conversations } = state.get();
    if (sign === ":") {
      if (query.length < 2) return [];
      return searchEmoji(emojiTable.get(), query, SUGGESTIONS_MAX).map((it) => ({ key: it.names[0]!, insert: `:${it.names[0]}: `, title: `:${it.names[0]}:`, picture: <span className="emoji">{it.char}</span> }));
    }
    if (sign === "#") {
      return Object.values(conversations)
        .filter(({ channel, gone }) => !gone && channel.name?.includes(query) && !channel.is_mpim)
        .sort((a, b) => Number(b.channel.name!.startsWith(query)) - Number(a.channel.name!.startsWith(query)))
        .slice(0, SUGGESTIONS_MAX)
        .map(({ channel }) => ({ key: channel.id, insert: `#${channel.name} `, title: channel.name!, picture: <Icon name={channel.is_private ? "lock" : "hash"} /> }));
    }
    const people = Object.values(users)
      .filter((user) => !user.deleted && `${nameOf(user)} ${user.name}`.toLowerCase().split(/[\s.]+/).some((word) => word.startsWith(query)))
      .sort((a, b) => compareNames(nameOf(a), nameOf(b)))
      .map((user): Suggestion => ({ key: user.id, insert: `@${nameOf(user)} `, title: nameOf(user), hint: user.name, picture: <Avatar user={user} size={20} /> }));
    const all = Object.entries(t.composer.broadcasts)
      .filter(([name]) => query !== "" && name.startsWith(query))
      .map(([name, hint]): Suggestion => ({ key: name, insert: `@${name} `, title: `@${name}`, hint, picture: <Icon name="people" /> }));
    return [...people, ...all].slice(0, SUGGESTIONS_MAX);
  }, [sign, query, state]);
}

function namesOf(state: State, picked: Names["users"]): Names {
  const users = Object.values(state.users).filter((user) => !user.deleted);
  return {
    users: [...picked, ...users.map((user) => ({ id: user.id, name: nameOf(user) })), ...users.map((user) => ({ id: user.id, name: user.name }))],
    channels: Object.values(state.conversations).flatMap(({ channel }) => (channel.name && !channel.is_mpim ? [{ id: channel.id, name: channel.name }] : [])),
  };
}

/** A message's text as it is typed, for editing it. */
export function useTyped(text: string): string {
  const session = useSession();
  return useMemo(() => decodeText(text, namesOf(session.state.get(), [])), [text, session]);
}

