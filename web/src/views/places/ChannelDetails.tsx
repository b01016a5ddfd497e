import { useState } from "react";
import type { FormEvent } from "react";
import { Icon } from "../../components/Icon";
import { nameOf, titleOf, useSession, useWorkspace } from "../../store/context";
import { copyText } from "../../store/clipboard";
import { DETAILS, navigate, showPerson } from "../../store/route";
import type { Details } from "../../store/route";
import { t } from "../../strings";
import { errorText } from "../../strings/en";
import { dateOf } from "../../text/when";
import { failureOf } from "../../wire/api";
import type { Channel } from "../../wire/types";
import { ChannelMembers } from "./ChannelMembers";
import { FileBrowser } from "./FileBrowser";
import { ChannelSettings } from "./ChannelSettings";
import { Side } from "./Side";

/** What a channel is, who is in it, and what may be done with it. */
export function ChannelDetails({ channel, tab, onClose }: { channel: Channel; tab: Details; onClose(): void }) {
  const title = useWorkspace((state) => titleOf(state, channel));
  const group = channel.is_mpim === true;
  const tabs = DETAILS.filter((it) => !group || it !== "settings");
  const show = (to: Details) => navigate({ name: "channel", channel: channel.id, details: to }, true);
  return (
    <Side title={t.places.details.title} note={group ? title : `#${title}`} onClose={onClose}>
      <div className="segments tabs" role="tablist" aria-label={t.places.details.title}>
        {tabs.map((it) => (
          <button
            key={it}
            type="button"
            role="tab"
            id={`details-${it}`}
            aria-selected={it === tab}
            aria-controls="details-panel"
            tabIndex={it === tab ? 0 : -1}
            onClick={() => show(it)}
            onKeyDown={(event) => {
              const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
              if (by === 0) return;
              const next = tabs[(tabs.indexOf(tab) + by + tabs.length) % tabs.length]!;
              show(next);
              document.getElementById(`details-${next}`)?.focus();
            }}
          >
            {t.places.details.tabs[it]}
          </button>
        ))}
      </div>
      <div role="tabpanel" id="details-panel" aria-labelledby={`details-${tab}`} className="details-panel">
        {tab === "members" ? <ChannelMembers channel={channel} /> : tab === "files" ? <FileBrowser channel={channel.id} /> : tab === "settings" && !group ? <ChannelSettings channel={channel} /> : <About channel={channel} />}
      </div>
    </Side>
  );
}

function About({ channel }: { channel: Channel }) {
  const session = useSession();
  const creator = useWorkspace((state) => (channel.creator === undefined ? undefined : state.users[channel.creator]));
  const writable = channel.is_archived !== true;
  return (
    <div className="about">
      <Editable label={t.places.details.topic} hint={t.places.details.topicHint} value={channel.topic?.value ?? ""} editable={writable} onSave={(topic) => session.places.setTopic(channel.id, topic)} />
      <Editable label={t.places.details.purpose} hint={t.places.details.purposeHint} value={channel.purpose?.value ?? ""} editable={writable} onSave={(purpose) => session.places.setPurpose(channel.id, purpose)} />
      <dl className="facts">
        {channel.created !== undefined && channel.created > 0 && (
          <div>
            <dt>{t.places.details.created}</dt>
            <dd>
              {creator === undefined ? (
                dateOf(channel.created * 1000)
              ) : (
                <button type="button" className="link" onClick={() => showPerson(creator.id)}>
                  {t.places.details.createdBy(nameOf(creator), dateOf(channel.created * 1000))}
                </button>
              )}
            </dd>
          </div>
        )}
        {!channel.is_mpim && (
          <div>
            <dt>{channel.is_private ? t.places.details.private : t.places.details.public}</dt>
            <dd>{channel.num_members !== undefined && t.conversation.members(channel.num_members)}</dd>
          </div>
        )}
        <div>
          <dt>{t.places.details.id}</dt>
          <dd>
            <code>{channel.id}</code>
            <button type="button" className="icon-button small" aria-label={t.places.conversation.copyLink} title={t.places.conversation.copyLink} onClick={() => void copyText(`${location.origin}/c/${channel.id}`)}>
              <Icon name="link" />
            </button>
          </dd>
        </div>
      </dl>
    </div>
  );
}

/** Characters that a topic or purpose may have. */
const TEXT_MAX = 250;

/** A text that is shown, and becomes a field when somebody wants to change it. */
function Editable({ label, hint, value, editable, onSave }: { label: string; hint: string; value: string; editable: boolean; onSave(value: string): Promise<void> }) {
  const [editing, setEditing] = useState(false);
  const [error, setError] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const wanted = String(new FormData(event.currentTarget).get("text") ?? "").trim();
    if (wanted === value) return setEditing(false);
    setBusy(true);
    onSave(wanted)
      .then(
        () => {
          setEditing(false);
          setError(undefined);
        },
        (thrown: unknown) => setError(errorText(failureOf(thrown).error)),
      )
      .finally(() => setBusy(false));
  };
  if (!editing) {
    return (
      <section className="editable">
        <header>
          <h2>{label}</h2>
          {editable && (
            <button type="button" className="link" aria-label={`${t.places.details.edit}: ${label}`} onClick={() => setEditing(true)}>
              {t.places.details.edit}
            </button>
          )}
        </header>
        <p dir="auto" className={value === "" ? "faint" : ""}>
          {value === "" ? t.places.details.none : value}
        </p>
      </section>
    );
  }
  return (
    <form
      className="editable form"
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        setEditing(false);
      }}
    >
      <label>
        {label}
        <textarea className="input" name="text" rows={3} maxLength={TEXT_MAX} defaultValue={value} autoFocus dir="auto" onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          event.currentTarget.form?.requestSubmit();
        }} />
        <small>{hint}</small>
      </label>
      {error && (
        <p className="form-error" role="alert">
          {error}
        </p>
      )}
      <div className="dialog-buttons">
        <button type="button" className="button small" onClick={() => setEditing(false)}>
          {t.cancel}
        </button>
        <button type="submit" className="button primary small" disabled={busy}>
          {t.places.details.save}
        </button>
      </div>
    </form>
  );
}

