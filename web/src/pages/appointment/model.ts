import type { PublicAppointment } from "../../api";

/** What the page of an appointment is about at a moment. */
export type AppointmentPhase =
  | { readonly kind: "before"; readonly opensInMs: number }
  | { readonly kind: "open" }
  | { readonly kind: "over" }
  | { readonly kind: "completed" }
  | { readonly kind: "no_show" }
  | { readonly kind: "cancelled" };

export function phaseOf(appointment: PublicAppointment, now: number): AppointmentPhase {
  switch (appointment.state) {
    case "cancelled":
    case "completed":
    case "no_show":
      return { kind: appointment.state };
    case "scheduled":
    case "waiting":
    case "in_progress": {
      const opensInMs = Date.parse(appointment.join.opens_at) - now;
      if (opensInMs > 0) return { kind: "before", opensInMs };
      return { kind: now < Date.parse(appointment.join.closes_at) ? "open" : "over" };
    }
  }
}

/** The path of the join link on this site; the absolute address may name another host (a proxy). */
export function joinPath(appointment: PublicAppointment): string {
  try {
    const url = new URL(appointment.join.url, "https://x.invalid");
    return url.pathname + url.search;
  } catch {
    return `/j/${encodeURIComponent(appointment.join.code)}`;
  }
}

/** `20261121T090000Z` */
export function compactInstant(instant: string): string {
  return new Date(instant).toISOString().replace(/[-:]|\.\d{3}/g, "");
}

export interface CalendarText {
  readonly title: string;
  readonly description: string;
  readonly location: string;
}

/** Pages of web calendars with the appointment filled in; nothing is sent before a click. */
export function calendarLinks(appointment: PublicAppointment, text: CalendarText) {
  const google = new URLSearchParams({
    action: "TEMPLATE",
    text: text.title,
    dates: `${compactInstant(appointment.start)}/${compactInstant(appointment.end)}`,
    details: text.description,
    location: text.location,
  });
  const outlook = new URLSearchParams({
    path: "/calendar/action/compose",
    rru: "addevent",
    subject: text.title,
    startdt: appointment.start,
    enddt: appointment.end,
    body: text.description,
    location: text.location,
  });
  return {
    google: `https://calendar.google.com/calendar/render?${google.toString()}`,
    outlook: `https://outlook.office.com/calendar/0/deeplink/compose?${outlook.toString()}`,
  };
}
