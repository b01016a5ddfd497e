import { useState } from "react";
import { Composer } from "../composer/Composer";
import { editOf, linesOfMessage } from "../composer/content";
import { shortcut } from "../composer/keyNames";
import { sameLines, trimLines } from "../composer/lines";
import { namesOf } from "../composer/meanings";
import { useSession } from "../store/context";
import { t } from "../strings";
import { decodeText } from "../text/compose";
import type { Message } from "../wire/types";

/** Changes a message in its place, in the editor that it was written with. */
export function MessageEditor({ message, channel, onDone }: { message: Message; channel: string; onDone(): void }) {
  const session = useSession();
  const [initial] = useState(() => ({ lines: linesOfMessage(message), text: decodeText(message.text ?? "", namesOf(session.state.get())) }));
  const [enterSaves, setEnterSaves] = useState(true);
  return (
    <div className="editor">
      <Composer
        id={`edit-${message.ts}`}
        initial={initial}
        placeholder={t.message.edit}
        autoFocus
        submit={t.message.save}
        onPlace={setEnterSaves}
        onCancel={onDone}
        onSend={async (lines) => {
          if (!sameLines(lines, trimLines(initial.lines))) await session.edit(channel, message.ts, editOf(message, lines));
          onDone();
        }}
      />
      <p className="editor-hint">{enterSaves ? t.message.editHint : t.message.editHintHere(shortcut("Enter"))}</p>
    </div>
  );
}
