import { useCallback, useMemo, useState } from "react";
import { VList } from "virtua";
import { Avatar } from "../../components/Avatar";
import { Icon } from "../../components/Icon";
import { PersonState, StatusEmoji } from "../../components/Person";
import { Dialog } from "../../components/overlay";
import { nameOf, useSession, useWorkspace } from "../../store/context";
import { notify, notifyFailure } from "../../store/notice";
import { showPerson } from "../../store/route";
import { rightsOf } from "../../store/rights";
import { t } from "../../strings";
import type { Channel, User } from "../../wire/types";
import { PeoplePicker } from "../PeoplePicker";
import { Loading } from "./Loading";
import { findPeople } from "./People";
import { useLoaded } from "./load";

/** Who is in a channel, with search; adding and removing. */
export function ChannelMembers({ channel }: { channel: Channel }) {
  const session = useSession();
  const users = useWorkspace((state) => state.users);
  const self = useWorkspace((state) => state.self);
  const team = useWorkspace((state) => state.team);
  const name = channel.name ?? "";
  // Who comes or goes changes the number, and then the list is read again.
  const count = channel.num_members;
  const fetch = useCallback(() => membersAt(session, channel.id, count), [session, channel.id, count]);
  const { value, error, reload, set } = useLoaded(fetch);
  const [query, setQuery] = useState("");
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<User | undefined>(undefined);
  const people = useMemo(() => (value ?? []).map((id): User => users[id] ?? { id, name: id }), [value, users]);
  const found = useMemo(() => findPeople(people, query, true), [people, query]);
  const may = rightsOf(channel, self, team);
  const remove = (user: User) => {
    setRemoving(undefined);
    session.places.kick(channel.id, user.id).then(() => {
      set((value ?? []).filter((id) => id !== user.id));
      notify(t.places.details.removed(nameOf(user)));
    }, notifyFailure);
  };
  return (
    <div className="members">
      <div className="picker-row">
        <input className="input" type="search" placeholder={t.places.details.searchMembers} aria-label={t.places.details.searchMembers} value={query} onChange={(event) => setQuery(event.target.value)} />
        {!channel.is_archived && !channel.is_mpim && (
          <button type="button" className="button" onClick={() => setAdding(true)}>
            <Icon name="plus" />
            {t.places.details.add}
          </button>
        )}
      </div>
      {value === undefined ? (
        <Loading error={error} onRetry={reload} />
      ) : found.length === 0 ? (
        <p className="none">{t.places.details.noMember}</p>
      ) : (
        <VList className="member-list">
          {found.map((user) => (
            <div key={user.id} className="member-row" data-member={user.id}>
              <button type="button" className="person-row" onClick={() => showPerson(user.id)}>
                <Avatar user={user} size={32} />
                <span className="person-row-text">
                  <span className="person-row-name">
                    <b>{nameOf(user)}</b>
                    {user.id === self?.id && <small>({t.places.people.you})</small>}
                    <StatusEmoji user={user} />
                    <PersonState user={user} />
                  </span>
                  <small>{user.profile?.title || `@${user.name}`}</small>
                </span>
              </button>
              {may.kick && user.id !== self?.id && !channel.is_mpim && (
                <button type="button" className="icon-button" aria-label={t.places.details.removeLabel(nameOf(user))} title={t.places.details.remove} onClick={() => setRemoving(user)}>
                  <Icon name="close" />
                </button>
              )}
            </div>
          ))}
        </VList>
      )}
      {adding && <PeoplePicker title={t.peoplePicker.addTitle(name)} without={value} onClose={() => setAdding(false)} onPick={(user) => session.invite(channel.id, user).then(reload)} />}
      {removing && (
        <Dialog title={t.places.details.removeTitle(nameOf(removing), name)} onClose={() => setRemoving(undefined)}>
          <p className="dialog-lead">{t.places.details.removeLead}</p>
          <div className="dialog-buttons">
            <button type="button" className="button" onClick={() => setRemoving(undefined)}>
              {t.cancel}
            </button>
            <button type="button" className="button danger" onClick={() => remove(removing)}>
              {t.places.details.remove}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

/** `_count` makes it another fetch. */
function membersAt(session: ReturnType<typeof useSession>, channel: string, _count: number | undefined): Promise<string[]> {
  return session.places.members(channel);
}
