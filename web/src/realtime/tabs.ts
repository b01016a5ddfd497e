/**
 * The windows of one browser share one connection. The one that holds a lock leads: it has the socket and
 * passes on every frame; the others apply the same frames to states of their own and send what they want
 * to say through it. When it goes, the lock goes to another, which resumes from its own positions: what
 * that repeats is known by its position, what a window lacks it pulls. So nothing depends on the moment.
 */
import type { Position, TopicFrames, TopicId, WireEvent } from "../wire/types";
import type { Input } from "./apply";
import type { Line, Link, LinkHandlers, LinkState } from "./link";
import { uuid } from "./ports";
import type { World } from "./ports";
import { WATCHED_MAX } from "./presence";

/** What windows say to each other. */
type Note =
  /** From the leader. */
  | { kind: "frame"; frame: TopicFrames | WireEvent }
  | { kind: "connected" }
  | { kind: "link"; state: LinkState; positions: Record<TopicId, Position> }
  /** To the leader. */
  | { kind: "join" }
  | { kind: "pull"; t: TopicId; g: number; s: number }
  | { kind: "typing"; channel: string; thread: string | undefined }
  | { kind: "probe" }
  | { kind: "tickle" }
  | { kind: "watch"; from: string; users: readonly string[] }
  /** Whether there is a leader that can answer. */
  | { kind: "ask"; id: number }
  | { kind: "here"; id: number }
  /** From anybody: one's own message, queued or decided. */
  | { kind: "own"; input: Input };

/** What the browser has for it; without these each window has a connection of its own. */
export interface TabPorts {
  locks: LockManager;
  channel: BroadcastChannel;
}

export interface TabHandlers extends LinkHandlers {
  /** This window has the connection from now on, or not any more. */
  leads(leads: boolean): void;
  /** One's own message, from another window. */
  own(input: Input): void;
}

/** A leader that does not answer in this time is frozen, milliseconds. */
const ANSWER_MS = 1_000;
/** A window that somebody looks at asks this often, milliseconds. */
const ASK_EVERY_MS = 2_500;

export class Tabs implements Line {
  private readonly link: Link;
  private readonly id = uuid();
  /** Whom each window watches, as far as they said. */
  private readonly watched = new Map<string, readonly string[]>();
  private leading = false;
  private stopped = false;
  private release: (() => void) | undefined;
  private waiting: AbortController | undefined;
  private askId = 0;
  private cancelAnswer: (() => void) | undefined;
  private cancelAsk: (() => void) | undefined;
  private state: LinkState = { phase: "connecting", attempt: 0 };
  /** The pull of each topic that is under way, and from where another one was asked for meanwhile. */
  private readonly pulls = new Map<TopicId, { g: number; s: number } | undefined>();

  constructor(
    private readonly name: string,
    private readonly ports: TabPorts | undefined,
    private readonly world: World,
    private readonly handlers: TabHandlers,
    makeLink: (handlers: LinkHandlers) => Link,
  ) {
    this.link = makeLink({
      ...(handlers.greeted === undefined ? {} : { greeted: handlers.greeted }),
      positions: () => handlers.positions(),
      connected: () => {
        this.pulls.clear();
        this.say({ kind: "connected" });
        handlers.connected();
      },
      frame: (frame) => {
        this.say({ kind: "frame", frame });
        handlers.frame(frame);
        this.pulled(frame);
      },
      state: (state) => {
        if (!this.leading) return;
        this.state = state;
        this.tell();
        handlers.state(state);
      },
    });
    if (ports !== undefined) ports.channel.onmessage = (event: MessageEvent<Note>) => this.hear(event.data);
  }

  start(): void {
    if (this.stopped) return;
    if (this.ports === undefined) return this.lead();
    this.say({ kind: "join" });
    this.queue(false);
    this.ask();
  }

  stop(reason: "signed_out" | "refused"): void {
    if (this.stopped) return;
    this.stopped = true;
    const led = this.leading;
    this.link.stop(reason);
    if (!led) this.handlers.state({ phase: "stopped", reason });
    this.leave();
    this.ports?.channel.close();
  }

  /** The window is about to be frozen: somebody else has to listen. */
  freeze(): void {
    if (this.ports === undefined || this.stopped) return;
    this.leave();
    this.become({ phase: "connecting", attempt: 0 });
  }

  /** It runs again. */
  thaw(): void {
    if (this.ports === undefined || this.stopped || this.leading || this.waiting !== undefined) return;
    this.start();
  }

  probe(): void {
    if (this.leading) this.link.probe();
    else {
      this.say({ kind: "probe" });
      this.ask();
    }
  }

  pull(t: TopicId, g: number, s: number): void {
    if (!this.leading) return this.say({ kind: "pull", t, g, s });
    const other = this.pulls.get(t);
    if (!this.pulls.has(t)) {
      this.pulls.set(t, undefined);
      this.link.pull(t, g, s);
    } else if (other === undefined || other.g !== g || s < other.s) this.pulls.set(t, { g, s });
  }

  typing(channel: string, thread: string | undefined): void {
    if (this.leading) this.link.typing(channel, thread);
    else this.say({ kind: "typing", channel, thread });
  }

