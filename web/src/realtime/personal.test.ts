import fc from "fast-check";
import { expect, test } from "vitest";
import type { Message, Subscription, ThreadsPage, Ts, WireEvent } from "../wire/types";
import { compareTs } from "../wire/types";
import { attentionOfThreads } from "./attention";
import type { Effect } from "./events";
import { applyPersonalEvent, applyPersonalInput, applyToThreads, initialPersonal, threadUnread } from "./personal";
import type { Personal } from "./personal";

const ME = "U0000000ME";
const ANN = "U000000ANN";
const ROOM = "C000000ROOM";
const THREAD = "1700000000.000001";
const KEY = `${ROOM}/${THREAD}`;

/** One thread on a server: what it is, and what it tells whom, each topic in its order. */
class FakeThread {
  readonly room: { message: Message; latest: Ts; count: number }[] = [];
  readonly mine: WireEvent[] = [];
  private replies: Message[] = [];
  private lastRead: Ts = THREAD;
  private active = true;
  private time = 1;

  private tick(): Ts {
    return `1700000001.${String(this.time++).padStart(6, "0")}`;
  }

  get latest(): Ts {
    return this.replies[this.replies.length - 1]?.ts ?? "0000000000.000000";
  }

  get unread(): boolean {
    return this.active && compareTs(this.latest, this.lastRead) > 0;
  }

  reply(user: string): void {
    const message: Message = { type: "message", user, text: "reply", ts: this.tick(), thread_ts: THREAD };
    this.replies.push(message);
    this.room.push({ message, latest: this.latest, count: this.replies.length });
    if (user !== ME) return;
    this.lastRead = message.ts;
    if (!this.active) this.tell("thread_subscribed", true, this.lastRead);
  }

  mark(at: number): void {
    const ts = this.replies[at % Math.max(1, this.replies.length)]?.ts;
    if (ts !== undefined && this.active) this.tell("thread_marked", true, ts);
  }

  follow(active: boolean): void {
    if (active !== this.active) this.tell(active ? "thread_subscribed" : "thread_unsubscribed", active, active ? this.latest : this.lastRead);
  }

  private tell(type: string, active: boolean, lastRead: Ts): void {
    this.active = active;
    this.lastRead = lastRead;
    const subscription: Subscription = { channel: ROOM, thread_ts: THREAD, last_read: lastRead, active };
    this.mine.push({ type, subscription, event_ts: this.tick() });
  }

  page(): ThreadsPage {
    const threads = this.active ? [{ root_msg: { ts: THREAD, channel: ROOM, subscribed: true, last_read: this.lastRead, latest_reply: this.latest }, latest_replies: this.replies.slice(-3), has_unreads: this.unread }] : [];
    return { ok: true, threads, total_unread_replies: Number(this.unread), mention_count: 0, has_more: false };
  }
}

type Step = { kind: "reply"; user: string } | { kind: "mark"; at: number } | { kind: "follow"; active: boolean } | { kind: "room" | "mine" | "ask" | "answer" };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("reply" as const), user: fc.constantFrom(ME, ANN) }),
    fc.record({ kind: fc.constant("mark" as const), at: fc.nat(5) }),
    fc.record({ kind: fc.constant("follow" as const), active: fc.boolean() }),
    fc.record({ kind: fc.constantFrom("room" as const, "mine" as const, "ask" as const, "answer" as const) }),
  ),
  { maxLength: 24, size: "max" },
);

const by = (user: string): Step => ({ kind: "reply", user });
const mark = (at: number): Step => ({ kind: "mark", at });
const [room, mine, ask, answer] = (["room", "mine", "ask", "answer"] as const).map((kind): Step => ({ kind })) as [Step, Step, Step, Step];
/** The thread is marked unread again, and one's own replies from before come later. */
const LATE_OWN_REPLY: Step[] = [by(ME), by(ME), mark(0), mine];
/** One's own reply and a page have come, and then a mark from before the reply. */
const LATE_MARK: Step[] = [by(ANN), by(ANN), mark(1), mine, mark(0), by(ME), room, room, room, ask, answer, mine];

