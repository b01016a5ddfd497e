/** Which thumbnail of a picture is shown, and how large its box is before it comes. */
import type { SharedFile } from "../wire/files";
import { ownPath } from "../wire/files";
import { previews, sizeOf } from "./previews";

/** Largest picture in a message, pixels. */
export const WIDTH_MAX = 420;
export const HEIGHT_MAX = 320;
/** Height of the pictures of a group, pixels. */
const ROW_HEIGHT = 168;
const ROW_WIDTH_MAX = 300;
/** No picture is thinner than this, pixels. */
const EDGE_MIN = 48;
/** The server makes thumbnails within this time, or never, seconds. */
const MAKING_S = 120;

export interface Box {
  width: number;
  height: number;
}

/** Pixels of a picture; undefined while nobody knows. */
export function pixelsOf(file: SharedFile): Box | undefined {
  if (file.original_w && file.original_h) return { width: file.original_w, height: file.original_h };
  const own = previews.of(file.id);
  return own === undefined ? undefined : sizeOf(own);
}

/** Its box in a message: of its own ratio, alone or in a row with others. A ratio beyond reason is cut. */
export function boxOf(file: SharedFile, alone: boolean): Box {
  const pixels = pixelsOf(file) ?? { width: 320, height: 240 };
  if (!alone) return { width: clamp((pixels.width / pixels.height) * ROW_HEIGHT, EDGE_MIN * 2, ROW_WIDTH_MAX), height: ROW_HEIGHT };
  const scale = Math.min(1, WIDTH_MAX / pixels.width, HEIGHT_MAX / pixels.height);
  return { width: clamp(pixels.width * scale, EDGE_MIN, WIDTH_MAX), height: clamp(pixels.height * scale, EDGE_MIN, HEIGHT_MAX) };
}

function clamp(value: number, min: number, max: number): number {
  return Math.round(Math.min(max, Math.max(min, value)));
}

export interface Source {
  src: string;
  srcSet?: string;
}

/** Thumbnails by width, so that a dense screen gets a larger one; the picture itself where there are none but it is small. */
export function sourceOf(file: SharedFile): Source | undefined {
  const own = previews.of(file.id);
  if (own !== undefined) return { src: own };
  const thumbs = ([360, 480, 720, 960, 1024] as const).flatMap((edge) => {
    const path = ownPath(file[`thumb_${edge}`]);
    const width = file[`thumb_${edge}_w`];
    return path === undefined || !width ? [] : [{ path, width }];
  });
  if (thumbs.length > 0) return { src: thumbs[0]!.path, srcSet: thumbs.map(({ path, width }) => `${path} ${width}w`).join(", ") };
  // A picture that is smaller than a thumbnail.
  const itself = ownPath(file.url_private);
  return file.original_w && itself !== undefined ? { src: itself } : undefined;
}

/** Its thumbnails may still come. */
export function isBeingMade(file: SharedFile, now: number): boolean {
  return now / 1000 - (file.created ?? 0) < MAKING_S;
}
