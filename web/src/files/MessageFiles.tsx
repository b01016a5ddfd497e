import { minute } from "../store/minute";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { isDeleted } from "../wire/files";
import type { FilePlace, SharedFile } from "../wire/files";
import { FileCard } from "./FileCard";
import { FilePicture } from "./FilePicture";
import { isBeingMade, sourceOf } from "./thumbs";
import { sortOf } from "./kinds";
import { FileMedia } from "./FileMedia";

/** The files of a message: pictures side by side, the rest below. */
export function MessageFiles({ files, place }: { files: readonly SharedFile[]; place: { channel: string; ts: string; thread?: string | undefined } | undefined }) {
  const there = files.filter((file) => !isDeleted(file));
  const gone = files.length - there.length;
  const now = useSignal(minute);
  const pictures = there.filter((file) => sortOf(file) === "picture" && (sourceOf(file) !== undefined || isBeingMade(file, now)));
  const others = there.filter((file) => !pictures.includes(file));
  const at: FilePlace | undefined = place && { channel: place.channel, ts: place.ts, ...(place.thread === undefined ? {} : { thread: place.thread }) };
  const viewed = pictures.map((file) => ({ file, place: at }));
  return (
    <div className="files">
      {pictures.length > 0 && (
        <div className={pictures.length > 1 ? "file-pictures several" : "file-pictures"} role={pictures.length > 1 ? "group" : undefined} aria-label={pictures.length > 1 ? t.files.picturesOf(pictures.length) : undefined}>
          {pictures.map((file, i) => (
            <FilePicture key={file.id} items={viewed} at={i} alone={pictures.length === 1} />
          ))}
        </div>
      )}
      {others.map((file) => (sortOf(file) === "video" || sortOf(file) === "audio" ? <FileMedia key={file.id} file={file} /> : <FileCard key={file.id} file={file} />))}
      {Array.from({ length: gone }, (_, i) => (
        <p key={i} className="file-gone">
          {t.files.deleted}
        </p>
      ))}
    </div>
  );
}
