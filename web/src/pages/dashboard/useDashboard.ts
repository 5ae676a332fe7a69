import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import { ApiError, memberApi, stream, type Appointment, type StreamState } from "../../api";
import { arrivals, DAYS_AHEAD, merge, waiters, type Waiter } from "./model";

const DAY_MS = 86_400_000;
/** The server's largest page; a provider with more in a week sees the rest in the list. */
const LIMIT = 200;

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
  const reload = useCallback(() => {
    const now = Date.now();
    memberApi
      .appointments({
        // From yesterday, so that today is whole in every zone and a late call is still there.
        from: new Date(now - DAY_MS).toISOString(),
        to: new Date(now + (DAYS_AHEAD + 1) * DAY_MS).toISOString(),
        limit: LIMIT,
      })
      .then(
        (page) => dispatch({ type: "loaded", list: page.items }),
        (error: unknown) =>
          dispatch({
            type: "failed",
            error: error instanceof ApiError ? error : new ApiError("unexpected", 0),
          }),
      );
  }, []);

  useEffect(
    () =>
      stream({
        url: memberApi.dashboardUrl(),
        events: {
          // Each new connection starts with it: what happened meanwhile has to be asked for.
          hello: reload,
          appointment: (data) => dispatch({ type: "changed", appointment: data as Appointment }),
        },
        onState: setLive,
      }),
    [reload],
  );
  useEffect(reload, [reload]);

  // Those who wait when the page opens are shown, not rung for.
  const known = useRef<readonly Waiter[] | undefined>(undefined);
  useEffect(() => {
    if (!state.list) return;
    const after = waiters(state.list);
    if (known.current) for (const waiter of arrivals(known.current, after)) onArrival(waiter);
    known.current = after;
  }, [state.list, onArrival]);

  const take = useCallback(
    (appointment: Appointment) => dispatch({ type: "changed", appointment }),
    [],
  );
  return { ...state, live, reload, take };
}
