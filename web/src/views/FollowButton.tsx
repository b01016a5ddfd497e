import { useEffect } from "react";
import { Icon } from "../components/Icon";
import { threadUnread } from "../realtime/personal";
import { logKey } from "../realtime/state";
import { useSession, useWorkspace } from "../store/context";
import { focused } from "../store/focused";
import { notifyFailure } from "../store/notice";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import type { Ts } from "../wire/types";

/** Whether new replies in a thread are told of. Not there until it is known. */
export function FollowButton({ channel, thread }: { channel: string; thread: Ts }) {
  const session = useSession();
  const known = useWorkspace((state) => state.personal.threads.followed[logKey(channel, thread)]?.active);
  useEffect(() => {
    // Without an answer the button is not shown, and asked for again when the thread is opened again.
    session.places.standing(channel, thread).catch(() => {});
  }, [session, channel, thread]);
  if (known === undefined) return null;
  return (
    <button type="button" className="button small quiet" aria-pressed={known} title={known ? t.places.threads.unfollowHint : t.places.threads.followHint} onClick={() => void session.places.follow(channel, thread, !known).catch(notifyFailure)}>
      <Icon name={known ? "check" : "bell"} />
      {known ? t.places.threads.following : t.places.threads.follow}
    </button>
  );
}

/** Marks a thread read while the person is at its end and looks at the window. */
export function useThreadRead(channel: string, thread: Ts, atEnd: boolean): void {
  const session = useSession();
  const looks = useSignal(focused);
  const latest = useWorkspace((state) => {
    const it = state.personal.threads.followed[logKey(channel, thread)];
    return it !== undefined && threadUnread(it) ? it.latest : undefined;
  });
  useEffect(() => {
    if (atEnd && looks && latest !== undefined) void session.places.readThread(channel, thread).catch(notifyFailure);
  }, [session, channel, thread, atEnd, looks, latest]);
}
