import { describe, expect, it } from "vitest";
import type { Appointment, WaitingParticipant } from "../../api";
import { admitted, arrivals, canStart, days, merge, providerIsIn, waiters } from "./model";

const waiting = (id: string, since: string, state: WaitingParticipant["state"] = "waiting") => ({
  participant_id: id,
  name: id,
  since,
  device: null,
  state,
});

const appointment = (id: string, start: string, over: Partial<Appointment> = {}): Appointment => ({
  id,
  number: id,
  state: "scheduled",
  service: { id: "s", name: "Talk", kind: "video" },
  provider: { id: "p", name: "P", title: null },
  client: { name: "A", email: "a@b.org", phone: null, time_zone: "UTC" },
  start,
  end: start,
  note: null,
  created_at: start,
  actual_start: null,
  actual_end: null,
  cancelled: null,
  waiting: [],
  participants: [],
  ...over,
});

describe("merge", () => {
  it("replaces by id and keeps the order by start", () => {
    const list = [appointment("a", "2026-11-23T09:00:00Z"), appointment("b", "2026-11-23T10:00:00Z")];
    const moved = appointment("a", "2026-11-23T11:00:00Z");
    expect(merge(list, moved).map(({ id }) => id)).toEqual(["b", "a"]);
    expect(merge([], moved)).toEqual([moved]);
  });
});

describe("waiters and arrivals", () => {
  const at = (minute: number) => `2026-11-23T09:0${minute}:00Z`;

  it("lists who waits, the longest first", () => {
    const list = [
      appointment("a", at(0), { waiting: [waiting("x", at(2)), waiting("gone", at(0), "left")] }),
      appointment("b", at(0), { waiting: [waiting("y", at(1)), waiting("in", at(0), "admitted")] }),
    ];
    expect(waiters(list).map(({ participant }) => participant.participant_id)).toEqual(["y", "x"]);
    expect(list[1] && admitted(list[1]).map(({ name }) => name)).toEqual(["in"]);
  });

  it("rings once for each arrival, and again for who comes back", () => {
    const before = waiters([appointment("a", at(0), { waiting: [waiting("x", at(1))] })]);
    const same = waiters([appointment("a", at(0), { waiting: [waiting("x", at(1))] })]);
    const more = waiters([
      appointment("a", at(0), { waiting: [waiting("x", at(3)), waiting("y", at(2))] }),
    ]);
    expect(arrivals(before, same)).toEqual([]);
    expect(arrivals(before, more).map(({ participant }) => participant.name)).toEqual(["y", "x"]);
  });
});

describe("days", () => {
  it("go by the reader's zone and hide later cancellations", () => {
    const list = [
      appointment("yesterday", "2026-11-22T20:00:00Z"),
      appointment("late", "2026-11-22T23:30:00Z"),
      appointment("off", "2026-11-23T12:00:00Z", { state: "cancelled" }),
      appointment("off-later", "2026-11-24T12:00:00Z", { state: "cancelled" }),
      appointment("later", "2026-11-24T12:00:00Z"),
    ];
    const found = days(list, "Europe/Berlin", "2026-11-23").map(({ date, appointments }) => [
      date,
      appointments.map(({ id }) => id),
    ]);
    expect(found).toEqual([
      ["2026-11-23", ["late", "off"]],
      ["2026-11-24", ["later"]],
    ]);
  });
});

describe("what a provider may do", () => {
  it("depends on the state", () => {
    expect(canStart(appointment("a", "2026-11-23T09:00:00Z", { state: "waiting" }))).toBe(true);
    expect(canStart(appointment("a", "2026-11-23T09:00:00Z", { state: "completed" }))).toBe(false);
  });

  it("knows whether the provider is in the room", () => {
    const stay = {
      identity: "p",
      name: "P",
      role: "provider",
      joined_at: "2026-11-23T09:00:00Z",
      left_at: null,
      device: null,
      network: null,
    };
    const inside = appointment("a", "2026-11-23T09:00:00Z", { participants: [stay] });
    const left = appointment("a", "2026-11-23T09:00:00Z", {
      participants: [{ ...stay, left_at: "2026-11-23T09:10:00Z" }],
    });
    expect([providerIsIn(inside), providerIsIn(left)]).toEqual([true, false]);
  });
});
