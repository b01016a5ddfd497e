/**
 * The last step of a message's way: frames, snapshots and the person's own actions become the next
 * state. Pure: no clock, no network. What has to happen outside comes back as effects.
 *
 * Two rules make every interleaving end in the same view:
 * - a topic's events are applied in the order of their seq, each once; a hole is pulled;
 * - every part of the state knows the seq that it contains, so a snapshot may be older or newer than
 *   the position: what it lacks is applied to it again, what it contains is not.
 */
import type { Block, Boot, EventPosition, Message, TopicFrames, TopicId, Ts, User, WireEvent } from "../wire/types";
import { applyEvent, conversationOf, forget, mapLog, mapLogs, pinned, putConversation, putUsers, reacted, readUpTo, settle } from "./events";
import type { Effect } from "./events";
import { change, emptyLog, findRow, merge, put, remove, trim } from "./log";
import type { Page } from "./log";
import { applyPersonalInput, applyPresence, bootPersonal } from "./personal";
import type { PersonalInput } from "./personal";
import { channelOf, initialState, logKey } from "./state";
import type { LogKey, Pending, State, TopicState } from "./state";

export type { Effect } from "./events";

/** Everything that can change the state. */
export type Input =
  /** A frame of the socket. */
  | { type: "frame"; frame: TopicFrames | WireEvent; now: number }
  /** The socket is new: pulls that were under way are not answered any more. */
  | { type: "connected" }
  /** A snapshot is being fetched: events from here on are remembered until it comes. `log` undefined: a boot. */
  | { type: "fetching"; log?: LogKey }
  /** It did not come. */
  | { type: "fetch_failed"; log?: LogKey; refused?: string }
  | { type: "booted"; boot: Boot; now: number }
  /** What an earlier page stored: the first of all inputs. */
  | { type: "restored"; state: State }
  /** Rows far from where the person looks leave the memory: those from `first` to `last` stay. */
  | { type: "trim"; log: LogKey; epoch: number; first: Ts; last: Ts }
  | { type: "page"; log: LogKey; epoch: number; page: Omit<Page, "v">; p: EventPosition | undefined }
  /** `last`: the list of people is complete. */
  | { type: "users"; users: readonly User[]; last?: boolean }
  /** Unloads a log, for instance to open it again at its end. */
  | { type: "unload"; log: LogKey }
  /** One's own message: queued, and what became of it. */
  | { type: "send"; pending: Pending }
  | { type: "send_status"; log: LogKey; id: string; status: Pending["status"]; error?: string; refused?: boolean; ts?: Ts; files?: readonly string[] }
  | { type: "discard"; log: LogKey; id: string }
  /** What the server is about to confirm, shown at once. */
  | { type: "guess_edit"; channel: string; ts: Ts; text: string; blocks?: Block[] | undefined }
  | { type: "guess_delete"; channel: string; ts: Ts }
  | { type: "guess_reaction"; channel: string; ts: Ts; name: string; added: boolean }
  | { type: "guess_pin"; channel: string; ts: Ts; on: boolean }
  | { type: "guess_read"; channel: string; ts: Ts }
  | { type: "typing_expired"; now: number }
  | { type: "sign_out" }
  | { type: "personal"; input: PersonalInput };

/** The next state, and what has to be done. */
export interface Step {
  state: State;
  effects: Effect[];
}

/** Somebody who types is shown for this long after their last sign, milliseconds. */
export const TYPING_MS = 5_000;

export function apply(state: State, input: Input): Step {
  const effects: Effect[] = [];
  const after = next(state, input, effects);
  const due = effects.some((effect) => effect.kind === "boot") || (after.bootDue && input.type !== "booted");
  return { state: after.bootDue === due ? after : { ...after, bootDue: due }, effects };
}

