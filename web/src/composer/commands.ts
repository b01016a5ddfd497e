/** The `/` commands of this client: those that it can carry out. */
import type { Session } from "../realtime/session";
import { channelOf, threadOf } from "../realtime/state";
import type { LogKey } from "../realtime/state";
import { notify } from "../store/notice";
import { navigate } from "../store/route";
import { t } from "../strings";
import { unescape } from "../text/mrkdwn";
import { merged } from "./lines";
import type { Line } from "./lines";

export interface Command {
  name: string;
  usage: string;
  hint: string;
  /**
   * Carries it out; what it answers is sent as a message. `rest`: what follows the name, as mrkdwn; `lines`: the same.
   * Throws a `CallError` when the server refuses, and a `Misused` when something is missing.
   */
  run(at: { session: Session; key: LogKey; rest: string; lines: Line[] }): Promise<Line[] | undefined>;
}

/** A command that lacks something; the message says what. */
export class Misused extends Error {}

const MINUTES: Record<string, number> = { m: 1, min: 1, h: 60, d: 24 * 60 };
/** Longest text of a status, characters. */
const STATUS_MAX = 100;

export const COMMANDS: readonly Command[] = [
  {
    name: "me",
    ...t.commands.me,
    run: async ({ session, key, rest }) => {
      if (threadOf(key) !== undefined) throw new Misused(t.commands.notInThread);
      await session.request("chat.meMessage", { channel: channelOf(key), text: need(rest, t.commands.me.usage) });
      return undefined;
    },
  },
  { name: "shrug", ...t.commands.shrug, run: async ({ lines }) => [...lines.slice(0, -1), ...shrugged(lines[lines.length - 1])] },
  {
    name: "topic",
    ...t.commands.topic,
    run: async ({ session, key, rest }) => {
      await session.request("conversations.setTopic", { channel: channelOf(key), topic: unescape(rest) });
      return undefined;
    },
  },
  {
    name: "status",
    ...t.commands.status,
    run: async ({ session, rest }) => {
      const { emoji, text } = statusOf(unescape(rest));
      if (text.length > STATUS_MAX) throw new Misused(t.commands.statusLong(STATUS_MAX));
      await session.request("users.profile.set", { profile: JSON.stringify({ status_emoji: emoji, status_text: text, status_expiration: 0 }) });
      notify(emoji === "" && text === "" ? t.commands.statusCleared : t.commands.statusSet);
      return undefined;
    },
  },
  {
    name: "dnd",
    ...t.commands.dnd,
    run: async ({ session, rest }) => {
      if (/^(off|end)$/i.test(rest)) {
        await session.request("dnd.endSnooze");
        notify(t.commands.dndOff);
        return undefined;
      }
      const minutes = minutesOf(rest);
      if (minutes === undefined) throw new Misused(t.commands.dndHow);
      await session.request("dnd.setSnooze", { num_minutes: minutes });
      notify(t.commands.dndOn(minutes));
      return undefined;
    },
  },
  {
    name: "invite",
    ...t.commands.invite,
    run: async ({ session, key, rest }) => {
      const users = [...rest.matchAll(/<@([A-Z0-9]+)>/g)].map((match) => match[1]!);
      if (users.length === 0) throw new Misused(t.commands.inviteWho);
      await session.invite(channelOf(key), users.join(","));
      return undefined;
    },
  },
  {
    name: "leave",
    ...t.commands.leave,
    run: async ({ session, key }) => {
      await session.leave(channelOf(key));
      navigate({ name: "home" });
      return undefined;
    },
  },
];

/** The command that a message begins with. `rest`: what follows, as mrkdwn. `unknown`: there is none of this name. */
export function commandIn(text: string): { command: Command; rest: string } | { unknown: string } | undefined {
  const match = /^\/([a-z]+)(?:\s+([\s\S]*))?$/.exec(text);
  if (!match) return undefined;
  const command = COMMANDS.find((it) => it.name === match[1]);
  return command === undefined ? { unknown: `/${match[1]}` } : { command, rest: (match[2] ?? "").trim() };
}

/** The lines without the name of the command that they begin with. */
export function withoutName(lines: readonly Line[]): Line[] {
  const [first, ...rest] = lines;
  if (first === undefined || first.kind === "code") return [...lines];
  const [name, ...spans] = first.spans;
  if (name?.type !== "text") return [...lines];
  return [{ ...first, spans: merged([{ ...name, text: name.text.replace(/^\/[a-z]+\s*/, "") }, ...spans]) }, ...rest];
}

const SHRUG = "¯\\_(ツ)_/¯";

function shrugged(last: Line | undefined): Line[] {
  if (last === undefined || last.kind === "code") return [...(last ? [last] : []), { kind: "text", spans: [{ type: "text", text: SHRUG }] }];
  return [{ ...last, spans: merged([...last.spans, { type: "text", text: last.spans.length > 0 ? ` ${SHRUG}` : SHRUG }]) }];
}

/** `30m`, `2h`, `1 d`, or minutes; undefined if it is no time. */
export function minutesOf(text: string): number | undefined {
  const match = /^(\d{1,5})\s*(m|min|h|d)?(?:inutes?|ours?|ays?)?$/i.exec(text.trim());
  const minutes = match ? Number(match[1]) * (MINUTES[(match[2] ?? "m").toLowerCase()] ?? 1) : 0;
  return minutes > 0 ? minutes : undefined;
}

/** `:palm_tree: On holiday` */
export function statusOf(text: string): { emoji: string; text: string } {
  if (/^(clear|off)$/i.test(text)) return { emoji: "", text: "" };
  const match = /^(:[a-z0-9_+'-]+:)\s*([\s\S]*)$/.exec(text);
  return match ? { emoji: match[1]!, text: match[2]! } : { emoji: "", text };
}

function need(rest: string, usage: string): string {
  if (rest === "") throw new Misused(t.commands.missing(usage));
  return rest;
}
