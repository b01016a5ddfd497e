/** The bytes of a file on their way to the server. */
import { CallError } from "../wire/api";

/** Without any progress for this long the network counts as broken, milliseconds. */
const STALL_MS = 30_000;

/** Sends the bytes; `progress` hears how many are there. */
export type PostBytes = (url: string, file: Blob, progress: (bytes: number) => void, signal: AbortSignal) => Promise<void>;

/** What an answer's status says, as codes of `strings`. */
function refusal(status: number): string {
  if (status === 413) return "file_upload_size_restricted";
  if (status === 507) return "disk_full";
  // Of another length than it had when it was chosen.
  if (status === 400) return "file_changed";
  return "upload_gone";
}

/** With `XMLHttpRequest`: nothing else tells how much of a request has been sent. */
export const postBytes: PostBytes = (url, file, progress, signal) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let timer: ReturnType<typeof setTimeout>;
    const stalled = () => request.abort();
    const moved = () => {
      clearTimeout(timer);
      timer = setTimeout(stalled, STALL_MS);
    };
    const broken = () => {
      clearTimeout(timer);
      reject(new CallError({ kind: "unknown", error: "no_answer" }));
    };
    request.upload.onprogress = (event) => {
      moved();
      progress(event.loaded);
    };
    request.onload = () => {
      clearTimeout(timer);
      if (request.status === 200) resolve();
      else if (request.status >= 500 && request.status !== 507) broken();
      else if (request.status === 507 && request.responseText.trim() === "storage_limit_reached") reject(new CallError({ kind: "refused", error: "storage_limit_reached" }));
      else reject(new CallError({ kind: "refused", error: refusal(request.status) }));
    };
    request.onerror = broken;
    request.onabort = broken;
    signal.addEventListener("abort", () => request.abort());
    request.open("POST", url);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    moved();
    request.send(file);
  });
