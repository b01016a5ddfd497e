import { useCallback, useMemo, useState } from "react";
import { VList } from "virtua";
import { Icon } from "../../components/Icon";
import { compareNames, useSession, useWorkspace } from "../../store/context";
import { openDialog } from "../../store/dialogs";
import { notifyFailure } from "../../store/notice";
import { navigate } from "../../store/route";
import { t } from "../../strings";
import { fitScore } from "../../text/fuzzy";
import type { Channel } from "../../wire/types";
import { Frame, Nothing } from "./Frame";
import { Loading } from "./Loading";
import { hovers } from "./hovers";
import { useLoaded } from "./load";

type Filter = "all" | "joined" | "open";
type Sort = "name" | "members" | "newest";

/** Every channel that there is for the person. */
export function Channels() {
  const session = useSession();
  const conversations = useWorkspace((state) => state.conversations);
  const [archived, setArchived] = useState(false);
  const [filter, setFilter] = useState<Filter>("all");
  const [sort, setSort] = useState<Sort>("name");
  const [query, setQuery] = useState("");
  const fetch = useCallback(() => session.browse(archived), [session, archived]);
  const { value, error, reload } = useLoaded(fetch);
  const found = useMemo(() => {
    const wanted = query.trim().replace(/^#/, "");
    const joined = (it: Channel) => conversations[it.id]?.gone === false;
    return (value ?? [])
      .map((it): Channel => conversations[it.id]?.channel ?? it)
      .filter((it) => (archived || !it.is_archived) && (filter === "all" || joined(it) === (filter === "joined")))
      .map((it) => ({ it, score: Math.max(fitScore(it.name ?? "", wanted), 0.3 * fitScore(it.topic?.value || it.purpose?.value || "", wanted)) }))
      .filter(({ score }) => wanted === "" || score > 0)
      .sort((a, b) => (wanted === "" ? 0 : b.score - a.score) || bySort(a.it, b.it, sort))
      .map(({ it }) => it);
  }, [value, query, filter, sort, archived, conversations]);
  return (
    <Frame
      title={t.places.names.channels}
      scroll={false}
      tools={
        <button type="button" className="button small" onClick={() => openDialog("create")}>
          <Icon name="plus" />
          {t.browse.create}
        </button>
      }
    >
      <div className="place-search">
        <input className="input" type="search" autoFocus={hovers} placeholder={t.places.browse.search} aria-label={t.places.browse.search} value={query} onChange={(event) => setQuery(event.target.value)} />
        <div className="place-filters">
          <div className="segments" role="group" aria-label={t.places.browse.filter}>
            {(["all", "joined", "open"] as const).map((it) => (
              <button key={it} type="button" aria-pressed={it === filter} onClick={() => setFilter(it)}>
                {t.places.browse.filters[it]}
              </button>
            ))}
          </div>
          <label className="check">
            <input type="checkbox" checked={archived} onChange={(event) => setArchived(event.target.checked)} />
            {t.places.browse.archived}
          </label>
          <select className="select" aria-label={t.places.browse.sort} value={sort} onChange={(event) => setSort(event.target.value as Sort)}>
            {(["name", "members", "newest"] as const).map((it) => (
              <option key={it} value={it}>
                {t.places.browse.sorts[it]}
              </option>
            ))}
          </select>
          {value !== undefined && <small className="place-count">{t.places.browse.count(found.length)}</small>}
        </div>
      </div>
      {value === undefined ? (
        <Loading error={error} onRetry={reload} />
      ) : found.length === 0 ? (
        <Nothing title={t.places.browse.none} lead={t.places.browse.noneLead} />
      ) : (
        <VList className="place-body">
          {found.map((it) => (
            <ChannelRow key={it.id} channel={it} joined={conversations[it.id]?.gone === false} />
          ))}
        </VList>
      )}
    </Frame>
  );
}

function bySort(a: Channel, b: Channel, sort: Sort): number {
  const first = sort === "members" ? (b.num_members ?? 0) - (a.num_members ?? 0) : sort === "newest" ? (b.created ?? 0) - (a.created ?? 0) : 0;
  return first || compareNames(a.name ?? "", b.name ?? "");
}

function ChannelRow({ channel, joined }: { channel: Channel; joined: boolean }) {
  const session = useSession();
  const name = channel.name ?? "";
  const open = () => navigate({ name: "channel", channel: channel.id });
  const join = () => void session.join(channel.id).then(open, notifyFailure);
  const about = [channel.num_members === undefined ? "" : t.conversation.members(channel.num_members), channel.topic?.value || channel.purpose?.value].filter(Boolean).join(" · ");
  return (
    <div className="channel-row" data-listed={channel.id}>
      <button type="button" className="channel-row-open" onClick={open}>
        <Icon name={channel.is_private ? "lock" : "hash"} />
        <span>
          <b>{name}</b>
          {channel.is_archived && <span className="badge">{t.places.browse.archivedMark}</span>}
          {joined && (
            <span className="joined">
              <Icon name="check" />
              {t.places.browse.joined}
            </span>
          )}
          <small dir="auto">{about}</small>
        </span>
      </button>
      {!joined && !channel.is_archived && (
        <button type="button" className="button small" aria-label={t.places.browse.joinLabel(name)} onClick={join}>
          {t.places.browse.join}
        </button>
      )}
    </div>
  );
}
