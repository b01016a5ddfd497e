import { useState } from "react";
import type { User } from "../wire/types";
import { nameOf } from "../store/context";

/** A person's photo or, without one, their initials on a colour that is always theirs. */
export function Avatar({ user, name, size }: { user: User | undefined; name?: string; size: number }) {
  const title = name ?? nameOf(user);
  const { is_custom_image, image_48, image_72, image_192 } = user?.profile ?? {};
  const path = (url: string | undefined) => (is_custom_image === true ? photoPath(url) : undefined);
  const image = path(size > 72 ? (image_192 ?? image_72) : (image_72 ?? image_192));
  const small = path(image_48);
  // What does not come is no picture: the initials are always there.
  const [failed, setFailed] = useState("");
  return (
    <span className={size < 24 ? "avatar small" : "avatar"} style={{ "--size": `${size}px`, "--hue": hueOf(user?.id ?? title) } as React.CSSProperties} aria-hidden="true">
      {image !== undefined && image !== failed ? (
        <img src={size <= 24 ? (small ?? image) : image} srcSet={size <= 48 && small !== undefined ? `${small} 48w, ${image} 72w` : undefined} sizes={`${size}px`} alt="" width={size} height={size} onError={() => setFailed(image)} />
      ) : size < 24 ? initials(title).slice(0, 1) : initials(title)}
    </span>
  );
}

/** The address of a photo within this origin: the server writes the one under which it is known. */
function photoPath(url: string | undefined): string | undefined {
  if (url === undefined || url === "" || !URL.canParse(url, "http://own")) return undefined;
  const { protocol, pathname, search } = new URL(url, "http://own");
  return protocol === "data:" ? url : /^https?:$/.test(protocol) ? pathname + search : undefined;
}

/** First letters of the first and last word. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  // Not the quotes, brackets and marks of direction around a word.
  const initial = (word: string) => /[\p{L}\p{N}]/u.exec(word)?.[0] ?? "";
  const first = initial(words[0] ?? "") || "?";
  const last = words.length > 1 ? initial(words[words.length - 1]!) : "";
  return (first + last).toUpperCase();
}

/** One of eighteen hues. Ids are random, but their characters are few: the bits are mixed well (FNV-1a, then MurmurHash3's end). */
export function hueOf(id: string): number {
  let hash = 0x811c9dc5;
  for (const char of id) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (((hash ^ (hash >>> 16)) >>> 0) % 18) * 20 + 10;
}
