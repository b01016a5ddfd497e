/** What sort of file something is, and how its facts are written. */
import type { IconName } from "../components/Icon";
import type { SharedFile } from "../wire/files";

export type FileSort = "picture" | "video" | "audio" | "other";

/** Types that every browser draws and the server makes thumbnails of. */
const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
/** Larger pictures are not drawn before they are sent, bytes. */
const PREVIEW_MAX = 40 << 20;
/** Characters of a name. */
const NAME_MAX = 255;
/** Characters of its end that stay when it is cut: the type is there. */
const END = 12;

/** Characters that turn the direction of writing, and those that are none. */
// oxlint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

export function sortOf(file: SharedFile): FileSort {
  const mime = file.mimetype ?? "";
  if (PICTURES.has(mime)) return "picture";
  if (mime.startsWith("video/")) return "video";
  if (mime.startsWith("audio/")) return "audio";
  return "other";
}

export function isPreviewable(file: { type: string; size: number }): boolean {
  return PICTURES.has(file.type) && file.size <= PREVIEW_MAX;
}

/** A name of one line, without what makes it look like another. */
export function cleanName(name: string): string {
  const clean = name.replace(UNSEEN, "").replaceAll(/\s+/g, " ").trim();
  return clean.length <= NAME_MAX ? clean : `${clean.slice(0, NAME_MAX - END - 1)}…${clean.slice(-END)}`;
}

/** What a file is called: its title, otherwise its name. */
export function titleOfFile(file: SharedFile): string {
  return cleanName(file.title ?? "") || cleanName(file.name ?? "") || file.id;
}

/** A name in two parts, of which the second is never cut off: it says what it is. */
export function nameParts(name: string): [string, string] {
  const end = Math.max(0, name.length - END);
  return name.length <= 24 ? [name, ""] : [name.slice(0, end), name.slice(end)];
}

const UNITS = ["B", "KB", "MB", "GB", "TB"];

/** Bytes for people: `1.2 MB`. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toLocaleString(undefined, { maximumFractionDigits: unit > 0 && value < 9.95 ? 1 : 0 })} ${UNITS[unit]}`;
}

/** The end of a name after its dot, in capitals, if it is a short one. */
export function extensionOf(name: string): string {
  return /\.([a-z0-9]{1,5})$/i.exec(name)?.[1]?.toUpperCase() ?? "";
}

export function iconOf(mime: string): IconName {
  if (mime.startsWith("image/")) return "image";
  if (mime.startsWith("video/")) return "film";
  if (mime.startsWith("audio/")) return "music";
  return "file";
}
