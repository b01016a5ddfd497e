import { useCallback, useEffect, useRef, useState } from "react";
import { errorText } from "../../strings/en";
import { failureOf } from "../../wire/api";

export interface Loaded<T> {
  value: T | undefined;
  /** Why it is not there, for people. */
  error: string | undefined;
  /** Loads again; what is there stays until the new one comes. */
  reload(): void;
  set(value: T): void;
}

/** Something that a view fetches when it is shown, and again when `fetch` is another. The last wish wins. */
export function useLoaded<T>(fetch: () => Promise<T>): Loaded<T> {
  const [value, setValue] = useState<T | undefined>(undefined);
  const [error, setError] = useState<string | undefined>(undefined);
  const turn = useRef(0);
  const reload = useCallback(() => {
    const mine = ++turn.current;
    fetch().then(
      (found) => {
        if (mine !== turn.current) return;
        setValue(found);
        setError(undefined);
      },
      (thrown: unknown) => mine === turn.current && setError(errorText(failureOf(thrown).error)),
    );
  }, [fetch]);
  useEffect(() => {
    reload();
    const turns = turn;
    return () => void turns.current++;
  }, [reload]);
  return { value, error, reload, set: setValue };
}

/** Whether waiting has taken longer than a moment. */
export function useSlow(): boolean {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return slow;
}
