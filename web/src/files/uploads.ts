/**
 * Files on their way: attached to what is being written, and sent with it as one message. Their bytes go as soon as they are
 * attached. They live as long as the page; what a reload takes is remembered by its name, so that it is missed by nobody in silence.
 */
import type { Content } from "../composer/content";
import type { Input } from "../realtime/apply";
import { fullJitterMs, uuid } from "../realtime/ports";
import type { World } from "../realtime/ports";
import { channelOf, threadOf } from "../realtime/state";
import type { LogKey, Pending, State } from "../realtime/state";
import { signal } from "../store/signal";
import type { Signal } from "../store/signal";
import { CallError, failureOf } from "../wire/api";
import type { Args } from "../wire/api";
import { ownPath, placesOf } from "../wire/files";
import type { SharedFile } from "../wire/files";
import type { Envelope, Ts } from "../wire/types";
import { cleanName, isPreviewable } from "./kinds";
import type { PostBytes } from "./post";
import { measure, previews } from "./previews";

/** Most files of a message. */
export const FILES_MAX = 20;
/** Files that are on their way at once; the others wait. */
const AT_ONCE = 3;
const RETRY_BASE_MS = 1_000;
const RETRY_CAP_MS = 15_000;
/** Bytes that got no answer while the server is reachable are sent again after this time, milliseconds. */
const AGAIN_MS = 3_000;
/** What was answered and did not arrive in this time was deleted by somebody meanwhile, milliseconds. */
const ECHO_MS = 30_000;

/** A file that somebody chose. */
export interface Attachment {
  /** On this device. */
  id: string;
  /** Undefined: the page that had it is gone. */
  file: File | undefined;
  name: string;
  /** What is in the picture, for who cannot see it. */
  alt: string;
  /** Bytes. */
  size: number;
  mime: string;
  /** An address of the picture on this device. */
  preview: string | undefined;
  status: "waiting" | "uploading" | "uploaded" | "failed" | "gone";
  /** Bytes that the server has. */
  sent: number;
  /** The server's id, as soon as it has the bytes. */
  fileId?: string;
  /** Why it failed: a code. `no_answer`: it goes on by itself when the network is back. */
  error?: string;
}

export interface UploadsPorts {
  world: World;
  call<T extends Envelope>(method: string, args?: Args): Promise<T>;
  post: PostBytes;
  state(): State;
  dispatch(input: Input): void;
  online(): boolean;
  /** What outlives a reload of this window, and nothing else. */
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
}

/** What a reload leaves. */
interface Left {
  lists: Record<string, Pick<Attachment, "name" | "alt" | "size" | "mime">[]>;
  sending: Pending[];
}

export class Uploads {
  /** What is attached, by where it is being written or, once sent, by the id of the message. */
  readonly lists: Signal<Readonly<Record<string, readonly Attachment[]>>> = signal({});
  private readonly running = new Map<string, AbortController>();
  private readonly sending = new Map<string, Pending>();
  private readonly delivering = new Set<string>();
  private readonly wakes = new Set<() => void>();
  private stopped = false;

  constructor(private readonly ports: UploadsPorts) {}

  /** Says what an earlier page had. */
  start(): void {
    const raw = this.ports.storage.getItem(this.storageKey());
    if (raw === null) return;
    const left = JSON.parse(raw) as Left;
    const lists = Object.entries(left.lists).map(([owner, list]) => [owner, list.map((it): Attachment => ({ ...it, id: uuid(), file: undefined, preview: undefined, status: "gone", sent: 0 }))] as const);
    this.lists.set({ ...this.lists.get(), ...Object.fromEntries(lists) });
    for (const it of left.sending) {
      this.sending.set(it.id, it);
      void this.resume(it);
    }
  }

