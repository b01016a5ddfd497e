import { useState } from "react";
import { Icon } from "../components/Icon";
import { t } from "../strings";
import { FileCard } from "./FileCard";
import { openLightbox } from "./lightboxState";
import type { Viewed } from "./lightboxState";
import { titleOfFile } from "./kinds";
import { boxOf, sourceOf } from "./thumbs";

/** A picture in a message. Its box has its size before it comes, so that nothing jumps. */
export function FilePicture({ items, at, alone, tile = false }: { items: readonly Viewed[]; at: number; alone: boolean; /** As large as its place in a grid. */ tile?: boolean }) {
  const { file } = items[at]!;
  const [failed, setFailed] = useState("");
  const title = titleOfFile(file);
  const alt = file.alt_txt || t.files.noAlt(title);
  const source = sourceOf(file);
  const { width, height } = boxOf(file, alone);
  // What failed once may come after a change.
  if (source !== undefined && failed === source.src) return <FileCard file={file} />;
  return (
    <button
      type="button"
      className={source === undefined ? "file-picture waiting" : "file-picture"}
      style={tile ? undefined : { width, aspectRatio: `${width} / ${height}` }}
      title={title}
      aria-label={t.files.view(alt)}
      onClick={() => openLightbox(items, at)}
      data-file={file.id}
    >
      {source === undefined ? <Icon name="image" /> : <img {...source} sizes={tile ? "160px" : `${width}px`} width={width} height={height} loading={tile ? "lazy" : undefined} alt={alt} decoding="async" onError={() => setFailed(source.src)} />}
      {file.mimetype === "image/gif" && <span className="file-badge">GIF</span>}
    </button>
  );
}
