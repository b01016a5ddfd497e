/** From what a person types to a message's text, and back for editing. */
import { escape, unescape } from "./mrkdwn";

/** Longest text that the server takes, characters; the API would cut it, so the client refuses it. */
export const TEXT_MAX = 40_000;

/** What may be named in a text. Names are those that the composer inserts after `@` and `#`. */
export interface Names {
  users: readonly { id: string; name: string }[];
  channels: readonly { id: string; name: string }[];
}

const BROADCASTS = ["here", "channel", "everyone"];
/** Code, links in Slack's form, and the two characters that may begin a name. */
const PIECES = /```[\s\S]*?```|`[^`\n]+`|<(?:https?:\/\/|mailto:)[^<>\s|]+(?:\|[^<>\n]+)?>|[@#]/g;

/** The text as it is sent: escaped, with names as ids. */
export function encodeText(typed: string, names: Names): string {
  let out = "";
  let at = 0;
  for (const match of typed.matchAll(PIECES)) {
    if (match.index < at) continue;
    out += escape(typed.slice(at, match.index));
    at = match.index;
    const piece = match[0];
    if (piece === "@" || piece === "#") {
      const named = /[\p{L}\p{N}]/u.test(typed[at - 1] ?? "") ? undefined : nameAt(typed, at, piece, names);
      out += named?.code ?? piece;
      at += named?.length ?? 1;
    } else {
      out += piece.startsWith("<") ? piece : escape(piece);
      at += piece.length;
    }
  }
  return out + escape(typed.slice(at));
}

/** The name that begins after the sign at `at`, the longest there is. */
export function nameAt(typed: string, at: number, sign: "@" | "#", names: Names): { code: string; length: number } | undefined {
  const rest = typed.slice(at + 1, at + 121);
  const ends = (name: string) => name !== "" && rest.startsWith(name) && !/[\p{L}\p{N}_]/u.test(rest[name.length] ?? "");
  let best: { code: string; length: number } | undefined;
  const offer = (name: string, code: string) => {
    if (ends(name) && name.length + 1 > (best?.length ?? 0)) best = { code, length: name.length + 1 };
  };
  if (sign === "@") {
    for (const user of names.users) offer(user.name, `<@${user.id}>`);
    for (const name of BROADCASTS) offer(name, `<!${name}>`);
  } else for (const channel of names.channels) offer(channel.name, `<#${channel.id}>`);
  return best;
}

/** A message's text as the person would have typed it. */
export function decodeText(text: string, names: Names): string {
  const decoded = text.replace(/<([@#!])([^>|]+)(?:\|([^>]*))?>|<(https?:\/\/[^>|]+|mailto:[^>|]+)>/g, (whole, sign?: string, id?: string, label?: string, url?: string) => {
    if (url !== undefined) return url;
    if (sign === "!") return BROADCASTS.includes(id!) ? `@${id!}` : (label ?? whole);
    const found = (sign === "@" ? names.users : names.channels).find((it) => it.id === id)?.name ?? label;
    return found === undefined ? whole : `${sign}${found}`;
  });
  return unescape(decoded);
}

/** Characters as the server counts them: code points. */
export function textLength(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