  /** What an earlier page was sending: it may have been made before that page heard of it. */
  private async resume(pending: Pending): Promise<void> {
    for (let attempt = 0; !this.stopped; attempt++) {
      try {
        if ((await this.completed(pending, pending.files?.[0])) !== undefined) return this.end(pending);
        const failed: Pending = { ...pending, status: "failed", error: "files_gone", refused: true };
        return this.ports.dispatch({ type: "send", pending: failed });
      } catch {
        await this.pause(fullJitterMs(attempt, RETRY_BASE_MS, RETRY_CAP_MS, this.ports.world.random()));
      }
    }
  }

  stop(): void {
    this.stopped = true;
    for (const abort of this.running.values()) abort.abort();
    this.kick();
  }

  /** Who signs out leaves nothing behind. */
  forget(): void {
    this.ports.storage.removeItem(this.storageKey());
    for (const list of Object.values(this.lists.get())) for (const it of list) if (it.preview !== undefined) URL.revokeObjectURL(it.preview);
    this.lists.set({});
  }

  of(owner: string): readonly Attachment[] {
    return this.lists.get()[owner] ?? [];
  }

  // --- Attaching ----------------------------------------------------------------------------------

  /** Attaches files; how many were left out because a message has no more. */
  add(owner: string, files: readonly File[]): number {
    const taken = files.slice(0, Math.max(0, FILES_MAX - this.of(owner).length));
    const made = taken.map((file, i): Attachment => {
      const name = cleanName(file.name) || pastedName(file.type, this.ports.world.now(), i);
      return { id: uuid(), file, name, alt: "", size: file.size, mime: file.type, preview: isPreviewable(file) ? URL.createObjectURL(file) : undefined, status: "waiting", sent: 0 };
    });
    for (const it of made) if (it.preview !== undefined) void measure(it.preview);
    this.put(owner, [...this.of(owner), ...made]);
    this.keep();
    this.pump();
    return files.length - taken.length;
  }

  remove(owner: string, id: string): void {
    this.running.get(id)?.abort();
    const it = this.of(owner).find((other) => other.id === id);
    if (it?.preview !== undefined) URL.revokeObjectURL(it.preview);
    this.put(owner, this.of(owner).filter((other) => other.id !== id));
    this.keep();
    this.pump();
    this.again(owner);
  }

  /** Another name is another upload: the server keeps the one that it was announced with. */
  describe(owner: string, id: string, name: string, alt: string): void {
    const it = this.of(owner).find((other) => other.id === id);
    if (it === undefined) return;
    const renamed = cleanName(name) !== "" && cleanName(name) !== it.name;
    this.edit(owner, id, { alt: alt.trim(), ...(renamed ? { name: cleanName(name) } : {}) });
    if (renamed && it.file !== undefined) this.restart(owner, id);
    this.keep();
  }

  /** Sends the bytes again, from the start. */
  restart(owner: string, id: string): void {
    this.running.get(id)?.abort();
    this.running.delete(id);
    this.lists.set({ ...this.lists.get(), [owner]: this.of(owner).map((it) => (it.id === id && it.file !== undefined ? fresh(it) : it)) });
    this.pump();
  }

  /** The person has found the file that a reload took. */
  replace(owner: string, id: string, file: File): void {
    const preview = isPreviewable(file) ? URL.createObjectURL(file) : undefined;
    if (preview !== undefined) void measure(preview);
    this.lists.set({ ...this.lists.get(), [owner]: this.of(owner).map((it) => (it.id === id ? fresh({ ...it, file, preview, size: file.size, mime: file.type }) : it)) });
    this.keep();
    this.pump();
    this.again(owner);
  }

  /** A sent message that waited for one of its files to be seen to goes on when none is left. */
  private again(owner: string): void {
    const pending = this.sending.get(owner);
    const list = this.of(owner);
    if (pending === undefined || this.pendingOf(pending)?.status !== "failed" || list.some((it) => it.status === "gone" || it.status === "failed")) return;
    if (list.length > 0 || pending.text !== "") this.retry(owner);
  }

