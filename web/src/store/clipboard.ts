import { t } from "../strings";
import { notify } from "./notice";

/** Copies a text and says so. */
export async function copyText(text: string, done = t.places.copied): Promise<void> {
  if (await toClipboard(text)) notify(done);
}

/** Copies a text, for who shows that it is done. A browser may refuse it, and does where the page came without TLS: that is said. */
export async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    notify(t.places.copyFailed);
    return false;
  }
}
