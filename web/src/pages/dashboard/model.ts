import type { Appointment, WaitingParticipant } from "../../api";
import { dateIn } from "../../time";

/** Days after today that the dashboard shows. */
export const DAYS_AHEAD = 7;

/** One who waits, with what they wait for. */
export interface Waiter {
  readonly appointment: Appointment;
  readonly participant: WaitingParticipant;
}

/** Takes in a changed appointment, keeping the order by start. */
export function merge(list: readonly Appointment[], changed: Appointment): Appointment[] {
  return [...list.filter((entry) => entry.id !== changed.id), changed].sort(
    (a, b) => Date.parse(a.start) - Date.parse(b.start),
  );
}

const isWaiting = (participant: WaitingParticipant) =>
  participant.state === "waiting" || participant.state === "sent_back";

/** Who waits, the longest first. */
export function waiters(list: readonly Appointment[]): Waiter[] {
  return list
    .flatMap((appointment) =>
      appointment.waiting.filter(isWaiting).map((participant) => ({ appointment, participant })),
    )
    .sort((a, b) => Date.parse(a.participant.since) - Date.parse(b.participant.since));
}

/** Who is in a call and may be sent back to wait. */
export function admitted(appointment: Appointment): WaitingParticipant[] {
  return appointment.waiting.filter((participant) => participant.state === "admitted");
}

/** Names one wait: who comes back after leaving counts as a new arrival. */
const waitKey = ({ participant }: Waiter) => `${participant.participant_id} ${participant.since}`;

/** Those who wait now and did not before. */
export function arrivals(before: readonly Waiter[], after: readonly Waiter[]): Waiter[] {
  const known = new Set(before.map(waitKey));
  return after.filter((waiter) => !known.has(waitKey(waiter)));
}

export interface Day {
  readonly date: string;
  readonly appointments: readonly Appointment[];
}

/** Appointments by their date in `zone`, cancelled ones of later days left out. */
export function days(list: readonly Appointment[], zone: string, today: string): Day[] {
  const byDate = new Map<string, Appointment[]>();
  for (const appointment of list) {
    const date = dateIn(appointment.start, zone);
    if (date < today || (date > today && appointment.state === "cancelled")) continue;
    byDate.set(date, [...(byDate.get(date) ?? []), appointment]);
  }
  return [...byDate.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([date, appointments]) => ({ date, appointments }));
}

/** The provider is in the room, so that admitting someone need not lead there. */
export function providerIsIn(appointment: Appointment): boolean {
  return appointment.participants.some((stay) => stay.role === "provider" && stay.left_at === null);
}

/** Whether the provider may start or enter it. */
export function canStart(appointment: Appointment): boolean {
  return ["scheduled", "waiting", "in_progress"].includes(appointment.state);
}
