import { useMemo } from "react";
import { useLocale } from "../i18n";
import { useHourCycle, type HourCycle } from "./hourCycle";
import { offsetLabel } from "./zones";

export type When = string | number | Date;

/** Writes dates and times in one locale and clock; the zone comes with every call. */
export interface TimeFormat {
  /** `09:30` or `9:30 AM` */
  readonly time: (at: When, zone: string) => string;
  /** `09:30 – 10:00` */
  readonly timeRange: (from: When, to: When, zone: string) => string;
  /** `Monday, 24 November` with the year where it is not this one */
  readonly date: (at: When, zone: string) => string;
  /** `Mon, 24 Nov` */
  readonly shortDate: (at: When, zone: string) => string;
  /** `Mon, 24 Nov, 09:30` */
  readonly dateTime: (at: When, zone: string) => string;
  /** `09:30:05` */
  readonly clock: (at: When, zone: string) => string;
  /** `Central European Time (GMT+1)` */
  readonly zoneName: (zone: string, at: When) => string;
  /** `in 12 minutes`, `3 days ago` */
  readonly relative: (at: When, now: number) => string;
  /** `4:59`, `1:02:03` */
  readonly countdown: (milliseconds: number) => string;
  /** `45 min`, `1 hr 30 min` */
  readonly duration: (minutes: number) => string;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The calendar date (`YYYY-MM-DD`) of an instant in a zone. */
export function dateIn(at: When, zone: string): string {
  // The Swedish locale writes ISO dates.
  return new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short" }).format(
    new Date(at),
  );
}

/** The hour (0 to 23) of an instant in a zone. */
export function hourIn(at: When, zone: string): number {
  return Number(
    new Intl.DateTimeFormat("en-US", { timeZone: zone, hour: "numeric", hourCycle: "h23" }).format(
      new Date(at),
    ),
  );
}

/** The clock to write with: the chosen one, else the usual one of the language. */
export function clockOf(locale: string, hours: HourCycle): "h12" | "h23" {
  if (hours !== "auto") return hours;
  const usual = new Intl.DateTimeFormat(locale, { hour: "numeric" }).resolvedOptions().hourCycle;
  return usual === "h12" || usual === "h11" ? "h12" : "h23";
}

export function timeFormat(locale: string, hours: HourCycle): TimeFormat {
  const hourCycle = clockOf(locale, hours);
  const made = new Map<string, Intl.DateTimeFormat>();
  // Making a formatter is slow, and a month of slots asks for hundreds.
  const formatter = (zone: string, options: Intl.DateTimeFormatOptions) => {
    const key = `${zone} ${JSON.stringify(options)}`;
    const known = made.get(key);
    if (known) return known;
    const fresh = new Intl.DateTimeFormat(locale, { ...options, timeZone: zone });
    made.set(key, fresh);
    return fresh;
  };
  const clock: Intl.DateTimeFormatOptions = {
    hour: hourCycle === "h12" ? "numeric" : "2-digit",
    minute: "2-digit",
    hourCycle,
  };
  const short: Intl.DateTimeFormatOptions = { weekday: "short", day: "numeric", month: "short" };
  const year = (at: When, zone: string): Intl.DateTimeFormatOptions =>
    dateIn(at, zone).slice(0, 4) === dateIn(Date.now(), zone).slice(0, 4)
      ? {}
      : { year: "numeric" };

  return {
    time: (at, zone) => formatter(zone, clock).format(new Date(at)),
    timeRange: (from, to, zone) => formatter(zone, clock).formatRange(new Date(from), new Date(to)),
    date: (at, zone) =>
      formatter(zone, {
        weekday: "long",
        day: "numeric",
        month: "long",
        ...year(at, zone),
      }).format(new Date(at)),
    shortDate: (at, zone) => formatter(zone, { ...short, ...year(at, zone) }).format(new Date(at)),
    dateTime: (at, zone) =>
      formatter(zone, { ...short, ...year(at, zone), ...clock }).format(new Date(at)),
    clock: (at, zone) => formatter(zone, { ...clock, second: "2-digit" }).format(new Date(at)),
    zoneName: (zone, at) => {
      const name = formatter(zone, { timeZoneName: "longGeneric" })
        .formatToParts(new Date(at))
        .find((part) => part.type === "timeZoneName")?.value;
      const offset = offsetLabel(zone, new Date(at));
      return !name || name.startsWith("GMT") ? offset : `${name} (${offset})`;
    },
    relative: (at, now) => relative(locale, new Date(at).getTime() - now),
    countdown,
    duration: (minutes) => duration(locale, minutes),
  };
}

function relative(locale: string, distance: number): string {
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const size = Math.abs(distance);
  if (size < MINUTE) return format.format(Math.round(distance / 1000), "second");
  if (size < HOUR) return format.format(Math.round(distance / MINUTE), "minute");
  if (size < DAY) return format.format(Math.round(distance / HOUR), "hour");
  return format.format(Math.round(distance / DAY), "day");
}

/** Rounded up, so that it ends at 0:00 and not a second before; never below it. */
export function countdown(milliseconds: number): string {
  const total = Math.max(0, Math.ceil(milliseconds / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  return hours > 0
    ? `${hours}:${two(minutes)}:${two(total % 60)}`
    : `${minutes}:${two(total % 60)}`;
}

function duration(locale: string, minutes: number): string {
  const unit = (value: number, name: "hour" | "minute") =>
    new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: "short" }).format(value);
  const hours = Math.floor(minutes / 60);
  const rest = Math.round(minutes % 60);
  if (hours === 0) return unit(rest, "minute");
  return rest === 0 ? unit(hours, "hour") : `${unit(hours, "hour")} ${unit(rest, "minute")}`;
}

/** The formats of the reader's language and clock. */
export function useTimeFormat(): TimeFormat {
  const { locale } = useLocale();
  const [hours] = useHourCycle();
  return useMemo(() => timeFormat(locale, hours), [locale, hours]);
}
