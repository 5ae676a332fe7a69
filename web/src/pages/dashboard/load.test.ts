import { describe, expect, it } from "vitest";
import type { Appointment, AppointmentFilter, AppointmentPage } from "../../api";
import { Freshness, MAX_PAGES, readDashboard } from "./load";

const NOW = Date.parse("2026-11-23T09:00:00Z");

const appointment = (id: string, state: Appointment["state"] = "scheduled", minute = 0): Appointment => ({
  id,
  number: id,
  state,
  service: { id: "s", name: "Talk", kind: "video" },
  provider: { id: "p", name: "P", title: null },
  client: { name: "A", email: "a@b.org", phone: null, time_zone: "UTC" },
  start: new Date(NOW + minute * 60_000).toISOString(),
  end: new Date(NOW + minute * 60_000).toISOString(),
  note: null,
  created_at: new Date(NOW).toISOString(),
  actual_start: null,
  actual_end: null,
  cancelled: null,
  waiting: [],
  participants: [],
});

/** Pages of two, filtered by state like the server's. */
function server(stored: readonly Appointment[]) {
  const asked: AppointmentFilter[] = [];
  const read = (filter: AppointmentFilter): Promise<AppointmentPage> => {
    asked.push(filter);
    const states = filter.state?.split(",");
    const found = stored.filter(({ state }) => !states || states.includes(state));
    const at = Number(filter.cursor ?? 0);
    const next = at + 2 < found.length ? String(at + 2) : null;
    return Promise.resolve({ items: found.slice(at, at + 2), next_cursor: next });
  };
  return { asked, read };
}

const ids = (list: readonly Appointment[] | null) => list?.map(({ id }) => id);

describe("readDashboard", () => {
  it("follows the pages", async () => {
    const { read } = server([0, 1, 2, 3, 4].map((at) => appointment(`a${at}`, "scheduled", at)));
    expect(ids(await readDashboard(read, NOW))).toEqual(["a0", "a1", "a2", "a3", "a4"]);
  });

  it("shows who waits behind the last page that is read, once", async () => {
    const many = Array.from({ length: MAX_PAGES * 2 }, (_, at) => appointment(`a${at}`, "scheduled", at));
    many[0] = appointment("a0", "in_progress", 0);
    const { asked, read } = server([...many, appointment("late", "waiting", 99)]);
    const found = ids(await readDashboard(read, NOW));
    expect(found).toHaveLength(MAX_PAGES * 2 + 1);
    expect(found?.at(-1)).toBe("late");
    expect(asked).toHaveLength(MAX_PAGES + 1);
  });
});

describe("Freshness", () => {
  it("applies again what changed while a list was read", () => {
    const fresh = new Freshness();
    const turn = fresh.begin();
    fresh.changed(appointment("a", "waiting"));
    expect(fresh.finish(turn, [appointment("a"), appointment("b")])?.find(({ id }) => id === "a")?.state).toBe(
      "waiting",
    );
    const later = fresh.begin();
    expect(fresh.finish(later, [appointment("a", "completed")])?.[0]?.state).toBe("completed");
  });

  it("drops a list that was overtaken by a later one", () => {
    const fresh = new Freshness();
    const slow = fresh.begin();
    const fast = fresh.begin();
    expect(ids(fresh.finish(fast, [appointment("new")]))).toEqual(["new"]);
    expect(fresh.finish(slow, [appointment("old")])).toBeNull();
  });
});
