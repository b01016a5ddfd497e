import { labelOf, useWorkspace } from "../../store/context";
import { loadDraftLines, saveDraft } from "../../store/drafts";
import { useDrafts } from "../../store/draftList";
import type { Draft } from "../../store/draftList";
import { goToLog } from "../../store/goto";
import { navigate } from "../../store/route";
import { channelOf, threadOf } from "../../realtime/state";
import { Icon } from "../../components/Icon";
import { useState } from "react";
import { t } from "../../strings";
import { Frame, Nothing } from "./Frame";

/** What was begun and not sent; beside it what waits for its time. */
export function Drafts() {
  const drafts = useDrafts();
  const self = useWorkspace((state) => state.self?.id ?? "");
  const [discarded, setDiscarded] = useState<(Draft & { lines: ReturnType<typeof loadDraftLines> }) | undefined>(undefined);
  const discard = (draft: Draft) => {
    setDiscarded({ ...draft, lines: loadDraftLines(self, draft.key) });
    saveDraft(self, draft.key, "");
  };
  const undo = () => {
    if (discarded) saveDraft(self, discarded.key, discarded.text, discarded.lines);
    setDiscarded(undefined);
  };
  return (
    <Frame title={t.places.names.drafts} tools={<DraftTabs current="drafts" />}>
      {discarded && (
        <p className="place-note" role="status">
          {t.places.drafts.discarded}
          <button type="button" className="link" onClick={undo}>
            {t.places.drafts.undo}
          </button>
        </p>
      )}
      {drafts.length === 0 ? <Nothing title={t.places.drafts.none} lead={t.places.drafts.noneLead} /> : drafts.map((it) => <Row key={it.key} draft={it} onDiscard={() => discard(it)} />)}
    </Frame>
  );
}

function Row({ draft, onDiscard }: { draft: Draft; onDiscard(): void }) {
  const channel = channelOf(draft.key);
  const thread = threadOf(draft.key);
  const label = useWorkspace((state) => labelOf(state, channel));
  const open = () => goToLog(channel, thread);
  return (
    <section className="written" data-draft={draft.key}>
      <button type="button" className="written-open" onClick={open}>
        <b>{label}</b>
        {thread !== undefined && <small>{t.places.drafts.thread}</small>}
        <span className="written-text" dir="auto">
          {draft.text}
        </span>
        <span className="sr-only">{t.places.drafts.edit}</span>
      </button>
      <button type="button" className="icon-button" aria-label={t.places.drafts.discard} title={t.places.drafts.discard} onClick={onDiscard}>
        <Icon name="trash" />
      </button>
    </section>
  );
}

/** Drafts and scheduled messages are two sides of one thing. */
export function DraftTabs({ current }: { current: "drafts" | "scheduled" }) {
  return (
    <div className="segments" role="group">
      {(["drafts", "scheduled"] as const).map((place) => (
        <button key={place} type="button" aria-current={place === current ? "page" : undefined} onClick={() => navigate({ name: "place", place })}>
          {t.places.names[place]}
        </button>
      ))}
    </div>
  );
}