  /** Watches the presence of these people; those whom other windows watch are watched, too. */
  watchPresence(users: readonly string[]): void {
    this.watched.set(this.id, users);
    if (this.leading) this.link.watchPresence([...new Set([...this.watched.values()].flat())].slice(-WATCHED_MAX));
    else this.say({ kind: "watch", from: this.id, users });
  }

  tickle(): void {
    if (this.leading) this.link.tickle();
    else this.say({ kind: "tickle" });
  }

  /** Tells the other windows what became of one's own message. */
  share(input: Input): void {
    this.say({ kind: "own", input });
  }

  private lead(): void {
    this.leading = true;
    this.cancelAnswer?.();
    this.cancelAsk?.();
    this.handlers.leads(true);
    this.watchPresence(this.watched.get(this.id) ?? []);
    this.link.start();
  }

  private leave(): void {
    this.cancelAnswer?.();
    this.cancelAsk?.();
    this.waiting?.abort();
    this.waiting = undefined;
    if (this.leading) {
      this.leading = false;
      if (!this.stopped) this.link.pause();
      this.handlers.leads(false);
    }
    this.release?.();
    this.release = undefined;
  }

  /** Waits for the lock, or takes it from a leader that does not answer. */
  private queue(steal: boolean): void {
    const { locks } = this.ports!;
    this.waiting?.abort();
    const abort = new AbortController();
    this.waiting = abort;
    const hold = () => {
      if (abort.signal.aborted) return undefined;
      return new Promise<void>((resolve) => {
        this.release = resolve;
        this.lead();
      });
    };
    const asked = steal ? locks.request(this.name, { steal: true }, hold) : locks.request(this.name, { signal: abort.signal }, hold);
    asked.catch(() => {
      // Given up, or taken by another window while this one slept.
      if (this.waiting !== abort) return;
      this.leave();
      if (!this.stopped) this.start();
    });
  }

  /** Makes sure, while somebody looks at this window, that its leader is awake. */
  private ask(): void {
    if (this.leading || this.stopped || this.cancelAnswer !== undefined) return;
    const again = () => {
      this.cancelAsk?.();
      this.cancelAsk = this.world.after(ASK_EVERY_MS, () => this.ask());
    };
    if (typeof document !== "undefined" && document.hidden) return again();
    this.say({ kind: "ask", id: ++this.askId });
    this.cancelAnswer = this.world.after(ANSWER_MS, () => {
      this.cancelAnswer = undefined;
      if (this.leading || this.stopped) return;
      this.queue(true);
    });
    again();
  }

  /** The next pull of a topic goes out when the one before is answered. */
  private pulled(frame: TopicFrames | WireEvent): void {
    if (frame.type !== "_live" && frame.type !== "_reset" && frame.type !== "_gone") return;
    const { t } = frame as { t: TopicId };
    const next = this.pulls.get(t);
    this.pulls.delete(t);
    if (next !== undefined && frame.type === "_live") this.pull(t, next.g, next.s);
  }

  private hear(note: Note): void {
    if (this.stopped) return;
    if (note.kind === "own") return this.handlers.own(note.input);
    if (this.leading) return this.serve(note);
    switch (note.kind) {
      case "frame":
        return this.handlers.frame(note.frame);
      case "connected":
        return this.handlers.connected();
      case "here":
        if (note.id !== this.askId) return;
        this.cancelAnswer?.();
        this.cancelAnswer = undefined;
        return;
      case "link":
        // What the leader has and this window lacks is pulled.
        for (const [t, [g, s]] of Object.entries(note.positions)) this.handlers.frame({ type: "_head", t, g, s });
        this.become(note.state);
        // A new leader does not know whom this window watches.
        if (note.state.phase === "online" && this.watched.has(this.id)) this.watchPresence(this.watched.get(this.id)!);
        return;
    }
  }

  private serve(note: Note): void {
    switch (note.kind) {
      case "join":
        return this.tell();
      case "ask":
        return this.say({ kind: "here", id: note.id });
      case "pull":
        return this.pull(note.t, note.g, note.s);
      case "typing":
        return this.link.typing(note.channel, note.thread);
      case "probe":
        return this.link.probe();
      case "tickle":
        return this.link.tickle();
      case "watch":
        this.watched.set(note.from, note.users);
        return this.watchPresence(this.watched.get(this.id) ?? []);
    }
  }

  private tell(): void {
    this.say({ kind: "link", state: this.state, positions: this.state.phase === "online" ? this.handlers.positions() : {} });
  }

  private become(state: LinkState): void {
    this.state = state;
    this.handlers.state(state);
  }

  private say(note: Note): void {
    if (!this.stopped) this.ports?.channel.postMessage(note);
  }
}

/** What this browser has; only a secure page gets locks. */
export function browserTabs(name: string): TabPorts | undefined {
  if (typeof navigator === "undefined" || navigator.locks === undefined || typeof BroadcastChannel === "undefined") return undefined;
  return { locks: navigator.locks, channel: new BroadcastChannel(name) };
}
