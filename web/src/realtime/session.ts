/**
 * A signed-in person's workspace: the state, the link and the outbox, and the calls that fetch
 * snapshots and change things. Views call its methods and read its state; they write nothing.
 */
import { SIGNED_OUT_ERRORS, failureOf } from "../wire/api";
import type { Args, Call } from "../wire/api";
import type { Content } from "../composer/content";
import type { Boot, Channel, Envelope, HistoryPage, PinnedItem, Position, TopicFrames, TopicId, Ts, User, WireEvent } from "../wire/types";
import { TS_ZERO, compareTs } from "../wire/types";
import { signal } from "../store/signal";
import type { Signal } from "../store/signal";
import { loadAccount, saveAccount, watchAccount } from "../store/account";
import type { Account } from "../store/account";
import { databaseName } from "../store/database";
import { DeviceStore } from "../store/device";
import type { Wanted } from "../store/rows";
import { apply } from "./apply";
import type { Effect, Input } from "./apply";
import { covers, lowerBound } from "./log";
import type { Log, Page } from "./log";
import { Link } from "./link";
import type { LinkState } from "./link";
import { Uploads } from "../files/uploads";
import { postBytes } from "../files/post";
import type { PostBytes } from "../files/post";
import { Outbox } from "./outbox";
import { Places } from "./places";
import { PresenceWatch } from "./presence";
import { Tabs, browserTabs } from "./tabs";
import { fullJitterMs, uuid } from "./ports";
import type { World } from "./ports";
import { channelOf, hasUnreads, initialState, isReply, threadOf } from "./state";
import type { LogKey, Pending, State } from "./state";

/** Messages that one call fetches. */
const PAGE = 60;
/** Messages shown above the first unread one when there are more unread than a page. */
const CONTEXT = 30;
/** Conversations that stay in memory; the ones not looked at for longest go first. */
const LOGS_MAX = 16;
/** A conversation is marked read at most once in this time. */
const MARK_EVERY_MS = 700;
/** A conversation with more messages than this is not kept when another is opened. */
const ROWS_KEPT_MAX = 600;
/** A log with more rows than `ROWS_MAX` in memory keeps so many on either side of what the person sees. */
const ROWS_MAX = 1_000;
const ROWS_AROUND = 300;
/** Who scrolls so fast that pages come without a pause waits at so many for what is far away to go: each page costs as much as there are rows. */
const ROWS_FULL = 1_300;
/** Replies of a thread that are shown at once. */
const THREAD_MAX = 4_000;
/** A snapshot older than this is renewed when the server is reachable, whatever events said since, milliseconds. */
const BOOT_EVERY_MS = 12 * 3_600_000;
/** What the server sends within this time is shown together, milliseconds. */
const FRAMES_MS = 16;
/** And within this time at most when showing it takes long, milliseconds. */
const FRAMES_MAX_MS = 250;
/** Activity is told to the server at most once in this time, milliseconds. */
const TICKLE_EVERY_MS = 30_000;
/** People that are fetched at the start, in pages of 500; others when they say something. */
const USER_PAGES_MAX = 20;

/** A piece of history and where it comes from. */
interface Loaded {
  page: Omit<Page, "v">;
  p: HistoryPage["_p"];
  local?: true;
}

export interface SessionPorts {
  world: World;
  call: Call;
  storage: Storage;
  /** Of this window only; `sessionStorage` where it is not given. */
  windowStorage?: Storage;
  /** Sends the bytes of files; over HTTP where it is not given. */
  post?: PostBytes;
}

