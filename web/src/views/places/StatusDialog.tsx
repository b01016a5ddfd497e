import { useRef, useState } from "react";
import type { FormEvent } from "react";
import { EmojiPicker } from "../../components/EmojiPicker";
import { Icon } from "../../components/Icon";
import { Dialog } from "../../components/overlay";
import { useSession, useWorkspace } from "../../store/context";
import { minute } from "../../store/minute";
import { useSignal } from "../../store/signal";
import { t } from "../../strings";
import { errorText } from "../../strings/en";
import { Emoji } from "../../text/Mrkdwn";
import { localInput, presetEnd, when } from "../../text/when";
import { failureOf } from "../../wire/api";

type Expiry = "keep" | "never" | "half" | "hour" | "four" | "today" | "week" | "custom";

/** Characters of a status. */
const TEXT_MAX = 100;

/** What the person says about now: an emoji, a text, and when it clears itself. */
export function StatusDialog({ onClose }: { onClose(): void }) {
  const session = useSession();
  const profile = useWorkspace((state) => state.self?.profile);
  const now = useSignal(minute);
  const until = profile?.status_expiration ?? 0;
  const [emoji, setEmoji] = useState(profile?.status_emoji ?? "");
  const [text, setText] = useState(profile?.status_text ?? "");
  const [expiry, setExpiry] = useState<Expiry>(until > 0 ? "keep" : "never");
  const [custom, setCustom] = useState(localInput(presetEnd("hour", now)));
  const [picking, setPicking] = useState(false);
  const [error, setError] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const face = useRef<HTMLButtonElement>(null);
  const had = profile?.status_text || profile?.status_emoji;
  const save = (fields: { status_emoji: string; status_text: string; status_expiration: number }) => {
    setBusy(true);
    session.places
      .setProfile(fields)
      .then(onClose, (thrown: unknown) => setError(errorText(failureOf(thrown).error)))
      .finally(() => setBusy(false));
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const ends = endOf(expiry, custom, until * 1000);
    if (ends !== 0 && ends <= Date.now()) return setError(t.places.status.past);
    const empty = emoji === "" && text.trim() === "";
    save({ status_emoji: emoji, status_text: text.trim(), status_expiration: empty ? 0 : Math.floor(ends / 1000) });
  };
  const expiries: Expiry[] = [...(until > 0 ? (["keep"] as const) : []), "never", "half", "hour", "four", "today", "week", "custom"];
  return (
    <Dialog title={t.places.status.title} onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <div className="status-field">
          <button ref={face} type="button" className="status-face" aria-label={t.places.status.emoji} aria-expanded={picking} onClick={() => setPicking(!picking)}>
            {emoji === "" ? <Icon name="smile" /> : <Emoji name={emoji.replaceAll(":", "")} />}
          </button>
          <input className="input" maxLength={TEXT_MAX} placeholder={t.places.status.placeholder} aria-label={t.places.status.placeholder} value={text} dir="auto" onChange={(event) => setText(event.target.value)} />
        </div>
        {!had && text === "" && emoji === "" && (
          <ul className="status-presets" aria-label={t.places.status.suggestions}>
            {t.places.status.presets.map((it) => (
              <li key={it.text}>
                <button
                  type="button"
                  onClick={() => {
                    setEmoji(it.emoji);
                    setText(it.text);
                    setExpiry(it.expiry);
                  }}
                >
                  <Emoji name={it.emoji.replaceAll(":", "")} />
                  <span>{it.text}</span>
                  <small>{t.places.status.expiries[it.expiry]}</small>
                </button>
              </li>
            ))}
          </ul>
        )}
        <label>
          {t.places.status.expiry}
          <select className="select" value={expiry} onChange={(event) => setExpiry(event.target.value as Expiry)}>
            {expiries.map((it) => (
              <option key={it} value={it}>
                {it === "keep" ? when(until * 1000, now) : t.places.status.expiries[it]}
              </option>
            ))}
          </select>
        </label>
        {expiry === "custom" && (
          <label>
            {t.places.status.customLabel}
            <input className="input" type="datetime-local" required value={custom} min={localInput(now)} onChange={(event) => setCustom(event.target.value)} />
          </label>
        )}
        {error && (
          <p className="form-error" role="alert">
            {error}
          </p>
        )}
        <div className="dialog-buttons">
          {had && (
            <button type="button" className="button" disabled={busy} onClick={() => save({ status_emoji: "", status_text: "", status_expiration: 0 })}>
              {t.places.status.clear}
            </button>
          )}
          <button type="submit" className="button primary" disabled={busy || (!had && text.trim() === "" && emoji === "")}>
            {t.places.status.save}
          </button>
        </div>
      </form>
      {picking && <EmojiPicker anchor={face} onClose={() => setPicking(false)} onPick={(name) => setEmoji(`:${name}:`)} />}
    </Dialog>
  );
}

/** Milliseconds since 1970; 0: it stays. */
function endOf(expiry: Expiry, custom: string, kept: number): number {
  if (expiry === "never") return 0;
  if (expiry === "keep") return kept;
  return expiry === "custom" ? new Date(custom).getTime() : presetEnd(expiry, Date.now());
}