function next(state: State, input: Input, effects: Effect[]): State {
  switch (input.type) {
    case "frame":
      return applyFrame(state, input.frame, input.now, effects);
    case "connected":
      return mapTopics(state, (topic) => ({ ...topic, pulling: false }));
    case "fetching":
      return hold(state, input.log, 1);
    case "fetch_failed":
      return failed(hold(state, input.log, -1), input.log, input.refused);
    case "booted":
      return applyBoot(state, input.boot, input.now, effects);
    case "restored":
      // Who was there when the page was closed says nothing about now.
      return { ...input.state, pending: state.pending, personal: { ...input.state.personal, presence: {} } };
    case "trim":
      // A page that is on its way belongs to the edge that the log had when it was asked for.
      if ((state.loads[input.log]?.busy ?? 0) > 0) return state;
      return mapLog(state, input.log, (log) => (log.epoch === input.epoch ? trim(log, input.first, input.last) : log));
    case "page":
      return applyPage(state, input, effects);
    case "users":
      return putUsers(input.last ? { ...state, peopleKnown: true } : state, input.users);
    case "unload":
      return mapLog(state, input.log, (log) => ({ ...emptyLog, epoch: log.epoch + 1 }));
    case "send":
      return mapPending(state, logKey(input.pending.channel, input.pending.thread), (list) => (list.some((it) => it.id === input.pending.id) ? list : [...list, input.pending]));
    case "send_status":
      return sendStatus(state, input);
    case "discard":
      return mapPending(state, input.log, (list) => list.filter((it) => it.id !== input.id));
    case "guess_edit":
      return mapLogs(state, input.channel, (log) => change(log, input.ts, undefined, (message) => rewritten(message, input.text, input.blocks)));
    case "guess_delete":
      return mapLogs(state, input.channel, (log) => {
        const row = findRow(log, input.ts);
        return row?.message.reply_count ? log : remove(log, input.ts, undefined);
      });
    case "guess_reaction":
      return mapLogs(state, input.channel, (log) =>
        change(log, input.ts, undefined, (message) => reacted(message, input.name, state.self?.id ?? "", input.added)),
      );
    case "guess_pin":
      return mapLogs(state, input.channel, (log) => change(log, input.ts, undefined, (message) => pinned(message, input.channel, input.on ? { pinned_by: state.self?.id ?? "" } : undefined)));
    case "guess_read": {
      const it = state.conversations[input.channel];
      return it === undefined ? state : putConversation(state, readUpTo(it, input.ts, undefined));
    }
    case "typing_expired":
      return expireTyping(state, input.now);
    case "sign_out":
      return initialState;
    case "personal":
      return { ...state, personal: applyPersonalInput(state.personal, input.input, effects) };
  }
}

// --- Frames ---------------------------------------------------------------------------------------

function applyFrame(state: State, frame: TopicFrames | WireEvent, now: number, effects: Effect[]): State {
  switch (frame.type) {
    case "_page":
      return applyRange(state, frame as Extract<TopicFrames, { type: "_page" }>, effects);
    case "_live": {
      const { t, g, s } = frame as Extract<TopicFrames, { type: "_live" }>;
      const topic = state.topics[t];
      const revived = revive(state, t);
      if (topic === undefined) return putTopic(revived, t, { g, s, pulling: false, holds: 0, recent: [] });
      const reached = putTopic(revived, t, { ...topic, pulling: false });
      return !topic.pulling && (topic.g !== g || topic.s < s) ? pull(reached, t, effects) : reached;
    }
    case "_skip": {
      const { t, g, s } = frame as Extract<TopicFrames, { type: "_skip" }>;
      return advance(state, t, g, s, undefined, effects);
    }
    case "_head": {
      const { t, g, s } = frame as Extract<TopicFrames, { type: "_head" }>;
      const topic = state.topics[t];
      return topic === undefined || topic.g !== g || topic.s < s ? pull(state, t, effects) : state;
    }
    case "_reset": {
      const { t, g, s } = frame as Extract<TopicFrames, { type: "_reset" }>;
      effects.push({ kind: "boot" }, { kind: "drop", channel: t });
      const dropped = mapLogs(state, t, (log) => ({ ...emptyLog, epoch: log.epoch + 1 }));
      return putTopic(dropped, t, { g, s, pulling: false, holds: state.topics[t]?.holds ?? 0, recent: [] });
    }
    case "_gone":
      return applyGone(state, (frame as Extract<TopicFrames, { type: "_gone" }>).t, effects);
  }
  const event = frame as WireEvent;
  if (event._p === undefined) return applySignal(state, event, now);
  const { t, g, s } = event._p;
  return advance(state, t, g, s, event, effects);
}

/** The one place where a position moves forward by live events. */
function advance(state: State, t: TopicId, g: number, s: number, event: WireEvent | undefined, effects: Effect[]): State {
  const topic = state.topics[t];
  if (topic === undefined || topic.g !== g) return pull(state, t, effects);
  if (s <= topic.s) return state;
  if (s > topic.s + 1) return pull(state, t, effects);
  return take(state, t, s, event, effects);
}

