import type { Availability, DateOverride, DayInterval, Interval, Schedule } from "../../api";

/** Monday first, as weeks are planned; 0 is Sunday. */
export const WEEK = [1, 2, 3, 4, 5, 6, 0] as const;

/** Bounds of the editor, so that a slip of the finger cannot make a thousand rows. */
export const MOST_INTERVALS_A_DAY = 6;

export type HoursProblem = "incomplete" | "backwards" | "overlap";

/** Minutes since midnight; `24:00` is the end of the day. `null` if it is no time. */
export function minutesOf(text: string): number | null {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text);
  if (!match) return null;
  const minutes = Number(match[1]) * 60 + Number(match[2]);
  return Number(match[2]) < 60 && minutes <= 24 * 60 ? minutes : null;
}

export function timeText(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}

/** What is wrong with the hours of one day, if anything. */
export function checkIntervals(intervals: readonly Interval[]): HoursProblem | null {
  const spans: (readonly [number, number])[] = [];
  for (const { start, end } of intervals) {
    const [from, to] = [minutesOf(start), minutesOf(end)];
    if (from === null || to === null) return "incomplete";
    if (to <= from) return "backwards";
    spans.push([from, to]);
  }
  spans.sort((a, b) => a[0] - b[0]);
  const overlaps = spans.some((span, index) => index > 0 && span[0] < (spans[index - 1]?.[1] ?? 0));
  return overlaps ? "overlap" : null;
}

export const ofDay = (schedule: Schedule, day: number): DayInterval[] =>
  schedule.intervals.filter((interval) => interval.day === day);

/** The schedule with the hours of one day replaced, in the order of days and times. */
export function withDay(schedule: Schedule, day: number, intervals: readonly Interval[]): Schedule {
  const others = schedule.intervals.filter((interval) => interval.day !== day);
  const own = intervals.map(({ start, end }) => ({ day, start, end }));
  return { ...schedule, intervals: [...others, ...own].sort((a, b) => a.day - b.day) };
}

/** A further interval after the last: an hour later, an afternoon long at most. */
export function nextInterval(intervals: readonly Interval[]): Interval {
  const last = intervals.at(-1);
  const end = last ? minutesOf(last.end) : null;
  if (end === null) return { start: "09:00", end: "17:00" };
  const start = Math.min(end + 60, 23 * 60);
  return { start: timeText(start), end: timeText(Math.min(start + 240, 24 * 60 - 1)) };
}

export const EMPTY_SCHEDULE: Schedule = {
  name: "",
  active: true,
  slot_minutes: 30,
  intervals: [],
};

/** Whether anything would be refused; the pages show where. */
export function isValid(availability: Availability): boolean {
  return (
    availability.schedules.every((schedule) =>
      WEEK.every((day) => checkIntervals(ofDay(schedule, day)) === null),
    ) &&
    availability.overrides.every(
      (entry) => entry.kind !== "custom" || checkIntervals(entry.intervals) === null,
    )
  );
}

/** Adds an override, in place of one of the same date; by date. */
export function withOverride(
  overrides: readonly DateOverride[],
  added: DateOverride,
): DateOverride[] {
  return [...overrides.filter((entry) => entry.date !== added.date), added].sort((a, b) =>
    a.date < b.date ? -1 : 1,
  );
}

/** `15, 30; 45` → `[15, 30, 45]`; `null` if it holds anything but minutes from 5 to 480. */
export function parseDurations(text: string): number[] | null {
  const parts = text.split(/[\s,;،]+/).filter((part) => part !== "");
  const minutes = parts.map(Number);
  const fits = minutes.every((value) => Number.isInteger(value) && value >= 5 && value <= 480);
  return minutes.length > 0 && fits ? [...new Set(minutes)].sort((a, b) => a - b) : null;
}
