import {
  isApiError,
  type Organisation,
  type Provider,
  type Service,
  type Slot,
  type SlotDays,
} from "../../api";
import { hourIn } from "../../time";

/** The server answers at most this many days at once. */
export const WINDOW_DAYS = 62;

/** `anyone` stands for "whoever is free". */
export const ANYONE = "anyone";

export function activeServices(organisation: Organisation): Service[] {
  return organisation.services.filter(
    (service) => service.active && providersOf(organisation, service).length > 0,
  );
}

export function providersOf(organisation: Organisation, service: Service): Provider[] {
  return organisation.providers.filter((provider) => service.provider_ids.includes(provider.id));
}

/** The wanted duration if the service has it, else its first. */
export function pickDuration(service: Service, wanted: string | null): number {
  const minutes = Number(wanted);
  return service.durations_minutes.includes(minutes) ? minutes : (service.durations_minutes[0] ?? 30);
}

/** Slots by date, one a start time: with several providers free at once, the first of them. */
export function slotsByDate(answer: SlotDays): ReadonlyMap<string, readonly Slot[]> {
  const byDate = new Map<string, readonly Slot[]>();
  for (const day of answer.days) {
    const starts = new Map<string, Slot>();
    for (const slot of day.slots) if (!starts.has(slot.start)) starts.set(slot.start, slot);
    byDate.set(
      day.date,
      [...starts.values()].sort((a, b) => Date.parse(a.start) - Date.parse(b.start)),
    );
  }
  return byDate;
}

/** The first date with a free time, from `from` on. */
export function firstFreeDate(
  byDate: ReadonlyMap<string, readonly Slot[]>,
  from = "",
): string | undefined {
  return [...byDate.entries()]
    .filter(([date, slots]) => slots.length > 0 && date >= from)
    .map(([date]) => date)
    .sort()[0];
}

export type PartOfDay = "morning" | "afternoon" | "evening";

/** A day's slots in groups that are easy to scan; empty groups are left out. */
export function byPartOfDay(
  slots: readonly Slot[],
  zone: string,
): { part: PartOfDay; slots: Slot[] }[] {
  const groups: Record<PartOfDay, Slot[]> = { morning: [], afternoon: [], evening: [] };
  for (const slot of slots) {
    const hour = hourIn(slot.start, zone);
    groups[hour < 12 ? "morning" : hour < 17 ? "afternoon" : "evening"].push(slot);
  }
  return (Object.keys(groups) as PartOfDay[])
    .filter((part) => groups[part].length > 0)
    .map((part) => ({ part, slots: groups[part] }));
}

/** What the person types on the last step. */
export interface Details {
  readonly name: string;
  readonly email: string;
  readonly phone: string;
  readonly note: string;
}

export const NO_DETAILS: Details = { name: "", email: "", phone: "", note: "" };
export const NOTE_LIMIT = 2000;

export type DetailsProblem = "name_missing" | "email_missing" | "email_wrong" | "phone_wrong" | "note_long";

/** What is wrong with the details, by field. The server checks again and has the last word. */
export function checkDetails(details: Details): Partial<Record<keyof Details, DetailsProblem>> {
  const problems: Partial<Record<keyof Details, DetailsProblem>> = {};
  const email = details.email.trim();
  if (details.name.trim() === "") problems.name = "name_missing";
  if (email === "") problems.email = "email_missing";
  // Mails that do not arrive show the rest; this catches what is no address at all.
  else if (!/^[^\s@]+@[^\s@]+\.[^\s@.]{2,}$/.test(email)) problems.email = "email_wrong";
  const phone = details.phone.trim();
  if (phone !== "" && !/^\+?[\d\s()./-]{5,24}$/.test(phone)) problems.phone = "phone_wrong";
  if (details.note.length > NOTE_LIMIT) problems.note = "note_long";
  return problems;
}

/** Why a chosen time cannot be booked, when another one may: someone else has it, or it is not offered any more. */
export function slotRefusal(error: unknown): "taken" | "gone" | null {
  if (isApiError(error, "slot_taken")) return "taken";
  if (isApiError(error, "slot_past", "slot_too_soon", "slot_too_far", "slot_not_offered")) return "gone";
  return null;
}

/** A random key for `Idempotency-Key`; also without a secure context, where randomUUID is missing. */
export function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
