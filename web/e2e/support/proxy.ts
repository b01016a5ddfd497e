import net from "node:net";

/**
 * A TCP proxy between browsers and the server that can do what networks do: fall silent without
 * closing anything, and lose an answer. It tells devices apart by the `device/<name>` that each has in
 * its `User-Agent`.
 */
export class Proxy {
  readonly url: string;
  private readonly silent = new Set<string>();
  private readonly losing: { device: string; request: string; done: () => void }[] = [];

  private constructor(
    private readonly server: net.Server,
    private target: number,
  ) {
    this.url = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    server.on("connection", (client) => this.serve(client));
  }

  static async listen(): Promise<Proxy> {
    const server = net.createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Proxy(server, 0);
  }

  /** Sends connections to this port from now on. */
  to(port: number): void {
    this.target = port;
  }

  /** From now on nothing of this device is forwarded, in either direction, and nothing is closed. */
  silence(device: string): void {
    this.silent.add(device);
  }

  /** New connections of this device work again; the silent ones stay dead. */
  heal(device: string): void {
    this.silent.delete(device);
  }

  /** Passes the next such request on and loses its answer; resolves when that has happened. */
  loseAnswer(device: string, request: string): Promise<void> {
    return new Promise((done) => this.losing.push({ device, request, done }));
  }

  close(): void {
    this.server.close();
  }

  private serve(client: net.Socket): void {
    const upstream = net.connect({ port: this.target, host: "127.0.0.1", allowHalfOpen: true });
    let device = "";
    let dead = false;
    let lose: (() => void) | undefined;
    const end = () => {
      if (dead) return;
      client.destroy();
      upstream.destroy();
    };
    const muted = () => {
      dead ||= this.silent.has(device);
      return dead;
    };
    client.on("data", (data) => {
      const text = data.toString("latin1");
      device = /device\/([\w-]+)/.exec(text)?.[1] ?? device;
      if (muted()) return;
      const at = this.losing.findIndex((it) => it.device === device && text.startsWith(`${it.request} `));
      if (at >= 0) lose = this.losing.splice(at, 1)[0]!.done;
      upstream.write(data);
    });
    upstream.on("data", (data) => {
      if (muted()) return;
      if (lose === undefined) {
        client.write(data);
        return;
      }
      // The server has answered, so the request had its effect. Nobody learns of it.
      lose();
      end();
    });
    // An end is passed on after what came before it; a silent network passes on nothing.
    client.on("end", () => muted() || upstream.end());
    upstream.on("end", () => muted() || client.end());
    client.on("error", end);
    upstream.on("error", end);
  }
}
