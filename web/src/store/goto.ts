import type { Message, Ts } from "../wire/types";
import { navigate } from "./route";

/** Goes to a message at its place: in its thread if it is a reply that the conversation does not show, otherwise in its conversation. */
export function goToMessage(channel: string, message: Message): void {
  const { ts, thread_ts: thread, subtype } = message;
  const alone = thread !== undefined && thread !== ts && subtype !== "thread_broadcast";
  navigate({ name: "channel", channel, at: ts, ...(alone ? { thread } : {}) });
}

/** Goes to where a draft or own message belongs. */
export function goToLog(channel: string, thread: Ts | undefined): void {
  navigate(thread === undefined ? { name: "channel", channel } : { name: "channel", channel, thread });
}

