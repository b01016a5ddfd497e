/** Calls for what is around the conversations. Views use them through the session; what they change goes through the reducer. */
import { failureOf } from "../wire/api";
import { sendForm } from "../wire/api";
import type { Args } from "../wire/api";
import type { SharedFile } from "../wire/files";
import type { Dnd, Envelope, HistoryPage, MentionsPage, Message, ScheduledMessage, Subscription, ThreadsPage, Ts, User } from "../wire/types";
import { compareTs } from "../wire/types";
import { isOutdated } from "../store/quiet";
import { mutedOf } from "./attention";
import type { PersonalInput } from "./personal";
import type { World } from "./ports";
import { fullJitterMs } from "./ports";
import type { State } from "./state";

/** Followed threads that one call fetches. */
const THREADS_PAGE = 30;
/** The list of threads is fetched at most once in this time, milliseconds. */
const THREADS_EVERY_MS = 1_500;
/** What happened just before the list is fetched is in it, milliseconds. */
const THREADS_SOON_MS = 150;
/** Files that one call fetches. */
const FILES_PAGE = 40;
/** People whose do-not-disturb one call may ask for. */
const DND_PAGE = 50;

export interface PlacesPorts {
  world: World;
  call<T extends Envelope>(method: string, args?: Args): Promise<T>;
  state(): State;
  dispatch(input: PersonalInput): void;
}

export class Places {
  private threadsDue = false;
  private threadsBusy = false;
  private failures = 0;
  private readonly dndAsked = new Set<string>();

  constructor(private readonly ports: PlacesPorts) {}

  // --- Threads ------------------------------------------------------------------------------------

  /** Fetches the newest followed threads soon; several wishes are one call. */
  refreshThreads(): void {
    this.threadsDue = true;
    if (this.threadsBusy) return;
    this.threadsBusy = true;
    this.ports.world.after(THREADS_SOON_MS, () => void this.runThreads());
  }

  private async runThreads(): Promise<void> {
    this.threadsDue = false;
    const { revision } = this.ports.state().personal.threads;
    let wait = THREADS_EVERY_MS;
    try {
      const page = await this.threads();
      this.failures = 0;
      this.ports.dispatch({ type: "threads", page, revision });
    } catch (thrown) {
      const failure = failureOf(thrown);
      this.threadsDue ||= failure.kind !== "refused";
      wait = failure.kind === "later" ? failure.afterMs : wait + fullJitterMs(this.failures++, 1_000, 30_000, this.ports.world.random());
    }
    this.ports.world.after(wait, () => {
      this.threadsBusy = false;
      if (this.threadsDue) this.refreshThreads();
    });
  }

  /** Fetches followed threads whose newest reply is before `before`; where the next page begins, if there is one. */
  async olderThreads(before: Ts): Promise<Ts | undefined> {
    const page = await this.threads(before);
    this.ports.dispatch({ type: "older_threads", page });
    return page.has_more ? page.max_ts : undefined;
  }

  private threads(before?: Ts): Promise<ThreadsPage> {
    return this.ports.call<ThreadsPage>("subscriptions.thread.getView", { limit: THREADS_PAGE, current_ts: before });
  }

  /** Learns whether the person follows a thread that is being looked at, if that is not known. */
  async standing(channel: string, thread: Ts): Promise<void> {
    const known = this.ports.state().personal.threads.followed[`${channel}/${thread}`];
    if (known !== undefined && known.active) return;
    const answer = await this.ports.call<Envelope & { subscribed: boolean; last_read?: Ts }>("subscriptions.thread.get", { channel, thread_ts: thread });
    this.ports.dispatch({ type: "subscription", subscription: { channel, thread_ts: thread, active: answer.subscribed, last_read: answer.last_read ?? thread } });
  }

  async follow(channel: string, thread: Ts, active: boolean): Promise<void> {
    await this.ports.call(active ? "subscriptions.thread.add" : "subscriptions.thread.remove", { channel, thread_ts: thread });
    const known = this.ports.state().personal.threads.followed[`${channel}/${thread}`];
    const subscription: Subscription = { channel, thread_ts: thread, active, last_read: known?.latest ?? thread };
    this.ports.dispatch({ type: "subscription", subscription });
  }

