import { useState } from "react";
import { signal, useSignal } from "../store/signal";
import { t } from "../strings";
import type { Picture } from "./blocks";

/** Largest picture in a message, pixels. */
const WIDTH_MAX = 420;
const HEIGHT_MAX = 320;
const ALLOWED = "parlance.images";

/** Sites from which this device shows pictures without asking. */
const allowed = signal<readonly string[]>(load());

function load(): readonly string[] {
  try {
    const hosts = JSON.parse(localStorage.getItem(ALLOWED) ?? "[]") as unknown;
    return Array.isArray(hosts) ? hosts.filter((host) => typeof host === "string") : [];
  } catch {
    return [];
  }
}

function allow(host: string): void {
  allowed.set([...new Set([...allowed.get(), host])]);
  localStorage.setItem(ALLOWED, JSON.stringify(allowed.get()));
}

/**
 * A picture that a message names. Its box has its size before it comes, so that nothing jumps. One of another
 * site is only fetched when the reader asks: the site learns who reads what.
 */
export function RemoteImage({ picture, small = false }: { picture: Picture; small?: boolean }) {
  const hosts = useSignal(allowed);
  const [asked, setAsked] = useState(false);
  const [failed, setFailed] = useState(false);
  const url = new URL(picture.url, location.href);
  const own = url.origin === location.origin;
  const box = boxOf(picture, small);
  const alt = picture.alt || t.content.imageAlt;
  if (failed) {
    return (
      <span className="picture failed" style={box} role="img" aria-label={alt}>
        {small ? "" : t.content.imageFailed}
      </span>
    );
  }
  if (own || asked || hosts.includes(url.host)) {
    return (
      <a className={small ? "picture small" : "picture"} style={box} href={url.href} target="_blank" rel="noopener noreferrer nofollow">
        <img src={url.href} alt={alt} referrerPolicy="no-referrer" loading="lazy" decoding="async" onError={() => setFailed(true)} />
      </a>
    );
  }
  // The page's policy has pictures of other sites by https only.
  if (url.protocol !== "https:") {
    return small ? (
      <span className="picture small" role="img" aria-label={alt} />
    ) : (
      <div className="picture asking" style={box}>
        <span className="picture-alt">{alt}</span>
        <a className="button small" href={url.href} target="_blank" rel="noopener noreferrer nofollow">
          {t.content.openOn(url.host)}
        </a>
      </div>
    );
  }
  if (small) {
    return (
      <button type="button" className="picture small asking" style={box} title={`${alt}. ${t.content.imageFrom(url.host)}`} aria-label={`${t.content.showImage}: ${alt}`} onClick={() => setAsked(true)}>
        <span aria-hidden="true">▦</span>
      </button>
    );
  }
  return (
    <div className="picture asking" style={box} title={t.content.imageFrom(url.host)}>
      <span className="picture-alt">{alt}</span>
      <span className="picture-buttons">
        <button type="button" className="button small" onClick={() => setAsked(true)}>
          {t.content.showImage}
        </button>
        <button type="button" className="button small plain" onClick={() => allow(url.host)}>
          {t.content.alwaysFrom(url.host)}
        </button>
      </span>
    </div>
  );
}

/** Its size, made to fit; the usual one when nobody told it. */
function boxOf({ width, height }: Picture, small: boolean): React.CSSProperties {
  if (small) return {};
  if (width === undefined || height === undefined) return { width: 320, height: 200 };
  const scale = Math.min(1, WIDTH_MAX / width, HEIGHT_MAX / height);
  return { width: Math.max(24, Math.round(width * scale)), aspectRatio: `${width} / ${height}` };
}
