import { useState } from "react";
import { Icon } from "../components/Icon";
import { Dialog } from "../components/overlay";
import { useSession } from "../store/context";
import { t } from "../strings";
import { errorText } from "../strings/en";
import { failureOf } from "../wire/api";

/** Makes an invitation link. */
export function InviteDialog({ onClose }: { onClose(): void }) {
  const session = useSession();
  const [url, setUrl] = useState<string | undefined>(undefined);
  const [error, setError] = useState<string | undefined>(undefined);
  const [copied, setCopied] = useState(false);
  const create = () => session.inviteLink().then(setUrl, (thrown: unknown) => setError(errorText(failureOf(thrown).error)));
  return (
    <Dialog title={t.invite.title} onClose={onClose}>
      <p className="dialog-lead">{t.invite.lead}</p>
      {error && (
        <p className="form-error" role="alert">
          {error}
        </p>
      )}
      {url === undefined ? (
        <div className="dialog-buttons">
          <button type="button" className="button primary" onClick={() => void create()}>
            <Icon name="link" />
            {t.invite.create}
          </button>
        </div>
      ) : (
        <div className="picker-row">
          <input className="input" readOnly value={url} aria-label={t.invite.title} data-invite onFocus={(event) => event.target.select()} />
          <button type="button" className="button primary" onClick={() => void navigator.clipboard?.writeText(url).then(() => setCopied(true))}>
            <Icon name={copied ? "check" : "copy"} />
            {copied ? t.invite.copied : t.invite.copy}
          </button>
        </div>
      )}
    </Dialog>
  );
}
