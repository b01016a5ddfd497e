import { useState } from "react";
import type { FormEvent } from "react";
import { Icon } from "../components/Icon";
import { Dialog } from "../components/overlay";
import { useSession } from "../store/context";
import { t } from "../strings";
import { errorText } from "../strings/en";
import { failureOf } from "../wire/api";

const DAY_S = 86_400;
/** How long a link works, days. */
const DAYS = [1, 7, 30];
/** How many people may use it. */
const USES = [1, 10, 100, 1_000];

/** Makes an invitation link: for whom, for how long, how often. */
export function InviteDialog({ onClose }: { onClose(): void }) {
  const session = useSession();
  const [days, setDays] = useState(7);
  const [uses, setUses] = useState(100);
  const [email, setEmail] = useState("");
  const [url, setUrl] = useState<string | undefined>(undefined);
  const [error, setError] = useState<string | undefined>(undefined);
  const [copied, setCopied] = useState(false);
  const only = email.trim() !== "";
  const create = (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    session.inviteLink({ expires_in: days * DAY_S, uses_max: only ? 1 : uses, ...(only ? { email: email.trim() } : {}) }).then(setUrl, (thrown: unknown) => setError(errorText(failureOf(thrown).error)));
  };
  if (url !== undefined) {
    return (
      <Dialog title={t.invite.title} onClose={onClose}>
        <p className="dialog-lead">{only ? t.invite.madeFor(email.trim(), days) : t.invite.made(uses, days)}</p>
        <div className="picker-row">
          <input className="input" readOnly value={url} aria-label={t.invite.title} data-invite onFocus={(event) => event.target.select()} />
          <button type="button" className="button primary" onClick={() => void navigator.clipboard?.writeText(url).then(() => setCopied(true), () => setCopied(false))}>
            <Icon name={copied ? "check" : "copy"} />
            {copied ? t.invite.copied : t.invite.copy}
          </button>
        </div>
        <div className="dialog-buttons">
          <button type="button" className="button" onClick={() => (setUrl(undefined), setCopied(false))}>
            {t.invite.another}
          </button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={t.invite.title} onClose={onClose}>
      <p className="dialog-lead">{t.invite.lead}</p>
      <form className="form" onSubmit={create}>
        <label>
          {t.invite.email}
          <input className="input" type="email" value={email} placeholder={t.invite.anybody} onChange={(event) => setEmail(event.target.value)} aria-describedby="invite-hint" />
          <small id="invite-hint">{t.invite.emailHint}</small>
        </label>
        <div className="form-pair">
          <label>
            {t.invite.expires}
            <select className="select" value={days} onChange={(event) => setDays(Number(event.target.value))}>
              {DAYS.map((it) => (
                <option key={it} value={it}>
                  {t.invite.days(it)}
                </option>
              ))}
            </select>
          </label>
          {!only && (
            <label>
              {t.invite.uses}
              <select className="select" value={uses} onChange={(event) => setUses(Number(event.target.value))}>
                {USES.map((it) => (
                  <option key={it} value={it}>
                    {t.invite.people(it)}
                  </option>
                ))}
              </select>
            </label>
          )}
        </div>
        {error && (
          <p className="form-error" role="alert">
            {error}
          </p>
        )}
        <div className="dialog-buttons">
          <button type="submit" className="button primary">
            <Icon name="link" />
            {t.invite.create}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
