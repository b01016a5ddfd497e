import { useSession } from "../store/context";
import { t } from "../strings";
import type { LogKey, Pending } from "../realtime/state";
import { AttachmentList, percentOf } from "./AttachmentList";
import { useAttachments } from "./useAttachments";

/** The files of one's own message until the server has made it. */
export function PendingFiles({ pending, logKey }: { pending: Pending; logKey: LogKey }) {
  const session = useSession();
  const list = useAttachments(pending.id);
  return (
    <div className="pending-files">
      <AttachmentList owner={pending.id} />
      {pending.status === "uploading" && (
        <div className="delivery quiet">
          <p>{t.files.sending(percentOf(list))}</p>
          <button type="button" className="link" onClick={() => session.discard(logKey, pending.id)}>
            {t.files.cancel}
          </button>
        </div>
      )}
    </div>
  );
}
