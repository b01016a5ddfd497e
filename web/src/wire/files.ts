import type { Ts } from "./types";

/** A file, with the members of Slack's file object that this client reads. A deleted one has its id and `mode` only. */
export interface SharedFile {
  id: string;
  /** `tombstone`: it was deleted. `snippet`: a text that somebody wrote for it. */
  mode?: string;
  name?: string;
  title?: string;
  mimetype?: string;
  filetype?: string;
  pretty_type?: string;
  user?: string;
  /** Seconds since 1970. */
  created?: number;
  /** Bytes. */
  size?: number;
  url_private?: string;
  url_private_download?: string;
  permalink?: string;
  alt_txt?: string;
  /** `audio`, `video`, `unknown`. */
  media_display_type?: string;
  thumb_160?: string;
  thumb_360?: string;
  thumb_360_w?: number;
  thumb_480?: string;
  thumb_480_w?: number;
  thumb_720?: string;
  thumb_720_w?: number;
  thumb_960?: string;
  thumb_960_w?: number;
  thumb_1024?: string;
  thumb_1024_w?: number;
  original_w?: number;
  original_h?: number;
  /** The first lines of a text. */
  preview?: string;
  /** The messages that have it and that the reader may see, by channel; not inside of a message. */
  shares?: Partial<Record<"public" | "private", Record<string, { ts: Ts; thread_ts?: Ts }[]>>>;
}

/** A place of a file: the message that has it. */
export interface FilePlace {
  channel: string;
  ts: Ts;
  thread?: Ts;
}

/** The messages that have a file. */
export function placesOf(file: SharedFile): FilePlace[] {
  return Object.values(file.shares ?? {}).flatMap((channels) =>
    Object.entries(channels).flatMap(([channel, shares]) => shares.map(({ ts, thread_ts }) => ({ channel, ts, ...(thread_ts === undefined ? {} : { thread: thread_ts }) }))),
  );
}

/** Deleted: there was one. */
export function isDeleted(file: SharedFile): boolean {
  return file.mode === "tombstone" || file.url_private === undefined;
}

/**
 * The address of something of a file within this origin. The server writes the one under which it is known, and somebody may have
 * come by another; the path is the same, and only of the own origin does the page's policy allow anything.
 */
export function ownPath(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url, "http://own")) return undefined;
  const { pathname, search } = new URL(url, "http://own");
  return pathname.startsWith("/files/") ? pathname + search : undefined;
}
