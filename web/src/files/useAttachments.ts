import { useSession } from "../store/context";
import { notify } from "../store/notice";
import { useSelected } from "../store/signal";
import { t } from "../strings";
import type { Session } from "../realtime/session";
import { FILES_MAX } from "./uploads";
import type { Attachment } from "./uploads";

const NONE: readonly Attachment[] = [];

/** What is attached to what is being written, or to a message on its way. */
export function useAttachments(owner: string | undefined): readonly Attachment[] {
  return useSelected(useSession().uploads.lists, (lists) => (owner === undefined ? NONE : (lists[owner] ?? NONE)));
}

/** Attaches files, and says when a message has no room for all. */
export function attach(session: Session, owner: string, files: Iterable<File>): void {
  const left = session.uploads.add(owner, [...files]);
  if (left > 0) notify(t.files.tooMany(FILES_MAX, left));
}

/** The files of a clipboard, where they are what was copied: text with pictures in it is text. */
export function filesOf(data: DataTransfer | null): File[] {
  if (data === null || data.types.includes("text/plain")) return [];
  return [...data.files];
}

/** What keeps a message from being sent until somebody has seen to it. */
export function isStuck(it: Attachment): boolean {
  return it.status === "gone" || (it.status === "failed" && it.error !== "no_answer");
}
