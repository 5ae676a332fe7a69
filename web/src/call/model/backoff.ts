/** Delays between attempts, in milliseconds: doubled from the first up to the limit, spread so that many clients of a
 * restarted server do not come back in the same instant. */
export interface Backoff {
  firstMs: number;
  limitMs: number;
  /** Share of the delay that is random, 0 to 1. */
  spread: number;
}

export const REJOIN_BACKOFF: Backoff = { firstMs: 500, limitMs: 8_000, spread: 0.3 };
export const EVENTS_BACKOFF: Backoff = { firstMs: 500, limitMs: 10_000, spread: 0.3 };

/** `attempt` counts from 0; `random` is in [0, 1). */
export function backoffMs(backoff: Backoff, attempt: number, random: number): number {
  const base = Math.min(backoff.limitMs, backoff.firstMs * 2 ** Math.min(attempt, 20));
  return Math.round(base * (1 - backoff.spread + backoff.spread * random));
}
