import { useMemo, useState } from "react";
import { Avatar } from "../components/Avatar";
import { Icon } from "../components/Icon";
import { Dialog } from "../components/overlay";
import { hasUnreads } from "../realtime/state";
import type { State } from "../realtime/state";
import { compareNames, nameOf, titleOf, useSession } from "../store/context";
import { notifyFailure } from "../store/notice";
import { navigate } from "../store/route";
import { t } from "../strings";

interface Target {
  key: string;
  title: string;
  hint: string;
  picture(): React.ReactNode;
  unread: boolean;
  /** Higher is better. */
  rank: number;
  channel?: string;
  user?: string;
}

const SHOWN_MAX = 8;
/** The rank of somebody one has no conversation with: found by name only. */
const STRANGER = -10;
const recent: string[] = [];

/** Remembers what the person uses, for the order of the switcher. */
export function visited(channel: string): void {
  const at = recent.indexOf(channel);
  if (at >= 0) recent.splice(at, 1);
  recent.unshift(channel);
  recent.splice(30);
}

/** Ctrl K: from anywhere to any conversation or person. */
export function Switcher({ onClose }: { onClose(): void }) {
  const session = useSession();
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState(0);
  const targets = useMemo(() => targetsOf(session.state.get()), [session]);
  const found = useMemo(() => rankTargets(targets, query), [targets, query]);
  const go = (target: Target | undefined) => {
    if (target === undefined) return;
    onClose();
    if (target.channel !== undefined) navigate({ name: "channel", channel: target.channel });
    else session.message(target.user!).then((channel) => navigate({ name: "channel", channel }), notifyFailure);
  };
  return (
    <Dialog title={t.switcher.title} onClose={onClose} className="switcher" bare>
      <div className="switcher-field">
        <Icon name="search" />
        <input
         
          role="combobox"
          aria-expanded="true"
          aria-controls="switcher-list"
          aria-activedescendant={found[chosen] ? `switch-${found[chosen].key}` : undefined}
          placeholder={t.switcher.placeholder}
          aria-label={t.switcher.title}
          value={query}
          onChange={(event) => {
            setQuery(event.target.value);
            setChosen(0);
          }}
          onKeyDown={(event) => {
            const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
            if (by !== 0) {
              event.preventDefault();
              setChosen((chosen + by + found.length) % Math.max(1, found.length));
            } else if (event.key === "Enter") {
              event.preventDefault();
              go(found[chosen]);
            }
          }}
        />
      </div>
      <ul id="switcher-list" role="listbox" aria-label={t.switcher.title}>
        {found.map((it, i) => (
          <li key={it.key} id={`switch-${it.key}`} role="option" aria-selected={i === chosen} className={it.unread ? "unread" : ""} onMouseMove={() => setChosen(i)} onClick={() => go(it)}>
            {it.picture()}
            <span>{it.title}</span>
            <small>{it.hint}</small>
          </li>
        ))}
        {found.length === 0 && <li className="none">{t.switcher.none}</li>}
      </ul>
    </Dialog>
  );
}

function targetsOf(state: State): Target[] {
  const conversations = Object.values(state.conversations).filter((it) => !it.gone);
  const withDm = new Set(conversations.flatMap(({ channel }) => (channel.is_im && channel.user ? [channel.user] : [])));
  const usage = (id: string) => (recent.includes(id) ? 20 - recent.indexOf(id) : 0);
  return [
    ...conversations.map((it): Target => {
      const { channel } = it;
      const user = channel.user === undefined ? undefined : state.users[channel.user];
      return {
        key: channel.id,
        channel: channel.id,
        title: titleOf(state, channel),
        hint: user ? user.name : "",
        picture: () => (channel.is_im ? <Avatar user={user} size={20} /> : <Icon name={channel.is_private ? "lock" : "hash"} />),
        unread: hasUnreads(it),
        // Where one is already is the last place to go to.
        rank: (hasUnreads(it) ? 30 : 0) + (recent[0] === channel.id ? -5 : usage(channel.id)),
      };
    }),
    ...Object.values(state.users)
      .filter((user) => !user.deleted && !user.is_bot && !withDm.has(user.id))
      .map((user): Target => ({ key: user.id, user: user.id, title: nameOf(user), hint: user.name, picture: () => <Avatar user={user} size={20} />, unread: false, rank: STRANGER })),
  ];
}

/** Those that match, best first: begins with the query, then a word that does, then contains it. */
export function rankTargets<T extends { title: string; hint: string; rank: number }>(targets: readonly T[], query: string): T[] {
  const wanted = query.trim().toLowerCase().replace(/^[#@]/, "");
  return targets
    .filter((target) => wanted !== "" || target.rank !== STRANGER)
    .map((target) => ({ target, score: target.rank + matchScore(target.title.toLowerCase(), target.hint.toLowerCase(), wanted) }))
    .filter(({ score }) => score > -500)
    .sort((a, b) => b.score - a.score || compareNames(a.target.title, b.target.title))
    .slice(0, SHOWN_MAX)
    .map(({ target }) => target);
}

function matchScore(title: string, hint: string, wanted: string): number {
  if (title === wanted) return 200;
  if (title.startsWith(wanted)) return 100;
  if (title.split(/[\s_-]+/).some((word) => word.startsWith(wanted)) || hint.startsWith(wanted)) return 60;
  return title.includes(wanted) ? 20 : -1000;
}
