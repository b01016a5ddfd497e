import { useEffect, useState } from "react";
import type { FormEvent } from "react";
import { Icon } from "../components/Icon";
import { Dialog } from "../components/overlay";
import { compareNames, useSession } from "../store/context";
import { notifyFailure } from "../store/notice";
import { navigate } from "../store/route";
import { t } from "../strings";
import { errorText } from "../strings/en";
import { failureOf } from "../wire/api";
import type { Channel } from "../wire/types";

/** Every channel there is, and the way to a new one. */
export function BrowseDialog({ create, onClose }: { create: boolean; onClose(): void }) {
  const [creating, setCreating] = useState(create);
  return (
    <Dialog title={creating ? t.browse.create : t.browse.title} onClose={onClose} className="picker">
      {creating ? <CreateForm onClose={onClose} /> : <ChannelList onClose={onClose} onCreate={() => setCreating(true)} />}
    </Dialog>
  );
}

function ChannelList({ onClose, onCreate }: { onClose(): void; onCreate(): void }) {
  const session = useSession();
  const [channels, setChannels] = useState<Channel[] | undefined>(undefined);
  const [query, setQuery] = useState("");
  useEffect(() => {
    session.browse().then(setChannels, notifyFailure);
  }, [session]);
  const wanted = query.trim().toLowerCase().replace(/^#/, "");
  const found = (channels ?? []).filter((it) => it.name?.includes(wanted)).sort((a, b) => compareNames(a.name!, b.name!));
  const open = (it: Channel) => {
    const member = session.state.get().conversations[it.id] !== undefined;
    (member ? Promise.resolve(it.id) : session.join(it.id)).then((channel) => {
      onClose();
      navigate({ name: "channel", channel });
    }, notifyFailure);
  };
  return (
    <>
      <div className="picker-row">
        <input className="input" placeholder={t.browse.search} aria-label={t.browse.search} value={query} onChange={(event) => setQuery(event.target.value)} />
        <button type="button" className="button" onClick={onCreate}>
          <Icon name="plus" />
          {t.browse.create}
        </button>
      </div>
      <ul className="picks">
        {found.map((it) => {
          const member = session.state.get().conversations[it.id] !== undefined;
          return (
            <li key={it.id}>
              <button type="button" className="pick" onClick={() => open(it)}>
                <Icon name={it.is_private ? "lock" : "hash"} />
                <span>
                  <b>{it.name}</b>
                  <small>{[it.num_members === undefined ? "" : t.conversation.members(it.num_members), it.topic?.value].filter(Boolean).join(" · ")}</small>
                </span>
                <em>{member ? t.browse.member : t.browse.join}</em>
              </button>
            </li>
          );
        })}
        {channels !== undefined && found.length === 0 && <p className="none">{t.browse.none}</p>}
        {channels === undefined && <p className="none">{t.loading}</p>}
      </ul>
    </>
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
