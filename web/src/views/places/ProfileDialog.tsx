import { useState } from "react";
import type { FormEvent } from "react";
import { Dialog } from "../../components/overlay";
import { PhotoField } from "./PhotoField";
import { useSession, useWorkspace } from "../../store/context";
import { notify } from "../../store/notice";
import { t } from "../../strings";
import { errorText } from "../../strings/en";
import { failureOf } from "../../wire/api";

/** Characters of a display name, and of the other fields. */
const NAME_MAX = 80;
const TEXT_MAX = 250;

/** What the person says of themselves. */
export function ProfileDialog({ onClose }: { onClose(): void }) {
  const session = useSession();
  const profile = useWorkspace((state) => state.self?.profile);
  const [error, setError] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = Object.fromEntries([...new FormData(event.currentTarget)].map(([name, value]) => [name, String(value).trim()]));
    setBusy(true);
    session.places
      .setProfile(fields)
      .then(
        () => {
          onClose();
          notify(t.places.profile.saved);
        },
        (thrown: unknown) => setError(errorText(failureOf(thrown).error)),
      )
      .finally(() => setBusy(false));
  };
  const field = (name: "real_name" | "display_name" | "title" | "pronouns" | "phone", label: string, max: number, hint?: string) => (
    <label>
      {label}
      <input className="input" name={name} maxLength={max} required={name === "real_name"} defaultValue={profile?.[name] ?? ""} autoComplete="off" dir="auto" aria-describedby={hint && `${name}-hint`} />
      {hint && <small id={`${name}-hint`}>{hint}</small>}
    </label>
  );
  return (
    <Dialog title={t.places.profile.edit} onClose={onClose}>
      <PhotoField />
      <form className="form" onSubmit={submit}>
        {field("real_name", t.places.profile.realName, NAME_MAX)}
        {field("display_name", t.places.profile.displayName, NAME_MAX, t.places.profile.displayHint)}
        {field("title", t.places.profile.jobTitle, TEXT_MAX)}
        {field("pronouns", t.places.profile.pronouns, TEXT_MAX)}
        {field("phone", t.places.profile.phone, TEXT_MAX)}
        {error && (
          <p className="form-error" role="alert">
            {error}
          </p>
        )}
        <div className="dialog-buttons">
          <button type="button" className="button" onClick={onClose}>
            {t.cancel}
          </button>
          <button type="submit" className="button primary" disabled={busy}>
            {t.places.profile.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
