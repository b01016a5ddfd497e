/** Whom this device watches: the people who are on screen, each as long as something shows them. */
import type { World } from "./ports";

/** People of one `presence_sub`; the server's limit. Beyond it those who were shown last are watched. */
export const WATCHED_MAX = 500;
/** Who appears and goes within this time is told to the server together, milliseconds. */
const TOGETHER_MS = 250;

export class PresenceWatch {
  private readonly shown = new Map<string, number>();
  private due = false;

  constructor(
    private readonly world: World,
    private readonly send: (users: string[]) => void,
  ) {}

  /** Watches somebody until the returned function is called. */
  watch(user: string): () => void {
    const before = this.shown.get(user) ?? 0;
    // Last in the map is who was shown last.
    this.shown.delete(user);
    this.shown.set(user, before + 1);
    if (before === 0) this.changed();
    let active = true;
    return () => {
      if (!active) return;
      active = false;
      const left = (this.shown.get(user) ?? 1) - 1;
      if (left > 0) {
        this.shown.set(user, left);
        return;
      }
      this.shown.delete(user);
      this.changed();
    };
  }

  private changed(): void {
    if (this.due) return;
    this.due = true;
    this.world.after(TOGETHER_MS, () => {
      this.due = false;
      this.send([...this.shown.keys()].slice(-WATCHED_MAX));
    });
  }
}
