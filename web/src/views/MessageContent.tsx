import { useMemo } from "react";
import type { ReactNode } from "react";
import type { State } from "../realtime/state";
import { nameOf } from "../store/context";
import { t } from "../strings";
import { Attachments } from "../text/Attachments";
import { Blocks } from "../text/Blocks";
import { Mrkdwn } from "../text/Mrkdwn";
import { readAttachments } from "../text/attachments";
import { blocksText, readBlocks } from "../text/blocks";
import type { DisplayBlock } from "../text/blocks";
import { parseMrkdwn, plainText } from "../text/mrkdwn";
import type { Message } from "../wire/types";
import { Contained } from "../components/Contained";

/** What a message says: its blocks or, without any that can be shown, its text; then what hangs under it. */
export function MessageContent({ message, after }: { message: Message; after?: ReactNode }) {
  const blocks = useMemo(() => shownBlocks(message.blocks), [message.blocks]);
  const nothing = blocks.length === 0 && !message.text && message.attachments !== undefined;
  return (
    <Contained of={message} instead={<p className="text as-written">{message.text}</p>}>
      {blocks.length > 0 ? <Blocks blocks={blocks} after={after} /> : !nothing && <Mrkdwn text={message.text ?? ""} after={after} />}
      {message.attachments !== undefined && <Attachments attachments={message.attachments} />}
    </Contained>
  );
}

/** All blocks, or none if one of them is of a type that is not known: then the text says it all. */
function shownBlocks(value: unknown): DisplayBlock[] {
  const blocks = readBlocks(value);
  return Array.isArray(value) && blocks.length === value.length ? blocks : [];
}

/** What turns the direction of all that follows. */
const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/g;

/** What a message says, in words without marks. */
export function messageText(message: Message, state: State): string {
  return wordsOf(message, state).replace(DIRECTION, "");
}

function wordsOf(message: Message, { users, conversations }: State): string {
  const names = { user: (id: string) => nameOf(users[id]), channel: (id: string) => conversations[id]?.channel.name ?? t.unknownChannel };
  const blocks = shownBlocks(message.blocks);
  const text = blocks.length > 0 ? blocksText(blocks, names) : plainText(parseMrkdwn(message.text ?? ""), names);
  if (text !== "") return text;
  return readAttachments(message.attachments).map((it) => plainText([...it.pretext, ...it.title, ...it.text], names)).join(" ");
}
