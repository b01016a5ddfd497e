import "fake-indexeddb/auto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Effect } from "../realtime/apply";
import { FakeWorkspace } from "../realtime/fake";
import { ANN, BOB, FakeDevice, ROOM, plain } from "../realtime/fake-device";
import { logKey } from "../realtime/state";
import type { LogKey } from "../realtime/state";
import { destroyDatabase, openDatabase } from "./database";
import type { Database } from "./database";
import { Keeper } from "./keeper";
import { micros, readRows, spanOf } from "./rows";

// Windows of one browser share a database, write to it in any order, die at any moment and start again from it.

let names = 0;

/** One window: a device that writes what it knows now and then, and starts from what is stored. */
class Window {
  private constructor(
    readonly keeper: Keeper,
    readonly device: FakeDevice,
  ) {}

  static async open(server: FakeWorkspace, database: Database): Promise<Window> {
    const keeper = new Keeper(database);
    const stored = await keeper.load();
    const device = new FakeDevice(server, stored, (effect: Effect) => {
      if (effect.kind === "event" || effect.kind === "drop") keeper.note(effect);
    });
    if (stored === undefined) keeper.begin(device.state);
    return new Window(keeper, device);
  }

  async write(): Promise<void> {
    await this.keeper.flush(this.device.state);
  }

  /** Reads a piece of history from the store, as a session does; false if there is none. */
  async restore(key: LogKey, place: "end" | "before" | "after"): Promise<boolean> {
    const { device } = this;
    const log = device.state.logs[key];
    if (place !== "end" && !log?.loaded) return false;
    device.apply({ type: "fetching", log: key });
    const { epoch, rows } = device.state.logs[key]!;
    const edge = rows[place === "before" ? 0 : rows.length - 1]?.message.ts;
    const found = await this.keeper.read(device.state, key, (database) =>
      readRows(database, key, place === "end" || edge === undefined ? { place: "end", limit: 4, anyhow: true } : { place, ts: edge, limit: 3 }),
    );
    if (found === undefined) device.apply({ type: "fetch_failed", log: key });
    else device.apply({ type: "page", log: key, epoch, page: found.value, p: found.p });
    return found !== undefined;
  }

  /** Only the middle of what is in memory stays. */
  trim(): void {
    const log = this.device.state.logs[ROOM];
    if (!log?.loaded || log.rows.length < 3) return;
    this.device.apply({ type: "trim", log: ROOM, epoch: log.epoch, first: log.rows[1]!.message.ts, last: log.rows.at(-2)!.message.ts });
  }

  /** An answer arrives; what it brought is stored with the next write. */
  answer(which: number): void {
    const got = this.device.answer(which);
    if (got !== undefined) this.keeper.keep(got.log, spanOf(got.page));
  }
}

const op = fc.record({ op: fc.nat(24), a: fc.nat(30), b: fc.nat(5) });

