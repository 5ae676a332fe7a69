import { useCallback, useState } from "react";
import { isApiError } from "../../api";

export interface Saving {
  readonly pending: boolean;
  readonly saved: boolean;
  readonly error: unknown;
  readonly run: (action: () => Promise<void>) => Promise<boolean>;
  /** The form changed since it was saved. */
  readonly touch: () => void;
  /** What the server says about a field. */
  readonly fieldError: (field: string) => string | undefined;
  /** There is an error that no field shows. */
  readonly general: boolean;
}

/** The state of a form that is sent to the server. */
export function useSaving(): Saving {
  const [state, setState] = useState({ pending: false, saved: false, error: null as unknown });
  const run = useCallback(async (action: () => Promise<void>) => {
    setState({ pending: true, saved: false, error: null });
    try {
      await action();
      setState({ pending: false, saved: true, error: null });
      return true;
    } catch (error) {
      setState({ pending: false, saved: false, error });
      return false;
    }
  }, []);
  const touch = useCallback(
    () => setState((old) => (old.saved ? { ...old, saved: false } : old)),
    [],
  );
  const fields = isApiError(state.error) ? state.error.fields : [];
  return {
    ...state,
    run,
    touch,
    fieldError: (field) => fields.find((entry) => entry.field === field)?.detail,
    general: state.error !== null,
  };
}
