import { useEffect, useState } from "react";
import { t } from "../strings";
import { ownPath } from "../wire/files";
import type { SharedFile } from "../wire/files";
import { CodeBlock } from "../text/CodeBlock";

/** So much of a text is shown, bytes. */
const BYTES_MAX = 16 << 10;

/** The beginning of a text: what the file object has of it or, when it is asked for, what the file has. */
export function FileText({ file, whole }: { file: SharedFile; whole: boolean }) {
  const [text, setText] = useState<string | undefined>(undefined);
  const [failed, setFailed] = useState(false);
  const path = ownPath(file.url_private);
  useEffect(() => {
    if (!whole || path === undefined) return;
    const abort = new AbortController();
    fetch(path, { headers: { Range: `bytes=0-${BYTES_MAX - 1}` }, credentials: "same-origin", signal: abort.signal })
      .then(async (response) => (response.ok ? new TextDecoder().decode((await response.arrayBuffer()).slice(0, BYTES_MAX)) : Promise.reject(new Error())))
      .then(setText, () => !abort.signal.aborted && setFailed(true));
    return () => abort.abort();
  }, [whole, path]);
  if (failed) return <p className="file-gone">{t.files.textFailed}</p>;
  const shown = whole ? text : file.preview;
  if (shown === undefined) return null;
  return (
    <div className="text file-text">
      <CodeBlock text={shown} language={file.filetype === "text" ? undefined : file.filetype} />
      {whole && (file.size ?? 0) > BYTES_MAX && <small>{t.files.textCut}</small>}
    </div>
  );
}