  /** The person has read a thread up to its newest reply. */
  async readThread(channel: string, thread: Ts): Promise<void> {
    const it = this.ports.state().personal.threads.followed[`${channel}/${thread}`];
    if (it === undefined || !it.active || compareTs(it.latest, it.lastRead) <= 0) return;
    this.ports.dispatch({ type: "guess_thread_read", channel, thread, ts: it.latest });
    try {
      await this.ports.call("subscriptions.thread.mark", { channel, thread_ts: thread, ts: it.latest });
    } catch (thrown) {
      // What is unread says the server then.
      this.refreshThreads();
      if (failureOf(thrown).kind === "refused" && failureOf(thrown).error !== "not_subscribed") throw thrown;
    }
  }

  // --- Messages elsewhere -------------------------------------------------------------------------

  /** Messages that mention the person, newest first. */
  async mentions(cursor?: string): Promise<{ mentions: MentionsPage["mentions"]; next: string | undefined }> {
    const page = await this.ports.call<MentionsPage>("activity.mentions", { limit: 30, cursor });
    return { mentions: page.mentions, next: page.response_metadata?.next_cursor || undefined };
  }

  /** The first unread messages of a conversation, oldest first, and whether there are more. */
  async unread(channel: string, after: Ts, limit: number): Promise<{ messages: Message[]; more: boolean }> {
    const page = await this.ports.call<HistoryPage>("conversations.history", { channel, oldest: after, limit });
    return { messages: [...page.messages].sort((a, b) => compareTs(a.ts, b.ts)), more: page.has_more === true };
  }

  async scheduled(): Promise<ScheduledMessage[]> {
    const found: ScheduledMessage[] = [];
    for (let cursor: string | undefined = "", pages = 0; cursor !== undefined && pages < 10; pages++) {
      const answer: Envelope & { scheduled_messages: ScheduledMessage[] } = await this.ports.call("chat.scheduledMessages.list", { limit: 100, ...(cursor === "" ? {} : { cursor }) });
      found.push(...answer.scheduled_messages);
      cursor = answer.response_metadata?.next_cursor || undefined;
    }
    return found;
  }

  async unschedule(channel: string, id: string): Promise<void> {
    await this.ports.call("chat.deleteScheduledMessage", { channel, scheduled_message_id: id });
  }

  // --- Oneself and others -------------------------------------------------------------------------

  /** Changes what one says of oneself; the new profile comes back as an event. */
  async setProfile(fields: Partial<NonNullable<User["profile"]>>): Promise<void> {
    await this.ports.call("users.profile.set", { profile: JSON.stringify(fields) });
  }

  /** Says that one is away, whatever one does, or lets it be told by what one does. */
  async setAway(away: boolean): Promise<void> {
    await this.ports.call("presence.set", { presence: away ? "away" : "active" });
    this.ports.dispatch({ type: "away", away });
  }

  async snooze(minutes: number): Promise<void> {
    const answer = await this.ports.call<Envelope & { snooze_endtime?: number }>("dnd.setSnooze", { num_minutes: minutes });
    const { self, personal } = this.ports.state();
    if (self === undefined) return;
    const before = personal.dnd[self.id] ?? { dnd_enabled: false, next_dnd_start_ts: 1, next_dnd_end_ts: 1 };
    this.ports.dispatch({ type: "dnd", dnd: { [self.id]: { ...before, snooze_enabled: true, snooze_endtime: answer.snooze_endtime ?? Math.floor(this.ports.world.now() / 1000) + minutes * 60 } } });
  }

  /** Ends the snooze, or the daily quiet time that is now. */
  async resume(): Promise<void> {
    await this.ports.call("dnd.endDnd").catch((thrown: unknown) => {
      if (failureOf(thrown).error !== "not_in_dnd") throw thrown;
    });
    const { self } = this.ports.state();
    if (self === undefined) return;
    const dnd = await this.ports.call<Envelope & Dnd>("dnd.info");
    this.ports.dispatch({ type: "dnd", dnd: { [self.id]: dnd } });
  }

