import { useSyncExternalStore } from "react";

/** `auto` follows the language. */
export type HourCycle = "auto" | "h12" | "h23";

const STORED = "parley.hours";
const listeners = new Set<() => void>();

function current(): HourCycle {
  try {
    const stored = localStorage.getItem(STORED);
    return stored === "h12" || stored === "h23" ? stored : "auto";
  } catch {
    return "auto";
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function choose(hours: HourCycle): void {
  try {
    if (hours === "auto") localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, hours);
  } catch {
    // Without storage the choice cannot be kept.
  }
  for (const listener of listeners) listener();
}

/** The reader's choice of a 12 or 24 hour clock, remembered. */
export function useHourCycle(): readonly [HourCycle, (hours: HourCycle) => void] {
  return [useSyncExternalStore(subscribe, current), choose];
}
