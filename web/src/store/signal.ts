import { useCallback, useRef, useSyncExternalStore } from "react";

/** A value that can be watched. */
export interface Signal<T> {
  get(): T;
  set(value: T): void;
  subscribe(listener: () => void): () => void;
}

/** A value that tells its watchers when it becomes another. */
export function signal<T>(initial: T): Signal<T> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set: (next) => {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The value of a signal, in a component. */
export function useSignal<T>(source: Signal<T>): T {
  return useSyncExternalStore(source.subscribe, source.get);
}

/**
 * A part of a signal's value. The component renders again only when the part is another by `same`
 * (by default: not identical), so selectors may build new arrays if they say how to compare them.
 */
export function useSelected<T, S>(source: Signal<T>, select: (value: T) => S, same: (a: S, b: S) => boolean = Object.is): S {
  const last = useRef<{ value: S } | undefined>(undefined);
  const get = useCallback(() => {
    const value = select(source.get());
    if (last.current === undefined || !same(last.current.value, value)) last.current = { value };
    return last.current.value;
  }, [source, select, same]);
  return useSyncExternalStore(source.subscribe, get);
}

/** Arrays with identical items in the same order. */
export function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, i) => Object.is(item, b[i]));
}
