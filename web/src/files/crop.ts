/** A square out of a picture: where it lies and how large it is shown. */

export interface Crop {
  /** Of the picture, in its own pixels: the corner of the square, and its edge. */
  x: number;
  y: number;
  edge: number;
}

export interface Size {
  width: number;
  height: number;
}

/** So much closer than the whole one can go. */
export const ZOOM_MAX = 4;

/** The largest square in the middle. */
export function middle({ width, height }: Size): Crop {
  const edge = Math.min(width, height);
  return { x: (width - edge) / 2, y: (height - edge) / 2, edge };
}

/** A square of that size or of another zoom (1: as large as there is), around the same middle, inside of the picture. */
export function zoomTo(crop: Crop, zoom: number, size: Size): Crop {
  const edge = Math.min(size.width, size.height) / Math.min(ZOOM_MAX, Math.max(1, zoom));
  return inside({ x: crop.x + (crop.edge - edge) / 2, y: crop.y + (crop.edge - edge) / 2, edge }, size);
}

/** Moved by so many of the picture's pixels, as far as it goes. */
export function shift(crop: Crop, dx: number, dy: number, size: Size): Crop {
  return inside({ ...crop, x: crop.x + dx, y: crop.y + dy }, size);
}

function inside(crop: Crop, { width, height }: Size): Crop {
  return { ...crop, x: Math.min(width - crop.edge, Math.max(0, crop.x)), y: Math.min(height - crop.edge, Math.max(0, crop.y)) };
}

/** Edge of a photo, pixels. */
const PHOTO_PX = 512;

/** The square as a picture of its own, without anything else that the file said. */
export async function cut(image: CanvasImageSource, crop: Crop): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = PHOTO_PX;
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("no canvas");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, crop.x, crop.y, crop.edge, crop.edge, 0, 0, PHOTO_PX, PHOTO_PX);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob === null ? reject(new Error("no picture")) : resolve(blob)), "image/png"));
}
