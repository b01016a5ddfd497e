import { useRef, useState } from "react";
import { Icon } from "../components/Icon";
import { Dialog, Menu } from "../components/overlay";
import { copyText } from "../store/clipboard";
import { useSession, useWorkspace } from "../store/context";
import { notify, notifyFailure } from "../store/notice";
import { goToMessage } from "../store/goto";
import { t } from "../strings";
import type { FilePlace, SharedFile } from "../wire/files";
import { ownPath } from "../wire/files";
import { titleOfFile } from "./kinds";

/** What can be done with a file, wherever it is shown. */
export function FileMenu({ file, place, onDeleted }: { file: SharedFile; place?: FilePlace | undefined; onDeleted?(): void }) {
  const session = useSession();
  const anchor = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState<"menu" | "delete" | undefined>(undefined);
  const mine = useWorkspace((state) => state.self?.id === file.user);
  const title = titleOfFile(file);
  const link = ownPath(file.permalink) ?? ownPath(file.url_private);
  const close = () => setOpen(undefined);
  const remove = () => {
    close();
    session.request("files.delete", { file: file.id }).then(() => {
      notify(t.files.wasDeleted);
      onDeleted?.();
    }, notifyFailure);
  };
  const items = [
    ...(place === undefined ? [] : [{ key: "go", icon: <Icon name="forward" />, text: t.files.goToMessage, run: () => goToPlace(place) }]),
    { key: "link", icon: <Icon name="link" />, text: t.files.copyLink, run: () => link !== undefined && void copyText(location.origin + link, t.files.linkCopied) },
    ...(mine ? [{ key: "delete", icon: <Icon name="trash" />, text: t.files.delete, danger: true, run: () => setOpen("delete") }] : []),
  ];
  return (
    <>
      <button ref={anchor} type="button" className="icon-button" aria-label={t.files.moreOf(title)} title={t.files.more} aria-haspopup="menu" aria-expanded={open === "menu"} onClick={() => setOpen(open === "menu" ? undefined : "menu")}>
        <Icon name="more" />
      </button>
      {open === "menu" && <Menu anchor={anchor} label={t.files.moreOf(title)} items={items} onClose={() => setOpen((was) => (was === "menu" ? undefined : was))} />}
      {open === "delete" && (
        <Dialog title={t.files.deleteTitle} onClose={close}>
          <p className="dialog-lead">{t.files.deleteLead}</p>
          <p className="dialog-preview file-named">
            <bdi>{title}</bdi>
          </p>
          <div className="dialog-buttons">
            <button type="button" className="button" onClick={close}>
              {t.cancel}
            </button>
            <button type="button" className="button danger" onClick={remove}>
              {t.files.delete}
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

/** Goes to the message that has a file. */
export function goToPlace({ channel, ts, thread }: FilePlace): void {
  goToMessage(channel, { ts, ...(thread === undefined ? {} : { thread_ts: thread }) });
}
