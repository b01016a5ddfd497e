import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Connect, Plugin } from "vite";
import { WebSocketServer } from "ws";
import type { Position } from "../src/wire/types";
import { demo } from "./demo";

type Args = Record<string, string | boolean | number | undefined>;

/** The page's policy, as the server sets it. */
const CSP = "default-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:";

/** Serves the workspace of `dev/demo.ts` beside the pages. Everybody's password is `password`. */
export function fakeServer(): Plugin {
  const { workspace, tick } = demo();
  const tickets = new Map<string, string>();
  let signedIn = new Map<string, string>();

  const methods: Record<string, (args: Args, user: string) => object> = {
    "client.userBoot": (_, user) => workspace.boot(user),
    "users.list": () => ({ members: [...workspace.users.values()] }),
    "users.info": ({ user }) => ({ user: workspace.users.get(String(user)) }),
    "conversations.list": (_, user) => ({ channels: [...workspace.channels].filter(([, it]) => !it.channel.is_im).map(([id, it]) => ({ ...workspace.conversation(user, id), is_member: it.members.has(user) })) }),
    "conversations.history": ({ channel, latest, oldest, inclusive, limit }) =>
      workspace.history(String(channel), { ...(latest ? { latest: String(latest) } : {}), ...(oldest ? { oldest: String(oldest) } : {}), inclusive: inclusive === true, limit: Number(limit ?? 100) }),
    "conversations.replies": ({ channel, ts }) => workspace.replies(String(channel), String(ts)),
    "conversations.mark": ({ channel, ts }, user) => (workspace.mark(String(channel), user, String(ts)), {}),
    "chat.postMessage": ({ channel, text, thread_ts, client_msg_id }, user) => {
      const message = workspace.post(String(channel), user, String(text), { ...(thread_ts ? { thread_ts: String(thread_ts) } : {}), ...(client_msg_id ? { client_msg_id: String(client_msg_id) } : {}) });
      return { ts: message.ts, channel, message };
    },
    "chat.update": ({ channel, ts, text }) => (workspace.update(String(channel), String(ts), String(text)), { ts, channel, text }),
    "chat.delete": ({ channel, ts }) => (workspace.delete(String(channel), String(ts)), { ts, channel }),
    "reactions.add": ({ channel, timestamp, name }, user) => (workspace.react(String(channel), String(timestamp), user, String(name), true), {}),
    "reactions.remove": ({ channel, timestamp, name }, user) => (workspace.react(String(channel), String(timestamp), user, String(name), false), {}),
    "parlance.invite.create": () => ({ url: "http://localhost:5173/invite/demo-code", code: "demo-code", expires: Math.floor(Date.now() / 1000) + 604800 }),
  };

  const handle: Connect.NextHandleFunction = (request, response, next) => {
    response.setHeader("Content-Security-Policy", CSP);
    const path = (request.url ?? "").split("?")[0]!;
    if (path.startsWith("/api/")) void answer(path.slice(5), request, response);
    else if (path === "/realtime/v1/connect") void answer("connect", request, response);
    else next();
  };

  async function answer(method: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const args = JSON.parse(body || "{}") as Args;
    const cookie = /dev=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
    const user = cookie ? signedIn.get(cookie) : undefined;
    const reply = (fields: object) => {
      response.setHeader("Content-Type", "application/json; charset=utf-8");
      response.end(JSON.stringify({ ok: true, ...fields }));
    };
    if (method === "parlance.status") return reply({ setup_required: false, version: "dev", teams: [workspace.team] });
    if (method === "parlance.invite.info") return reply({ team: workspace.team, inviter: { real_name: "Mara Okafor" } });
    if (method === "parlance.signin" || method === "parlance.invite.accept" || method === "parlance.setup") {
      const found = [...workspace.users.values()].find((it) => `${it.name}@example.com` === args["email"]);
      if (!found || args["password"] !== "password") return reply({ ok: false, error: "invalid_credentials" });
      const session = Math.random().toString(36).slice(2);
      signedIn.set(session, found.id);
      response.setHeader("Set-Cookie", `dev=${session}; HttpOnly; SameSite=Lax; Path=/`);
      return reply({ team_id: workspace.team.id, user_id: found.id });
    }
    if (!user) return reply({ ok: false, error: "not_authed" });
    if (method === "parlance.signout") {
      if (args["all"]) signedIn = new Map();
      else signedIn.delete(cookie!);
      return reply({});
    }
    if (method === "connect") {
      const ticket = Math.random().toString(36).slice(2);
      tickets.set(ticket, user);
      return reply({ url: `ws://${request.headers.host}/realtime/v1/socket?ticket=${ticket}`, expires_in: 30 });
    }
    const run = methods[method];
    return reply(run ? run(args, user) : { ok: false, error: "unknown_method" });
  }

  const sockets = new WebSocketServer({ noServer: true });
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const ticket = /socket\?ticket=(.+)$/.exec(request.url ?? "")?.[1];
    if (ticket === undefined) return;
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const user = tickets.get(ticket);
      tickets.delete(ticket);
      if (!user) return ws.close(4006);
      const send = (frame: object) => ws.send(JSON.stringify(frame));
      send({ type: "hello", protocol: 1, session: ticket, user, team: workspace.team.id, heartbeat_ms: 15_000 });
      ws.on("message", (data) => {
        const frame = JSON.parse(String(data)) as { type: string; id?: number; t: string; g: number; s: number; channel?: string; thread_ts?: string; positions?: Record<string, Position> };
        if (frame.type === "ping") send({ type: "pong", reply_to: frame.id });
        else if (frame.type === "typing") workspace.signal(user, { type: "user_typing", user, channel: frame.channel!, ...(frame.thread_ts ? { thread_ts: frame.thread_ts } : {}) });
        else if (frame.type === "pull") workspace.catchUp(user, frame.t, [frame.g, frame.s]).forEach(send);
        else if (frame.type === "resume") {
          for (const [t, position] of Object.entries(frame.positions ?? {})) workspace.catchUp(user, t, position).forEach(send);
          ws.on("close", workspace.listen(user, (_, live) => send(live)));
        }
      });
    });
  };

  return {
    name: "parlance-fake-server",
    configureServer(server) {
      server.middlewares.use(handle);
      server.httpServer?.on("upgrade", upgrade);
      server.httpServer?.on("close", tick());
    },
    configurePreviewServer(server) {
      server.middlewares.use(handle);
      server.httpServer.on("upgrade", upgrade);
      server.httpServer.on("close", tick());
    },
  };
}
