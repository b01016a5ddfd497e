import { useState } from "react";
import { Avatar } from "../components/Avatar";
import { Dialog } from "../components/overlay";
import { compareNames, nameOf, useSession, useWorkspace } from "../store/context";
import { notify, notifyFailure } from "../store/notice";
import { t } from "../strings";
import { fitScore } from "../text/fuzzy";

/** People listed at once; typing narrows them. */
const LISTED_MAX = 40;

/** Picks a person. `onPick` may fail; the dialog stays open then. */
export function PeoplePicker({ title, without = [], quiet = false, onClose, onPick }: { title: string; quiet?: boolean; without?: readonly string[] | undefined; onClose(): void; onPick(user: string): Promise<void> }) {
  const session = useSession();
  const users = useWorkspace((state) => state.users);
  const [query, setQuery] = useState("");
  const wanted = query.trim().replace(/^@/, "");
  const found = Object.values(users)
    .filter((user) => !user.deleted && !user.is_bot && !without.includes(user.id))
    .map((user) => ({ user, score: Math.max(fitScore(nameOf(user), wanted), 0.9 * fitScore(user.name, wanted)) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || compareNames(nameOf(a.user), nameOf(b.user)))
    .slice(0, LISTED_MAX)
    .map(({ user }) => user);
  const pick = (id: string) => {
    onPick(id).then(() => {
      if (!quiet && title !== t.peoplePicker.title) notify(t.peoplePicker.added(nameOf(session.state.get().users[id])));
      onClose();
    }, notifyFailure);
  };
  return (
    <Dialog title={title} onClose={onClose} className="picker">
      <input
        className="input"
       
        placeholder={t.peoplePicker.search}
        aria-label={t.peoplePicker.search}
        value={query}
        onChange={(event) => setQuery(event.target.value)}
        onKeyDown={(event) => event.key === "Enter" && found[0] !== undefined && pick(found[0].id)}
      />
      <ul className="picks">
        {found.map((user) => (
          <li key={user.id}>
            <button type="button" className="pick" onClick={() => pick(user.id)}>
              <Avatar user={user} size={32} />
              <span>
                <b>{nameOf(user)}</b>
                <small>@{user.name}</small>
              </span>
            </button>
          </li>
        ))}
        {found.length === 0 && <p className="none">{t.peoplePicker.none}</p>}
      </ul>
    </Dialog>
  );
}
