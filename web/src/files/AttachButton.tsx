import { useRef } from "react";
import { Icon } from "../components/Icon";
import { useSession } from "../store/context";
import { t } from "../strings";
import { attach } from "./useAttachments";

/** Chooses files for what is being written. */
export function AttachButton({ owner, onAttached }: { owner: string; onAttached(): void }) {
  const session = useSession();
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" className="icon-button" aria-label={t.files.attach} title={t.files.attach} onClick={() => input.current?.click()}>
        <Icon name="clip" />
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        tabIndex={-1}
        aria-label={t.files.attach}
        onChange={(event) => {
          attach(session, owner, event.target.files ?? []);
          // The same file can be chosen again.
          event.target.value = "";
          onAttached();
        }}
      />
    </>
  );
}
