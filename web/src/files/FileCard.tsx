import { useState } from "react";
import type { ReactNode } from "react";
import { Icon } from "../components/Icon";
import { t } from "../strings";
import { ownPath } from "../wire/files";
import type { FilePlace, SharedFile } from "../wire/files";
import { FileMenu } from "./FileMenu";
import { FileText } from "./FileText";
import { extensionOf, iconOf, nameParts, sizeText, titleOfFile } from "./kinds";

/** A file that is not shown itself: what it is, how large, and the way to have it. */
export function FileCard({ file, place, note, face }: { file: SharedFile; place?: FilePlace | undefined; note?: ReactNode; face?: ReactNode }) {
  const [shown, setShown] = useState(false);
  const title = titleOfFile(file);
  const [start, end] = nameParts(title);
  const href = ownPath(file.url_private_download);
  const mime = file.mimetype ?? "";
  const isText = file.mode === "snippet" || mime.startsWith("text/") || mime === "application/json";
  const type = file.pretty_type || extensionOf(file.name ?? "") || t.files.file;
  return (
    <div className="file-card" data-file={file.id} role="group" aria-label={title}>
      <div className="file-line">
        {face ?? (
          <span className="file-kind" aria-hidden="true">
            <Icon name={iconOf(mime)} />
          </span>
        )}
        <span className="file-facts">
          <a className="file-name" href={href} download="" title={title} aria-label={t.files.downloadNamed(title)}>
            <bdi>{start}</bdi>
            <span>{end}</span>
          </a>
          <small>
            {type} · {sizeText(file.size ?? 0)}
            {note}
          </small>
        </span>
        {isText && (
          <button type="button" className="icon-button" aria-expanded={shown} aria-label={shown ? t.files.hideText : t.files.showText} title={shown ? t.files.hideText : t.files.showText} onClick={() => setShown(!shown)}>
            <Icon name="down" />
          </button>
        )}
        <a className="icon-button" href={href} download="" aria-label={t.files.downloadNamed(title)} title={t.files.download}>
          <Icon name="download" />
        </a>
        <FileMenu file={file} place={place} />
      </div>
      {(shown || file.preview) && isText && <FileText file={file} whole={shown} />}
    </div>
  );
}
