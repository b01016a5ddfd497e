import { t } from "../strings";
import { notify } from "./notice";

/** Copies a text and says so; a browser may refuse it. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    notify(t.places.copied);
  } catch {
    notify(t.places.copyFailed);
  }
}
