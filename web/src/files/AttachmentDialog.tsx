import type { FormEvent } from "react";
import { Dialog } from "../components/overlay";
import { useSession } from "../store/context";
import { t } from "../strings";
import type { Attachment } from "./uploads";

/** Characters of a name and of a description, as the server takes them. */
const NAME_MAX = 255;
const ALT_MAX = 1_000;

/** What a file is called and, of a picture, what is in it. */
export function AttachmentDialog({ owner, it, onClose }: { owner: string; it: Attachment; onClose(): void }) {
  const session = useSession();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    // A dialog within a form within a dialog is nobody else's.
    event.stopPropagation();
    const data = new FormData(event.currentTarget);
    session.uploads.describe(owner, it.id, String(data.get("name") ?? ""), String(data.get("alt") ?? ""));
    onClose();
  };
  return (
    <Dialog title={t.files.editTitle} onClose={onClose}>
      {it.preview !== undefined && <img className="attached-large" src={it.preview} alt={it.alt} />}
      <form className="form" onSubmit={submit}>
        <label>
          {t.files.name}
          <input className="input" name="name" defaultValue={it.name} maxLength={NAME_MAX} required autoComplete="off" dir="auto" />
        </label>
        {it.mime.startsWith("image/") && (
          <label>
            {t.files.alt}
            <textarea className="input" name="alt" rows={3} defaultValue={it.alt} maxLength={ALT_MAX} dir="auto" aria-describedby={`alt-${it.id}`} />
            <small id={`alt-${it.id}`}>{t.files.altHint}</small>
          </label>
        )}
        <div className="dialog-buttons">
          <button type="button" className="button" onClick={onClose}>
            {t.cancel}
          </button>
          <button type="submit" className="button primary">
            {t.files.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