async function run(ops: { op: number; a: number; b: number }[]): Promise<void> {
  let now = 1_712_345_678_000_000n;
  const server = new FakeWorkspace(() => (now += 10n));
  server.addUser({ id: ANN, name: "ann" });
  server.addUser({ id: BOB, name: "bob" });
  server.addChannel({ id: ROOM, name: "room" }, [ANN, BOB]);
  for (let i = 0; i < 8; i++) server.post(ROOM, BOB, `before ${i}`);
  const name = `parlance-test-${names++}`;
  const database = await openDatabase(name, () => {});
  const windows = [await Window.open(server, database), await Window.open(server, database)];
  const messages = () => server.history(ROOM, { limit: 1000 }).messages.reverse();
  const pick = (a: number) => messages()[a % Math.max(1, messages().length)];
  const threads = () => messages().filter((it) => it.reply_count).map((it) => it.ts);
  const author = (b: number) => (b % 2 ? ANN : BOB);
  for (const { op, a, b } of ops) {
    const it = pick(a);
    const which = b % 2;
    const window = windows[which]!;
    const { device } = window;
    if (op <= 2) server.post(ROOM, author(b), b === 2 ? `hi <@${ANN}>` : `text ${a}`);
    else if (op === 3 && it) server.post(ROOM, author(b), "reply", { thread_ts: it.thread_ts ?? it.ts, broadcast: b === 0 });
    else if (op === 4 && it) server.update(ROOM, it.ts, `edited ${a} ${/<@\w+>/.exec(it.text ?? "")?.[0] ?? ""}`);
    else if (op === 5 && it) {
      if (it.user === ANN) server.mark(ROOM, ANN, messages().at(-1)!.ts);
      server.delete(ROOM, it.ts);
    } else if (op === 6 && it) server.react(ROOM, it.ts, author(b), "wave", a % 3 > 0);
    else if (op === 7 && it) server.mark(ROOM, ANN, b < 4 ? messages().at(-1)!.ts : it.ts);
    else if (op === 8) device.connect();
    else if (op === 9) device.disconnect();
    else if (op <= 11) device.deliver(a, false);
    else if (op === 12) device.deliver(b, true);
    else if (op === 13) device.fetch(ROOM, (["window", "before", "after"] as const)[a % 3]!, 2 + (a % 5));
    else if (op === 14) device.fetchMiddle(2 + (a % 3));
    else if (op === 15) device.fetch(logKey(ROOM, threads()[0] ?? it?.ts ?? "1.0"), "window", 9);
    else if (op === 16) window.answer(a);
    else if (op <= 18) await window.write();
    else if (op === 19) await window.restore(ROOM, (["end", "before", "after"] as const)[a % 3]!);
    else if (op === 20 && threads()[0]) await window.restore(logKey(ROOM, threads()[0]!), "end");
    else if (op === 21) window.trim();
    else if (op === 22) device.boot();
    else if (op === 23) {
      // The window dies. What it had not written is lost.
      device.die();
      windows[which] = await Window.open(server, database);
    } else if (op === 24) {
      // It dies in the middle of a write: all of it counts, or nothing.
      const writing = window.keeper.flush(device.state);
      device.die();
      if (a % 2) await writing;
      windows[which] = await Window.open(server, database);
    }
  }
  const fresh = new FakeDevice(server);
  fresh.settle(threads());
  for (const [i, window] of windows.entries()) {
    // Whatever is in the store is what the server has, as soon as the events since have come.
    window.device.settle(threads());
    expect(window.device.view(threads()), `window ${i}`).toEqual(fresh.view(threads()));
    expect(await window.keeper.flush(window.device.state)).toBe(true);
    window.device.die();
  }
  const stored = await database.getAll("messages");
  const expected = new Map<string, unknown>(messages().map((it) => [`${ROOM} ${micros(it.ts)}`, plain(it)]));
  for (const ts of threads()) for (const it of server.replies(ROOM, ts).messages) expected.set(`${logKey(ROOM, ts)} ${micros(it.ts)}`, plain(it));
  const logs = await database.getAll("logs");
  for (const row of stored) if (threads().some((ts) => row.log === logKey(ROOM, ts)) || row.log === ROOM) expect(plain(row.message)).toEqual(expected.get(`${row.log} ${row.at}`));
  for (const stretch of logs.filter((it) => it.log === ROOM)) {
    // The stored piece has no holes.
    const inside = messages().filter((it) => (!stretch.older || micros(it.ts) >= stretch.first) && (!stretch.newer || micros(it.ts) <= stretch.last));
    expect(stored.filter((it) => it.log === ROOM).map((it) => it.at)).toEqual(inside.map((it) => micros(it.ts)));
  }
  // A page that starts from it sees the same, without the server for what is stored.
  const last = await Window.open(server, database);
  last.device.settle(threads());
  expect(last.device.view(threads())).toEqual(fresh.view(threads()));
  last.device.die();
  database.close();
  await destroyDatabase(name);
}

test("whatever is written when, and whoever dies, what is stored and the events since give the server's view", { timeout: 300_000 }, async () => {
  await fc.assert(fc.asyncProperty(fc.array(op, { minLength: 20, maxLength: 80, size: "max" }), run), { numRuns: Number(process.env["RUNS"] ?? 150), endOnFailure: process.env["SHRINK"] === "0" });
});
