/**
 * A signed-in person's workspace: the state, the link and the outbox, and the calls that fetch
 * snapshots and change things. Views call its methods and read its state; they write nothing.
 */
import { SIGNED_OUT_ERRORS, failureOf } from "../wire/api";
import type { Args, Call } from "../wire/api";
import type { Content } from "../composer/content";
import type { Boot, Channel, Envelope, HistoryPage, PinnedItem, Position, TopicId, Ts, User } from "../wire/types";
import { TS_ZERO, compareTs } from "../wire/types";
import { signal } from "../store/signal";
import type { Signal } from "../store/signal";
import { apply } from "./apply";
import type { Effect, Input } from "./apply";
import { covers, lowerBound } from "./log";
import type { Page } from "./log";
import { Link } from "./link";
import type { LinkState } from "./link";
import { Uploads } from "../files/uploads";
import { postBytes } from "../files/post";
import type { PostBytes } from "../files/post";
import { Outbox } from "./outbox";
import { Places } from "./places";
import { PresenceWatch } from "./presence";
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
/** What the server sends within this time is shown together, milliseconds. */
const FRAMES_MS = 16;
/** Activity is told to the server at most once in this time, milliseconds. */
const TICKLE_EVERY_MS = 30_000;
/** People that are fetched at the start, in pages of 500; others when they say something. */
const USER_PAGES_MAX = 20;

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
  /** The person signs out on this device. */
  leaving = false;
  /** Threads, mentions, people, preferences: what is around the conversations. */
  readonly places: Places;
  /** Files on their way, and the messages that are sent with them. */
  readonly uploads: Uploads;
  private readonly presence: PresenceWatch;
  private tickledAt = 0;
  private readonly socket: Link;
  private readonly outbox: Outbox;
  private readonly opened: LogKey[] = [];
  private readonly asked = new Set<string>();
  /** The cursors that are on their way to the server, and whether they moved meanwhile. */
  private readonly marks = new Map<string, { ts: Ts; due: boolean }>();
  private saved = new Set<string>();
  private frames: Input[] = [];
  private cancelFrames: (() => void) | undefined;
  private booting = false;
  private stopped = false;
  private cancelTyping: (() => void) | undefined;

  constructor(private readonly ports: SessionPorts) {
    const { world, call } = ports;
    this.socket = new Link(world, call, {
      positions: () => this.positions(),
      connected: () => {
        this.flush();
        this.dispatch({ type: "connected" });
      },
      frame: (frame) => this.receive({ type: "frame", frame, now: world.now() }),
      state: (state) => this.linked(state),
    });
    this.presence = new PresenceWatch(world, (users) => this.socket.watchPresence(users));
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
      world,
      call: (method, args) => this.call(method, args),
      state: () => this.state.get(),
      dispatch: (input) => this.dispatch(input),
      online: () => this.link.get().phase === "online" && world.networkUp(),
      suspect: () => this.socket.probe(),
      save: (pending) => this.saveOutbox(pending),
      load: () => this.loadOutbox(),
    });
  }

  /** Boots, then connects from the boot's positions: nothing is lost in between. Throws what the first call threw. */
  async start(): Promise<void> {
    const people = this.fetchUsers().catch(() => {});
    await this.boot();
    await people;
    this.outbox.start();
    this.uploads.start();
    this.socket.start();
  }

  stop(): void {
    this.stopped = true;
    this.outbox.stop();
    this.uploads.stop();
    this.socket.stop("signed_out");
    this.cancelTyping?.();
  }

  /** Something hints that the network changed: the window woke up, or the browser says it is online. */
  probe(): void {
    this.socket.probe();
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
      const before = await this.history(key, { latest: ts, inclusive: true, limit: CONTEXT });
      const after = await this.history(key, { oldest: ts, limit: CONTEXT });
      return { page: { messages: [...before.messages, ...after.messages], place: "window", older: before.more, newer: after.more }, p: before.p };
    });
  }

  loadOlder(key: LogKey): void {
    const log = this.state.get().logs[key];
    const first = log?.rows[0];
    if (!log?.older || first === undefined || this.busy(key)) return;
    void this.fetchPage(key, "before", { latest: first.message.ts });
  }

  loadNewer(key: LogKey): void {
    const log = this.state.get().logs[key];
    const last = log?.rows[log.rows.length - 1];
    if (!log?.newer || last === undefined || this.busy(key)) return;
    void this.fetchPage(key, "after", { oldest: last.message.ts });
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
    const mark = this.marks.get(channel);
    if (mark === undefined) void this.mark(channel, ts);
    else {
      mark.ts = ts;
      mark.due = true;
    }
  }

  /** Tells the server, and again while the cursor moves or the server does not answer. */
  private async mark(channel: string, ts: Ts): Promise<void> {
    const mark = { ts, due: true };
    this.marks.set(channel, mark);
    for (let attempt = 0; mark.due && !this.stopped; ) {
      mark.due = false;
      let wait = MARK_EVERY_MS;
      try {
        await this.call("conversations.mark", { channel, ts: mark.ts });
        attempt = 0;
      } catch (thrown) {
        mark.due = failureOf(thrown).kind !== "refused";
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
    this.socket.typing(channelOf(key), threadOf(key));
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
    this.socket.tickle();
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
    this.stop();
    this.forget();
  }

  /** Who signs out leaves nothing behind on this device: no drafts, no unsent messages. */
  private forget(): void {
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
    this.cancelFrames ??= this.ports.world.after(FRAMES_MS, () => this.flush());
  }

  private flush(): void {
    this.cancelFrames?.();
    this.cancelFrames = undefined;
    const frames = this.frames;
    if (frames.length === 0) return;
    this.frames = [];
    this.dispatch(...frames);
    this.cancelFrames = this.ports.world.after(FRAMES_MS, () => this.flush());
  }

  private dispatch(...inputs: Input[]): void {
    if (this.stopped) return;
    let state = this.state.get();
    const effects: Effect[] = [];
    for (const input of inputs) {
      const step = apply(state, input);
      state = step.state;
      effects.push(...step.effects);
    }
    this.state.set(state);
    for (const effect of effects) this.run(effect);
    if (this.cancelTyping === undefined && Object.keys(state.typing).length > 0) {
      this.cancelTyping = this.ports.world.after(1_000, () => {
        this.cancelTyping = undefined;
        this.dispatch({ type: "typing_expired", now: this.ports.world.now() });
      });
    }
  }

  private run(effect: Effect): void {
    switch (effect.kind) {
      case "pull":
        return this.socket.pull(effect.t, effect.g, effect.s);
      case "boot":
        void this.boot().catch(() => {});
        return;
      case "user":
        return this.askUser(effect.id);
      case "threads":
        return this.places.refreshThreads();
    }
  }

  private linked(state: LinkState): void {
    this.link.set(state);
    // Who is there is not known without the server.
    if (state.phase !== "online" && Object.keys(this.state.get().personal.presence).length > 0) this.dispatch({ type: "personal", input: { type: "presence_lost" } });
    if (state.phase === "online") this.outbox.kick();
    if (state.phase === "online") this.uploads.kick();
  }

  /** A call as this person; ends the session when the server says that it is over. */
  private async call<T extends Envelope>(method: string, args?: Args): Promise<T> {
    try {
      return await this.ports.call<T>(method, args);
    } catch (thrown) {
      const failure = failureOf(thrown);
      if (failure.kind === "refused" && SIGNED_OUT_ERRORS.has(failure.error) && !this.stopped) this.socket.stop("signed_out");
      if (failure.kind === "unknown") this.socket.probe();
      throw thrown;
    }
  }

  private positions(): Record<TopicId, Position> {
    return Object.fromEntries(Object.entries(this.state.get().topics).map(([t, { g, s }]) => [t, [g, s] as const]));
  }

  private async boot(): Promise<void> {
    if (this.booting) return;
    this.booting = true;
    this.dispatch({ type: "fetching" });
    try {
      const boot = await this.ports.call<Boot>("client.userBoot");
      this.dispatch({ type: "booted", boot });
    } catch (thrown) {
      this.dispatch({ type: "fetch_failed" });
      if (this.state.get().booted && failureOf(thrown).kind !== "refused") this.ports.world.after(3_000, () => void this.boot().catch(() => {}));
      throw thrown;
    } finally {
      this.booting = false;
    }
  }

  /** One page of people; the further ones come without anybody waiting for them. */
  private async fetchUsers(cursor?: string, pages: number = USER_PAGES_MAX): Promise<void> {
    const answer = await this.call<Envelope & { members: User[] }>("users.list", { limit: 500, cursor });
    this.dispatch({ type: "users", users: answer.members });
    const next = answer.response_metadata?.next_cursor;
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
      const read = await this.history(key, { latest: it.lastRead, inclusive: true, limit: CONTEXT });
      const unread = await this.history(key, { oldest: it.lastRead, limit: PAGE });
      // Of two reads the smaller position is the one that both contain.
      return { page: { messages: [...read.messages, ...unread.messages], place: "window", older: read.more, newer: unread.more }, p: read.p };
    });
  }

  private async loadThread(key: LogKey): Promise<void> {
    await this.fetch(key, async () => {
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
      const { messages, more, p } = await this.history(key, { ...range, limit: PAGE });
      return { page: { messages, place, older: place !== "after" && more, newer: place === "after" && more }, p };
    });
  }

  private async history(channel: string, args: { latest?: Ts; oldest?: Ts; inclusive?: boolean; limit: number }) {
    const answer = await this.call<HistoryPage>("conversations.history", { channel, ...args, _p: true });
    const messages = [...answer.messages].sort((a, b) => compareTs(a.ts, b.ts));
    return { messages, more: answer.has_more === true, p: answer._p };
  }

  /** Runs one fetch of a log and hands it to the reducer; tries again while the log is wanted. */
  private async fetch(key: LogKey, load: () => Promise<{ page: Omit<Page, "v">; p: HistoryPage["_p"] }>): Promise<void> {
    for (let attempt = 0; !this.stopped; attempt++) {
      this.dispatch({ type: "fetching", log: key });
      const epoch = this.state.get().logs[key]?.epoch ?? 0;
      try {
        const { page, p } = await load();
        this.dispatch({ type: "page", log: key, epoch, page, p });
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

  /** One entry per message, because other windows of this browser keep theirs in the same place. */
  private outboxKey(id: string): string {
    return `parlance.outbox.${this.state.get().self?.id ?? ""}.${id}`;
  }

  private saveOutbox(pending: Pending[]): void {
    const { storage } = this.ports;
    for (const it of pending) storage.setItem(this.outboxKey(it.id), JSON.stringify(it));
    for (const id of this.saved) if (!pending.some((it) => it.id === id)) storage.removeItem(this.outboxKey(id));
    this.saved = new Set(pending.map((it) => it.id));
  }

  private loadOutbox(): Pending[] {
    const { storage } = this.ports;
    const keys = Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? "").filter((key) => key.startsWith(this.outboxKey("")));
    const pending = keys.map((key) => JSON.parse(storage.getItem(key) ?? "null") as Pending | null).filter((it) => it !== null);
    this.saved = new Set(pending.map((it) => it.id));
    return pending.sort((a, b) => a.created - b.created);
  }
}