/** A moment before a message, after every other. */
function justBefore(ts: Ts): Ts {
  const micros = BigInt(ts.replace(".", "")) - 1n;
  const digits = String(micros).padStart(16, "0");
  return `${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

export class Session {
  readonly state: Signal<State> = signal(initialState);
  readonly link: Signal<LinkState> = signal<LinkState>({ phase: "connecting", attempt: 0 });
  /** False after a start from the device, until what happened meanwhile has come. */
  readonly current: Signal<boolean> = signal(true);
  /** The person signs out on this device. */
  leaving = false;
  /** Threads, mentions, people, preferences: what is around the conversations. */
  readonly places: Places;
  /** Files on their way, and the messages that are sent with them. */
  readonly uploads: Uploads;
  private readonly presence: PresenceWatch;
  private tickledAt = 0;
  private line: Tabs | undefined;
  private store: DeviceStore | undefined;
  /** The server has said that this session is this account's. */
  private verified = false;
  /** Threads are as an earlier page had them. */
  private restored = false;
  /** Topics whose events since the last page have not all come. */
  private readonly behind = new Set<TopicId>();
  private leads = false;
  private bootAgain = false;
  private unwatch: (() => void) | undefined;
  private readonly outbox: Outbox;
  private readonly opened: LogKey[] = [];
  /** What the person sees of the logs that are on screen: the first and the last message. */
  private readonly looks = new Map<LogKey, { first: Ts; last: Ts }>();
  private trimming = false;
  private readonly asked = new Set<string>();
  /** The cursors that are on their way to the server, whether they moved meanwhile, and whether nothing has confirmed where they are. */
  private readonly marks = new Map<string, { ts: Ts; due: boolean; open: boolean }>();
  /** Cursors that an earlier page could not tell the server. */
  private readonly unmarked = new Map<string, Ts>();
  private frames: Input[] = [];
  private framesMs = FRAMES_MS;
  private cancelFrames: (() => void) | undefined;
  private booting = false;
  private stopped = false;
  private cancelTyping: (() => void) | undefined;

  constructor(private readonly ports: SessionPorts) {
    const { world } = ports;
    this.presence = new PresenceWatch(world, (users) => this.line?.watchPresence(users));
    this.places = new Places({
      world,
      call: (method, args) => this.call(method, args),
      state: () => this.state.get(),
      dispatch: (input) => this.dispatch({ type: "personal", input }),
    });
    this.uploads = new Uploads({
      world,
      call: (method, args) => this.call(method, args),
      post: ports.post ?? postBytes,
      state: () => this.state.get(),
      dispatch: (input) => this.dispatch(input),
      online: () => this.link.get().phase === "online",
      storage: ports.windowStorage ?? (typeof sessionStorage === "undefined" ? ports.storage : sessionStorage),
    });
    this.outbox = new Outbox({
      world: ports.world,
      call: (method, args) => this.call(method, args),
      state: () => this.state.get(),
      dispatch: (input) => {
        this.dispatch(input);
        this.line?.share(input);
      },
      active: () => this.leads && this.verified,
      online: () => this.link.get().phase === "online" && ports.world.networkUp(),
      suspect: () => this.line?.probe(),
      save: (pending) => this.store?.savePending(pending),
      remove: (id) => this.store?.removePending(id),
    });
  }

  /**
   * Opens from what the device has, or boots; then connects from there: nothing is lost in between. Throws what the
   * first call threw, when there is nothing to open from.
   */
  async start(): Promise<void> {
    if (await this.restore()) return;
    const people = this.fetchUsers().catch(() => {});
    await this.boot();
    await people;
    const { self, team } = this.state.get();
    const account = { team: team!.id, user: self!.id };
    this.verified = true;
    saveAccount(this.ports.storage, account);
    this.store = await DeviceStore.open(account, this.ports.world, () => this.state.get());
    this.store.begin(this.state.get());
    await this.connect(account);
  }

  /** Opens from what an earlier page stored of the account that was signed in last. */
  private async restore(): Promise<boolean> {
    const account = loadAccount(this.ports.storage);
    if (account === undefined) return false;
    const store = await DeviceStore.open(account, this.ports.world, () => this.state.get());
    const state = await store.load();
    if (state === undefined || this.stopped) {
      store.close();
      return false;
    }
    this.store = store;
    this.dispatch({ type: "restored", state });
    for (const t of Object.keys(state.topics)) this.behind.add(t);
    this.restored = true;
    this.current.set(false);
    await this.connect(account);
    if (state.bootDue) void this.boot().catch(() => {});
    return true;
  }

  private async connect(account: Account): Promise<void> {
    const { world, call } = this.ports;
    const name = databaseName(account.team, account.user);
    // It listens before the outbox is read: what another window sends meanwhile is heard.
    this.line = new Tabs(
      name,
      browserTabs(name),
      world,
      {
        greeted: (frame) => {
          this.verified = frame.user === account.user && frame.team === account.team;
          return this.verified;
        },
        positions: () => {
          this.flush();
          return this.positions();
        },
        connected: () => {
          this.flush();
          this.dispatch({ type: "connected" });
        },
        frame: (frame) => this.receive({ type: "frame", frame, now: world.now() }),
        state: (state) => this.linked(state),
        leads: (leads) => this.lead(leads),
        own: (input) => {
          this.dispatch(input);
          this.outbox.resume();
        },
      },
      (handlers) => new Link(world, call, handlers),
    );
    this.outbox.start((await this.store?.unsent()) ?? []);
    this.uploads.start();
    for (const { channel, ts } of (await this.store?.marks()) ?? []) this.unmarked.set(channel, ts);
    this.unwatch = watchAccount(account, () => this.link.set({ phase: "stopped", reason: "signed_out" }));
    this.line.start();
  }

  /** This window has the connection for all windows of the browser, or not any more. */
  private lead(leads: boolean): void {
    this.leads = leads;
    if (this.store !== undefined) this.store.leads = leads;
    if (!leads) return;
    // What another window kept and could not tell.
    void this.store?.unsent().then((left) => this.leads && this.outbox.start(left));
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.outbox.stop();
    this.uploads.stop();
    this.line?.stop("signed_out");
    this.unwatch?.();
    this.cancelTyping?.();
    this.store?.close();
  }

  /** The page is about to go or to be frozen: what it knows is written, and another window may lead. */
  pause(): void {
    this.flush();
    void this.store?.flush();
    this.line?.freeze();
  }

  /** The page is there again. */
  resume(): void {
    this.line?.thaw();
    this.probe();
  }

  /** Writes what this page knows, because it may not get another chance. */
  save(): void {
    this.flush();
    void this.store?.flush();
  }

  /** Messages of one's own are not sent and nothing but this window has them. */
  get unsaved(): boolean {
    // Files are in no store.
    if (this.uploads.sends()) return true;
    if (this.store?.works) return false;
    return Object.values(this.state.get().pending).some((list) => list.some((it) => it.status !== "sent"));
  }

  /** Something hints that the network changed: the window woke up, or the browser says it is online. */
  probe(): void {
    this.line?.probe();
    this.outbox.kick();
    this.uploads.kick();
  }

  // --- Reading ------------------------------------------------------------------------------------

  /** Loads a conversation or thread that is about to be shown, unless it is there. */
  open(key: LogKey): void {
    this.remember(key);
    const log = this.state.get().logs[key];
    const load = this.state.get().loads[key];
    if (log?.loaded || load?.refused !== undefined || (load !== undefined && load.busy > 0)) return;
    void (threadOf(key) === undefined ? this.loadChannel(key) : this.loadThread(key));
  }

  /** Shows a conversation at its end, whatever piece of it was loaded. */
  openEnd(key: LogKey): void {
    if (this.state.get().logs[key]?.newer) {
      this.dispatch({ type: "unload", log: key });
      void this.fetchPage(key, "window", {});
    }
  }

  /** Loads the piece of a conversation around a moment, unless what is there has it. A thread is loaded whole. */
  openAt(key: LogKey, ts: Ts): void {
    const log = this.state.get().logs[key];
    if (threadOf(key) !== undefined) return this.open(key);
    this.remember(key);
    if (log?.loaded && covers(log, ts)) return;
    this.dispatch({ type: "unload", log: key });
    void this.fetch(key, async () => {
      const stored = await this.stored(key, { place: "around", ts, before: CONTEXT, after: CONTEXT });
      if (stored) return stored;
      const before = await this.history(key, { latest: ts, inclusive: true, limit: CONTEXT });
      const after = await this.history(key, { oldest: ts, limit: CONTEXT });
      return { page: { messages: [...before.messages, ...after.messages], place: "window", older: before.more, newer: after.more }, p: before.p };
    });
  }

  loadOlder(key: LogKey): void {
    const log = this.state.get().logs[key];
    const first = log?.rows[0];
    if (!log?.older || first === undefined || this.busy(key) || this.full(log)) return;
    void this.fetchPage(key, "before", { latest: first.message.ts });
  }

  loadNewer(key: LogKey): void {
    const log = this.state.get().logs[key];
    const last = log?.rows[log.rows.length - 1];
    if (!log?.newer || last === undefined || this.busy(key) || this.full(log)) return;
    void this.fetchPage(key, "after", { oldest: last.message.ts });
  }

  /** The rows that the person sees, or that it is the end; undefined when the log is not on screen any more. */
  sees(key: LogKey, rows: { first: Ts; last: Ts } | "end" | undefined): void {
    // What is not on screen is opened at its end or anew.
    if (rows === undefined || rows === "end") this.looks.delete(key);
    else this.looks.set(key, rows);
  }

  /** The person has seen everything up to the newest message. */
  read(channel: string): void {
    const it = this.state.get().conversations[channel];
    if (it === undefined || compareTs(it.latest, it.lastRead) <= 0) return;
    this.moveCursor(channel, it.latest);
  }

  /** This message and all after it are unread again, on every device. */
  markUnread(channel: string, ts: Ts): void {
    const rows = this.state.get().logs[channel]?.rows ?? [];
    const above = rows[lowerBound(rows, ts) - 1]?.message.ts;
    this.moveCursor(channel, above ?? justBefore(ts));
  }

  private moveCursor(channel: string, ts: Ts): void {
    this.dispatch({ type: "guess_read", channel, ts });
    this.store?.saveMark(channel, ts);
    const mark = this.marks.get(channel);
    if (mark === undefined) void this.mark(channel, ts);
    else Object.assign(mark, { ts, due: true, open: true });
  }

  /** Tells the server, and again while the cursor moves or the server does not answer. */
  private async mark(channel: string, ts: Ts): Promise<void> {
    const mark = { ts, due: true, open: true };
    this.marks.set(channel, mark);
    for (let attempt = 0; mark.due && !this.stopped; ) {
      mark.due = false;
      let wait = MARK_EVERY_MS;
      try {
        const sent = mark.ts;
        await this.call("conversations.mark", { channel, ts: sent });
        this.store?.removeMark(channel, sent);
        attempt = 0;
        mark.open = mark.due;
      } catch (thrown) {
        mark.due = failureOf(thrown).kind !== "refused";
        mark.open = mark.due;
        if (!mark.due) this.store?.removeMark(channel, mark.ts);
        wait += fullJitterMs(attempt++, 1_000, 30_000, this.ports.world.random());
      }
      await new Promise<void>((resolve) => this.ports.world.after(wait, resolve));
    }
    this.marks.delete(channel);
  }

  // --- Writing ------------------------------------------------------------------------------------

  send(key: LogKey, content: Content): void {
    const thread = threadOf(key);
    const channel = channelOf(key);
    this.openEnd(key);
    const pending: Pending = { id: uuid(), channel, ...content, created: this.ports.world.now(), status: "sending", ...(thread === undefined ? {} : { thread }) };
    this.outbox.send(pending);
  }

  /** Sends what is attached with a text, as one message. */
  sendFiles(key: LogKey, content: Content): void {
    this.openEnd(key);
    this.uploads.send(key, content);
  }

  retry(key: LogKey, id: string): void {
    if (this.uploads.has(id)) return this.uploads.retry(id);
    this.outbox.retry(key, id);
  }

  discard(key: LogKey, id: string): void {
    if (this.uploads.has(id)) return this.uploads.discard(id);
    this.outbox.discard(key, id);
  }

  /** Throws a `CallError` when the server did not do it. */
  async edit(channel: string, ts: Ts, { text, blocks }: Content): Promise<void> {
    await this.call("chat.update", { channel, ts, text, blocks: blocks === undefined ? undefined : JSON.stringify(blocks) });
    this.dispatch({ type: "guess_edit", channel, ts, text, blocks });
  }

  /** Sends later; `at` in milliseconds since 1970. Throws a `CallError` when nobody can say that it will be. */
  async schedule(key: LogKey, { text, blocks, broadcast }: Content, at: number): Promise<void> {
    await this.call("chat.scheduleMessage", { channel: channelOf(key), thread_ts: threadOf(key), reply_broadcast: broadcast, text, blocks: blocks === undefined ? undefined : JSON.stringify(blocks), post_at: Math.floor(at / 1000) });
  }

  /** A call of which nothing has to be known here: what it changes comes back as events. */
  async request(method: string, args?: Args): Promise<void> {
    await this.call(method, args);
  }

  async delete(channel: string, ts: Ts): Promise<void> {
    await this.call("chat.delete", { channel, ts }).catch((thrown: unknown) => {
      if (failureOf(thrown).error !== "message_not_found") throw thrown;
    });
    this.dispatch({ type: "guess_delete", channel, ts });
  }

  /** Shown at once; taken back when the server refuses. */
  async react(channel: string, ts: Ts, name: string, added: boolean): Promise<void> {
    this.dispatch({ type: "guess_reaction", channel, ts, name, added });
    try {
      await this.call(added ? "reactions.add" : "reactions.remove", { channel, timestamp: ts, name });
    } catch (thrown) {
      const { error } = failureOf(thrown);
      if (error === "already_reacted" || error === "no_reaction") return;
      this.dispatch({ type: "guess_reaction", channel, ts, name, added: !added });
      throw thrown;
    }
  }

  /** Shown at once; taken back when the server refuses. */
  async pin(channel: string, ts: Ts, on: boolean): Promise<void> {
    this.dispatch({ type: "guess_pin", channel, ts, on });
    try {
      await this.call(on ? "pins.add" : "pins.remove", { channel, timestamp: ts });
    } catch (thrown) {
      const { error } = failureOf(thrown);
      if (error === "already_pinned" || error === "no_pin") return;
      this.dispatch({ type: "guess_pin", channel, ts, on: !on });
      throw thrown;
    }
  }

  /** The pinned messages of a conversation, the newest pin first. */
  async pins(channel: string): Promise<PinnedItem[]> {
    return (await this.call<Envelope & { items: PinnedItem[] }>("pins.list", { channel })).items;
  }

  /** Preferences that the server keeps, by their names, separated by commas. */
  async readPreferences(names: string): Promise<Record<string, unknown>> {
    return (await this.call<Envelope & { prefs: Record<string, unknown> }>("users.prefs.get", { prefs: names })).prefs;
  }

  async writePreferences(prefs: Record<string, unknown>): Promise<void> {
    await this.call("users.prefs.set", { prefs: JSON.stringify(prefs) });
  }

  typing(key: LogKey): void {
    this.line?.typing(channelOf(key), threadOf(key));
  }

  /** Watches whether somebody is there, until the returned function is called. */
  watchPresence(user: string): () => void {
    return this.presence.watch(user);
  }

  /** The person does something on this device; told now and then only. */
  active(): void {
    const now = this.ports.world.now();
    if (now - this.tickledAt < TICKLE_EVERY_MS) return;
    this.tickledAt = now;
    this.line?.tickle();
  }

  /** Every channel that the person may see. */
  async browse(archived = false): Promise<Channel[]> {
    const channels: Channel[] = [];
    for (let cursor: string | undefined = "", pages = 0; cursor !== undefined && pages < 10; pages++) {
      const answer: Envelope & { channels: Channel[] } = await this.call("conversations.list", {
        limit: 200,
        exclude_archived: !archived,
        types: "public_channel,private_channel",
        ...(cursor === "" ? {} : { cursor }),
      });
      channels.push(...answer.channels);
      cursor = answer.response_metadata?.next_cursor || undefined;
    }
    return channels;
  }

  /** What a channel is that the person is not in. Throws when there is none for them. */
  async look(channel: string): Promise<Channel> {
    return (await this.call<Envelope & { channel: Channel }>("conversations.info", { channel })).channel;
  }

  /** Creates a channel; its id. The person is in it. */
  async create(name: string, isPrivate: boolean): Promise<string> {
    const { channel } = await this.call<Envelope & { channel: Channel }>("conversations.create", { name, is_private: isPrivate });
    return this.arrived(channel.id);
  }

  async join(channel: string): Promise<string> {
    await this.call("conversations.join", { channel });
    return this.arrived(channel);
  }

  async leave(channel: string): Promise<void> {
    await this.call("conversations.leave", { channel });
  }

  /** The DM with somebody; opened if there is none. */
  async message(user: string): Promise<string> {
    const known = Object.values(this.state.get().conversations).find((it) => it.channel.is_im && it.channel.user === user && !it.gone);
    if (known !== undefined) return known.channel.id;
    const { channel } = await this.call<Envelope & { channel: Channel }>("conversations.open", { users: user, return_im: true });
    return this.arrived(channel.id);
  }

  async invite(channel: string, users: string): Promise<void> {
    await this.call("conversations.invite", { channel, users });
  }

  async inviteLink(options: { expires_in: number; uses_max: number; email?: string }): Promise<string> {
    const { url } = await this.call<Envelope & { url: string }>("parlance.invite.create", options);
    return url;
  }

  /** The sockets are closed before the answer comes: meanwhile `leaving` says that this is no surprise. */
  async signOut(everywhere: boolean): Promise<void> {
    this.leaving = true;
    try {
      await this.ports.call("parlance.signout", everywhere ? { all: true } : {});
    } catch (thrown) {
      const failure = failureOf(thrown);
      if (failure.kind !== "refused" || !SIGNED_OUT_ERRORS.has(failure.error)) {
        this.leaving = false;
        throw thrown;
      }
    }
    const store = this.store;
    this.store = undefined;
    this.stop();
    await this.forget(store);
  }

  /** Who signs out leaves nothing behind on this device: no messages, no drafts. */
  private async forget(store: DeviceStore | undefined): Promise<void> {
    await store?.destroy();
    const { storage } = this.ports;
    this.uploads.forget();
    const keys = Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? "");
    for (const key of keys) if (key.startsWith("parlance.")) storage.removeItem(key);
  }

  /** The personal topic tells of a new conversation; if it does not in time, a boot does. */
  private arrived(channel: string): Promise<string> {
    return new Promise((resolve) => {
      const present = () => this.state.get().conversations[channel] !== undefined;
      if (present()) return resolve(channel);
      const done = () => {
        if (!present()) return;
        cancel();
        unsubscribe();
        resolve(channel);
      };
      const unsubscribe = this.state.subscribe(done);
      const cancel = this.ports.world.after(1_500, () => void this.boot().then(done, done));
    });
  }

  // --- Inside -------------------------------------------------------------------------------------

  /** The first frame is shown at once; those that follow close behind are shown together. */
  private receive(input: Input): void {
    if (this.cancelFrames === undefined) this.dispatch(input);
    else this.frames.push(input);
    this.cancelFrames ??= this.ports.world.after(this.framesMs, () => this.flush());
  }

  private flush(): void {
    this.cancelFrames?.();
    this.cancelFrames = undefined;
    const frames = this.frames;
    if (frames.length === 0) return;
    this.frames = [];
    const started = this.ports.world.now();
    this.dispatch(...frames);
    // In a flood the page keeps most of its time for the person.
    this.framesMs = Math.min(FRAMES_MAX_MS, Math.max(FRAMES_MS, 3 * (this.ports.world.now() - started)));
    this.cancelFrames = this.ports.world.after(this.framesMs, () => this.flush());
  }

  private dispatch(...inputs: Input[]): void {
    if (this.stopped) return;
    let state = this.state.get();
    const effects: Effect[] = [];
    for (const input of inputs) {
      for (const it of [input, ...this.stillMarked(input)]) {
        const step = apply(state, it);
        state = step.state;
        effects.push(...step.effects);
      }
    }
    this.state.set(state);
    for (const effect of effects) this.run(effect);
    if (!this.current.get()) this.catchUp(inputs);
    this.store?.changed();
    if (!this.trimming && Object.values(state.logs).some((log) => log.rows.length > ROWS_MAX)) void this.trim();
    if (this.cancelTyping === undefined && Object.keys(state.typing).length > 0) {
      this.cancelTyping = this.ports.world.after(1_000, () => {
        this.cancelTyping = undefined;
        this.dispatch({ type: "typing_expired", now: this.ports.world.now() });
      });
    }
  }

  /** Where the person put the cursor last, if a frame moves it elsewhere before the server knows of that. */
  private stillMarked(input: Input): Input[] {
    if (this.marks.size === 0 || input.type !== "frame") return [];
    const { frame } = input;
    const events = frame.type === "_page" ? (frame as Extract<TopicFrames, { type: "_page" }>).events : [frame as WireEvent];
    const still = new Set<string>();
    for (const { type, channel, ts } of events) {
      const mark = type.endsWith("_marked") && typeof channel === "string" ? this.marks.get(channel) : undefined;
      if (mark === undefined || !mark.open || type === "thread_marked") continue;
      if (ts === mark.ts) mark.open = false;
      if (mark.open) still.add(channel as string);
      else still.delete(channel as string);
    }
    return [...still].map((channel) => ({ type: "guess_read", channel, ts: this.marks.get(channel)!.ts }));
  }

  /** Takes out of memory what is far from where the person looks; it is on the device, and on the server. */
  private async trim(): Promise<void> {
    this.trimming = true;
    // By itself: a list that grows at one end and shrinks at the other in one step loses its place.
    await new Promise<void>((resolve) => this.ports.world.after(FRAMES_MS, resolve));
    await this.store?.flush();
    this.trimming = false;
    for (const [key, log] of Object.entries(this.state.get().logs)) {
      if (log.rows.length <= ROWS_MAX || this.busy(key)) continue;
      const look = this.looks.get(key);
      const from = look === undefined ? log.rows.length : lowerBound(log.rows, look.first);
      const to = look === undefined ? log.rows.length : lowerBound(log.rows, look.last);
      const first = log.rows[Math.max(0, from - ROWS_AROUND)]!.message.ts;
      const last = log.rows[Math.min(log.rows.length - 1, to + ROWS_AROUND)]!.message.ts;
      const [oldest, newest] = [log.rows[0]!.message.ts, log.rows[log.rows.length - 1]!.message.ts];
      // One end at a time, see above. The other has its turn with the next step.
      if (first !== oldest) this.dispatch({ type: "trim", log: key, epoch: log.epoch, first, last: newest });
      else if (last !== newest) this.dispatch({ type: "trim", log: key, epoch: log.epoch, first: oldest, last });
    }
  }

  /** Everything since the last page has come when each topic was answered, or the window with the connection is nowhere ahead. */
  private catchUp(inputs: readonly Input[]): void {
    for (const input of inputs) {
      if (input.type === "frame" && ["_live", "_reset", "_gone"].includes(input.frame.type)) this.behind.delete((input.frame as { t: TopicId }).t);
    }
    if (this.link.get().phase !== "online") return;
    const { topics } = this.state.get();
    const waits = this.leads ? this.behind.size > 0 : Object.values(topics).some((topic) => topic.pulling);
    if (!waits) this.current.set(true);
  }

  private run(effect: Effect): void {
    switch (effect.kind) {
      case "pull":
        return this.line?.pull(effect.t, effect.g, effect.s);
      case "boot":
        void this.boot().catch(() => {});
        return;
      case "user":
        return this.askUser(effect.id);
      case "threads":
        return this.places.refreshThreads();
      case "event":
      case "drop":
        return this.store?.note(effect);
    }
  }

  private linked(state: LinkState): void {
    this.link.set(state);
    // Who is there is not known without the server.
    if (state.phase !== "online" && Object.keys(this.state.get().personal.presence).length > 0) this.dispatch({ type: "personal", input: { type: "presence_lost" } });
    if (state.phase === "stopped" && state.reason === "signed_out" && !this.leaving && !this.stopped) {
      saveAccount(this.ports.storage, undefined);
      void this.store?.revoke();
    }
    if (state.phase !== "online") return;
    this.flush();
    if (!this.current.get()) this.catchUp([]);
    this.outbox.kick();
    this.outbox.resume();
    this.uploads.kick();
    if (!this.leads) return;
    for (const [channel, ts] of this.unmarked) void this.mark(channel, ts);
    this.unmarked.clear();
    const { bootDue, bootedAt, peopleKnown } = this.state.get();
    if (this.restored) this.places.refreshThreads();
    this.restored = false;
    if (!peopleKnown) void this.fetchUsers().catch(() => {});
    if (bootDue || this.ports.world.now() - bootedAt > BOOT_EVERY_MS) void this.boot().catch(() => {});
  }

  /** A call as this person; ends the session when the server says that it is over. */
  private async call<T extends Envelope>(method: string, args?: Args): Promise<T> {
    try {
      return await this.ports.call<T>(method, args);
    } catch (thrown) {
      const failure = failureOf(thrown);
      if (failure.kind === "refused" && SIGNED_OUT_ERRORS.has(failure.error) && !this.stopped) this.line?.stop("signed_out");
      if (failure.kind === "unknown") this.line?.probe();
      throw thrown;
    }
  }

  private positions(): Record<TopicId, Position> {
    return Object.fromEntries(Object.entries(this.state.get().topics).map(([t, { g, s }]) => [t, [g, s] as const]));
  }

  private async boot(): Promise<void> {
    if (this.booting) {
      this.bootAgain = true;
      return;
    }
    this.booting = true;
    this.dispatch({ type: "fetching" });
    try {
      const boot = await this.ports.call<Boot>("client.userBoot");
      this.dispatch({ type: "booted", boot, now: this.ports.world.now() });
    } catch (thrown) {
      this.dispatch({ type: "fetch_failed" });
      if (this.state.get().booted && failureOf(thrown).kind !== "refused") this.ports.world.after(3_000, () => void this.boot().catch(() => {}));
      throw thrown;
    } finally {
      this.booting = false;
      if (this.bootAgain && !this.stopped) {
        this.bootAgain = false;
        void this.boot().catch(() => {});
      }
    }
  }

  /** One page of people; the further ones come without anybody waiting for them. */
  private async fetchUsers(cursor?: string, pages: number = USER_PAGES_MAX): Promise<void> {
    const answer = await this.call<Envelope & { members: User[] }>("users.list", { limit: 500, cursor });
    const next = answer.response_metadata?.next_cursor;
    this.dispatch({ type: "users", users: answer.members, last: !next || pages <= 1 });
    if (next && pages > 1 && !this.stopped) void this.fetchUsers(next, pages - 1).catch(() => {});
  }

  /** Somebody is about to be shown: fetches them, unless they are known. */
  knowPerson(id: string): void {
    if (this.state.get().users[id] === undefined) this.askUser(id);
  }

  private askUser(id: string): void {
    if (this.asked.has(id)) return;
    this.asked.add(id);
    this.call<Envelope & { user: User }>("users.info", { user: id }).then(
      ({ user }) => this.dispatch({ type: "users", users: [user] }),
      () => this.asked.delete(id),
    );
  }

  /** Whether a log has to lose rows before it gets more; when it has, the list asks again. */
  private full(log: Log): boolean {
    if (log.rows.length < ROWS_FULL) return false;
    if (!this.trimming) void this.trim();
    return true;
  }

  private busy(key: LogKey): boolean {
    return (this.state.get().loads[key]?.busy ?? 0) > 0;
  }

  /** The end of the history or, when there is something unread, the piece around the first unread message. */
  private async loadChannel(key: LogKey): Promise<void> {
    const it = this.state.get().conversations[key];
    if (it === undefined || it.lastRead === TS_ZERO || !hasUnreads(it)) {
      await this.fetchPage(key, "window", {});
      return;
    }
    await this.fetch(key, async () => {
      const stored = await this.stored(key, { place: "around", ts: it.lastRead, before: CONTEXT, after: PAGE });
      if (stored) return stored;
      const read = await this.history(key, { latest: it.lastRead, inclusive: true, limit: CONTEXT });
      const unread = await this.history(key, { oldest: it.lastRead, limit: PAGE });
      // Of two reads the smaller position is the one that both contain.
      return { page: { messages: [...read.messages, ...unread.messages], place: "window", older: read.more, newer: unread.more }, p: read.p };
    });
  }

  private async loadThread(key: LogKey): Promise<void> {
    await this.fetch(key, async () => {
      const stored = await this.stored(key, { place: "end", limit: THREAD_MAX, anyhow: false });
      if (stored) return stored;
      const messages: HistoryPage["messages"] = [];
      let p: HistoryPage["_p"];
      for (let cursor: string | undefined, pages = 0; pages === 0 || (cursor !== undefined && pages < 20); pages++) {
        const answer: HistoryPage = await this.call("conversations.replies", { channel: channelOf(key), ts: threadOf(key), limit: 200, cursor, _p: true });
        // Each page repeats the parent. The smallest position is the one that all pages contain.
        messages.push(...answer.messages.filter((it) => pages === 0 || isReply(it)));
        p ??= answer._p;
        cursor = answer.response_metadata?.next_cursor || undefined;
      }
      return { page: { messages, place: "window" as const, older: false, newer: false }, p };
    });
  }

  private async fetchPage(key: LogKey, place: Page["place"], range: { latest?: Ts; oldest?: Ts }): Promise<void> {
    await this.fetch(key, async () => {
      const ts = range.latest ?? range.oldest;
      const offline = this.link.get().phase !== "online" && !this.ports.world.networkUp();
      const stored = await this.stored(key, place === "window" || ts === undefined ? { place: "end", limit: PAGE, anyhow: offline } : { place, ts, limit: PAGE });
      if (stored) return stored;
      const { messages, more, p } = await this.history(key, { ...range, limit: PAGE });
      return { page: { messages, place, older: place !== "after" && more, newer: place === "after" && more }, p };
    });
  }

  private async history(channel: string, args: { latest?: Ts; oldest?: Ts; inclusive?: boolean; limit: number }) {
    const answer = await this.call<HistoryPage>("conversations.history", { channel, ...args, _p: true });
    const messages = [...answer.messages].sort((a, b) => compareTs(a.ts, b.ts));
    return { messages, more: answer.has_more === true, p: answer._p };
  }

  /** A piece of history from the device. */
  private async stored(key: LogKey, wanted: Wanted): Promise<(Loaded & { local: true }) | undefined> {
    this.flush();
    const found = await this.store?.history(key, wanted);
    return found && { ...found, local: true };
  }

  /** Runs one fetch of a log and hands it to the reducer; tries again while the log is wanted. */
  private async fetch(key: LogKey, load: () => Promise<Loaded>): Promise<void> {
    for (let attempt = 0; !this.stopped; attempt++) {
      this.dispatch({ type: "fetching", log: key });
      const epoch = this.state.get().logs[key]?.epoch ?? 0;
      try {
        const { page, p, local } = await load();
        this.dispatch({ type: "page", log: key, epoch, page, p });
        if (!local) this.store?.keep(key, page);
        return;
      } catch (thrown) {
        const failure = failureOf(thrown);
        this.dispatch({ type: "fetch_failed", log: key, ...(failure.kind === "refused" ? { refused: failure.error } : {}) });
        if (failure.kind === "refused") return;
        const wait = failure.kind === "later" ? failure.afterMs : fullJitterMs(attempt, 1_000, 15_000, this.ports.world.random());
        await new Promise<void>((resolve) => this.ports.world.after(wait, resolve));
        if (this.opened[0] !== key && this.opened[1] !== key) return;
      }
    }
  }

  /** Keeps the logs that were looked at last. */
  private remember(key: LogKey): void {
    const at = this.opened.indexOf(key);
    if (at >= 0) this.opened.splice(at, 1);
    this.opened.unshift(key);
    for (const old of this.opened.splice(LOGS_MAX)) this.dispatch({ type: "unload", log: old });
    for (const other of this.opened) {
      const long = (this.state.get().logs[other]?.rows.length ?? 0) > ROWS_KEPT_MAX;
      if (long && channelOf(other) !== channelOf(key)) this.dispatch({ type: "unload", log: other });
    }
  }
}
