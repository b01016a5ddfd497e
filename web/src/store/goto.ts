import type { Message, Ts } from "../wire/types";
import { navigate } from "./route";

/** Goes to a message: to its thread if it is a reply, otherwise to its conversation. */
export function goToMessage(channel: string, message: Message): void {
  const thread = message.thread_ts !== undefined && message.thread_ts !== message.ts ? message.thread_ts : undefined;
  navigate(thread === undefined ? { name: "channel", channel } : { name: "channel", channel, thread });
}

/** Goes to where a draft or own message belongs. */
export function goToLog(channel: string, thread: Ts | undefined): void {
  navigate(thread === undefined ? { name: "channel", channel } : { name: "channel", channel, thread });
}

