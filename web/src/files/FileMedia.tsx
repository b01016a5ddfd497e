import { useState } from "react";
import { ownPath } from "../wire/files";
import type { SharedFile } from "../wire/files";
import { FileCard } from "./FileCard";
import { sortOf, titleOfFile } from "./kinds";

/** Film and sound, with the browser's own controls; what it cannot play is a file like another. */
export function FileMedia({ file }: { file: SharedFile }) {
  const [failed, setFailed] = useState(false);
  const src = ownPath(file.url_private);
  if (failed || src === undefined) return <FileCard file={file} />;
  const common = { src, controls: true, preload: "metadata", "aria-label": titleOfFile(file), onError: () => setFailed(true) } as const;
  return (
    <div className="file-media">
      {sortOf(file) === "video" ? <video {...common} playsInline /> : <audio {...common} />}
      <FileCard file={file} />
    </div>
  );
}
