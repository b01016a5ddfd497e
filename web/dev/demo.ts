import type { User } from "../src/wire/types";
import { FakeWorkspace } from "./fake";

const MARA = "U00000000MAR";
const IVO = "U00000000IVO";
const SENA = "U0000000SENA";
const GENERAL = "C00000GENERA";
const RANDOM = "C000000RANDO";
const DESIGN = "C000000DESIG";
const DM = "D00000000DM1";

/** A small workspace to develop against. `tick` makes somebody say something now and then. */
export function demo(): { workspace: FakeWorkspace; tick: () => () => void } {
  const workspace = new FakeWorkspace(() => BigInt(Date.now()) * 1000n);
  const person = (id: string, name: string, real_name: string, more: Partial<User> = {}) =>
    workspace.addUser({ id, name, real_name, profile: { real_name, display_name: "" }, updated: 1, ...more });
  person(MARA, "mara", "Mara Okafor", { is_owner: true });
  person(IVO, "ivo", "Ivo Lindqvist");
  person(SENA, "sena", "Sena Aydın");
  person("U00000000BOT", "harbourbot", "Harbour Bot", { is_bot: true });
  const all = [MARA, IVO, SENA];
  workspace.addChannel({ id: GENERAL, name: "general", is_channel: true, is_general: true, num_members: 4, topic: { value: "What everybody should know" } }, all);
  workspace.addChannel({ id: RANDOM, name: "random", is_channel: true, num_members: 4, topic: { value: "" } }, all);
  workspace.addChannel({ id: DESIGN, name: "design-review", is_channel: false, is_group: true, is_private: true, num_members: 2, topic: { value: "Fridays, half an hour" } }, [MARA, SENA]);
  workspace.addChannel({ id: DM, is_im: true, user: IVO }, [MARA, IVO]);
  const hour = 3_600_000_000n;
  let at = BigInt(Date.now()) * 1000n - 28n * hour;
  const say = (channel: string, user: string, text: string, minutes = 3, thread_ts?: string) => {
    at += BigInt(Math.round(minutes * 60_000_000));
    return workspace.post(channel, user, text, { at, ...(thread_ts ? { thread_ts } : {}) });
  };
  for (let i = 0; i < 140; i++) {
    say(GENERAL, [IVO, SENA, MARA][i % 7 < 3 ? 0 : i % 3]!, ["The crane is booked for Thursday.", "Noted, thank you.", "Can somebody look at the *north gate* sensor? It reports `-1` again.", "I will, after lunch.", "Merged and deployed."][i % 5]!, i % 6 === 0 ? 9 : 0.4);
  }
  at += 14n * hour;
  const plan = say(GENERAL, SENA, "Morning! The new berth plan is ready for review: <https://example.com/plans/berth-7|Berth 7, draft 3>\n&gt; We keep the *two-hour buffer* and move maintenance to the night shift.", 5);
  say(GENERAL, IVO, "Looks right to me. One question about the tide table, I put it in a thread.", 4, plan.ts);
  say(GENERAL, MARA, "The table is from the port authority, I checked it yesterday.", 2, plan.ts);
  say(GENERAL, IVO, "Then I am happy :tada:", 1, plan.ts);
  workspace.react(GENERAL, plan.ts, MARA, "eyes", true);
  workspace.react(GENERAL, plan.ts, IVO, "white_check_mark", true);
  workspace.react(GENERAL, plan.ts, MARA, "white_check_mark", true);
  say(GENERAL, MARA, "Deploy for tonight, in case somebody wants to read along:\n```\nparlance serve --data /srv/parlance\ncurl -s localhost:8080/readyz\n```\nRollback is `systemctl restart parlance@previous`.", 22);
  say(GENERAL, IVO, "I'll watch the dashboards. <@" + MARA + "> can you be on call from nine?", 6);
  say(RANDOM, SENA, "The bakery next door has cardamom buns again :wave:", 2);
  say(DESIGN, SENA, "New empty states are in. ~The illustration~ The illustration is gone, just words now.", 3);
  say(DM, IVO, "Thanks for yesterday, that saved my evening.", 3);
  workspace.mark(GENERAL, MARA, plan.ts);
  return {
    workspace,
    tick: () => {
      const timer = setInterval(() => {
        workspace.signal(IVO, { type: "user_typing", user: IVO, channel: GENERAL });
        setTimeout(() => workspace.post(GENERAL, IVO, `It is ${new Date().toLocaleTimeString("en-GB")}, and the gate reports \`ok\`.`), 2500);
      }, 45_000);
      return () => clearInterval(timer);
    },
  };
}
