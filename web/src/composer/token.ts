/** What a person is in the middle of naming. */
export interface Token {
  sign: "@" | "#" | ":" | "/";
  query: string;
  /** Sign and query, as typed. */
  whole: string;
}

/** The token that ends where the text does. A command stands only at the very beginning of a message. */
export function tokenBefore(text: string, first: boolean): Token | undefined {
  const command = first ? /^\/([a-z]{0,20})$/.exec(text) : null;
  if (command) return { sign: "/", query: command[1]!, whole: command[0] };
  const match = /(?:^|[\s(\ufffc])([@#:])([\p{L}\p{N}._+-]{0,40})$/u.exec(text);
  if (!match) return undefined;
  const [, sign, query] = match as unknown as [string, "@" | "#" | ":", string];
  return { sign, query, whole: sign + query };
}
