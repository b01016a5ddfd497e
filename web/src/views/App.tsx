import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { browserWorld, fullJitterMs } from "../realtime/ports";
import { Session } from "../realtime/session";
import { SessionContext } from "../store/context";
import { watchLifecycle } from "../store/lifecycle";
import { isInside, navigate, route } from "../store/route";
import type { Route } from "../store/route";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { loadEmoji } from "../text/emoji";
import { SIGNED_OUT_ERRORS, failureOf, httpCall } from "../wire/api";
import type { Call } from "../wire/api";
import type { Status, Team } from "../wire/types";
import { Invite, Setup, SignIn, Unreachable, Waiting } from "./Door";
import { Workspace } from "./Workspace";

type Phase = { name: "starting" } | { name: "unreachable" } | { name: "outside"; teams: Team[] | undefined; notice: string | undefined } | { name: "inside"; session: Session };

/** Decides between the doors and the workspace. */
export function App() {
  const call = useMemo<Call>(() => httpCall(fetch.bind(window)), []);
  const at = useSignal(route);
  const [phase, setPhase] = useState<Phase>({ name: "starting" });
  const wanted = useRef<Route>(at);
  const turn = useRef(0);

  /** Tries to enter with the cookie that there may be; asks at the door if it does not do. */
  const enter = useCallback(async () => {
    const mine = ++turn.current;
    for (let attempt = 0; mine === turn.current; attempt++) {
      const session = new Session({ world: browserWorld, call, storage: localStorage });
      try {
        await session.start();
        if (mine !== turn.current) return session.stop();
        void loadEmoji();
        if (!isInside(route.get())) navigate(isInside(wanted.current) ? wanted.current : { name: "home" }, true);
        setPhase({ name: "inside", session });
        return;
      } catch (thrown) {
        session.stop();
        const failure = failureOf(thrown);
        if (failure.kind === "refused" && SIGNED_OUT_ERRORS.has(failure.error)) {
          if (await ask(call, mine === turn.current ? setPhase : () => {}, undefined)) return;
        }
        setPhase({ name: "unreachable" });
        await new Promise((resolve) => setTimeout(resolve, 500 + fullJitterMs(attempt, 1_000, 15_000, Math.random())));
      }
    }
  }, [call]);

  useEffect(() => {
    if (route.get().name === "invite") setPhase({ name: "outside", teams: undefined, notice: undefined });
    else void enter();
    const turns = turn;
    return () => {
      turns.current++;
    };
  }, [enter]);

  const leave = useCallback(
    (notice: string | undefined) => {
      turn.current++;
      wanted.current = notice === undefined ? { name: "home" } : route.get();
      void ask(call, setPhase, notice);
    },
    [call],
  );

  if (phase.name === "starting") return <Waiting />;
  if (phase.name === "unreachable") return <Unreachable />;
  if (phase.name === "inside") return <Inside session={phase.session} onLeave={leave} />;
  if (at.name === "invite") return <Invite call={call} code={at.code} onEnter={() => void enter()} />;
  if (at.name === "setup") return <Setup call={call} onEnter={() => void enter()} />;
  return <SignIn call={call} teams={phase.teams} notice={phase.notice} onEnter={() => void enter()} />;
}

/** Shows the right door; false if the server does not answer. */
async function ask(call: Call, show: (phase: Phase) => void, notice: string | undefined): Promise<boolean> {
  try {
    const status = await call<Status>("parlance.status");
    navigate({ name: status.setup_required ? "setup" : "signin" }, true);
    show({ name: "outside", teams: status.teams, notice });
    return true;
  } catch {
    return false;
  }
}

function Inside({ session, onLeave }: { session: Session; onLeave(notice: string | undefined): void }) {
  const link = useSignal(session.link);
  const ended = link.phase === "stopped" && link.reason === "signed_out";
  useEffect(() => {
    if (!ended || session.leaving) return;
    session.stop();
    onLeave(t.door.signedOutElsewhere);
  }, [ended, onLeave, session]);
  useEffect(() => watchLifecycle(session), [session]);
  useEffect(() => () => session.stop(), [session]);
  return (
    <SessionContext value={session}>
      <Workspace onSignedOut={() => onLeave(undefined)} />
    </SessionContext>
  );
}
