/** A world without time or chance, for tests of the link and the outbox. */
import type { SocketLike, World } from "./ports";

export class FakeSocket implements SocketLike {
  onmessage: SocketLike["onmessage"] = null;
  onclose: SocketLike["onclose"] = null;
  onerror: SocketLike["onerror"] = null;
  readonly sent: { type: string; [key: string]: unknown }[] = [];
  closed = false;

  constructor(readonly url: string) {}

  send(data: string): void {
    this.sent.push(JSON.parse(data) as { type: string });
  }

  close(): void {
    this.closed = true;
  }

  receive(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  /** Answers the newest ping. */
  pong(): void {
    const ping = this.sent.filter((it) => it.type === "ping").at(-1);
    this.receive({ type: "pong", reply_to: ping?.["id"] });
  }
}

export class FakeWorld implements World {
  time = 1_000_000;
  readonly sockets: FakeSocket[] = [];
  private timers: { at: number; run: () => void }[] = [];

  constructor(private readonly chance = 0.5) {}

  now(): number {
    return this.time;
  }

  random(): number {
    return this.chance;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.time + ms, run };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  openSocket(url: string): SocketLike {
    const socket = new FakeSocket(url);
    this.sockets.push(socket);
    return socket;
  }

  networkUp(): boolean {
    return true;
  }

  get socket(): FakeSocket {
    const socket = this.sockets[this.sockets.length - 1];
    if (socket === undefined) throw new Error("no socket was opened");
    return socket;
  }

  /** Lets time pass, timers run in order, and promises settle in between. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const due = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers = this.timers.filter((timer) => timer !== due);
      this.time = due.at;
      due.run();
      await settle();
    }
    this.time = end;
  }
}

/** Lets promises that are ready run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
