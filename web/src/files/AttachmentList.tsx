import { useRef, useState } from "react";
import { Icon } from "../components/Icon";
import { useSession } from "../store/context";
import { t } from "../strings";
import { errorText } from "../strings/en";
import { AttachmentDialog } from "./AttachmentDialog";
import { extensionOf, iconOf, nameParts, sizeText } from "./kinds";
import { isStuck, useAttachments } from "./useAttachments";
import type { Attachment } from "./uploads";

/** Files that are attached, each with its own state; before they are sent, and while they are on their way. */
export function AttachmentList({ owner }: { owner: string }) {
  const list = useAttachments(owner);
  if (list.length === 0) return null;
  return (
    <ul className="attached" aria-label={t.files.attached}>
      {list.map((it) => (
        <Tile key={it.id} owner={owner} it={it} />
      ))}
    </ul>
  );
}

function Tile({ owner, it }: { owner: string; it: Attachment }) {
  const session = useSession();
  const [editing, setEditing] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const [start, end] = nameParts(it.name);
  const remove = (event: React.MouseEvent<HTMLButtonElement>) => {
    const list = event.currentTarget.closest("ul");
    session.uploads.remove(owner, it.id);
    // The focus does not fall out of the window with the tile.
    requestAnimationFrame(() => (list?.isConnected ? list.querySelector<HTMLElement>("button") : document.querySelector<HTMLElement>(".composer [role=textbox]"))?.focus());
  };
  return (
    <li className={`attached-tile ${it.status}${isStuck(it) ? " stuck" : ""}`} data-status={it.status} data-name={it.name}>
      <button type="button" className="attached-face" title={t.files.edit(it.name)} onClick={() => setEditing(true)}>
        {it.preview === undefined ? (
          <span className="attached-kind" aria-hidden="true">
            <Icon name={iconOf(it.mime)} />
            <small>{extensionOf(it.name)}</small>
          </span>
        ) : (
          <img src={it.preview} alt={it.alt} />
        )}
        <span className="attached-facts">
          <span className="attached-name">
            <bdi>{start}</bdi>
            <span>{end}</span>
          </span>
          <small>{stateText(it)}</small>
        </span>
      </button>
      {it.status === "uploading" && <progress max={Math.max(1, it.size)} value={it.sent} aria-label={t.files.progress(it.name)} />}
      {isStuck(it) && (
        <span className="attached-again">
          {it.status === "gone" || it.error === "file_changed" ? (
            <>
              <button type="button" className="link" aria-label={t.files.chooseNamed(it.name)} onClick={() => input.current?.click()}>
                {t.files.choose}
              </button>
              <input
                ref={input}
                type="file"
                hidden
                tabIndex={-1}
                aria-label={t.files.chooseNamed(it.name)}
                onChange={(event) => {
                  const file = event.target.files?.[0];
                  if (file !== undefined) session.uploads.replace(owner, it.id, file);
                }}
              />
            </>
          ) : (
            <button type="button" className="link" aria-label={t.files.againWith(it.name)} onClick={() => session.uploads.restart(owner, it.id)}>
              {t.files.again}
            </button>
          )}
        </span>
      )}
      <button type="button" className="attached-remove" aria-label={t.files.remove(it.name)} title={t.files.remove(it.name)} onClick={remove}>
        <Icon name="close" />
      </button>
      {isStuck(it) && (
        <p className="sr-only" role="alert">
          {it.name}: {stateText(it)}
        </p>
      )}
      {editing && <AttachmentDialog owner={owner} it={it} onClose={() => setEditing(false)} />}
    </li>
  );
}

/** How far it is, or why it is no further. */
function stateText(it: Attachment): string {
  switch (it.status) {
    case "gone":
      return t.files.gone;
    case "failed":
      return errorText(it.error === "no_answer" ? "upload_paused" : (it.error ?? "no_answer"));
    case "waiting":
      return `${sizeText(it.size)} · ${t.files.waiting}`;
    case "uploading":
      return `${sizeText(it.size)} · ${it.sent >= it.size ? t.files.finishing : t.files.uploading(percentOf([it]))}`;
    case "uploaded":
      return sizeText(it.size);
  }
}

/** How much of some files the server has, per cent. */
export function percentOf(list: readonly Attachment[]): number {
  const all = list.reduce((sum, it) => sum + it.size, 0);
  const sent = list.reduce((sum, it) => sum + Math.min(it.size, it.sent), 0);
  return all === 0 ? 100 : Math.floor((100 * sent) / all);
}
