import { useEffect } from "react";
import type { ReactNode } from "react";
import { Avatar } from "../../components/Avatar";
import { Icon } from "../../components/Icon";
import { PersonState } from "../../components/Person";
import { nameOf, useSession, useWorkspace } from "../../store/context";
import { openDialog } from "../../store/dialogs";
import { minute } from "../../store/minute";
import { notifyFailure } from "../../store/notice";
import { quietUntil } from "../../store/quiet";
import { navigate } from "../../store/route";
import { useSignal } from "../../store/signal";
import { t } from "../../strings";
import { Emoji } from "../../text/Mrkdwn";
import { hoursAhead, timeIn, when } from "../../text/when";
import type { User } from "../../wire/types";
import { Side } from "./Side";

/** Who somebody is, beside what is open. */
export function ProfilePanel({ id, onClose }: { id: string; onClose(): void }) {
  const session = useSession();
  const user = useWorkspace((state) => state.users[id]);
  const now = useSignal(minute);
  useEffect(() => {
    session.knowPerson(id);
    void session.places.watchDnd([id]);
  }, [session, id, now]);
  return (
    <Side title={t.places.profile.title} onClose={onClose}>
      {user === undefined ? (
        <div className="empty">
          <h2>{t.places.profile.missing}</h2>
          <p>{t.places.profile.missingLead}</p>
        </div>
      ) : (
        <Profile user={user} now={now} />
      )}
    </Side>
  );
}

function Profile({ user, now }: { user: User; now: number }) {
  const session = useSession();
  const own = useWorkspace((state) => state.self?.id === user.id);
  const quiet = useWorkspace((state) => quietUntil(state.personal.dnd[user.id], now));
  const { profile } = user;
  const name = nameOf(user);
  const write = () => void session.message(user.id).then((channel) => navigate({ name: "channel", channel }), notifyFailure);
  return (
    <div className="profile">
      <Avatar user={user} size={96} />
      <div className="profile-name">
        <h2 dir="auto">{name}</h2>
        <PersonState user={user} />
        {user.is_bot && <span className="badge">{t.message.bot}</span>}
      </div>
      {profile?.real_name && profile.real_name !== name && <p className="profile-real">{profile.real_name}</p>}
      {profile?.title && <p className="profile-title">{profile.title}</p>}
      {(profile?.status_text || profile?.status_emoji) && <Status user={user} now={now} />}
      {quiet !== undefined && (
        <p className="profile-quiet">
          <Icon name="moon" />
          {t.places.profile.pausedUntil(when(quiet, now))}
        </p>
      )}
      {user.deleted && <p className="profile-quiet">{t.places.profile.deactivated}</p>}
      <div className="profile-actions">
        {!user.is_bot && !user.deleted && (
          <button type="button" className="button primary" onClick={write}>
            <Icon name="compose" />
            {t.places.profile.message}
          </button>
        )}
        {own && (
          <>
            <button type="button" className="button" onClick={() => openDialog("status")}>
              <Icon name="smile" />
              {profile?.status_text || profile?.status_emoji ? t.places.profile.changeStatus : t.places.profile.setStatus}
            </button>
            <button type="button" className="button" onClick={() => openDialog("profile")}>
              <Icon name="pencil" />
              {t.places.profile.edit}
            </button>
          </>
        )}
      </div>
      <dl className="facts">
        <LocalTime zone={user.tz} now={now} own={own} />
        <Fact name={t.places.profile.handle}>@{user.name}</Fact>
        {profile?.pronouns && <Fact name={t.places.profile.pronouns}>{profile.pronouns}</Fact>}
        {profile?.email && (
          <Fact name={t.places.profile.email}>
            <a href={`mailto:${profile.email}`}>{profile.email}</a>
          </Fact>
        )}
        {profile?.phone && (
          <Fact name={t.places.profile.phone}>
            <a href={`tel:${profile.phone.replace(/[^+\d]/g, "")}`}>{profile.phone}</a>
          </Fact>
        )}
      </dl>
    </div>
  );
}

function Status({ user, now }: { user: User; now: number }) {
  const { status_emoji, status_text, status_expiration = 0 } = user.profile ?? {};
  return (
    <p className="profile-status" dir="auto">
      {status_emoji && <Emoji name={status_emoji.replaceAll(":", "")} />} {status_text}
      {status_expiration > 0 && <small>{t.places.profile.until(when(status_expiration * 1000, now))}</small>}
    </p>
  );
}

function LocalTime({ zone, now, own }: { zone: string | undefined; now: number; own: boolean }) {
  const time = zone === undefined ? undefined : timeIn(zone, now);
  const ahead = zone === undefined ? undefined : hoursAhead(zone, now);
  if (time === undefined || ahead === undefined) return null;
  const hours = t.places.profile.hours(Math.abs(ahead));
  const note = own ? undefined : ahead === 0 ? t.places.profile.sameZone : ahead > 0 ? t.places.profile.ahead(hours) : t.places.profile.behind(hours);
  return (
    <Fact name={t.places.profile.localTime}>
      {time} {note && <small>{note}</small>}
    </Fact>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
