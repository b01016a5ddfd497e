import type { State } from "../realtime/state";
import { nameOf } from "../store/context";
import type { Names } from "../text/compose";
import { emojiTable } from "../text/emoji";
import type { Meanings } from "./finish";

let last: { users: State["users"]; conversations: State["conversations"]; names: Names } | undefined;

/** Who and what can be named; made anew only when people or channels have changed. */
export function namesOf(state: State): Names {
  const { users, conversations } = state;
  if (last?.users === users && last.conversations === conversations) return last.names;
  const people = Object.values(users).filter((user) => !user.deleted);
  const names: Names = {
    users: [...people.map((user) => ({ id: user.id, name: nameOf(user) })), ...people.map((user) => ({ id: user.id, name: user.name }))],
    channels: Object.values(conversations).flatMap(({ channel }) => (channel.name && !channel.is_mpim ? [{ id: channel.id, name: channel.name }] : [])),
  };
  last = { users, conversations, names };
  return names;
}

export function meaningsOf(state: State): Meanings {
  return { names: namesOf(state), isEmoji: (name) => emojiTable.get()?.byName.has(name) ?? false };
}
