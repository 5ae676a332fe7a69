import { describe, expect, it } from "vitest";
import type { AppointmentState, PublicAppointment } from "../../api";
import { calendarLinks, compactInstant, joinPath, phaseOf } from "./model";

const OPENS = Date.parse("2026-11-23T08:45:00Z");
const CLOSES = Date.parse("2026-11-23T09:45:00Z");

const appointment = (state: AppointmentState = "scheduled"): PublicAppointment => ({
  id: "1",
  number: "C-2026-000001",
  state,
  service: { id: "s", name: "Talk", kind: "video" },
  provider: { id: "p", name: "Dr. P", title: null, time_zone: "UTC" },
  organisation: { slug: "o", name: "O", labels: { provider: "Doctor", client: "Patient" } },
  client: { name: "Ana", email: "ana@example.org", time_zone: "UTC" },
  start: "2026-11-23T09:00:00Z",
  end: "2026-11-23T09:30:00Z",
  join: {
    opens_at: "2026-11-23T08:45:00Z",
    closes_at: "2026-11-23T09:45:00Z",
    url: "https://calls.example/j/abc.def~1",
    code: "K7QM-4RTD",
  },
  can_cancel: true,
  note: null,
});

describe("phaseOf", () => {
  it("opens and closes to the millisecond", () => {
    expect(phaseOf(appointment(), OPENS - 1)).toEqual({ kind: "before", opensInMs: 1 });
    expect(phaseOf(appointment(), OPENS)).toEqual({ kind: "open" });
    expect(phaseOf(appointment("in_progress"), CLOSES - 1)).toEqual({ kind: "open" });
    expect(phaseOf(appointment(), CLOSES)).toEqual({ kind: "over" });
  });

  it("says what happened, whatever the time", () => {
    for (const state of ["cancelled", "completed", "no_show"] as const) {
      expect(phaseOf(appointment(state), OPENS - 1)).toEqual({ kind: state });
    }
  });
});

describe("joinPath", () => {
  it("stays on this site", () => {
    expect(joinPath(appointment())).toBe("/j/abc.def~1");
    const odd = appointment();
    expect(joinPath({ ...odd, join: { ...odd.join, url: "http://" } })).toBe("/j/K7QM-4RTD");
  });
});

describe("calendarLinks", () => {
  it("fill in instants in UTC and escape texts", () => {
    const links = calendarLinks(appointment(), {
      title: "Talk & more",
      description: "a\nb",
      location: "https://x/j/1",
    });
    const google = new URL(links.google).searchParams;
    expect(google.get("dates")).toBe("20261123T090000Z/20261123T093000Z");
    expect(google.get("text")).toBe("Talk & more");
    expect(new URL(links.outlook).searchParams.get("startdt")).toBe("2026-11-23T09:00:00Z");
    expect(compactInstant("2026-11-23T10:00:00+01:00")).toBe("20261123T090000Z");
  });
});
