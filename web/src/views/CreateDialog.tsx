import { useState } from "react";
import type { FormEvent } from "react";
import { Dialog } from "../components/overlay";
import { useSession } from "../store/context";
import { navigate } from "../store/route";
import { t } from "../strings";
import { errorText } from "../strings/en";
import { failureOf } from "../wire/api";

/** The way to a new channel. */
export function CreateDialog({ onClose }: { onClose(): void }) {
  return (
    <Dialog title={t.browse.create} onClose={onClose} className="picker">
      <CreateForm onClose={onClose} />
    </Dialog>
  );
}

function CreateForm({ onClose }: { onClose(): void }) {
  const session = useSession();
  const [name, setName] = useState("");
  const [isPrivate, setPrivate] = useState(false);
  const [error, setError] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    session.create(name, isPrivate).then(
      (channel) => {
        onClose();
        navigate({ name: "channel", channel });
      },
      (thrown: unknown) => {
        setBusy(false);
        setError(errorText(failureOf(thrown).error));
      },
    );
  };
  return (
    <form className="form" onSubmit={submit}>
      <label>
        {t.browse.name}
        <input className="input" required maxLength={80} value={name} onChange={(event) => setName(event.target.value.toLowerCase().replaceAll(" ", "-"))} aria-describedby="channel-hint" />
        <small id="channel-hint">{t.browse.nameHint}</small>
      </label>
      <label className="check">
        <input type="checkbox" checked={isPrivate} onChange={(event) => setPrivate(event.target.checked)} />
        {t.browse.isPrivate}
      </label>
      {error && (
        <p className="form-error" role="alert">
          {error}
        </p>
      )}
      <div className="dialog-buttons">
        <button type="button" className="button" onClick={onClose}>
          {t.cancel}
        </button>
        <button type="submit" className="button primary" disabled={busy || name === ""}>
          {t.browse.createNow}
        </button>
      </div>
    </form>
  );
}