/** Catch-up: everything after the position and up to `to`. */
function applyRange(state: State, page: Extract<TopicFrames, { type: "_page" }>, effects: Effect[]): State {
  const topic = state.topics[page.t];
  if (topic === undefined || topic.g !== page.g || page.from > topic.s) return pull(state, page.t, effects);
  let next = state;
  for (const event of page.events) {
    const s = event._p?.s;
    if (s !== undefined && s > next.topics[page.t]!.s && s <= page.to) next = take(next, page.t, s, event, effects);
  }
  const reached = next.topics[page.t];
  return reached === undefined || reached.s >= page.to ? next : putTopic(next, page.t, { ...reached, s: page.to });
}

function take(state: State, t: TopicId, s: number, event: WireEvent | undefined, effects: Effect[]): State {
  const topic = state.topics[t]!;
  const recent = event !== undefined && topic.holds > 0 ? [...topic.recent, event] : topic.recent;
  const moved = putTopic(state, t, { ...topic, s, recent });
  if (event !== undefined && t !== state.self?.id && t !== state.team?.id) effects.push({ kind: "event", event, s });
  return event === undefined ? moved : applyEvent(moved, event, s, effects);
}

function pull(state: State, t: TopicId, effects: Effect[]): State {
  const topic = state.topics[t] ?? { g: 0, s: 0, pulling: false, holds: 0, recent: [] };
  if (topic.pulling) return state;
  if (state.topics[t] === undefined && state.conversations[t] === undefined) return state;
  effects.push({ kind: "pull", t, g: topic.g, s: topic.s });
  return putTopic(state, t, { ...topic, pulling: true });
}

function applyGone(state: State, t: TopicId, effects: Effect[]): State {
  effects.push({ kind: "drop", channel: t });
  const { [t]: _, ...topics } = state.topics;
  const it = state.conversations[t];
  const kept = { ...forget(state, t), topics };
  return it === undefined ? kept : putConversation(kept, { ...it, gone: true });
}

/** A channel that was gone and comes alive is there again. */
function revive(state: State, t: TopicId): State {
  const it = state.conversations[t];
  return it?.gone ? putConversation(state, { ...it, gone: false }) : state;
}

function applySignal(state: State, event: WireEvent, now: number): State {
  if (event.type === "user_typing") {
    const user = event.user as string;
    if (user === state.self?.id) return state;
    const key = logKey(event.channel as string, event.thread_ts as Ts | undefined);
    return { ...state, typing: { ...state.typing, [key]: { ...state.typing[key], [user]: now + TYPING_MS } } };
  }
  if (event.type === "presence_change") return { ...state, personal: applyPresence(state.personal, event) };
  if (event.type === "message" && event.is_ephemeral === true) {
    const message = event as unknown as Message;
    const key = logKey(event.channel as string, message.thread_ts);
    // No snapshot has it, so none may take it away.
    return mapLog(state, key, (log) => put(log, { ...message, subtype: "ephemeral" }, Number.MAX_SAFE_INTEGER));
  }
  return state;
}

function expireTyping(state: State, now: number): State {
  let changed = false;
  const typing: Record<LogKey, Record<string, number>> = {};
  for (const [key, users] of Object.entries(state.typing)) {
    const left = Object.entries(users).filter(([, until]) => until > now);
    if (left.length !== Object.keys(users).length) changed = true;
    if (left.length > 0) typing[key] = Object.fromEntries(left);
  }
  return changed ? { ...state, typing } : state;
}

// --- Snapshots ------------------------------------------------------------------------------------

/** Starts or ends the fetching of a snapshot: events of the topic are remembered meanwhile. */
function hold(state: State, log: LogKey | undefined, by: 1 | -1): State {
  const ids = log === undefined ? Object.keys(state.topics) : [channelOf(log)];
  let next = state;
  if (log !== undefined) {
    if (state.logs[log] === undefined) next = { ...next, logs: { ...next.logs, [log]: emptyLog } };
    const busy = Math.max(0, (state.loads[log]?.busy ?? 0) + by);
    next = { ...next, loads: { ...next.loads, [log]: { busy, failed: false } } };
  }
  for (const t of ids) {
    const topic = next.topics[t];
    if (topic === undefined) continue;
    const holds = Math.max(0, topic.holds + by);
    next = putTopic(next, t, { ...topic, holds, recent: holds === 0 ? [] : topic.recent });
  }
  return next;
}

function failed(state: State, log: LogKey | undefined, refused: string | undefined): State {
  const load = log === undefined ? undefined : state.loads[log];
  if (load === undefined) return state;
  return { ...state, loads: { ...state.loads, [log!]: { ...load, failed: true, ...(refused === undefined ? {} : { refused }) } } };
}

