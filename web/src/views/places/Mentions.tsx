import { useCallback, useEffect, useRef, useState } from "react";
import { VList } from "virtua";
import { attentionOf } from "../../realtime/attention";
import { labelOf, useSession, useWorkspace } from "../../store/context";
import { notifyFailure } from "../../store/notice";
import { t } from "../../strings";
import type { MentionsPage } from "../../wire/types";
import { ConversationLink, Excerpt } from "./Excerpt";
import { Frame, Nothing } from "./Frame";
import { Loading } from "./Loading";
import { useLoaded } from "./load";

type Mention = MentionsPage["mentions"][number];

/** Messages that mention the person, newest first. */
export function Mentions() {
  const session = useSession();
  const fetch = useCallback(() => session.places.mentions(), [session]);
  const { value, error, reload } = useLoaded(fetch);
  const [older, setOlder] = useState<Mention[]>([]);
  const [next, setNext] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  // Another one has come, or one is read: the newest page says it all.
  const count = useWorkspace((state) => Object.values(state.conversations).reduce((sum, it) => sum + attentionOf(it, false).mentions, 0) + state.personal.threads.mentions);
  const before = useRef(count);
  useEffect(() => {
    if (count > before.current) reload();
    before.current = count;
  }, [count, reload]);
  useEffect(() => {
    if (older.length === 0) setNext(value?.next);
  }, [value, older.length]);
  const loadMore = () => {
    setBusy(true);
    session.places
      .mentions(next)
      .then((page) => {
        setOlder((all) => [...all, ...page.mentions]);
        setNext(page.next);
      }, notifyFailure)
      .finally(() => setBusy(false));
  };
  const seen = new Set<string>();
  const all = [...(value?.mentions ?? []), ...older].filter((it) => {
    const key = `${it.channel}/${it.message.ts}`;
    return !seen.has(key) && seen.add(key);
  });
  if (value === undefined) {
    return (
      <Frame title={t.places.names.mentions}>
        <Loading error={error} onRetry={reload} />
      </Frame>
    );
  }
  return (
    <Frame title={t.places.names.mentions} scroll={false}>
      {all.length === 0 ? (
        <Nothing title={t.places.mentions.none} lead={t.places.mentions.noneLead} />
      ) : (
        <VList className="place-body" tabIndex={0}>
          {all.map((it) => (
            <MentionRow key={`${it.channel}/${it.message.ts}`} it={it} />
          ))}
          {next !== undefined && (
            <div className="place-more">
              <button type="button" className="button" disabled={busy} onClick={loadMore}>
                {busy ? t.loading : t.places.loadMore}
              </button>
            </div>
          )}
        </VList>
      )}
    </Frame>
  );
}

function MentionRow({ it }: { it: Mention }) {
  const label = useWorkspace((state) => labelOf(state, it.channel));
  const reply = it.message.thread_ts !== undefined && it.message.thread_ts !== it.message.ts;
  return (
    <div className="mention-row">
      <Excerpt channel={it.channel} message={it.message} note={<ConversationLink channel={it.channel} label={reply ? t.places.mentions.inThread(label) : t.places.mentions.in(label)} />} />
    </div>
  );
}
