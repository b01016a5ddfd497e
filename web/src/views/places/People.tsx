import { useDeferredValue, useMemo, useState } from "react";
import { VList } from "virtua";
import { Avatar } from "../../components/Avatar";
import { PersonState, StatusEmoji } from "../../components/Person";
import { compareNames, nameOf, useWorkspace } from "../../store/context";
import { openDialog } from "../../store/dialogs";
import { may } from "../../store/rights";
import { showPerson } from "../../store/route";
import { t } from "../../strings";
import { fitScore } from "../../text/fuzzy";
import type { User } from "../../wire/types";
import { Frame, Nothing } from "./Frame";
import { hovers } from "./hovers";

/** Everybody in the workspace. */
export function People({ selected }: { selected: string | undefined }) {
  const users = useWorkspace((state) => state.users);
  const invites = useWorkspace((state) => may(state.team, state.self, "who_can_invite"));
  const [query, setQuery] = useState("");
  const [gone, setGone] = useState(false);
  const wanted = useDeferredValue(query);
  const found = useMemo(() => findPeople(Object.values(users), wanted, gone), [users, wanted, gone]);
  const anyGone = useMemo(() => Object.values(users).some((user) => user.deleted), [users]);
  return (
    <Frame title={t.places.names.people} scroll={false} tools={<small className="place-count">{t.places.people.count(found.length)}</small>}>
      <div className="place-search">
        <input className="input" type="search" autoFocus={hovers} placeholder={t.places.people.search} aria-label={t.places.people.search} value={query} onChange={(event) => setQuery(event.target.value)} />
        {anyGone && (
          <label className="check">
            <input type="checkbox" checked={gone} onChange={(event) => setGone(event.target.checked)} />
            {t.places.people.showDeactivated}
          </label>
        )}
      </div>
      {found.length === 0 ? (
        <Nothing title={t.places.people.none} lead={t.places.people.noneLead}>
          {invites && (
            <button type="button" className="button" onClick={() => openDialog("invite")}>
              {t.sidebar.invite}
            </button>
          )}
        </Nothing>
      ) : (
        <VList className="place-body people-list">
          {found.map((user) => (
            <PersonRow key={user.id} user={user} current={user.id === selected} />
          ))}
        </VList>
      )}
    </Frame>
  );
}

/** Those who fit, best first, otherwise by name. */
export function findPeople(users: readonly User[], query: string, deactivated: boolean): User[] {
  const wanted = query.trim().replace(/^@/, "");
  return users
    .filter((user) => deactivated || !user.deleted)
    .map((user) => ({ user, score: personScore(user, wanted) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || compareNames(nameOf(a.user), nameOf(b.user)))
    .map(({ user }) => user);
}

/** A name counts most, then the handle, then the title and the address. */
function personScore(user: User, wanted: string): number {
  if (wanted === "") return 1;
  const of = (text: string | undefined, weight: number) => (text ? fitScore(text, wanted) * weight : 0);
  return Math.max(of(nameOf(user), 1), of(user.profile?.real_name, 1), of(user.name, 0.9), of(user.profile?.title, 0.5), user.profile?.email?.toLowerCase().startsWith(wanted.toLowerCase()) ? 40 : 0);
}

function PersonRow({ user, current }: { user: User; current: boolean }) {
  const self = useWorkspace((state) => state.self?.id === user.id);
  const role = user.deleted ? t.places.people.deactivated : user.is_bot ? t.places.people.app : user.is_owner ? t.places.people.owner : user.is_admin ? t.places.people.admin : undefined;
  return (
    <button type="button" className={current ? "person-row current" : "person-row"} aria-current={current ? "true" : undefined} data-person={user.id} onClick={() => showPerson(user.id)}>
      <Avatar user={user} size={36} />
      <span className="person-row-text">
        <span className="person-row-name">
          <b>{nameOf(user)}</b>
          {self && <small>({t.places.people.you})</small>}
          <StatusEmoji user={user} />
          <PersonState user={user} />
          {role && <span className="badge">{role}</span>}
        </span>
        <small>{[user.profile?.title, `@${user.name}`].filter(Boolean).join(" · ")}</small>
      </span>
    </button>
  );
}