/** Applies again what was applied while the snapshot was on its way and is not in it. */
function replay(state: State, t: TopicId, after: number, effects: Effect[]): State {
  let next = state;
  for (const event of state.topics[t]?.recent ?? []) {
    if (event._p !== undefined && event._p.s > after) next = applyEvent(next, event, event._p.s, effects);
  }
  return next;
}

function applyPage(state: State, input: Extract<Input, { type: "page" }>, effects: Effect[]): State {
  const t = channelOf(input.log);
  const topic = state.topics[t];
  const log = state.logs[input.log];
  const p = input.p;
  const stale = log === undefined || log.epoch !== input.epoch || (p !== undefined && topic !== undefined && p.g !== topic.g);
  if (stale) return hold(state, input.log, -1);
  // Without a position of its own a page counts as read where the topic stands.
  const v = p?.s ?? topic?.s ?? 0;
  let next = mapLog(state, input.log, (it) => merge(it, { ...input.page, v }));
  for (const message of input.page.messages) {
    next = settle(next, t, message);
    if (message.user !== undefined && next.users[message.user] === undefined) effects.push({ kind: "user", id: message.user });
  }
  return hold(replay(next, t, v, effects), input.log, -1);
}

function applyBoot(state: State, boot: Boot, now: number, effects: Effect[]): State {
  const uv = boot._p[boot.self.id]?.[1] ?? 0;
  const conversations: Record<string, State["conversations"][string]> = {};
  for (const channel of boot.channels) {
    const known = state.conversations[channel.id];
    const fresh = conversationOf({ ...channel, is_member: true }, boot._p[channel.id]?.[1] ?? 0, uv);
    conversations[channel.id] = known ? { ...fresh, counted: known.counted.filter((ts) => ts <= fresh.latest), ownTs: known.ownTs } : fresh;
  }
  const topics: Record<TopicId, TopicState> = { ...state.topics };
  for (const [t, [g, s]] of Object.entries(boot._p)) topics[t] ??= { g, s, pulling: false, holds: 0, recent: [] };
  let next: State = { ...state, booted: true, bootedAt: now, self: boot.self, team: boot.team, conversations, topics, memberships: {}, personal: bootPersonal(state.personal, boot, uv, effects) };
  next = putUsers(next, [boot.self]);
  for (const t of Object.keys(topics)) next = replay(next, t, boot._p[t]?.[1] ?? 0, effects);
  for (const id of Object.keys(state.conversations)) {
    if (next.conversations[id] !== undefined) continue;
    effects.push({ kind: "drop", channel: id });
    next = forget(next, id);
  }
  return hold(next, undefined, -1);
}

/** A message with another content. Blocks stay when none are given, and go when an empty list is. */
function rewritten(message: Message, text: string, blocks: Block[] | undefined): Message {
  if (blocks === undefined) return { ...message, text };
  const { blocks: _, ...rest } = message;
  return blocks.length === 0 ? { ...rest, text } : { ...rest, text, blocks };
}

// --- One's own messages ---------------------------------------------------------------------------

function sendStatus(state: State, input: Extract<Input, { type: "send_status" }>): State {
  const arrived = input.ts !== undefined && state.logs[input.log] !== undefined && findRow(state.logs[input.log]!, input.ts) !== undefined;
  return mapPending(state, input.log, (list) =>
    arrived
      ? list.filter((it) => it.id !== input.id)
      : list.map((it): Pending => {
          if (it.id !== input.id) return it;
          const { error: _e, refused: _r, ...rest } = it;
          return {
            ...rest,
            status: input.status,
            ...(input.error !== undefined ? { error: input.error } : {}),
            ...(input.refused !== undefined ? { refused: input.refused } : {}),
            ...(input.ts !== undefined ? { ts: input.ts } : {}),
            ...(input.files !== undefined ? { files: input.files } : {}),
          };
        }),
  );
}

function mapPending(state: State, key: LogKey, edit: (list: readonly Pending[]) => readonly Pending[]): State {
  return { ...state, pending: { ...state.pending, [key]: edit(state.pending[key] ?? []) } };
}

// --- Topics ---------------------------------------------------------------------------------------

function putTopic(state: State, t: TopicId, topic: TopicState): State {
  return { ...state, topics: { ...state.topics, [t]: topic } };
}

function mapTopics(state: State, edit: (topic: TopicState) => TopicState): State {
  return { ...state, topics: Object.fromEntries(Object.entries(state.topics).map(([t, topic]) => [t, edit(topic)])) };
}
