import type { Appointment, AppointmentState } from "../../api";

export const PAGE_SIZE = 50;

export const STATES: readonly AppointmentState[] = [
  "scheduled",
  "waiting",
  "in_progress",
  "completed",
  "cancelled",
  "no_show",
];

/** What the list shows; stands in the address, so that it can be kept and sent. */
export interface ListFilter {
  /** `YYYY-MM-DD` */
  readonly from?: string;
  readonly to?: string;
  readonly state?: AppointmentState;
  /** A member's id. */
  readonly provider?: string;
}

/** Reads a filter from an address, dropping what makes no sense. */
export function filterFrom(query: URLSearchParams): ListFilter {
  const date = (name: string) => {
    const text = query.get(name) ?? "";
    return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : undefined;
  };
  return {
    from: date("from"),
    to: date("to"),
    state: STATES.find((state) => state === query.get("state")),
    provider: query.get("provider") ?? undefined,
  };
}

export function toQuery(filter: ListFilter): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(filter) as [string, string | undefined][]) {
    if (value) query[name] = value;
  }
  return query;
}

/** Minutes from actual start to actual end, while both are known. */
export function actualMinutes(appointment: Appointment): number | undefined {
  const { actual_start, actual_end } = appointment;
  if (!actual_start || !actual_end) return undefined;
  return Math.max(0, Math.round((Date.parse(actual_end) - Date.parse(actual_start)) / 60_000));
}
