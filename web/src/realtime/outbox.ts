/**
 * One's own messages on their way. Each has a `client_msg_id` for life, so it may be sent as often as
 * it takes: the server posts it once. Per conversation one at a time, so that they keep their order.
 */
import { failureOf } from "../wire/api";
import type { Call } from "../wire/api";
import type { Envelope, Ts } from "../wire/types";
import type { Input } from "./apply";
import { fullJitterMs } from "./ports";
import type { World } from "./ports";
import { logKey } from "./state";
import type { LogKey, Pending, State } from "./state";

/**
 * Without an answer, while the server is reachable, for so many tries and so long: then the person is asked.
 * Both, because a refused connection fails at once, and six of those say no more than one.
 */
const TRIES_MAX = 6;
const TRIES_MIN_MS = 30_000;
const RETRY_BASE_MS = 500;
const RETRY_CAP_MS = 15_000;
/** What was answered and did not arrive in this time was deleted by somebody meanwhile. */
const ECHO_MS = 30_000;

export interface OutboxPorts {
  world: World;
  call: Call;
  state(): State;
  dispatch(input: Input): void;
  /** This window sends for all windows of the browser. */
  active(): boolean;
  /** The server is reachable, as far as the browser and the socket know. */
  online(): boolean;
  /** A call got no answer: the link may be dead too. */
  suspect(): void;
  /** Keeps a message that is not sent yet across a reload, and forgets one that is. */
  save(pending: Pending): void;
  remove(id: string): void;
}

export class Outbox {
  private readonly working = new Set<LogKey>();
  private readonly waiting = new Set<() => void>();
  private readonly watched = new Set<string>();
  private stopped = false;

  constructor(private readonly ports: OutboxPorts) {}

  /** Goes on with what an earlier page, or another window, left behind. */
  start(left: readonly Pending[]): void {
    for (const pending of left) {
      this.ports.dispatch({ type: "send", pending: pending.status === "failed" ? pending : { ...pending, status: "sending" } });
    }
    this.resume();
  }

  /** Something may have come to be sent, or this window sends from now on. */
  resume(): void {
    for (const [key, list] of Object.entries(this.ports.state().pending)) {
      this.pump(key);
      for (const it of list) if (it.status === "sent") this.watch(key, it.id);
    }
  }

  stop(): void {
    this.stopped = true;
    this.kick();
  }

  send(pending: Pending): void {
    this.ports.dispatch({ type: "send", pending });
    this.ports.save(pending);
    this.pump(logKey(pending.channel, pending.thread));
  }

  /** Sends a failed message again, under its own id. */
  retry(key: LogKey, id: string): void {
    this.ports.dispatch({ type: "send_status", log: key, id, status: "sending" });
    this.keep(key, id);
    this.pump(key);
  }

  discard(key: LogKey, id: string): void {
    this.ports.dispatch({ type: "discard", log: key, id });
    this.ports.remove(id);
  }

  /** The network is back: do not wait for the next turn. */
  kick(): void {
    for (const wake of [...this.waiting]) wake();
  }

  private pump(key: LogKey): void {
    if (this.working.has(key)) return;
    if (!this.ports.active()) return this.wait(key);
    this.working.add(key);
    void this.work(key);
  }

  /** Another window sends; but who is offline knows that it does not happen now. */
  private wait(key: LogKey): void {
    if (this.ports.online()) return;
    for (const it of this.ports.state().pending[key] ?? []) {
      if (it.status === "sending") this.ports.dispatch({ type: "send_status", log: key, id: it.id, status: "waiting" });
    }
  }

  private async work(key: LogKey): Promise<void> {
    for (;;) {
      const next = this.ports.state().pending[key]?.find((it) => it.status === "sending" || it.status === "waiting");
      if (next === undefined || this.stopped || !this.ports.active()) {
        // In the same step in which nothing was found: what is added from now on starts the work anew.
        this.working.delete(key);
        return;
      }
      await this.deliver(key, next);
    }
  }

  private async deliver(key: LogKey, it: Pending): Promise<void> {
    const { world, dispatch, online } = this.ports;
    let counted = 0;
    let since = world.now();
    for (let attempt = 0; !this.stopped && this.ports.active() && this.exists(key, it.id); attempt++) {
      try {
        const answer = await this.ports.call<Envelope & { ts: Ts }>("chat.postMessage", {
          channel: it.channel,
          text: it.text,
          blocks: it.blocks === undefined ? undefined : JSON.stringify(it.blocks),
          thread_ts: it.thread,
          reply_broadcast: it.broadcast,
          client_msg_id: it.id,
        });
        dispatch({ type: "send_status", log: key, id: it.id, status: "sent", ts: answer.ts });
        this.ports.remove(it.id);
        this.watch(key, it.id);
        return;
      } catch (thrown) {
        const failure = failureOf(thrown);
        if (failure.kind === "refused") {
          dispatch({ type: "send_status", log: key, id: it.id, status: "failed", error: failure.error, refused: true });
          this.keep(key, it.id);
          return;
        }
        if (failure.kind === "unknown") {
          this.ports.suspect();
          if (!online()) [counted, since] = [0, world.now()];
          else if (++counted >= TRIES_MAX && world.now() - since >= TRIES_MIN_MS) {
            dispatch({ type: "send_status", log: key, id: it.id, status: "failed", error: failure.error, refused: false });
              this.keep(key, it.id);
            return;
          }
        }
        dispatch({ type: "send_status", log: key, id: it.id, status: "waiting" });
        const jitter = fullJitterMs(attempt, RETRY_BASE_MS, RETRY_CAP_MS, world.random());
        await this.pause(failure.kind === "later" ? failure.afterMs : jitter);
      }
    }
  }

  /** Waits, or until `kick`. */
  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.waiting.delete(wake);
        cancel();
        resolve();
      };
      const cancel = this.ports.world.after(ms, wake);
      this.waiting.add(wake);
    });
  }

  private watch(key: LogKey, id: string): void {
    if (this.watched.has(id) || !this.ports.active()) return;
    this.watched.add(id);
    this.ports.world.after(ECHO_MS, () => {
      this.watched.delete(id);
      if (this.stopped || !this.exists(key, id)) return;
      if (this.ports.online()) this.discard(key, id);
      else this.watch(key, id);
    });
  }

  private exists(key: LogKey, id: string): boolean {
    return this.ports.state().pending[key]?.some((it) => it.id === id) ?? false;
  }

  private keep(key: LogKey, id: string): void {
    const pending = this.ports.state().pending[key]?.find((it) => it.id === id);
    if (pending !== undefined) this.ports.save(pending);
  }
}
