/** Pictures of this device whose upload is done: shown until the page is closed, so that nothing flickers when the server has them. */
const KEPT_MAX = 40;
const kept = new Map<string, string>();

export const previews = {
  keep(fileId: string, url: string): void {
    kept.set(fileId, url);
    for (const [oldest, old] of kept) {
      if (kept.size <= KEPT_MAX) break;
      kept.delete(oldest);
      URL.revokeObjectURL(old);
      sizes.delete(old);
    }
  },
  has(fileId: string | undefined): boolean {
    return fileId !== undefined && kept.has(fileId);
  },
  of(fileId: string): string | undefined {
    return kept.get(fileId);
  },
};

/** Pixels of pictures by their address. */
const sizes = new Map<string, { width: number; height: number }>();

export function sizeOf(url: string): { width: number; height: number } | undefined {
  return sizes.get(url);
}

/** Learns how large a picture is; what is no picture has no size. */
export async function measure(url: string): Promise<void> {
  if (typeof Image === "undefined") return;
  const image = new Image();
  image.src = url;
  await image.decode().catch(() => {});
  if (image.naturalWidth > 0) sizes.set(url, { width: image.naturalWidth, height: image.naturalHeight });
}
