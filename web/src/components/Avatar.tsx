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
  const first = [...(words[0] ?? "?")][0] ?? "?";
  const last = words.length > 1 ? ([...words[words.length - 1]!][0] ?? "") : "";
  return (first + last).toUpperCase();
}

/** Twelve hues, so that two people are rarely almost the same. */
export function hueOf(id: string): number {
  let hash = 7;
  for (const char of id) hash = (hash * 31 + char.codePointAt(0)!) >>> 0;
  return (hash % 12) * 30 + 15;
}