test("in whatever order topics and pages arrive, in the end a thread is unread exactly when the server says so", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const server = new FakeThread();
      let state: Personal = applyPersonalInput(initialPersonal, { type: "threads", page: server.page(), revision: 0 }, []);
      let asked: { page: ThreadsPage; revision: number } | undefined;
      let [room, mine, due] = [0, 0, false];
      const run = (effects: Effect[]) => void (due ||= effects.some((it) => it.kind === "threads"));
      const deliverRoom = () => {
        const told = server.room[room++];
        const effects: Effect[] = [];
        if (told !== undefined) state = applyToThreads(state, ROOM, { kind: "new", message: told.message }, { ts: THREAD, latest_reply: told.latest, reply_count: told.count }, told.message.user === ME, false, effects);
        run(effects);
      };
      const deliverMine = () => {
        const told = server.mine[mine++];
        const effects: Effect[] = [];
        if (told !== undefined) state = applyPersonalEvent(state, told, mine, ME, effects);
        run(effects);
      };
      const answer = () => {
        const effects: Effect[] = [];
        if (asked !== undefined) state = applyPersonalInput(state, { type: "threads", ...asked }, effects);
        asked = undefined;
        run(effects);
      };
      for (const step of all) {
        if (step.kind === "reply") server.reply(step.user);
        else if (step.kind === "mark") server.mark(step.at);
        else if (step.kind === "follow") server.follow(step.active);
        else if (step.kind === "room" && room < server.room.length) deliverRoom();
        else if (step.kind === "mine" && mine < server.mine.length) deliverMine();
        else if (step.kind === "ask" && due) {
          due = false;
          asked = { page: server.page(), revision: state.threads.revision };
        } else if (step.kind === "answer") answer();
      }
      while (room < server.room.length) deliverRoom();
      while (mine < server.mine.length) deliverMine();
      answer();
      const check = () => {
        const it = state.threads.followed[KEY];
        expect(it !== undefined && threadUnread(it)).toBe(server.unread);
        expect(attentionOfThreads(state.threads).unread).toBe(server.unread);
      };
      // The events alone are enough, and what an effect asked for takes nothing away.
      check();
      if (due) {
        asked = { page: server.page(), revision: state.threads.revision };
        answer();
        check();
      }
    }),
    { numRuns: 5_000, examples: [[LATE_OWN_REPLY], [LATE_MARK]] },
  );
});

test("what a snapshot contains is not applied to it again, what comes after it is", () => {
  const state = { ...initialPersonal, v: 7, prefs: { ui_theme: "dark" } };
  const set = (value: string): WireEvent => ({ type: "pref_change", name: "ui_theme", value });
  expect(applyPersonalEvent(state, set("light"), 7, ME, []).prefs).toEqual({ ui_theme: "dark" });
  expect(applyPersonalEvent(state, set("light"), 8, ME, []).prefs).toEqual({ ui_theme: "light" });
});

test("of a thread that nobody knows the server is asked once", () => {
  const reply = (ts: Ts): Message => ({ type: "message", user: ANN, text: "x", ts, thread_ts: "1690000000.000000" });
  const parent = { ts: "1690000000.000000", latest_reply: "1700000002.000000", reply_count: 1 };
  const known = { ...initialPersonal, threads: { ...initialPersonal.threads, loaded: true, more: true } };
  const effects: Effect[] = [];
  const once = applyToThreads(known, ROOM, { kind: "new", message: reply("1700000002.000000") }, parent, false, false, effects);
  const twice = applyToThreads(once, ROOM, { kind: "new", message: reply("1700000003.000000") }, parent, false, false, effects);
  expect(effects).toEqual([{ kind: "threads" }]);
  expect(attentionOfThreads(twice.threads)).toEqual({ unread: false, mentions: 0 });
});

test("a thread that is read has no mentions left, whatever was counted", () => {
  const threads = { ...initialPersonal.threads, loaded: true, mentions: 3 };
  expect(attentionOfThreads(threads)).toEqual({ unread: false, mentions: 0 });
  expect(attentionOfThreads({ ...threads, elsewhere: 1 })).toEqual({ unread: true, mentions: 3 });
});
