import { useCallback } from "react";
import { namesOf } from "../../composer/meanings";
import { Icon } from "../../components/Icon";
import { labelOf, useSession, useWorkspace } from "../../store/context";
import { loadDraft, saveDraft } from "../../store/drafts";
import { minute } from "../../store/minute";
import { notify, notifyFailure } from "../../store/notice";
import { useSignal } from "../../store/signal";
import { t } from "../../strings";
import { decodeText } from "../../text/compose";
import { Mrkdwn } from "../../text/Mrkdwn";
import { when } from "../../text/when";
import type { ScheduledMessage } from "../../wire/types";
import { DraftTabs } from "./Drafts";
import { ConversationLink } from "./Excerpt";
import { Frame, Nothing } from "./Frame";
import { Loading } from "./Loading";
import { useLoaded } from "./load";

/** Messages that wait for their time. */
export function Scheduled() {
  const session = useSession();
  const self = useWorkspace((state) => state.self?.id ?? "");
  const now = useSignal(minute);
  // No event tells that one was sent or scheduled elsewhere: it is read again each minute.
  const fetch = useCallback(() => fetchAt(session, now), [session, now]);
  const { value, error, reload, set } = useLoaded(fetch);
  const cancel = (it: ScheduledMessage) => {
    session.places.unschedule(it.channel_id, it.id).then(() => {
      set((value ?? []).filter((other) => other.id !== it.id));
      // Nothing that was written is lost: it is a draft again, unless another one is there.
      if (loadDraft(self, it.channel_id) === "") saveDraft(self, it.channel_id, decodeText(it.text, namesOf(session.state.get())));
      notify(t.places.scheduled.canceled);
    }, (thrown: unknown) => {
      notifyFailure(thrown);
      reload();
    });
  };
  return (
    <Frame title={t.places.names.scheduled} tools={<DraftTabs current="scheduled" />}>
      {value === undefined ? (
        <Loading error={error} onRetry={reload} />
      ) : value.length === 0 ? (
        <Nothing title={t.places.scheduled.none} lead={t.places.scheduled.noneLead} />
      ) : (
        value.map((it) => <Row key={it.id} it={it} now={now} onCancel={() => cancel(it)} />)
      )}
    </Frame>
  );
}

/** `_minute` makes it another fetch. */
function fetchAt(session: ReturnType<typeof useSession>, _minute: number): Promise<ScheduledMessage[]> {
  return session.places.scheduled();
}

function Row({ it, now, onCancel }: { it: ScheduledMessage; now: number; onCancel(): void }) {
  const label = useWorkspace((state) => labelOf(state, it.channel_id));
  const ms = it.post_at * 1000;
  return (
    <section className="written" data-scheduled={it.id}>
      <div className="written-open">
        <ConversationLink channel={it.channel_id} label={label} />
        <small>
          <Icon name="clock" />
          {ms <= now ? t.places.scheduled.overdue : t.places.scheduled.at(when(ms, now))}
        </small>
        <Mrkdwn text={it.text} />
      </div>
      <button type="button" className="button small quiet" onClick={onCancel}>
        {t.places.scheduled.cancel}
      </button>
    </section>
  );
}