  // --- Sending ------------------------------------------------------------------------------------

  /** Sends what is attached with a text, as one message. */
  send(key: LogKey, { text, blocks }: Content): void {
    const thread = threadOf(key);
    const id = uuid();
    const pending: Pending = { id, channel: channelOf(key), text, ...(blocks ? { blocks } : {}), created: this.ports.world.now(), status: "uploading", files: [], ...(thread === undefined ? {} : { thread }) };
    this.sending.set(id, pending);
    const { [key]: list = [], ...others } = this.lists.get();
    this.lists.set({ ...others, [id]: list });
    this.ports.dispatch({ type: "send", pending });
    this.keep();
    void this.deliver(pending);
  }

  /** Whether a message of this id is seen to here. */
  has(id: string): boolean {
    return this.sending.has(id);
  }

  /** A message is on its way with files that only this page has. */
  sends(): boolean {
    return this.delivering.size > 0;
  }

  retry(id: string): void {
    const pending = this.sending.get(id);
    if (pending === undefined) return;
    for (const it of this.of(id)) if (it.status === "failed") this.restart(id, it.id);
    this.ports.dispatch({ type: "send_status", log: keyOf(pending), id, status: "uploading" });
    void this.deliver(pending);
  }

  discard(id: string): void {
    const pending = this.sending.get(id);
    if (pending === undefined) return;
    for (const it of this.of(id)) this.running.get(it.id)?.abort();
    this.end(pending);
    this.ports.dispatch({ type: "discard", log: keyOf(pending), id });
  }

  /** The network is back: what it broke off goes on. */
  kick(): void {
    for (const [owner, list] of Object.entries(this.lists.get())) for (const it of list) if (it.status === "failed" && it.error === "no_answer") this.restart(owner, it.id);
    for (const wake of [...this.wakes]) wake();
  }

  private async deliver(pending: Pending): Promise<void> {
    const { id } = pending;
    if (this.delivering.has(id)) return;
    this.delivering.add(id);
    const error = await this.complete(pending);
    this.delivering.delete(id);
    if (error !== undefined) this.ports.dispatch({ type: "send_status", log: keyOf(pending), id, status: "failed", error, refused: true });
  }

  /** Waits for the bytes, then makes the message. The code of a refusal; undefined: it is done, or not wanted any more. */
  private async complete(pending: Pending): Promise<string | undefined> {
    const { id } = pending;
    let unsure = false;
    for (let attempt = 0; !this.stopped && this.sending.has(id); attempt++) {
      const list = this.of(id);
      if (list.some((it) => it.status === "gone")) return "files_gone";
      if (list.some((it) => it.status === "failed" && it.error !== "no_answer")) return "files_failed";
      if (list.some((it) => it.status !== "uploaded")) {
        await this.changed();
        attempt = -1;
        continue;
      }
      const ids = list.map((it) => it.fileId!);
      this.sending.set(id, { ...pending, files: ids });
      this.keep();
      this.ports.dispatch({ type: "send_status", log: keyOf(pending), id, status: "uploading", files: ids });
      try {
        const ts = unsure ? ((await this.completed(pending, ids[0])) ?? (await this.post(pending, list))) : await this.post(pending, list);
        for (const it of list) if (it.preview !== undefined) previews.keep(it.fileId!, it.preview);
        this.sent(pending, ts);
        return undefined;
      } catch (thrown) {
        const failure = failureOf(thrown);
        if (failure.kind === "refused") return failure.error;
        unsure ||= failure.kind === "unknown";
        await this.pause(failure.kind === "later" ? failure.afterMs : fullJitterMs(attempt, RETRY_BASE_MS, RETRY_CAP_MS, this.ports.world.random()));
      }
    }
    return undefined;
  }

