import type { Appointment, AppointmentFilter, AppointmentPage } from "../../api";
import { DAYS_AHEAD, merge } from "./model";

const DAY_MS = 86_400_000;
/** The server's largest page. */
const PAGE_SIZE = 200;
/** Of one read; a practice with more in these days sees the rest in the list of appointments. */
export const MAX_PAGES = 5;

type ReadPage = (filter: AppointmentFilter) => Promise<AppointmentPage>;

/** Everything that the dashboard shows. Who waits is read on its own, so that no page limit cuts it off. */
export async function readDashboard(read: ReadPage, nowMs: number): Promise<Appointment[]> {
  const span = {
    // From yesterday, so that today is whole in every zone and a late call is still there.
    from: new Date(nowMs - DAY_MS).toISOString(),
    to: new Date(nowMs + (DAYS_AHEAD + 1) * DAY_MS).toISOString(),
    limit: PAGE_SIZE,
  };
  const [all, present] = await Promise.all([
    readPages(read, span),
    readPages(read, { ...span, state: "waiting,in_progress" }),
  ]);
  const known = new Set(all.map(({ id }) => id));
  return present.filter(({ id }) => !known.has(id)).reduce(merge, all);
}

async function readPages(read: ReadPage, filter: AppointmentFilter): Promise<Appointment[]> {
  const items: Appointment[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await read({ ...filter, cursor });
    items.push(...answer.items);
    if (!answer.next_cursor) break;
    cursor = answer.next_cursor;
  }
  return items;
}

/** Keeps an answer that was read earlier from hiding what came later. */
export class Freshness {
  #count = 0;
  #newest = 0;
  readonly #changes = new Map<string, { readonly at: number; readonly appointment: Appointment }>();

  /** A read begins; gives its number. */
  begin(): number {
    this.#count += 1;
    return this.#count;
  }

  /** A single appointment changed. */
  changed(appointment: Appointment): void {
    this.#count += 1;
    this.#changes.set(appointment.id, { at: this.#count, appointment });
  }

  /** The list to show after read `turn`, with what changed since it began; null when a later read was faster. */
  finish(turn: number, list: readonly Appointment[]): readonly Appointment[] | null {
    if (turn < this.#newest) return null;
    this.#newest = turn;
    let shown = list;
    for (const [id, { at, appointment }] of this.#changes) {
      if (at > turn) shown = merge(shown, appointment);
      else this.#changes.delete(id);
    }
    return shown;
  }
}
