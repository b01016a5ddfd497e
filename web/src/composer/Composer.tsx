import { useEffect, useMemo, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { EmojiPicker } from "../components/EmojiPicker";
import { Icon } from "../components/Icon";
import { AttachButton } from "../files/AttachButton";
import { AttachmentList } from "../files/AttachmentList";
import { attach, filesOf, isStuck, useAttachments } from "../files/useAttachments";
import { useSession } from "../store/context";
import { notify } from "../store/notice";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { TEXT_MAX, encodeText, textLength } from "../text/compose";
import { loadEmoji } from "../text/emoji";
import { contentOf, tooFormatted } from "./content";
import type { Content } from "./content";
import type { Editor, EditorHost, Snapshot } from "./editor";
import { finish } from "./finish";
import { LinkDialog } from "./LinkDialog";
import { isEmpty, trimLines } from "./lines";
import type { Line } from "./lines";
import { meaningsOf, namesOf } from "./meanings";
import { PlainArea } from "./PlainArea";
import { problemOf } from "./problem";
import { linesOfMrkdwn } from "./read";
import { loadRich, rich } from "./rich";
import { SendMenu } from "./SendMenu";
import { SuggestionList, useSuggestions } from "./suggestions";
import type { Suggestion } from "./suggestions";
import { Toolbar } from "./Toolbar";
import { touch } from "./touch";

interface Props {
  /** Changes when another text is to be written: a conversation, a message. */
  id: string;
  /** What is there at first: as lines, and as somebody would have typed it. */
  initial: Written;
  placeholder: string;
  autoFocus: boolean;
  /** The conversation that it is for, where commands can be given. */
  channel?: string;
  /** Files can be attached, and are kept under this name. */
  files?: string;
  /** How many people a call to everybody here reaches. */
  audience?: number | undefined;
  onChange?(lines: readonly Line[], text: string): void;
  /** What was refused after nobody looked at this composer any more. */
  onReturn?(lines: readonly Line[]): void;
  /** The kind of line that the caret is in: it decides what Enter does. */
  onPlace?(enterSends: boolean): void;
  /** Takes what was written; what it throws, or rejects with, is shown and nothing is lost. Without `submit` the next can be written meanwhile. */
  onSend(lines: Line[], content: Content): void | Promise<void>;
  onSchedule?(content: Content, at: number): Promise<void>;
  /** Esc, where there is something to cancel. */
  onCancel?(): void;
  /** Up-arrow in an empty composer. */
  onEditLast?(): void;
  submit?: string;
}

/** From here on the remaining characters are shown. */
const LEFT_SHOWN = 2_000;
/** A call to so many people is worth a warning. */
const AUDIENCE_SHOWN = 6;
const BAR_KEY = "parlance.formatting";
/** The composers in the page, by `id`: they take back what was refused after it had been taken out of them. */
const composers = new Map<string, (given: Written, problem: string) => void>();

/** As lines, and as somebody would have typed it where the editor has not come yet. */
interface Written {
  lines: readonly Line[];
  text: string;
}

/** Where messages are written: an editor with what a rich text can say, and a plain field until it has come. */
export function Composer({ id, initial, placeholder, autoFocus, channel, files, audience, onChange, onReturn, onPlace, onSend, onSchedule, onCancel, onEditLast, submit }: Props) {
  const session = useSession();
  const Rich = useSignal(rich);
  const [{ lines, text: typed }, draw] = useState(initial);
  const [snapshot, setSnapshot] = useState<Snapshot | undefined>(undefined);
  const [composing, setComposing] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const [picking, setPicking] = useState(false);
  const [link, setLink] = useState<ReturnType<Editor["link"]> | undefined>(undefined);
  const [bar, setBar] = useState(() => localStorage.getItem(BAR_KEY) === "1");
  const [active, setActive] = useState(0);
  const [dismissed, setDismissed] = useState("");
  const editor = useRef<Editor>(null);
  const box = useRef<HTMLDivElement>(null);
  const emojiButton = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    loadRich();
    void loadEmoji();
  }, []);
  // An input method keeps its field until its word is done. The editor takes the caret over, but from nobody else.
  const [Shown, setShown] = useState(() => Rich);
  const [takeFocus, setTakeFocus] = useState(autoFocus && (!touch() || submit !== undefined));
  useEffect(() => {
    if (Shown !== undefined || Rich === undefined || composing) return;
    setTakeFocus(box.current?.contains(document.activeElement) ?? false);
    setShown(() => Rich);
  }, [Shown, Rich, composing]);

  const finished = useMemo(() => finish(trimLines(lines), meaningsOf(session.state.get())), [lines, session]);
  const content = useMemo(() => contentOf(finished), [finished]);
  const left = TEXT_MAX - textLength(content.text);
  const heavy = left >= 0 && tooFormatted(content);
  const attached = useAttachments(files);
  const stuck = attached.some(isStuck);
  const empty = isEmpty(finished) && attached.length === 0;
  const cannotSend = empty || left < 0 || heavy || busy || stuck;
  const calls = audience !== undefined && audience >= AUDIENCE_SHOWN && finished.some((line) => line.kind !== "code" && line.spans.some((span) => span.type === "broadcast"));

  const token = snapshot?.token?.whole === dismissed ? undefined : snapshot?.token;
  const suggestions = useSuggestions(token, channel, audience);
  // What is written out already needs no suggestion: Enter sends.
  const complete = suggestions.length === 1 && suggestions[0]!.typed === token?.whole;
  const open = suggestions.length > 0 && !complete && token !== undefined;
  const listId = `suggest-${id}`;
  useEffect(() => setActive(0), [token?.whole]);

  /** What is there now, also before it was drawn. */
  const written = useRef(initial);
  const write = (next: Written) => {
    written.current = next;
    draw(next);
  };
  const put = (next: Written) => {
    write(next);
    if (editor.current) editor.current.set(next.lines);
    else onChange?.(next.lines, next.text);
  };
  /** Puts what was refused before what has been written since. */
  const takeBack = (given: Written, why: string) => {
    const since = written.current;
    put({ lines: [...given.lines, ...(isBlank(since.lines) ? [] : since.lines)], text: since.text === "" ? given.text : `${given.text}\n${since.text}` });
    setProblem(why);
  };
  useEffect(() => {
    composers.set(id, takeBack);
    return () => void (composers.get(id) === takeBack && composers.delete(id));
  });
  const attempt = (run: () => void | Promise<void>) => {
    const given = written.current;
    setProblem("");
    try {
      const going = run();
      if (submit === undefined) put({ lines: [], text: "" });
      if (going === undefined) return;
      setBusy(submit !== undefined);
      void going.catch((thrown: unknown) => refused(given, problemOf(thrown))).finally(() => setBusy(false));
    } catch (thrown) {
      setProblem(problemOf(thrown));
    }
  };
  const refused = (given: Written, why: string) => {
    if (submit !== undefined) return setProblem(why);
    const composer = composers.get(id);
    if (composer) return composer(given, why);
    onReturn?.(given.lines);
    notify(why);
  };
  const typeOut = (text: string) => {
    const next = text === "" ? [] : linesOfMrkdwn(encodeText(text, namesOf(session.state.get())));
    write({ lines: next, text });
    onChange?.(next, text);
  };
  const send = () => {
    if (!cannotSend) attempt(() => onSend(finished, content));
  };
  const accept = (it: Suggestion) => {
    if (token === undefined) return;
    if (typeof it.insert === "string") editor.current?.complete(it.insert, token);
    else editor.current?.insert(it.insert, token);
  };
  const askLink = () => setLink(editor.current?.link());

  const enterSends = !touch();
  const key = (event: KeyboardEvent): boolean => {
    if (event.isComposing) return false;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) setActive((active + (event.key === "ArrowDown" ? 1 : suggestions.length - 1)) % suggestions.length);
    else if (open && (event.key === "Enter" || event.key === "Tab") && !event.shiftKey && !event.metaKey && !event.ctrlKey) accept(suggestions[Math.min(active, suggestions.length - 1)]!);
    else if (open && event.key === "Escape") setDismissed(token.whole);
    else if (event.key === "Escape" && onCancel) onCancel();
    else if (event.key === "ArrowUp" && onEditLast && isBlank(lines) && !event.shiftKey && !event.altKey && !event.metaKey && !event.ctrlKey) onEditLast();
    else return false;
    return true;
  };
  const host: EditorHost = {
    meanings: () => meaningsOf(session.state.get()),
    enterSends: () => enterSends,
    changed: (next) => {
      setSnapshot(next);
      onPlace?.(enterSends && (next.kind === "text" || next.kind === "quote"));
      if (!next.changed) return;
      write({ lines: next.lines, text: "" });
      setProblem("");
      if (next.token?.whole !== dismissed) setDismissed("");
      onChange?.(isBlank(next.lines) ? [] : next.lines, "");
    },
    key,
    submit: send,
    askLink,
  };
  const attributes = useMemo(
    (): Record<string, string> => ({
      role: "textbox",
      "aria-multiline": "true",
      "aria-label": placeholder,
      "aria-autocomplete": "list",
      "aria-haspopup": "listbox",
      ...(open ? { "aria-controls": listId, "aria-activedescendant": `${listId}-${active}` } : {}),
      ...(left < 0 || heavy ? { "aria-invalid": "true" } : {}),
      enterkeyhint: touch() ? "enter" : "send",
      spellcheck: "true",
      autocapitalize: "sentences",
      translate: "no",
    }),
    [placeholder, open, listId, active, left, heavy],
  );

  return (
    <div
      ref={box}
      onPasteCapture={(event) => {
        const pasted = files === undefined ? [] : filesOf(event.clipboardData);
        if (files === undefined || pasted.length === 0) return;
        event.preventDefault();
        event.stopPropagation();
        attach(session, files, pasted);
      }}
      className={["composer", left < 0 || heavy ? "over" : "", isBlank(lines) ? "blank" : "", bar ? "with-bar" : ""].filter(Boolean).join(" ")}
      data-ready={Shown !== undefined}
    >
      {open && <SuggestionList id={listId} items={suggestions} active={Math.min(active, suggestions.length - 1)} onActive={setActive} onPick={accept} />}
      {bar && Shown !== undefined && <Toolbar snapshot={snapshot} onAction={(action) => editor.current?.run(action)} onLink={askLink} />}
      {Shown === undefined ? (
        <PlainArea
          text={typed}
          label={placeholder}
          takeFocus={takeFocus}
          invalid={left < 0}
          enterSends={enterSends}
          onComposing={setComposing}
          onKey={key}
          onSend={send}
          onText={typeOut}
        />
      ) : (
        <Shown ref={editor} host={host} initial={lines} takeFocus={takeFocus} attributes={attributes} />
      )}
      {files !== undefined && <AttachmentList owner={files} />}
      <div className="composer-tools">
        {files !== undefined && <AttachButton owner={files} onAttached={() => box.current?.querySelector<HTMLElement>("[role=textbox], textarea")?.focus()} />}
        {Shown !== undefined && (
          <button
            type="button"
            className="icon-button"
            aria-label={t.composer.formatting}
            title={t.composer.formatting}
            aria-pressed={bar}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => {
              localStorage.setItem(BAR_KEY, bar ? "0" : "1");
              setBar(!bar);
            }}
          >
            <Icon name="letters" />
          </button>
        )}
        <button ref={emojiButton} type="button" className="icon-button" aria-label={t.composer.emoji} title={t.composer.emoji} aria-expanded={picking} onClick={() => setPicking(!picking)}>
          <Icon name="smile" />
        </button>
        {submit ? (
          <>
            <button type="button" className="button small" onClick={onCancel}>
              {t.cancel}
            </button>
            <button type="button" className="button primary small" disabled={cannotSend} onClick={send}>
              {submit}
            </button>
          </>
        ) : (
          <span className={onSchedule && attached.length === 0 ? "send-group split" : "send-group"}>
            <button type="button" className="send" aria-label={t.composer.send} title={t.composer.send} disabled={cannotSend} onClick={send} onMouseDown={(event) => event.preventDefault()}>
              <Icon name="send" />
            </button>
            {onSchedule && attached.length === 0 && <SendMenu disabled={cannotSend} onSchedule={(at) => attempt(() => onSchedule(content, at))} />}
          </span>
        )}
      </div>
      {left < 0 ? (
        <p className="composer-note" role="alert">
          {t.composer.tooLong(-left)}
        </p>
      ) : heavy ? (
        <p className="composer-note" role="alert">
          {t.composer.tooFormatted}
        </p>
      ) : stuck ? (
        <p className="composer-note" role="status">
          {t.files.cannotSend}
        </p>
      ) : problem ? (
        <p className="composer-note" role="alert">
          {problem}
        </p>
      ) : calls ? (
        <p className="composer-note warn" role="status">
          <Icon name="people" />
          {t.composer.tells(audience)}
        </p>
      ) : (
        left < LEFT_SHOWN && <p className="composer-note calm">{t.composer.left(left)}</p>
      )}
      {picking && (
        <EmojiPicker
          anchor={emojiButton}
          onClose={() => setPicking(false)}
          onPick={(name) => {
            if (editor.current) editor.current.insert(emojiSpan(name));
            else typeOut(`${typed}:${name}: `);
          }}
        />
      )}
      {link && (
        <LinkDialog
          text={link.text}
          href={link.href}
          onClose={() => setLink(undefined)}
          onSet={(href, text) => {
            // The dialog gives the focus back first: while it is open the editor cannot have it.
            flushSync(() => setLink(undefined));
            editor.current?.setLink(link, href, href === undefined || text === link.text ? undefined : text);
          }}
        />
      )}
    </div>
  );
}

/** One empty plain line, where a list or code has not been begun either. */
function isBlank(lines: readonly Line[]): boolean {
  return lines.length === 0 || (lines.length === 1 && lines[0]!.kind === "text" && lines[0]!.spans.length === 0);
}

function emojiSpan(picked: string): { type: "emoji"; name: string; skin_tone?: number } {
  const [name, tone] = picked.split("::skin-tone-") as [string, string?];
  return tone === undefined ? { type: "emoji", name } : { type: "emoji", name, skin_tone: Number(tone) };
}
