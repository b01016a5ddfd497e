import { useEffect, useMemo, useState } from "react";
import { Avatar } from "../components/Avatar";
import { Icon } from "../components/Icon";
import { PersonState } from "../components/Person";
import { Dialog } from "../components/overlay";
import { attentionOf, mutedOf } from "../realtime/attention";
import type { State } from "../realtime/state";
import { compareNames, nameOf, titleOf, useSession } from "../store/context";
import { notifyFailure } from "../store/notice";
import { PLACES, navigate } from "../store/route";
import type { Place } from "../store/route";
import { t } from "../strings";
import { fitScore } from "../text/fuzzy";
import type { Channel } from "../wire/types";

interface Target {
  key: string;
  title: string;
  hint: string;
  picture(): React.ReactNode;
  unread: boolean;
  mentions: number;
  /** Higher is better. */
  rank: number;
  go(): void;
}

const SHOWN_MAX = 9;
/** The rank of what one does not use: found by name only. */
const STRANGER = -10;
/** Conversations remembered for the order. */
const RECENT_MAX = 30;
const RECENT = "parlance.recent";

function recentOf(): string[] {
  return (localStorage.getItem(RECENT) ?? "").split(",").filter(Boolean);
}

/** Remembers what the person uses, for the order of the switcher; it outlives a reload. */
export function visited(channel: string): void {
  localStorage.setItem(RECENT, [channel, ...recentOf().filter((it) => it !== channel)].slice(0, RECENT_MAX).join(","));
}

/** Channels that one is not in, as they were when the switcher was last open: they are no reason to wait. */
let others: readonly Channel[] = [];

/** Ctrl K: from anywhere to any conversation, person or place. */
export function Switcher({ onClose }: { onClose(): void }) {
  const session = useSession();
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState(0);
  const [elsewhere, setElsewhere] = useState(others);
  useEffect(() => {
    session.browse().then(
      (all) => setElsewhere((others = all)),
      // Without them one's own conversations are still there.
      () => {},
    );
  }, [session]);
  const targets = useMemo(() => {
    const message = (user: string) => void session.message(user).then((channel) => navigate({ name: "channel", channel }), notifyFailure);
    return targetsOf(session.state.get(), elsewhere, message);
  }, [session, elsewhere]);
  const found = useMemo(() => rankTargets(targets, query), [targets, query]);
  const go = (target: Target | undefined) => {
    if (target === undefined) return;
    onClose();
    target.go();
  };
  return (
    <Dialog title={t.switcher.title} onClose={onClose} className="switcher" bare>
      <div className="switcher-field">
        <Icon name="search" />
        <input
          role="combobox"
          aria-expanded="true"
          aria-autocomplete="list"
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
            } else if (event.key === "Enter" && !event.nativeEvent.isComposing) {
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
            <span className="switcher-title">{it.title}</span>
            <small>{it.hint}</small>
            {it.mentions > 0 ? <span className="mentions">{it.mentions > 99 ? "99+" : it.mentions}</span> : it.unread && <span className="dot" role="img" aria-label={t.sidebar.unread} />}
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="none">{t.switcher.none}</p>}
    </Dialog>
  );
}

function targetsOf(state: State, elsewhere: readonly Channel[], message: (user: string) => void): Target[] {
  const conversations = Object.values(state.conversations).filter((it) => !it.gone);
  const withDm = new Set(conversations.flatMap(({ channel }) => (channel.is_im && channel.user ? [channel.user] : [])));
  const muted = mutedOf(state);
  const recent = recentOf();
  // Where one is already is the last place to go to.
  const usage = (id: string) => (recent[0] === id ? -5 : recent.includes(id) ? 20 - recent.indexOf(id) : 0);
  const open = (channel: string) => () => navigate({ name: "channel", channel });
  return [
    ...conversations.map((it): Target => {
      const { channel } = it;
      const user = channel.user === undefined ? undefined : state.users[channel.user];
      const { unread, mentions } = attentionOf(it, muted.has(channel.id));
      return {
        key: channel.id,
        title: titleOf(state, channel),
        hint: user ? user.name : "",
        picture: () => (channel.is_im ? <Face id={channel.user} state={state} /> : <Icon name={channel.is_mpim ? "people" : channel.is_private ? "lock" : "hash"} />),
        unread,
        mentions,
        rank: (mentions > 0 ? 40 : unread ? 30 : 0) + usage(channel.id),
        go: open(channel.id),
      };
    }),
    ...Object.values(state.users)
      .filter((user) => !user.deleted && !user.is_bot && !withDm.has(user.id))
      .map((user): Target => ({ key: user.id, title: nameOf(user), hint: user.name, picture: () => <Face id={user.id} state={state} />, unread: false, mentions: 0, rank: STRANGER, go: () => message(user.id) })),
    ...elsewhere
      .filter((it) => state.conversations[it.id] === undefined)
      .map((it): Target => ({ key: it.id, title: it.name ?? "", hint: t.places.switcher.channel, picture: () => <Icon name={it.is_private ? "lock" : "hash"} />, unread: false, mentions: 0, rank: STRANGER, go: open(it.id) })),
    ...PLACES.map((place): Target => ({ key: place, title: t.places.names[place], hint: t.places.switcher.place, picture: () => <Icon name={PLACE_ICONS[place]} />, unread: false, mentions: 0, rank: STRANGER, go: () => navigate({ name: "place", place }) })),
  ];
}

const PLACE_ICONS = { unread: "inbox", threads: "thread", mentions: "at", files: "file", drafts: "draft", scheduled: "clock", people: "people", channels: "hash" } as const satisfies Record<Place, string>;

function Face({ id, state }: { id: string | undefined; state: State }) {
  const user = id === undefined ? undefined : state.users[id];
  return (
    <>
      <Avatar user={user} size={20} />
      <PersonState user={user} />
    </>
  );
}

/** Those that match, best first: how well the name fits, then what one uses and what waits. */
export function rankTargets<T extends { title: string; hint: string; rank: number }>(targets: readonly T[], query: string): T[] {
  const wanted = query.trim().replace(/^[#@]/, "");
  return targets
    .filter((target) => wanted !== "" || target.rank !== STRANGER)
    .map((target) => ({ target, fit: Math.max(fitScore(target.title, wanted), 0.6 * fitScore(target.hint, wanted)) }))
    .filter(({ fit }) => fit > 0)
    .map(({ target, fit }) => ({ target, score: target.rank + fit }))
    .sort((a, b) => b.score - a.score || compareNames(a.target.title, b.target.title))
    .slice(0, SHOWN_MAX)
    .map(({ target }) => target);
}
