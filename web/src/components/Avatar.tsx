import type { User } from "../wire/types";
import { nameOf } from "../store/context";

/** A person's picture or, without one, their initials on a colour that is always theirs. */
export function Avatar({ user, name, size }: { user: User | undefined; name?: string; size: number }) {
  const title = name ?? nameOf(user);
  const image = user?.profile?.image_72;
  return (
    <span className={size < 24 ? "avatar small" : "avatar"} style={{ "--size": `${size}px`, "--hue": hueOf(user?.id ?? title) } as React.CSSProperties} aria-hidden="true">
      {image && /^(\/|data:)/.test(image) ? <img src={image} alt="" width={size} height={size} /> : size < 24 ? initials(title).slice(0, 1) : initials(title)}
    </span>
  );
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
