/**
 * What a session keeps on its device, with every way in which that may fail: then the session works from
 * memory, and `storeTrouble` says so.
 */
import type { World } from "../realtime/ports";
import type { LogKey, Pending, State } from "../realtime/state";
import type { Page } from "../realtime/log";
import type { EventPosition, Ts } from "../wire/types";
import { storeTrouble } from "./account";
import type { Account } from "./account";
import { databaseName, destroyDatabase, openDatabase, troubleOf } from "./database";
import type { Trouble } from "./database";
import { Keeper } from "./keeper";
import type { StoreEffect } from "./keeper";
import { readRows, spanOf } from "./rows";
import type { Wanted } from "./rows";

/** The state is written at most once in this time, by the window that has the connection, milliseconds. */
const WRITE_EVERY_MS = 400;
/** The others write what they alone have, and leave the rest to it. */
const FOLLOW_EVERY_MS = 4_000;

export class DeviceStore {
  private keeper: Keeper | undefined;
  private cancelWrite: (() => void) | undefined;
  private evicted = false;
  /** This window writes for all. */
  leads = true;

  private constructor(
    readonly account: Account,
    private readonly world: World,
    private readonly state: () => State,
  ) {}

  /** Never fails: without a database it keeps nothing. */
  static async open(account: Account, world: World, state: () => State): Promise<DeviceStore> {
    const store = new DeviceStore(account, world, state);
    try {
      store.keeper = new Keeper(await openDatabase(databaseName(account.team, account.user), (trouble) => store.fail(trouble)));
      storeTrouble.set(undefined);
    } catch (thrown) {
      store.fail(troubleOf(thrown));
    }
    return store;
  }

  get works(): boolean {
    return this.keeper !== undefined;
  }

  /** What an earlier page left. */
  load(): Promise<State | undefined> {
    return this.attempt((keeper) => keeper.load());
  }

  /** Begins with a state that the server gave. */
  begin(state: State): void {
    this.keeper?.begin(state);
    this.changed();
  }

  note(effect: StoreEffect): void {
    this.keeper?.note(effect);
  }

  /** The server gave these messages of a log. What is beyond the last one where there is nothing more is new, too. */
  keep(log: LogKey, page: Omit<Page, "v">): void {
    this.keeper?.keep(log, spanOf(page));
    this.changed();
  }

  /** The state is another: it is written soon. */
  changed(): void {
    if (this.cancelWrite !== undefined || this.keeper === undefined) return;
    this.cancelWrite = this.world.after(this.leads ? WRITE_EVERY_MS : FOLLOW_EVERY_MS, () => {
      this.cancelWrite = undefined;
      void this.flush();
    });
  }

  /** Writes now. */
  async flush(): Promise<void> {
    this.cancelWrite?.();
    this.cancelWrite = undefined;
    const done = await this.attempt((keeper) => keeper.flush(this.state()));
    if (done === false) this.changed();
  }

  /** A piece of stored history, and up to where it is known. Undefined if it is not there. */
  async history(log: LogKey, wanted: Wanted): Promise<{ page: Omit<Page, "v">; p: EventPosition } | undefined> {
    const found = await this.attempt((keeper) => keeper.read(this.state(), log, (database) => readRows(database, log, wanted)));
    return found && { page: found.value, p: found.p };
  }

  // --- What is not sent yet -------------------------------------------------------------------------

  async unsent(): Promise<Pending[]> {
    const all = await this.attempt((keeper) => keeper.database.getAll("outbox"));
    return (all ?? []).sort((a, b) => a.created - b.created);
  }

  savePending(pending: Pending): void {
    void this.attempt((keeper) => keeper.database.put("outbox", pending));
  }

  removePending(id: string): void {
    void this.attempt((keeper) => keeper.database.delete("outbox", id));
  }

  async marks(): Promise<{ channel: string; ts: Ts }[]> {
    return (await this.attempt((keeper) => keeper.database.getAll("marks"))) ?? [];
  }

  saveMark(channel: string, ts: Ts): void {
    void this.attempt((keeper) => keeper.database.put("marks", { channel, ts }));
  }

  /** The server has the cursor at `ts`. */
  removeMark(channel: string, ts: Ts): void {
    void this.attempt(async ({ database }) => {
      const tx = database.transaction("marks", "readwrite");
      if ((await tx.store.get(channel))?.ts === ts) void tx.store.delete(channel);
      await tx.done;
    });
  }

  // --- The end --------------------------------------------------------------------------------------

  /** The account may not see anything any more; what it has not sent waits for its return. */
  async revoke(): Promise<void> {
    this.cancelWrite?.();
    await this.attempt((keeper) => keeper.clear());
    this.close();
  }

  /** Removes everything of the account from the device. */
  async destroy(): Promise<void> {
    this.cancelWrite?.();
    // Emptied first: another window may hold the database for a moment longer.
    await this.attempt(async (keeper) => {
      await keeper.clear();
      await keeper.database.clear("outbox");
    });
    this.close();
    await destroyDatabase(databaseName(this.account.team, this.account.user)).catch(() => {});
  }

  close(): void {
    this.cancelWrite?.();
    this.cancelWrite = undefined;
    this.keeper?.close();
    this.keeper = undefined;
  }

  // --- Trouble --------------------------------------------------------------------------------------

  private async attempt<T>(work: (keeper: Keeper) => Promise<T>): Promise<T | undefined> {
    const keeper = this.keeper;
    if (keeper === undefined) return undefined;
    try {
      return await work(keeper);
    } catch (thrown) {
      // Closed while it worked: nobody waits for it.
      if (this.keeper !== keeper) return undefined;
      const trouble = troubleOf(thrown);
      if (trouble === "full" && !this.evicted) {
        this.evicted = true;
        return this.attempt(async () => {
          await keeper.evict();
          return work(keeper);
        });
      }
      this.fail(trouble);
      return undefined;
    }
  }

  private fail(trouble: Trouble): void {
    this.keeper?.close();
    this.keeper = undefined;
    storeTrouble.set(trouble);
  }
}