  /** Learns the quiet times of people who are being shown; events keep them from then on. */
  async watchDnd(users: readonly string[]): Promise<void> {
    const { personal, self } = this.ports.state();
    const now = this.ports.world.now();
    const outdated = (user: string) => personal.dnd[user] !== undefined && isOutdated(personal.dnd[user], now);
    const unknown = users.filter((user) => user !== self?.id && (!this.dndAsked.has(user) || outdated(user)));
    for (const user of unknown) this.dndAsked.add(user);
    for (let at = 0; at < unknown.length; at += DND_PAGE) {
      const some = unknown.slice(at, at + DND_PAGE);
      try {
        const answer = await this.ports.call<Envelope & { users: Record<string, Dnd> }>("dnd.teamInfo", { users: some.join(",") });
        this.ports.dispatch({ type: "dnd", dnd: answer.users });
      } catch {
        // Nobody is told: it is asked again when they are shown again.
        for (const user of some) this.dndAsked.delete(user);
      }
    }
  }

  // --- Preferences --------------------------------------------------------------------------------

  /** Shown at once; taken back when the server does not take it. */
  async setPreference(name: string, value: unknown): Promise<void> {
    const before = this.ports.state().personal.prefs[name];
    this.ports.dispatch({ type: "prefs", prefs: { [name]: value } });
    try {
      await this.ports.call("users.prefs.set", { prefs: JSON.stringify({ [name]: value }) });
    } catch (thrown) {
      this.ports.dispatch({ type: "prefs", prefs: { [name]: before } });
      throw thrown;
    }
  }

  async mute(channel: string, muted: boolean): Promise<void> {
    const all = new Set(mutedOf(this.ports.state()));
    if (muted) all.add(channel);
    else all.delete(channel);
    await this.setPreference("muted_channels", [...all].join(","));
  }

  // --- Files --------------------------------------------------------------------------------------

  /** A page of the files that the person may see, newest first. */
  async files({ channel, user, types, page }: { channel?: string | undefined; user?: string | undefined; types: string; page: number }): Promise<{ files: SharedFile[]; total: number; pages: number }> {
    const answer = await this.ports.call<Envelope & { files: SharedFile[]; paging: { total: number; pages: number } }>("files.list", { channel, user, types: types === "all" ? undefined : types, count: FILES_PAGE, page });
    return { files: answer.files, total: answer.paging.total, pages: answer.paging.pages };
  }

  /** Sends a square picture as one's photo. */
  async setPhoto(photo: Blob): Promise<void> {
    await sendForm("users.setPhoto", { image: photo });
  }

  async deletePhoto(): Promise<void> {
    await this.ports.call("users.deletePhoto");
  }

  // --- Channels -----------------------------------------------------------------------------------

  /** Ids of everybody in a conversation. */
  async members(channel: string): Promise<string[]> {
    const found: string[] = [];
    for (let cursor: string | undefined = "", pages = 0; cursor !== undefined && pages < 50; pages++) {
      const answer: Envelope & { members: string[] } = await this.ports.call("conversations.members", { channel, limit: 1000, ...(cursor === "" ? {} : { cursor }) });
      found.push(...answer.members);
      cursor = answer.response_metadata?.next_cursor || undefined;
    }
    return found;
  }

  async setTopic(channel: string, topic: string): Promise<void> {
    await this.ports.call("conversations.setTopic", { channel, topic });
  }

  async setPurpose(channel: string, purpose: string): Promise<void> {
    await this.ports.call("conversations.setPurpose", { channel, purpose });
  }

  async rename(channel: string, name: string): Promise<void> {
    await this.ports.call("conversations.rename", { channel, name });
  }

  async archive(channel: string, archived: boolean): Promise<void> {
    await this.ports.call(archived ? "conversations.archive" : "conversations.unarchive", { channel });
  }

  async convert(channel: string, isPrivate: boolean): Promise<void> {
    await this.ports.call(isPrivate ? "admin.conversations.convertToPrivate" : "admin.conversations.convertToPublic", { channel_id: channel });
  }

  async kick(channel: string, user: string): Promise<void> {
    await this.ports.call("conversations.kick", { channel, user });
  }

  /** Takes a DM out of the list; it comes back with the next message. */
  async closeDirect(channel: string): Promise<void> {
    await this.ports.call("conversations.close", { channel });
  }
}
