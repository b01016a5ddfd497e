import { Icon } from "../../components/Icon";
import type { LogKey, Pending } from "../../realtime/state";
import { useSession, useWorkspace } from "../../store/context";
import { t } from "../../strings";
import { errorText } from "../../strings/en";
import { MessageContent } from "../MessageContent";

const NOTHING: readonly Pending[] = [];

/** One's own replies that the server has not confirmed, with what became of each. */
export function PendingReplies({ logKey }: { logKey: LogKey }) {
  const session = useSession();
  const pending = useWorkspace((state) => state.pending[logKey] ?? NOTHING);
  return pending.map((it) => (
    <article key={it.id} className={`excerpt pending ${it.status}`} data-state={it.status}>
      <span />
      <div className="content">
        <MessageContent message={{ type: "message", ts: "", text: it.text, ...(it.blocks ? { blocks: it.blocks } : {}) }} />
        {it.status === "failed" ? (
          <div className="delivery failed" role="alert">
            <p>
              <Icon name="alert" />
              {errorText(it.error ?? "no_answer")}
            </p>
            <div>
              <button type="button" onClick={() => session.retry(logKey, it.id)}>
                {t.message.retry}
              </button>
              <button type="button" onClick={() => session.discard(logKey, it.id)}>
                {t.message.discard}
              </button>
            </div>
          </div>
        ) : (
          <p className="delivery quiet">{it.status === "waiting" ? t.message.waiting : it.status === "sending" ? t.message.sending : ""}</p>
        )}
      </div>
    </article>
  ));
}
