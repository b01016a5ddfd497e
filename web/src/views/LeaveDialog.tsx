import { Dialog } from "../components/overlay";
import { useSession } from "../store/context";
import { t } from "../strings";
import type { Channel } from "../wire/types";
import { leaveChannel } from "./conversationActions";

/** Asks before somebody leaves a channel that they cannot come back to. */
export function LeaveDialog({ channel, onClose }: { channel: Channel; onClose(): void }) {
  const session = useSession();
  const name = channel.name ?? "";
  return (
    <Dialog title={t.places.conversation.leaveTitle(name)} onClose={onClose}>
      <p className="dialog-lead">{channel.is_private ? t.places.conversation.leaveLead : t.places.details.leaveLead}</p>
      <div className="dialog-buttons">
        <button type="button" className="button" onClick={onClose}>
          {t.cancel}
        </button>
        <button
          type="button"
          className="button danger"
          onClick={() => {
            onClose();
            leaveChannel(session, channel.id, name);
          }}
        >
          {t.places.conversation.leave}
        </button>
      </div>
    </Dialog>
  );
}
