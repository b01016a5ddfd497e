/**
 * The socket to the server: connects, says where it stands, notices by its own heartbeat when the
 * network died without telling, and comes back. It does not know what frames mean, except those that
 * are about the connection itself.
 */
import { SIGNED_OUT_ERRORS, failureOf } from "../wire/api";
import type { Call } from "../wire/api";
import type { Envelope, GoodbyeFrame, HelloFrame, PongFrame, Position, TopicFrames, TopicId, WireEvent } from "../wire/types";
import { fullJitterMs } from "./ports";
import type { SocketLike, World } from "./ports";

/** How the connection is. */
export type LinkState =
  | { phase: "connecting"; attempt: number }
  | { phase: "online" }
  /** Tries again at `retryAt`, milliseconds since 1970. */
  | { phase: "waiting"; attempt: number; retryAt: number }
  /** Does not try again by itself. */
  | { phase: "stopped"; reason: "signed_out" | "refused" };

/** What a session needs of a connection; `Link` is one, `Tabs` shares one among windows. */
export interface Line {
  start(): void;
  stop(reason: "signed_out" | "refused"): void;
  probe(): void;
  pull(t: TopicId, g: number, s: number): void;
  typing(channel: string, thread: string | undefined): void;
  watchPresence(users: readonly string[]): void;
  tickle(): void;
}

export interface LinkHandlers {
  /** Whose connection it is; false: somebody else's than expected. */
  greeted?(frame: HelloFrame): boolean;
  /** The positions to resume from. */
  positions(): Record<TopicId, Position>;
  connected(): void;
  frame(frame: TopicFrames | WireEvent): void;
  state(state: LinkState): void;
}

/** From the opening of the socket to `hello`, milliseconds. */
const HELLO_TIMEOUT_MS = 10_000;
/** A ticket is given in this time or never, milliseconds. */
const TICKET_TIMEOUT_MS = 5_000;
/**
 * After a request for a ticket that nobody answered so many are made at once: a browser keeps
 * connections for reuse, and those of a network that died in silence swallow one request each.
 */
const TICKETS_AFTER_SILENCE = 3;
/** A ping that was asked for because something looks wrong is answered in this time, or the link is dead. */
const PROBE_TIMEOUT_MS = 4_000;
const RETRY_BASE_MS = 1_000;
const RETRY_CAP_MS = 30_000;
/** One typing frame in this time per conversation; the server passes on no more. */
const TYPING_EVERY_MS = 3_000;

export class Link implements Line {
  private state: LinkState = { phase: "connecting", attempt: 0 };
  private socket: SocketLike | undefined;
  private attempt = 0;
  /** Grows with each connection: what belongs to an earlier one is ignored. */
  private turn = 0;
  /** The last request for a ticket got no answer at all. */
  private silence = false;
  private heartbeatMs = 15_000;
  private pingId = 0;
  private awaited: number | undefined;
  private cancelTimer: () => void = () => {};
  private cancelBeat: () => void = () => {};
  private readonly typed = new Map<string, number>();
  private watched: readonly string[] = [];

  constructor(
    private readonly world: World,
    private readonly call: Call,
    private readonly handlers: LinkHandlers,
  ) {}

  /** Connects; also at once when it was waiting. */
  start(): void {
    if (this.socket !== undefined) return;
    void this.connect();
  }

  /** Closes for good. */
  stop(reason: "signed_out" | "refused"): void {
    this.drop();
    this.turn++;
    this.become({ phase: "stopped", reason });
  }

  /** Closes for now; `start` connects again. */
  pause(): void {
    this.drop();
    this.turn++;
    this.become({ phase: "connecting", attempt: 0 });
  }

  /** The network may be back, or gone: find out now rather than at the next beat. */
  probe(): void {
    if (this.state.phase === "waiting") void this.connect();
    else if (this.state.phase === "online" && this.awaited === undefined) this.ping(PROBE_TIMEOUT_MS);
  }

  pull(t: TopicId, g: number, s: number): void {
    if (this.state.phase === "online") this.send({ type: "pull", t, g, s });
  }

  /** Tells others that the person types; sent now and then only. */
  typing(channel: string, thread: string | undefined): void {
    const key = `${channel}/${thread ?? ""}`;
    const now = this.world.now();
    if (this.state.phase !== "online" || now - (this.typed.get(key) ?? 0) < TYPING_EVERY_MS) return;
    this.typed.set(key, now);
    this.send({ type: "typing", channel, ...(thread === undefined ? {} : { thread_ts: thread }) });
  }

