import { useEffect, useMemo, useRef, useState } from "react";
import { VList } from "virtua";
import { Icon } from "../../components/Icon";
import { threadUnread } from "../../realtime/personal";
import type { FollowedThread, Threads as ThreadsState } from "../../realtime/personal";
import { logKey } from "../../realtime/state";
import { labelOf, useSession, useWorkspace } from "../../store/context";
import { focused } from "../../store/focused";
import { goToLog } from "../../store/goto";
import { notifyFailure } from "../../store/notice";
import { useSignal } from "../../store/signal";
import { t } from "../../strings";
import { compareTs } from "../../wire/types";
import { Writer } from "../Writer";
import { ConversationLink, Excerpt } from "./Excerpt";
import { Frame, Nothing } from "./Frame";
import { Loading } from "./Loading";
import { PendingReplies } from "./PendingReplies";

/** Seen this long, a thread counts as read, milliseconds. */
const READ_AFTER_MS = 1_200;

/** The threads that the person follows: those with something unread first. */
export function Threads() {
  const session = useSession();
  const threads = useWorkspace((state) => state.personal.threads);
  const { order, fresh } = useOrder(threads);
  const [busy, setBusy] = useState(false);
  const [more, setMore] = useState<string | undefined>(undefined);
  const oldest = order.map((key) => threads.followed[key]?.latest).filter((ts) => ts !== undefined).sort(compareTs)[0];
  const next = more ?? (threads.more ? oldest : undefined);
  const [ended, setEnded] = useState(false);
  const loadMore = () => {
    if (next === undefined || busy) return;
    setBusy(true);
    session.places
      .olderThreads(next)
      .then((ts) => (ts === undefined ? setEnded(true) : setMore(ts)), notifyFailure)
      .finally(() => setBusy(false));
  };
  const unread = Object.values(threads.followed).filter(threadUnread);
  const readAll = () => void Promise.all(unread.map((it) => session.places.readThread(it.channel, it.ts))).catch(notifyFailure);
  const shown = order.flatMap((key) => (threads.followed[key]?.root === undefined ? [] : [threads.followed[key]]));
  if (!threads.loaded) {
    return (
      <Frame title={t.places.names.threads}>
        <Loading error={undefined} onRetry={() => session.places.refreshThreads()} />
      </Frame>
    );
  }
  return (
    <Frame
      title={t.places.names.threads}
      scroll={false}
      tools={
        unread.length > 0 && (
          <button type="button" className="button small quiet" onClick={readAll}>
            <Icon name="check" />
            {t.places.threads.markAll}
          </button>
        )
      }
    >
      {shown.length === 0 ? (
        <Nothing title={t.places.threads.none} lead={t.places.threads.noneLead} />
      ) : (
        <VList className="place-body thread-list" tabIndex={0}>
          {shown.map((thread, i) => {
            const isFresh = fresh.has(`${thread.channel}/${thread.ts}`);
            const before = shown[i - 1];
            const first = before === undefined || fresh.has(`${before.channel}/${before.ts}`) !== isFresh;
            return (
              <div key={`${thread.channel}/${thread.ts}`} className="thread-slot">
                {first && fresh.size > 0 && <h2 className="place-heading">{isFresh ? t.places.threads.unread : t.places.threads.earlier}</h2>}
                <ThreadCard thread={thread} fresh={isFresh} />
              </div>
            );
          })}
          {next !== undefined && !ended && (
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

/**
 * The order of this visit: unread ones first, then by the newest reply. It stays: what becomes read does not move away under
 * the person's eyes, and what is new comes in at the top.
 */
function useOrder(threads: ThreadsState): { order: readonly string[]; fresh: ReadonlySet<string> } {
  const kept = useRef<{ order: string[]; fresh: Set<string> }>({ order: [], fresh: new Set() });
  return useMemo(() => {
    if (!threads.loaded) return kept.current;
    const known = new Set(kept.current.order);
    const first = known.size === 0;
    const added = Object.entries(threads.followed)
      .filter(([key, it]) => it.active && it.root !== undefined && !known.has(key))
      .sort(([, a], [, b]) => compareTs(b.latest, a.latest));
    const unread = added.filter(([, it]) => threadUnread(it)).map(([key]) => key);
    const read = added.filter(([, it]) => !threadUnread(it)).map(([key]) => key);
    // On the first look everything is sorted; later only what is unread comes in at the top.
    kept.current = first
      ? { order: [...unread, ...read], fresh: new Set(unread) }
      : { order: [...unread, ...kept.current.order, ...read], fresh: new Set([...unread, ...kept.current.fresh]) };
    return kept.current;
  }, [threads]);
}

function ThreadCard({ thread, fresh }: { thread: FollowedThread; fresh: boolean }) {
  const session = useSession();
  const { channel, ts, root } = thread;
  const label = useWorkspace((state) => labelOf(state, channel));
  const archived = useWorkspace((state) => state.conversations[channel]?.channel.is_archived === true);
  const [replying, setReplying] = useState(false);
  const card = useRef<HTMLElement>(null);
  const unread = threadUnread(thread);
  useSeen(card, unread, thread.latest, () => void session.places.readThread(channel, ts).catch(notifyFailure));
  const key = logKey(channel, ts);
  // The line stands before what was unread when the person came.
  const [line] = useState(fresh ? thread.lastRead : undefined);
  const hidden = Math.max(0, (root?.reply_count ?? 0) - thread.replies.length);
  const at = line === undefined ? -1 : thread.replies.findIndex((it) => compareTs(it.ts, line) > 0);
  const follow = () => void session.places.follow(channel, ts, !thread.active).catch(notifyFailure);
  return (
    <section ref={card} className={unread ? "thread-card fresh" : "thread-card"} aria-label={t.places.threads.inChannel(label)} data-thread={key}>
      <header>
        <ConversationLink channel={channel} label={label} />
        <span className="grow" />
        <button type="button" className="button small quiet" aria-pressed={thread.active} title={thread.active ? t.places.threads.unfollowHint : t.places.threads.followHint} onClick={follow}>
          <Icon name={thread.active ? "check" : "bell"} />
          {thread.active ? t.places.threads.following : t.places.threads.follow}
        </button>
        <button type="button" className="button small quiet" onClick={() => goToLog(channel, ts)}>
          {t.places.threads.openThread}
        </button>
      </header>
      {root === undefined ? <p className="text faint">{t.places.threads.deletedRoot}</p> : <Excerpt channel={channel} message={root} />}
      {hidden > 0 && (
        <button type="button" className="link thread-between" onClick={() => goToLog(channel, ts)}>
          {t.places.threads.between(hidden)}
        </button>
      )}
      {thread.replies.map((reply, i) => (
        <div key={reply.ts}>
          {i === at && (
            <div className="divider new-line">
              <i />
              <b>{t.conversation.newLine}</b>
            </div>
          )}
          <Excerpt channel={channel} message={reply} />
        </div>
      ))}
      <PendingReplies logKey={key} />
      {replying && !archived ? (
        <Writer logKey={key} placeholder={t.thread.placeholder} onEditLast={() => goToLog(channel, ts)} />
      ) : (
        !archived && (
          <button type="button" className="reply-here" onClick={() => setReplying(true)}>
            {t.thread.placeholder}
          </button>
        )
      )}
    </section>
  );
}

/** Calls back when the end of a card has been in sight for a moment, while the person looks at the window. */
function useSeen(card: React.RefObject<HTMLElement | null>, wanted: boolean, what: string, seen: () => void): void {
  const looks = useSignal(focused);
  const run = useRef(seen);
  run.current = seen;
  useEffect(() => {
    const it = card.current;
    if (!wanted || !looks || it === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const observer = new IntersectionObserver(
      ([entry]) => {
        clearTimeout(timer);
        // Its end is in sight when it is wholly there, or fills the window.
        const there = entry !== undefined && entry.isIntersecting && entry.boundingClientRect.bottom <= (entry.rootBounds?.bottom ?? window.innerHeight) + 1;
        if (there) timer = setTimeout(() => run.current(), READ_AFTER_MS);
      },
      { threshold: [0, 0.25, 0.5, 0.75, 1] },
    );
    observer.observe(it);
    return () => {
      clearTimeout(timer);
      observer.disconnect();
    };
  }, [card, wanted, looks, what]);
}
