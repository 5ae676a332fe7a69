import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import { ApiError, memberApi, memberStream, type Appointment, type StreamState } from "../../api";
import { Freshness, readDashboard } from "./load";
import { arrivals, merge, waiters, type Waiter } from "./model";

/** Beside the events: a stream that a proxy or a sleep has cut may look alive for many minutes. */
const POLL_MS = 45_000;

interface State {
  readonly list: readonly Appointment[] | undefined;
  readonly error: ApiError | undefined;
}

type Action =
  | { readonly type: "loaded"; readonly list: readonly Appointment[] }
  | { readonly type: "changed"; readonly appointment: Appointment }
  | { readonly type: "failed"; readonly error: ApiError };

function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "loaded":
      return { list: action.list, error: undefined };
    case "changed":
      return { ...state, list: merge(state.list ?? [], action.appointment) };
    case "failed":
      return { ...state, error: action.error };
  }
}

export interface Dashboard extends State {
  readonly live: StreamState;
  readonly reload: () => void;
  /** Takes in the answer of a command without waiting for the stream. */
  readonly take: (appointment: Appointment) => void;
}

/** Today's and the next days' appointments, kept up to date by the server's events. */
export function useDashboard(onArrival: (waiter: Waiter) => void): Dashboard {
  const [state, dispatch] = useReducer(reduce, { list: undefined, error: undefined });
  const [live, setLive] = useState<StreamState>("connecting");
  const fresh = useRef(new Freshness());
  const take = useCallback((appointment: Appointment) => {
    fresh.current.changed(appointment);
    dispatch({ type: "changed", appointment });
  }, []);
  const reload = useCallback(() => {
    const turn = fresh.current.begin();
    readDashboard((filter) => memberApi.appointments(filter), Date.now()).then(
      (read) => {
        const list = fresh.current.finish(turn, read);
        if (list) dispatch({ type: "loaded", list });
      },
      (error: unknown) =>
        dispatch({
          type: "failed",
          error: error instanceof ApiError ? error : new ApiError("unexpected", 0),
        }),
    );
  }, []);

  useEffect(
    () =>
      memberStream({
        events: {
          // Each new connection starts with it: what happened meanwhile has to be asked for.
          hello: reload,
          appointment: (data) => take(data as Appointment),
        },
        onState: setLive,
      }),
    [reload, take],
  );
  useEffect(() => {
    reload();
    // Also while hidden, since who arrives is rung for.
    const timer = setInterval(reload, POLL_MS);
    const onVisible = () => document.visibilityState === "visible" && reload();
    document.addEventListener("visibilitychange", onVisible);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [reload]);

  // Those who wait when the page opens are shown, not rung for.
  const known = useRef<readonly Waiter[] | undefined>(undefined);
  useEffect(() => {
    if (!state.list) return;
    const after = waiters(state.list);
    if (known.current) for (const waiter of arrivals(known.current, after)) onArrival(waiter);
    known.current = after;
  }, [state.list, onArrival]);

  return { ...state, live, reload, take };
}
