import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { Proxy } from "./proxy";

export interface Seed {
  workspace: { id: string; name: string };
  people: { id: string; name: string; email: string; password: string; token: string }[];
  channels: Record<string, string>;
}

export interface Message {
  ts: string;
  text: string;
  user?: string;
  subtype?: string;
  client_msg_id?: string;
  reactions?: { name: string; count: number }[];
  reply_count?: number;
}

/** The real program on an empty or a seeded directory, behind the proxy. */
export class Server {
  private process: ChildProcess | undefined;

  private constructor(
    private readonly data: string,
    readonly proxy: Proxy,
    readonly seed: Seed,
  ) {}

  static async start({ seeded }: { seeded: boolean }): Promise<Server> {
    const data = await mkdtemp(join(tmpdir(), "parlance-e2e-"));
    const seed: Seed = seeded ? (JSON.parse((await promisify(execFile)(binary(), ["seed", "--data", data, "--json"])).stdout) as Seed) : { workspace: { id: "", name: "" }, people: [], channels: {} };
    const server = new Server(data, await Proxy.listen(), seed);
    await server.serve();
    return server;
  }

  /** Kills the program as a crash would, and starts it again. */
  async crash(): Promise<void> {
    await this.end("SIGKILL");
    await this.serve();
  }

  /** Ends the program, as a machine that is switched off. */
  down(): Promise<void> {
    return this.end("SIGKILL");
  }

  /** Starts it again. */
  up(): Promise<void> {
    return this.serve();
  }

  async stop(): Promise<void> {
    await this.end("SIGKILL");
    this.proxy.close();
    await rm(this.data, { recursive: true, force: true });
  }

  /** Calls a method as the owner of a token. Throws on a refusal. */
  async call<T = object>(token: string, method: string, args: object): Promise<T> {
    const response = await fetch(`${this.proxy.url}/api/${method}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json; charset=utf-8" },
      body: JSON.stringify(args),
    });
    const answer = (await response.json()) as T & { ok: boolean; error?: string };
    if (!answer.ok) throw new Error(`${method}: ${answer.error}`);
    return answer;
  }

  /** The whole history of a channel, oldest first. */
  async history(token: string, channel: string): Promise<Message[]> {
    const messages: Message[] = [];
    for (let cursor: string | undefined = ""; cursor !== undefined; ) {
      const answer: { messages: Message[]; response_metadata?: { next_cursor?: string } } = await this.call(token, "conversations.history", { channel, limit: 200, ...(cursor ? { cursor } : {}) });
      messages.push(...answer.messages);
      cursor = answer.response_metadata?.next_cursor || undefined;
    }
    return messages.toReversed();
  }

  private async serve(): Promise<void> {
    const child = spawn(binary(), ["serve", "--data", this.data, "--listen", "127.0.0.1:0", "--public-url", this.proxy.url, "--rate-limits", "off"], { stdio: ["ignore", "pipe", "pipe"] });
    this.process = child;
    let log = "";
    child.stderr.on("data", (data) => (log = (log + String(data)).slice(-4_000)));
    const url = await new Promise<string>((resolve, reject) => {
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${log}`)));
      createInterface(child.stdout).on("line", (line) => {
        const { ready, url } = JSON.parse(line) as { ready?: boolean; url: string };
        if (ready) resolve(url);
      });
    });
    this.proxy.to(Number(/:(\d+)\/?$/.exec(url)![1]));
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.process;
    if (child === undefined || child.exitCode !== null) return;
    child.removeAllListeners("exit");
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }
}

function binary(): string {
  const path = process.env["PARLANCE_BIN"];
  if (!path) throw new Error("PARLANCE_BIN must name the built program: cargo build -p server, then PARLANCE_BIN=target/debug/parlance npm run e2e");
  return path;
}
