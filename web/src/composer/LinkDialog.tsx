import { useState } from "react";
import { Dialog } from "../components/overlay";
import { t } from "../strings";
import { safeUrl } from "../text/mrkdwn";

/** What was typed as an address, with the scheme that people leave out; undefined if it is none. */
export function addressOf(typed: string): string | undefined {
  const text = typed.trim();
  if (safeUrl(text)) return text;
  if (/^[^\s@:/]+@[^\s@]+\.[^\s@]+$/.test(text)) return `mailto:${text}`;
  return /^[^\s:/]+\.[^\s]{2,}$/.test(text) && safeUrl(`https://${text}`) ? `https://${text}` : undefined;
}

/** Asks for an address and the words that carry it. */
export function LinkDialog({ text, href, onClose, onSet }: { text: string; href: string | undefined; onClose(): void; onSet(href: string | undefined, text: string): void }) {
  const [words, setWords] = useState(text);
  const [typed, setTyped] = useState(href ?? "");
  const [wrong, setWrong] = useState(false);
  return (
    <Dialog title={href === undefined ? t.composer.linkAdd : t.composer.linkEdit} onClose={onClose} className="small-dialog">
      <form
        className="stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const address = addressOf(typed);
          if (address === undefined) setWrong(true);
          else onSet(address, words.trim() || address);
        }}
      >
        <label>
          <span>{t.composer.linkAddress}</span>
          <input
            className="input"
            name="href"
            inputMode="url"
            autoComplete="off"
            value={typed}
            aria-invalid={wrong}
            aria-describedby={wrong ? "link-wrong" : undefined}
            onChange={(event) => {
              setTyped(event.target.value);
              setWrong(false);
            }}
          />
        </label>
        <label>
          <span>{t.composer.linkText}</span>
          <input className="input" name="text" autoComplete="off" value={words} onChange={(event) => setWords(event.target.value)} />
        </label>
        {wrong && (
          <p id="link-wrong" className="form-error" role="alert">
            {t.composer.linkWrong}
          </p>
        )}
        <div className="dialog-buttons">
          {href !== undefined && (
            <button type="button" className="button" onClick={() => onSet(undefined, words)}>
              {t.composer.linkRemove}
            </button>
          )}
          <button type="button" className="button" onClick={onClose}>
            {t.cancel}
          </button>
          <button type="submit" className="button primary">
            {t.message.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