  /** Where a message is whose making got no answer; undefined: it was not made. */
  private async completed(pending: Pending, file: string | undefined): Promise<Ts | undefined> {
    if (file === undefined) return undefined;
    try {
      const answer = await this.ports.call<Envelope & { file: SharedFile }>("files.info", { file });
      return tsIn(answer.file, pending);
    } catch (thrown) {
      if (failureOf(thrown).error === "file_not_found") return undefined;
      throw thrown;
    }
  }

  private async post(pending: Pending, list: readonly Attachment[]): Promise<Ts | undefined> {
    if (list.length === 0) {
      // Every file was taken out again.
      const { ts } = await this.ports.call<Envelope & { ts: Ts }>("chat.postMessage", { channel: pending.channel, thread_ts: pending.thread, text: pending.text, blocks: pending.blocks && JSON.stringify(pending.blocks), client_msg_id: pending.id });
      return ts;
    }
    const answer = await this.ports.call<Envelope & { files: SharedFile[] }>("files.completeUploadExternal", {
      files: JSON.stringify(list.map((it) => ({ id: it.fileId, title: it.name, ...(it.alt === "" ? {} : { alt_txt: it.alt }) }))),
      channel_id: pending.channel,
      thread_ts: pending.thread,
      // Of the two the server takes one.
      ...(pending.blocks !== undefined ? { blocks: JSON.stringify(pending.blocks) } : pending.text === "" ? {} : { initial_comment: pending.text }),
    });
    return answer.files[0] && tsIn(answer.files[0], pending);
  }

  private sent(pending: Pending, ts: Ts | undefined): void {
    const log = keyOf(pending);
    this.end(pending);
    if (ts === undefined) return this.ports.dispatch({ type: "discard", log, id: pending.id });
    this.ports.dispatch({ type: "send_status", log, id: pending.id, status: "sent", ts });
    const watch = () =>
      this.ports.world.after(ECHO_MS, () => {
        if (this.stopped || this.pendingOf(pending) === undefined) return;
        if (this.ports.online()) this.ports.dispatch({ type: "discard", log, id: pending.id });
        else watch();
      });
    if (this.pendingOf(pending) !== undefined) watch();
  }

  private end(pending: Pending): void {
    this.sending.delete(pending.id);
    const { [pending.id]: list = [], ...others } = this.lists.get();
    for (const it of list) if (it.preview !== undefined && !previews.has(it.fileId)) URL.revokeObjectURL(it.preview);
    this.lists.set(others);
    this.keep();
    this.pump();
  }

  private pendingOf(pending: Pending): Pending | undefined {
    return this.ports.state().pending[keyOf(pending)]?.find((it) => it.id === pending.id);
  }

  // --- Bytes --------------------------------------------------------------------------------------

  private pump(): void {
    if (this.stopped) return;
    for (const [owner, list] of Object.entries(this.lists.get())) {
      for (const it of list) {
        if (this.running.size >= AT_ONCE) return;
        if (it.status === "waiting" && !this.running.has(it.id)) void this.run(owner, it);
      }
    }
  }

  private async run(began: string, { id, file, name }: Attachment): Promise<void> {
    const abort = new AbortController();
    this.running.set(id, abort);
    // It may be sent meanwhile, and belong to the message then.
    const owner = () => Object.entries(this.lists.get()).find(([, list]) => list.some((it) => it.id === id))?.[0] ?? began;
    const tell = (fields: Partial<Attachment>) => {
      if (!abort.signal.aborted) this.edit(owner(), id, fields);
    };
    tell({ status: "uploading", sent: 0 });
    try {
      const fileId = await this.upload(file!, name, (sent) => tell({ sent }), abort.signal);
      tell({ status: "uploaded", sent: file!.size, fileId });
    } catch (thrown) {
      const failure = failureOf(thrown);
      tell({ status: "failed", sent: 0, error: failure.kind === "refused" ? failure.error : "no_answer" });
      // The network may be back already: nobody tells then.
      if (failure.kind !== "refused") this.ports.world.after(failure.kind === "later" ? failure.afterMs : AGAIN_MS, () => this.ports.online() && !this.stopped && this.of(owner()).find((it) => it.id === id)?.error === "no_answer" && this.restart(owner(), id));
    }
    if (this.running.get(id) === abort) this.running.delete(id);
    this.pump();
  }

