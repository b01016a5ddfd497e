import { useRef, useState } from "react";
import { Icon } from "../components/Icon";
import { Dialog, Menu } from "../components/overlay";
import { t } from "../strings";
import { clockTime } from "../text/time";
import { AHEAD_DAYS_MAX, localInput, presets, problemOf } from "./schedule";

/** Beside the send button: sends later. `onSchedule` gets milliseconds since 1970. */
export function SendMenu({ disabled, onSchedule }: { disabled: boolean; onSchedule(at: number): void }) {
  /** When it was opened, milliseconds since 1970. */
  const [open, setOpen] = useState<number | undefined>(undefined);
  const [asking, setAsking] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button ref={button} type="button" className="send-later" aria-label={t.composer.later} title={t.composer.later} aria-haspopup="menu" aria-expanded={open !== undefined} disabled={disabled} onClick={() => setOpen(open === undefined ? Date.now() : undefined)}>
        <Icon name="down" />
      </button>
      {open !== undefined && (
        <Menu
          anchor={button}
          label={t.composer.later}
          onClose={() => setOpen(undefined)}
          items={[
            ...presets(open).map((it) => ({ key: it.key, icon: <Icon name="clock" />, text: t.composer.preset(it.key, clockTime(it.at)), run: () => onSchedule(it.at) })),
            { key: "own", icon: <Icon name="pencil" />, text: t.composer.ownTime, run: () => setAsking(true) },
          ]}
        />
      )}
      {asking && (
        <TimeDialog
          onClose={() => setAsking(false)}
          onPick={(at) => {
            setAsking(false);
            onSchedule(at);
          }}
        />
      )}
    </>
  );
}

function TimeDialog({ onClose, onPick }: { onClose(): void; onPick(at: number): void }) {
  const [opened] = useState(() => Date.now());
  const [typed, setTyped] = useState(() => localInput(opened + 3_600_000));
  const [wrong, setWrong] = useState<"past" | "far" | undefined>(undefined);
  return (
    <Dialog title={t.composer.later} onClose={onClose} className="small-dialog">
      <form
        className="stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          const at = new Date(typed).getTime();
          const problem = problemOf(at, Date.now());
          if (problem === undefined) onPick(at);
          else setWrong(problem);
        }}
      >
        <label>
          <span>{t.composer.when}</span>
          <input
            className="input"
            type="datetime-local"
            name="at"
            value={typed}
            min={localInput(opened)}
            max={localInput(opened + AHEAD_DAYS_MAX * 86_400_000)}
            aria-invalid={wrong !== undefined}
            onChange={(event) => {
              setTyped(event.target.value);
              setWrong(undefined);
            }}
          />
        </label>
        {wrong && (
          <p className="form-error" role="alert">
            {wrong === "past" ? t.composer.timePast : t.composer.timeFar(AHEAD_DAYS_MAX)}
          </p>
        )}
        <div className="dialog-buttons">
          <button type="button" className="button" onClick={onClose}>
            {t.cancel}
          </button>
          <button type="submit" className="button primary">
            {t.composer.schedule}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
