/**
 * What one account keeps on this device, as a schema: an IndexedDB database per account, its stores, and
 * the ways in which opening it can fail. What is written when is `keeper.ts`'s matter.
 */
import { deleteDB, openDB } from "idb";
import type { DBSchema, IDBPDatabase, IDBPTransaction } from "idb";
import type { Conversation, LogKey, Pending, State } from "../realtime/state";
import type { Message, Position, TopicId, Ts, User } from "../wire/types";

/** One message in one log. The key is (log, `at`): in a channel `at` has the order of the events' seq. */
export interface StoredRow {
  log: LogKey;
  channel: string;
  /** The message's `ts` as a number: microseconds since 1970. */
  at: number;
  message: Message;
  /** Seq of the channel's topic up to which it is known. */
  v: number;
  key: string;
}

/** The one contiguous piece of a log that is stored: from `first` to `last`, and further where there is nothing more. */
export interface Stretch {
  log: LogKey;
  first: number;
  last: number;
  /** There is more before `first` that is not stored. */
  older: boolean;
  /** There is more after `last` that is not stored. If not, new messages are appended. */
  newer: boolean;
}

/** The parts of a state that are one small record: who one is, the workspace, and what later parts of the client add. */
export type Rest = Omit<State, "users" | "conversations" | "topics" | "logs" | "loads" | "pending" | "typing">;

export interface Schema extends DBSchema {
  /** `rest`: a `Rest`; `shape`: the `SHAPE` that wrote the database. */
  meta: { key: string; value: unknown };
  topics: { key: TopicId; value: { t: TopicId; p: Position } };
  users: { key: string; value: User };
  conversations: { key: string; value: Conversation };
  logs: { key: LogKey; value: Stretch };
  messages: { key: [LogKey, number]; value: StoredRow; indexes: { place: [string, number] } };
  outbox: { key: string; value: Pending };
  /** Read cursors that the server has not confirmed. */
  marks: { key: string; value: { channel: string; ts: Ts } };
}

export type Database = IDBPDatabase<Schema>;
export const STORES: StoreName[] = ["meta", "topics", "users", "conversations", "logs", "messages", "outbox", "marks"];
export type StoreName = "meta" | "topics" | "users" | "conversations" | "logs" | "messages" | "outbox" | "marks";
export type Transaction = IDBPTransaction<Schema, StoreName[], "readwrite">;

/** The stores and indexes. Raise it together with a step in `MIGRATIONS`. */
export const DATABASE_VERSION = 1;
/** What the records look like. Raise it when `State` changes so that old records mislead: then all but the outbox is fetched anew. */
export const SHAPE = 1;
/** A database that does not open in this time is not waited for, milliseconds. */
const OPEN_MS = 3_000;

/** `MIGRATIONS[n]` makes version n + 1 of version n. */
const MIGRATIONS: ((database: IDBPDatabase<Schema>) => void)[] = [
  (database) => {
    database.createObjectStore("meta");
    database.createObjectStore("topics", { keyPath: "t" });
    database.createObjectStore("users", { keyPath: "id" });
    database.createObjectStore("conversations", { keyPath: "channel.id" });
    database.createObjectStore("logs", { keyPath: "log" });
    database.createObjectStore("messages", { keyPath: ["log", "at"] }).createIndex("place", ["channel", "at"]);
    database.createObjectStore("outbox", { keyPath: "id" });
    database.createObjectStore("marks", { keyPath: "channel" });
  },
];

/**
 * Why nothing is kept: the browser has no database for this page (`forbidden`), another window holds it
 * in a version that does not fit (`blocked`), the disk is full (`full`), or it failed otherwise (`broken`).
 */
export type Trouble = "forbidden" | "blocked" | "full" | "broken";

/** Thrown when the database cannot be used. */
export class StoreError extends Error {
  constructor(readonly trouble: Trouble) {
    super(trouble);
  }
}

/** The trouble behind anything that a database operation threw. */
export function troubleOf(thrown: unknown): Trouble {
  if (thrown instanceof StoreError) return thrown.trouble;
  const name = thrown instanceof Error || thrown instanceof DOMException ? thrown.name : "";
  if (name === "QuotaExceededError") return "full";
  if (name === "SecurityError" || name === "InvalidStateError" || name === "NotAllowedError") return "forbidden";
  return name === "VersionError" ? "blocked" : "broken";
}

/** The database's name for an account. */
export function databaseName(team: string, user: string): string {
  return `parlance-${team}-${user}`;
}

/**
 * Opens an account's database, made or migrated if need be. `lost` is told when it is taken away later: a newer
 * version of the page wants it, or the browser dropped it. Throws `StoreError`.
 */
export async function openDatabase(name: string, lost: (trouble: Trouble) => void): Promise<Database> {
  if (typeof indexedDB === "undefined") throw new StoreError("forbidden");
  try {
    return await open(name, lost);
  } catch (thrown) {
    if (!(thrown instanceof Error) || thrown.name !== "VersionError") throw new StoreError(troubleOf(thrown));
  }
  // A newer version of the page wrote it. What is unsent is carried over, the rest can be fetched.
  try {
    const unsent = await salvage(name);
    await destroyDatabase(name);
    const database = await open(name, lost);
    for (const pending of unsent) await database.put("outbox", pending);
    return database;
  } catch (thrown) {
    throw new StoreError(troubleOf(thrown));
  }
}

async function open(name: string, lost: (trouble: Trouble) => void): Promise<Database> {
  let late = false;
  const opening = openDB<Schema>(name, DATABASE_VERSION, {
    upgrade(database, from) {
      for (const step of MIGRATIONS.slice(from)) step(database);
    },
    blocking(_from, _to, event) {
      (event.target as IDBDatabase).close();
      lost("blocked");
    },
    terminated: () => lost("broken"),
  });
  void opening.then((database) => late && database.close()).catch(() => {});
  return withTimeout(opening, () => (late = true));
}

async function salvage(name: string): Promise<Pending[]> {
  const database = await withTimeout(openDB<Schema>(name), () => {});
  try {
    return database.objectStoreNames.contains("outbox") ? await database.getAll("outbox") : [];
  } finally {
    database.close();
  }
}

/** Removes a database; other windows that have it open let go of it. */
export async function destroyDatabase(name: string): Promise<void> {
  if (typeof indexedDB === "undefined") return;
  await withTimeout(deleteDB(name), () => {});
}

function withTimeout<T>(work: Promise<T>, giveUp: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      giveUp();
      reject(new StoreError("blocked"));
    }, OPEN_MS);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
