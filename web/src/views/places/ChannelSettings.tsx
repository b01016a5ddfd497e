import { useState } from "react";
import type { FormEvent, ReactNode } from "react";
import { Icon } from "../../components/Icon";
import { Dialog } from "../../components/overlay";
import { useSession, useWorkspace } from "../../store/context";
import { notify, notifyFailure } from "../../store/notice";
import { rightsOf } from "../../store/rights";
import { t } from "../../strings";
import { errorText } from "../../strings/en";
import { failureOf } from "../../wire/api";
import type { Channel } from "../../wire/types";
import { LeaveDialog } from "../LeaveDialog";

type Question = "convert" | "archive" | "leave" | undefined;

/** Name, privacy, archive, leaving: each with who may, before somebody tries. */
export function ChannelSettings({ channel }: { channel: Channel }) {
  const session = useSession();
  const self = useWorkspace((state) => state.self);
  const team = useWorkspace((state) => state.team);
  const may = rightsOf(channel, self, team);
  const [asking, setAsking] = useState<Question>(undefined);
  const name = channel.name ?? "";
  const run = (change: Promise<void>) => {
    setAsking(undefined);
    change.then(() => notify(t.places.details.done), notifyFailure);
  };
  const toPrivate = !channel.is_private;
  return (
    <div className="settings">
      <Rename channel={channel} may={may.rename} />
      {channel.is_general ? (
        <p className="settings-note">{t.places.details.general}</p>
      ) : (
        <>
          {!channel.is_archived && (
            <Setting lead={may.convert ? (toPrivate ? t.places.details.convertPrivateLead : t.places.details.convertPublicLead) : t.places.details.convertNot}>
              <button type="button" className="button" disabled={!may.convert} onClick={() => setAsking("convert")}>
                <Icon name={toPrivate ? "lock" : "hash"} />
                {toPrivate ? t.places.details.convertPrivate : t.places.details.convertPublic}
              </button>
            </Setting>
          )}
          <Setting lead={!may.archive ? t.places.details.archiveNot : channel.is_archived ? t.places.details.unarchiveLead : t.places.details.archiveLead}>
            <button type="button" className={channel.is_archived ? "button" : "button danger-quiet"} disabled={!may.archive} onClick={() => (channel.is_archived ? run(session.places.archive(channel.id, false)) : setAsking("archive"))}>
              <Icon name="archive" />
              {channel.is_archived ? t.places.details.unarchive : t.places.details.archive}
            </button>
          </Setting>
          {may.leave && (
            <Setting lead={channel.is_private ? t.places.details.leavePrivateLead : t.places.details.leaveLead}>
              <button type="button" className="button danger-quiet" onClick={() => setAsking("leave")}>
                <Icon name="exit" />
                {t.places.details.leave}
              </button>
            </Setting>
          )}
        </>
      )}
      {asking === "leave" && <LeaveDialog channel={channel} onClose={() => setAsking(undefined)} />}
      {asking === "archive" && (
        <Ask title={t.places.details.archiveTitle(name)} lead={t.places.details.archiveLead} action={t.places.details.archive} onClose={() => setAsking(undefined)} onYes={() => run(session.places.archive(channel.id, true))} />
      )}
      {asking === "convert" && (
        <Ask
          title={toPrivate ? t.places.details.convertTitlePrivate(name) : t.places.details.convertTitlePublic(name)}
          lead={toPrivate ? t.places.details.convertPrivateLead : t.places.details.convertPublicLead}
          action={toPrivate ? t.places.details.convertPrivate : t.places.details.convertPublic}
          onClose={() => setAsking(undefined)}
          onYes={() => run(session.places.convert(channel.id, toPrivate))}
        />
      )}
    </div>
  );
}

function Rename({ channel, may }: { channel: Channel; may: boolean }) {
  const session = useSession();
  const [name, setName] = useState(channel.name ?? "");
  const [error, setError] = useState<string | undefined>(undefined);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    session.places.rename(channel.id, name).then(
      () => {
        setError(undefined);
        notify(t.places.details.done);
      },
      (thrown: unknown) => setError(errorText(failureOf(thrown).error)),
    );
  };
  return (
    <form className="form setting" onSubmit={submit}>
      <label>
        {t.places.details.rename}
        <span className="picker-row">
          <input className="input" required maxLength={80} value={name} readOnly={!may} onChange={(event) => setName(event.target.value.toLowerCase().replaceAll(" ", "-"))} />
          {may && (
            <button type="submit" className="button" disabled={name === "" || name === channel.name}>
              {t.places.details.save}
            </button>
          )}
        </span>
        {!may && !channel.is_archived && <small>{channel.is_general ? t.places.details.renameGeneral : t.places.details.renameNot}</small>}
      </label>
      {error && (
        <p className="form-error" role="alert">
          {error}
        </p>
      )}
    </form>
  );
}

function Setting({ lead, children }: { lead: string; children: ReactNode }) {
  return (
    <div className="setting">
      {children}
      <small>{lead}</small>
    </div>
  );
}

function Ask({ title, lead, action, onClose, onYes }: { title: string; lead: string; action: string; onClose(): void; onYes(): void }) {
  return (
    <Dialog title={title} onClose={onClose}>
      <p className="dialog-lead">{lead}</p>
      <div className="dialog-buttons">
        <button type="button" className="button" onClick={onClose}>
          {t.cancel}
        </button>
        <button type="button" className="button danger" onClick={onYes}>
          {action}
        </button>
      </div>
    </Dialog>
  );
}
