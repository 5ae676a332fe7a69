import { describe, expect, it } from "vitest";
import {
  checkIntervals,
  EMPTY_SCHEDULE,
  isValid,
  minutesOf,
  nextInterval,
  ofDay,
  parseDurations,
  withDay,
  withOverride,
} from "./model";

describe("minutesOf", () => {
  it("reads times of the day and refuses the rest", () => {
    expect(minutesOf("00:00")).toBe(0);
    expect(minutesOf("24:00")).toBe(1440);
    for (const text of ["", "9", "25:00", "24:01", "10:60", "aa:bb"]) {
      expect(minutesOf(text), text).toBeNull();
    }
  });
});

describe("checkIntervals", () => {
  it("finds what is wrong", () => {
    expect(checkIntervals([])).toBeNull();
    expect(checkIntervals([{ start: "09:00", end: "12:00" }, { start: "12:00", end: "24:00" }])).toBeNull();
    expect(checkIntervals([{ start: "", end: "12:00" }])).toBe("incomplete");
    expect(checkIntervals([{ start: "12:00", end: "12:00" }])).toBe("backwards");
    expect(
      checkIntervals([
        { start: "13:00", end: "17:00" },
        { start: "09:00", end: "13:01" },
      ]),
    ).toBe("overlap");
  });
});

describe("the week", () => {
  it("changes one day and keeps the others", () => {
    const monday = withDay(EMPTY_SCHEDULE, 1, [{ start: "09:00", end: "12:00" }]);
    const both = withDay(monday, 0, [{ start: "10:00", end: "11:00" }]);
    expect(both.intervals.map(({ day }) => day)).toEqual([0, 1]);
    expect(ofDay(withDay(both, 0, []), 1)).toEqual([{ day: 1, start: "09:00", end: "12:00" }]);
  });

  it("proposes hours after the last, within the day", () => {
    expect(nextInterval([])).toEqual({ start: "09:00", end: "17:00" });
    expect(nextInterval([{ start: "09:00", end: "12:30" }])).toEqual({ start: "13:30", end: "17:30" });
    const late = nextInterval([{ start: "20:00", end: "24:00" }]);
    expect(checkIntervals([late])).toBeNull();
  });

  it("is sent only when nothing would be refused", () => {
    const availability = {
      time_zone: "UTC",
      schedules: [withDay(EMPTY_SCHEDULE, 1, [{ start: "12:00", end: "09:00" }])],
      overrides: [],
    };
    expect(isValid(availability)).toBe(false);
    expect(isValid({ ...availability, schedules: [EMPTY_SCHEDULE] })).toBe(true);
  });
});

describe("withOverride", () => {
  it("replaces the same date and sorts", () => {
    const blocked = (date: string) => ({ date, kind: "blocked" as const, intervals: [] });
    const list = withOverride([blocked("2026-12-24")], blocked("2026-12-01"));
    const again = withOverride(list, { date: "2026-12-24", kind: "holiday", intervals: [] });
    expect(again.map(({ date, kind }) => [date, kind])).toEqual([
      ["2026-12-01", "blocked"],
      ["2026-12-24", "holiday"],
    ]);
  });
});

describe("parseDurations", () => {
  it("takes whole minutes in any list", () => {
    expect(parseDurations("45, 30;30")).toEqual([30, 45]);
    for (const text of ["", "x", "4", "481", "30.5"]) expect(parseDurations(text), text).toBeNull();
  });
});
