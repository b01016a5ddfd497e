import { useState } from "react";
import type { FormEvent } from "react";
import { Icon } from "../../components/Icon";
import { Dialog } from "../../components/overlay";
import { useSession, useWorkspace } from "../../store/context";
import { minute } from "../../store/minute";
import { notify } from "../../store/notice";
import { quietUntil } from "../../store/quiet";
import { useSignal } from "../../store/signal";
import { t } from "../../strings";
import { errorText } from "../../strings/en";
import { localInput, presetEnd, when } from "../../text/when";
import { failureOf } from "../../wire/api";

const PRESETS = ["half", "hour", "two", "tomorrow", "monday"] as const;
/** The longest that the server takes. */
const MINUTES_MAX = 30 * 24 * 60;
const HOURS = Array.from({ length: 48 }, (_, i) => `${String(i >> 1).padStart(2, "0")}:${i % 2 === 0 ? "00" : "30"}`);

/** Do-not-disturb: for a while, and every day. */
export function PauseDialog({ onClose }: { onClose(): void }) {
  const session = useSession();
  const now = useSignal(minute);
  const dnd = useWorkspace((state) => state.personal.dnd[state.self?.id ?? ""]);
  const quiet = quietUntil(dnd, now);
  const [custom, setCustom] = useState<string | undefined>(undefined);
  const [error, setError] = useState<string | undefined>(undefined);
  const fail = (thrown: unknown) => setError(errorText(failureOf(thrown).error));
  const pause = (until: number) => {
    const minutes = minutesTo(until);
    if (!(minutes >= 1)) return setError(t.places.pause.past);
    if (minutes > MINUTES_MAX) return setError(t.places.pause.tooLong);
    session.places.snooze(minutes).then(() => {
      onClose();
      notify(t.places.pause.until(when(until, Date.now())));
    }, fail);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    pause(new Date(custom ?? "").getTime());
  };
  return (
    <Dialog title={t.places.pause.title} onClose={onClose}>
      <p className="dialog-lead">{quiet === undefined ? t.places.pause.lead : t.places.pause.until(when(quiet, now))}</p>
      {quiet !== undefined && (
        <button type="button" className="button primary" onClick={() => void session.places.resume().then(onClose, fail)}>
          <Icon name="bell" />
          {t.places.pause.resume}
        </button>
      )}
      <ul className="choices">
        {PRESETS.map((it) => (
          <li key={it}>
            <button type="button" onClick={() => pause(presetEnd(it, Date.now()))}>
              <span>{t.places.pause.presets[it === "monday" ? "week" : it]}</span>
              <small>{when(presetEnd(it, now), now)}</small>
            </button>
          </li>
        ))}
        <li>
          {custom === undefined ? (
            <button type="button" onClick={() => setCustom(localInput(presetEnd("four", now)))}>
              <span>{t.places.pause.presets.custom}</span>
            </button>
          ) : (
            <form className="picker-row" onSubmit={submit}>
              <input className="input" type="datetime-local" required autoFocus aria-label={t.places.status.customLabel} value={custom} min={localInput(now)} onChange={(event) => setCustom(event.target.value)} />
              <button type="submit" className="button primary">
                {t.places.pause.start}
              </button>
            </form>
          )}
        </li>
      </ul>
      {error && (
        <p className="form-error" role="alert">
          {error}
        </p>
      )}
      <Daily onFail={fail} />
    </Dialog>
  );
}

/** Whole minutes from now. */
function minutesTo(until: number): number {
  return Math.ceil((until - Date.now()) / 60_000);
}

/** The daily quiet time is three preferences, as Slack has them. */
function Daily({ onFail }: { onFail(thrown: unknown): void }) {
  const session = useSession();
  const on = useWorkspace((state) => state.personal.prefs["dnd_enabled"] === true);
  const from = useWorkspace((state) => String(state.personal.prefs["dnd_start_hour"] ?? "22:00"));
  const to = useWorkspace((state) => String(state.personal.prefs["dnd_end_hour"] ?? "08:00"));
  const set = (name: string, value: unknown) => void session.places.setPreference(name, value).catch(onFail);
  const hours = (value: string) => [...new Set([...HOURS, padded(value)])].sort();
  const select = (label: string, name: string, value: string) => (
    <label>
      {label}
      <select className="select" value={padded(value)} onChange={(event) => set(name, event.target.value)}>
        {hours(value).map((it) => (
          <option key={it}>{it}</option>
        ))}
      </select>
    </label>
  );
  return (
    <fieldset className="daily">
      <legend>{t.places.pause.daily}</legend>
      <label className="check">
        <input type="checkbox" checked={on} onChange={(event) => set("dnd_enabled", event.target.checked)} />
        {t.places.pause.dailyLead}
      </label>
      {on && (
        <div className="daily-hours">
          {select(t.places.pause.from, "dnd_start_hour", from)}
          {select(t.places.pause.to, "dnd_end_hour", to)}
        </div>
      )}
    </fieldset>
  );
}

/** Slack writes `8:00` as well as `08:00`. */
function padded(time: string): string {
  return time.length === 4 ? `0${time}` : time;
}