  /** Watches the presence of these people and no others, now and after each break. */
  watchPresence(users: readonly string[]): void {
    this.watched = users;
    if (this.state.phase === "online") this.subscribe();
  }

  /** The person does something: they are there. */
  tickle(): void {
    if (this.state.phase === "online") this.send({ type: "tickle" });
  }

  private subscribe(): void {
    this.send({ type: "presence_sub", ids: this.watched });
  }

  private async connect(): Promise<void> {
    this.drop();
    const turn = ++this.turn;
    this.become({ phase: "connecting", attempt: this.attempt });
    let url: string;
    try {
      url = await this.ticket();
      this.silence = false;
    } catch (thrown) {
      if (turn !== this.turn) return;
      const failure = failureOf(thrown);
      this.silence = failure.kind === "unknown";
      if (failure.kind === "refused" && SIGNED_OUT_ERRORS.has(failure.error)) return this.stop("signed_out");
      return this.retry(failure.kind === "later" ? failure.afterMs : undefined);
    }
    if (turn !== this.turn) return;
    const socket = this.world.openSocket(url);
    this.socket = socket;
    this.cancelTimer = this.world.after(HELLO_TIMEOUT_MS, () => this.retry());
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = (event) => this.closed(event.code);
    socket.onerror = () => {};
  }

  private async ticket(): Promise<string> {
    const ask = () => this.call<Envelope & { url: string }>("/realtime/v1/connect", {}, TICKET_TIMEOUT_MS);
    const asked = Array.from({ length: this.silence ? TICKETS_AFTER_SILENCE : 1 }, ask);
    try {
      return (await Promise.any(asked)).url;
    } catch (thrown) {
      throw (thrown as AggregateError).errors[0];
    }
  }

  private receive(data: unknown): void {
    const frame = JSON.parse(String(data)) as { type: string };
    switch (frame.type) {
      case "hello":
        return this.hello(frame as HelloFrame);
      case "pong":
        if ((frame as PongFrame).reply_to === this.awaited) {
          this.awaited = undefined;
          this.attempt = 0;
          this.beat();
        }
        return;
      case "goodbye":
        return this.retry((frame as GoodbyeFrame).reconnect_ms ?? 0);
      default:
        return this.handlers.frame(frame as TopicFrames | WireEvent);
    }
  }

  private hello(frame: HelloFrame): void {
    this.cancelTimer();
    this.heartbeatMs = frame.heartbeat_ms;
    if (this.handlers.greeted?.(frame) === false) return this.stop("signed_out");
    this.handlers.connected();
    this.send({ type: "resume", positions: this.handlers.positions() });
    this.become({ phase: "online" });
    if (this.watched.length > 0) this.subscribe();
    this.ping(this.heartbeatMs);
  }

  /** The next ping comes one heartbeat after the last answer. */
  private beat(): void {
    this.cancelBeat();
    this.cancelBeat = this.world.after(this.heartbeatMs, () => this.ping(this.heartbeatMs));
  }

  private ping(answerMs: number): void {
    this.cancelBeat();
    this.awaited = ++this.pingId;
    this.send({ type: "ping", id: this.pingId });
    this.cancelBeat = this.world.after(answerMs, () => this.retry(0));
  }

  private closed(code: number): void {
    if (code === 4500) return this.stop("signed_out");
    if (code === 4501 || code === 4502) return this.stop("refused");
    this.retry();
  }

  /** Comes back after `afterMs`, or after a random wait that grows with each failure. */
  private retry(afterMs?: number): void {
    this.drop();
    this.turn++;
    const wait = afterMs ?? fullJitterMs(this.attempt, RETRY_BASE_MS, RETRY_CAP_MS, this.world.random());
    this.attempt++;
    this.become({ phase: "waiting", attempt: this.attempt, retryAt: this.world.now() + wait });
    this.cancelTimer = this.world.after(wait, () => void this.connect());
  }

  private drop(): void {
    this.cancelTimer();
    this.cancelBeat();
    this.awaited = undefined;
    const socket = this.socket;
    this.socket = undefined;
    if (socket === undefined) return;
    socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
  }

  private send(frame: object): void {
    this.socket?.send(JSON.stringify(frame));
  }

  private become(state: LinkState): void {
    this.state = state;
    this.handlers.state(state);
  }
}
