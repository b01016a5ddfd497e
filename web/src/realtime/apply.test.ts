import fc from "fast-check";
import { expect, test } from "vitest";
import { FakeWorkspace } from "./fake";
import { ANN, BOB, FakeDevice, ROOM, plain } from "./fake-device";
import { logKey } from "./state";

const op = fc.record({ op: fc.nat(22), a: fc.nat(30), b: fc.nat(5) });

function run(ops: { op: number; a: number; b: number }[]): void {
  let now = 1_712_345_678_000_000n;
  const server = new FakeWorkspace(() => (now += 10n));
  server.addUser({ id: ANN, name: "ann" });
  server.addUser({ id: BOB, name: "bob" });
  server.addChannel({ id: ROOM, name: "room" }, [ANN, BOB]);
  for (let i = 0; i < 8; i++) server.post(ROOM, BOB, `before ${i}`);
  const device = new FakeDevice(server);
  const messages = () => server.history(ROOM, { limit: 1000 }).messages.reverse();
  const pick = (a: number) => messages()[a % Math.max(1, messages().length)];
  const threads = () => messages().filter((it) => it.reply_count).map((it) => it.ts);
  const author = (b: number) => (b % 2 ? ANN : BOB);
  const react = (a: number, b: number, added: boolean) => {
    const it = pick(a);
    if (it) server.react(ROOM, it.ts, author(b), ["wave", "eyes"][b % 2]!, added);
  };
  let sent = 0;
  for (const { op, a, b } of ops) {
    const it = pick(a);
    if (op <= 2) server.post(ROOM, author(b), b === 2 ? `hi <@${ANN}>` : `text ${a}`);
    else if (op === 3 && it) server.post(ROOM, author(b), "reply", { thread_ts: it.thread_ts ?? it.ts, broadcast: b === 0 });
    else if (op === 4 && it) server.update(ROOM, it.ts, `edited ${a} ${/<@\w+>/.exec(it.text ?? "")?.[0] ?? ""}`, [undefined, [], [{ type: "divider" }]][b % 3]);
    else if (op === 5 && it) {
      // Her other device has marked what she wrote; a deleted message tells nobody that it was hers.
      if (it.user === ANN) server.mark(ROOM, ANN, messages().at(-1)!.ts);
      server.delete(ROOM, it.ts);
    }
    else if (op === 6) react(a, b, true);
    else if (op === 7) react(a, b, false);
    else if (op === 8 && it) server.mark(ROOM, ANN, b < 4 ? messages().at(-1)!.ts : it.ts);
    else if (op === 9) device.connect();
    else if (op === 10) device.disconnect();
    else if (op <= 13) device.deliver(a, false);
    else if (op === 14) device.deliver(b, true);
    else if (op === 15) device.fetch(ROOM, (["window", "before", "after"] as const)[b % 3]!, 2 + (a % 5));
    else if (op === 16) device.fetchMiddle(2 + (a % 3));
    else if (op === 17) device.fetch(logKey(ROOM, threads()[0] ?? it?.ts ?? "1.0"), "window", 9);
    else if (op <= 19) device.answer(a);
    else if (op === 20) device.boot();
    else if (op === 22 && it) server.pin(ROOM, it.ts, BOB, b < 4);
    else {
      const id = `id-${sent++}`;
      device.apply({ type: "send", pending: { id, channel: ROOM, text: "mine", created: 0, status: "sending" } });
      const answer = server.post(ROOM, ANN, "mine", { client_msg_id: id });
      if (b < 3) device.apply({ type: "send_status", log: ROOM, id, status: "sent", ts: answer.ts });
    }
  }
  device.settle(threads());
  const fresh = new FakeDevice(server);
  fresh.settle(threads());
  expect(device.view(threads())).toEqual(fresh.view(threads()));
  expect(device.view(threads())).toMatchObject({ room: messages().map(plain), pending: [] });
}

/** What once went wrong. */
const found: [number, number, number][][] = [
  [[0, 0, 0], [21, 0, 0], [5, 9, 0]],
  [[21, 0, 3], [5, 8, 0], [8, 0, 0]],
  [[9, 0, 0], [0, 0, 3], [5, 8, 0], [8, 0, 0]],
  [[0, 0, 1], [8, 0, 4]],
  [[0, 0, 2], [8, 0, 4]],
  [[16, 0, 0], [3, 11, 0], [5, 17, 0]],
  [[15, 3, 0], [18, 0, 0], [9, 0, 0], [4, 7, 2], [13, 30, 0], [4, 7, 1]],
];

test("any interleaving of snapshots, pages, live events and own echoes gives the same view", () => {
  const examples = found.map((ops): [{ op: number; a: number; b: number }[]] => [ops.map(([op, a, b]) => ({ op, a, b }))]);
  fc.assert(fc.property(fc.array(op, { maxLength: 60 }), run), { numRuns: 1000, examples });
});