  private async upload(file: File, name: string, progress: (bytes: number) => void, signal: AbortSignal): Promise<string> {
    if (file.size === 0) throw new CallError({ kind: "refused", error: "file_empty" });
    // It may have been moved or changed since it was chosen, or is a folder.
    await file
      .slice(0, 1)
      .arrayBuffer()
      .catch(() => {
        throw new CallError({ kind: "refused", error: "file_changed" });
      });
    const { upload_url, file_id } = await this.ports.call<Envelope & { upload_url: string; file_id: string }>("files.getUploadURLExternal", { filename: name, length: file.size });
    const path = ownPath(upload_url);
    if (path === undefined || signal.aborted) throw new CallError({ kind: "unknown", error: "no_answer" });
    await this.ports.post(path, file, progress, signal);
    return file_id;
  }

  // --- Inside -------------------------------------------------------------------------------------

  private put(owner: string, list: readonly Attachment[]): void {
    const { [owner]: _, ...others } = this.lists.get();
    this.lists.set(list.length === 0 && !this.sending.has(owner) ? others : { ...others, [owner]: list });
  }

  private edit(owner: string, id: string, fields: Partial<Attachment>): void {
    if (this.of(owner).some((it) => it.id === id)) this.put(owner, this.of(owner).map((it) => (it.id === id ? { ...it, ...fields } : it)));
  }

  /** Until something of the files is another. */
  private changed(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        unsubscribe();
        this.wakes.delete(wake);
        resolve();
      };
      const unsubscribe = this.lists.subscribe(wake);
      this.wakes.add(wake);
    });
  }

  /** Waits, or until `kick`. */
  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.wakes.delete(wake);
        cancel();
        resolve();
      };
      const cancel = this.ports.world.after(ms, wake);
      this.wakes.add(wake);
    });
  }

  private storageKey(): string {
    return `parlance.files.${this.ports.state().self?.id ?? ""}`;
  }

  private keep(): void {
    const lists = Object.entries(this.lists.get()).filter(([, list]) => list.length > 0);
    const left: Left = { lists: Object.fromEntries(lists.map(([owner, list]) => [owner, list.map(({ name, alt, size, mime }) => ({ name, alt, size, mime }))])), sending: [...this.sending.values()] };
    if (lists.length === 0 && left.sending.length === 0) this.ports.storage.removeItem(this.storageKey());
    else this.ports.storage.setItem(this.storageKey(), JSON.stringify(left));
  }
}

function fresh({ fileId: _f, error: _e, ...it }: Attachment): Attachment {
  return { ...it, status: "waiting", sent: 0 };
}

function keyOf(pending: Pending): LogKey {
  return pending.thread === undefined ? pending.channel : `${pending.channel}/${pending.thread}`;
}

/** The message that has a file, in the conversation and thread that it was sent to: the newest one. */
function tsIn(file: SharedFile, { channel, thread }: Pending): Ts | undefined {
  return placesOf(file)
    .filter((it) => it.channel === channel && it.thread === thread)
    .map((it) => it.ts)
    .at(-1);
}

/** Pictures from the clipboard have no name of their own. */
function pastedName(mime: string, now: number, i: number): string {
  const at = new Date(now - new Date(now).getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".");
  const extension = /^image\/(png|jpeg|gif|webp)$/.exec(mime)?.[1] ?? "";
  return `Pasted ${at}${i > 0 ? ` ${i + 1}` : ""}${extension === "" ? "" : `.${extension.replace("jpeg", "jpg")}`}`;
}
