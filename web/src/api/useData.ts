import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError } from "./problem";

export interface Loaded<T> {
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  /** Asks again, keeping what is shown meanwhile. */
  readonly reload: () => void;
  /** Replaces the data after a change whose answer already holds it. */
  readonly set: (data: T) => void;
}

/**
 * Loads data for a page. `load` must be stable (`useCallback`): a new one means other data, and the
 * old is dropped. An answer that comes after that is ignored.
 */
export function useData<T>(load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{
    load: (signal: AbortSignal) => Promise<T>;
    data?: T;
    error?: ApiError;
    loading: boolean;
  }>({ load, loading: true });
  const [turn, setTurn] = useState(0);
  const underWay = useRef<AbortController | null>(null);

  useEffect(() => {
    const controller = new AbortController();
    underWay.current = controller;
    setState((old) =>
      old.load === load ? { ...old, loading: true } : { load, loading: true },
    );
    load(controller.signal).then(
      (data) => {
        if (!controller.signal.aborted) setState({ load, data, loading: false });
      },
      (error: unknown) => {
        if (controller.signal.aborted) return;
        const problem = error instanceof ApiError ? error : new ApiError("unexpected", 0);
        setState((old) => ({ load, data: old.data, error: problem, loading: false }));
      },
    );
    return () => controller.abort();
  }, [load, turn]);

  const reload = useCallback(() => setTurn((count) => count + 1), []);
  const set = useCallback(
    (data: T) => {
      // What is being read may be from before this change.
      underWay.current?.abort();
      setState({ load, data, loading: false });
    },
    [load],
  );
  const current = state.load === load;
  return {
    data: current ? state.data : undefined,
    error: current ? state.error : undefined,
    loading: current ? state.loading : true,
    reload,
    set,
  };
}
