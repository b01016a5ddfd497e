import type { Envelope } from "./types";

/** Why a call has no answer that can be used. */
export type Failure =
  /** The server decided: repeating the call gives the same answer. `error` is Slack's code. */
  | { kind: "refused"; error: string }
  /** Nobody knows whether the call had its effect. Repeat it, with the same `client_msg_id`. */
  | { kind: "unknown"; error: string }
  /** Not now: repeat after `afterMs` milliseconds. */
  | { kind: "later"; error: string; afterMs: number };

/** Thrown by `call`. */
export class CallError extends Error {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.error);
    this.failure = failure;
  }
}

/** A call that got no answer in this time counts as unanswered. */
export const CALL_TIMEOUT_MS = 10_000;

/** Envelope errors that say "try again", not "no". The first is the server's word for an outcome that it does not know. */
const TRANSIENT_ERRORS = new Set(["request_timeout", "service_unavailable", "internal_error", "fatal_error"]);

/** Codes that mean that the session is over. */
export const SIGNED_OUT_ERRORS = new Set([
  "not_authed",
  "invalid_auth",
  "account_inactive",
  "token_revoked",
  "token_expired",
  "user_removed_from_team",
]);

export type Args = Record<string, string | number | boolean | undefined>;

/** Calls one method: `/api/<method>`, or an absolute path for the realtime door. Without `timeoutMs` it waits `CALL_TIMEOUT_MS`. */
export type Call = <T extends Envelope>(method: string, args?: Args, timeoutMs?: number) => Promise<T>;

/** Builds `Call` on `fetch`. Authenticated by the session cookie, which only counts with our header. */
export function httpCall(fetcher: typeof fetch): Call {
  return async <T extends Envelope>(method: string, args: Args = {}, timeoutMs: number = CALL_TIMEOUT_MS): Promise<T> => {
    const body: Record<string, string | number | boolean> = {};
    for (const [name, value] of Object.entries(args)) if (value !== undefined) body[name] = value;
    let response: Response;
    let answer: T;
    try {
      response = await fetcher(method.startsWith("/") ? method : `/api/${method}`, {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json; charset=utf-8", "X-Parlance-Client": "1" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
      answer = (await response.json()) as T;
    } catch {
      throw new CallError({ kind: "unknown", error: "no_answer" });
    }
    if (response.status === 429) {
      const seconds = Number(response.headers.get("Retry-After") ?? "1");
      throw new CallError({ kind: "later", error: "ratelimited", afterMs: Math.max(1, seconds || 1) * 1000 });
    }
    if (response.status >= 500) throw new CallError({ kind: "unknown", error: "no_answer" });
    if (answer?.ok !== true) {
      const error = answer?.error ?? "no_answer";
      throw new CallError(
        error === "ratelimited"
          ? { kind: "later", error, afterMs: 1000 }
          : TRANSIENT_ERRORS.has(error)
            ? { kind: "unknown", error }
            : { kind: "refused", error },
      );
    }
    return answer;
  };
}

/** Calls a method that takes a file, as a form. Throws a `CallError`, as every call. */
export async function sendForm(method: string, parts: Record<string, string | Blob>): Promise<void> {
  const body = new FormData();
  for (const [name, part] of Object.entries(parts)) body.set(name, part);
  let answer: Envelope;
  try {
    const response = await fetch(`/api/${method}`, { method: "POST", credentials: "same-origin", headers: { "X-Parlance-Client": "1" }, body });
    answer = (await response.json()) as Envelope;
  } catch {
    throw new CallError({ kind: "unknown", error: "no_answer" });
  }
  if (!answer.ok) throw new CallError({ kind: "refused", error: answer.error ?? "no_answer" });
}

/** The failure behind anything that `call` threw. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof CallError) return thrown.failure;
  return { kind: "unknown", error: "no_answer" };
}
