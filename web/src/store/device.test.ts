import "fake-indexeddb/auto";
import { openDB } from "idb";
import { afterEach, expect, test, vi } from "vitest";
import { FakeWorld } from "../realtime/testing";
import { initialState } from "../realtime/state";
import type { Pending, State } from "../realtime/state";
import { storeTrouble } from "./account";
import { DATABASE_VERSION, databaseName, openDatabase } from "./database";
import { DeviceStore } from "./device";

// What may be wrong with a browser's database, and that nothing worse comes of it than a colder start.

let accounts = 0;
const world = new FakeWorld();
const account = () => ({ team: "T1", user: `U${++accounts}` });
const nameOf = (it: { team: string; user: string }) => databaseName(it.team, it.user);
const state: State = { ...initialState, booted: true, topics: { C1: { g: 1, s: 4, pulling: false, holds: 0, recent: [] } } };
const pending: Pending = { id: "a", channel: "C1", text: "not sent", created: 1, status: "waiting" };

afterEach(() => {
  vi.restoreAllMocks();
  storeTrouble.set(undefined);
});

async function written(it: { team: string; user: string }): Promise<void> {
  const store = await DeviceStore.open(it, world, () => state);
  store.begin(state);
  store.savePending(pending);
  await store.flush();
  store.close();
}

test("what was written is there after a restart", async () => {
  const it = account();
  await written(it);
  const store = await DeviceStore.open(it, world, () => state);
  expect(await store.load()).toMatchObject({ booted: true, topics: { C1: { g: 1, s: 4 } } });
  expect(await store.unsent()).toEqual([pending]);
  store.close();
});

test("records of another shape are fetched anew; what is not sent stays", async () => {
  const it = account();
  await written(it);
  const database = await openDatabase(nameOf(it), () => {});
  await database.put("meta", 0, "shape");
  database.close();
  const store = await DeviceStore.open(it, world, () => state);
  expect(await store.load()).toBeUndefined();
  expect(await store.unsent()).toEqual([pending]);
  expect(storeTrouble.get()).toBeUndefined();
  store.close();
});

test("a database that a newer version wrote is made anew; what is not sent stays", async () => {
  const it = account();
  await written(it);
  (await openDB(nameOf(it), DATABASE_VERSION + 1)).close();
  const store = await DeviceStore.open(it, world, () => state);
  expect(await store.load()).toBeUndefined();
  expect(await store.unsent()).toEqual([pending]);
  store.close();
});

test("a newer version takes the database away from a page that runs, and the page goes on from memory", async () => {
  const it = account();
  const store = await DeviceStore.open(it, world, () => state);
  store.begin(state);
  (await openDB(nameOf(it), DATABASE_VERSION + 1)).close();
  expect(storeTrouble.get()).toBe("blocked");
  expect(store.works).toBe(false);
  await store.flush();
  expect(await store.unsent()).toEqual([]);
});

test("a browser that forbids it is no failure", async () => {
  vi.spyOn(indexedDB, "open").mockImplementation(() => {
    throw new DOMException("no", "SecurityError");
  });
  const store = await DeviceStore.open(account(), world, () => state);
  expect(storeTrouble.get()).toBe("forbidden");
  expect(await store.load()).toBeUndefined();
  store.savePending(pending);
  await store.destroy();
});

test("a full disk makes room once, and then does without", async () => {
  const it = account();
  const store = await DeviceStore.open(it, world, () => state);
  store.begin(state);
  const full = new DOMException("full", "QuotaExceededError");
  const put = vi.spyOn(IDBObjectStore.prototype, "put");
  put.mockImplementationOnce(() => {
    throw full;
  });
  await store.flush();
  expect(storeTrouble.get()).toBeUndefined();
  expect(await store.load()).toMatchObject({ topics: { C1: { s: 4 } } });
  put.mockImplementation(() => {
    throw full;
  });
  store.savePending(pending);
  await vi.waitFor(() => expect(storeTrouble.get()).toBe("full"));
  expect(store.works).toBe(false);
});

test("destroying leaves no database", async () => {
  const it = account();
  await written(it);
  const store = await DeviceStore.open(it, world, () => state);
  await store.destroy();
  expect((await indexedDB.databases()).map((other) => other.name)).not.toContain(nameOf(it));
});
