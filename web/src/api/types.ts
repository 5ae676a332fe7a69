/** Shapes of `/api/v1`, as docs/control.md states them. Instants are RFC 3339 in UTC. */

export type Instant = string;
/** `YYYY-MM-DD` */
export type DateText = string;
/** `HH:MM` */
export type TimeText = string;
/** IANA name */
export type Zone = string;

export interface Money {
  readonly amount: number;
  readonly currency: string;
}

export interface Labels {
  readonly provider: string;
  readonly client: string;
}

export type ServiceKind =
  | "video"
  | "phone"
  | "in_person"
  | "hybrid"
  | "document_review"
  | "quick_question";

export interface Provider {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly title: string | null;
  readonly bio: string | null;
  readonly time_zone: Zone;
  readonly photo_url?: string | null;
}

export interface Service {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly description: string | null;
  readonly kind: ServiceKind;
  readonly durations_minutes: readonly number[];
  readonly price: Money | null;
  readonly provider_ids: readonly string[];
  readonly active: boolean;
  /** Given to members only. */
  readonly rules?: BookingRules;
}

/** In minutes, but for `maximum_advance_days`. */
export interface BookingRules {
  readonly buffer_before: number;
  readonly buffer_after: number;
  readonly minimum_notice: number;
  readonly maximum_advance_days: number;
  readonly slot_interval: number | null;
  readonly slot_offset: number;
  readonly join_before: number;
  readonly join_after: number;
}

export type ServiceInput = Omit<Service, "id" | "slug"> & { readonly slug?: string };

export interface OrganisationLink {
  readonly slug: string;
  readonly name: string;
}

export interface Organisation extends OrganisationLink {
  readonly time_zone: Zone;
  readonly labels: Labels;
  readonly providers: readonly Provider[];
  readonly services: readonly Service[];
}

export interface Slot {
  readonly start: Instant;
  readonly end: Instant;
  readonly provider_id: string;
}

export interface SlotDays {
  readonly time_zone: Zone;
  readonly days: readonly { readonly date: DateText; readonly slots: readonly Slot[] }[];
}

export type AppointmentState =
  | "scheduled"
  | "waiting"
  | "in_progress"
  | "completed"
  | "cancelled"
  | "no_show";

export interface PublicAppointment {
  readonly id: string;
  readonly number: string;
  readonly state: AppointmentState;
  readonly service: { readonly id: string; readonly name: string; readonly kind: ServiceKind };
  readonly provider: {
    readonly id: string;
    readonly name: string;
    readonly title: string | null;
    readonly time_zone: Zone;
  };
  readonly organisation: OrganisationLink & { readonly labels: Labels };
  readonly client: { readonly name: string; readonly email: string; readonly time_zone: Zone };
  readonly start: Instant;
  readonly end: Instant;
  readonly join: {
    readonly opens_at: Instant;
    readonly closes_at: Instant;
    readonly url: string;
    readonly code: string;
  };
  readonly can_cancel: boolean;
  readonly note: string | null;
}

export interface BookingRequest {
  readonly service_id: string;
  readonly provider_id: string;
  readonly start: Instant;
  readonly duration_minutes: number;
  readonly time_zone: Zone;
  readonly client: { readonly name: string; readonly email: string; readonly phone?: string };
  readonly note?: string;
  readonly locale?: string;
}

export interface Booked {
  readonly appointment: PublicAppointment;
  readonly manage_token: string;
  readonly join_token: string;
}

export type JoinPhase =
  | "too_early"
  | "open"
  | "waiting"
  | "admitted"
  | "declined"
  | "ended"
  | "cancelled";

export interface JoinView {
  readonly phase: JoinPhase;
  readonly now: Instant;
  readonly role: "client" | "provider";
  readonly identity: string;
  readonly display_name: string;
  readonly appointment: {
    readonly number: string;
    readonly service_name: string;
    readonly start: Instant;
    readonly end: Instant;
    readonly provider: {
      readonly name: string;
      readonly title: string | null;
      readonly time_zone: Zone;
    };
    readonly client_name?: string | null;
    readonly organisation: { readonly name: string; readonly labels: Labels };
  };
  readonly window: { readonly opens_at: Instant; readonly closes_at: Instant };
  readonly waiting_since?: Instant | null;
  readonly queue_position?: number | null;
  readonly ended_at?: Instant | null;
  readonly end_reason?: string | null;
}

export interface Device {
  readonly browser?: string | null;
  readonly os?: string | null;
  readonly kind?: string | null;
}

export interface MediaToken {
  readonly url: string;
  readonly token: string;
  readonly room: string;
  readonly identity: string;
}

export type Role = "admin" | "manager" | "provider" | "client";

export interface Member {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: Role;
  readonly title: string | null;
  readonly time_zone: Zone;
}

export interface Me {
  readonly member: Member & { readonly has_password: boolean };
  readonly organisation: OrganisationLink & { readonly labels: Labels; readonly time_zone: Zone };
}

export interface WaitingParticipant {
  readonly participant_id: string;
  readonly name: string;
  readonly since: Instant;
  readonly device: Device | null;
  /** `gone`: the page was closed for 30 s. */
  readonly state: "waiting" | "gone" | "admitted" | "declined" | "sent_back" | "left" | "removed";
}

export interface Stay {
  readonly identity: string;
  readonly name: string;
  readonly role: string;
  readonly joined_at: Instant;
  readonly left_at: Instant | null;
  readonly device: Device | null;
  readonly network: string | null;
}

export interface Appointment {
  readonly id: string;
  readonly number: string;
  readonly state: AppointmentState;
  readonly service: { readonly id: string; readonly name: string; readonly kind: ServiceKind };
  readonly provider: { readonly id: string; readonly name: string; readonly title: string | null };
  readonly client: {
    readonly name: string;
    readonly email: string;
    readonly phone: string | null;
    readonly time_zone: Zone;
  };
  readonly start: Instant;
  readonly end: Instant;
  readonly note: string | null;
  readonly created_at: Instant;
  readonly actual_start: Instant | null;
  readonly actual_end: Instant | null;
  readonly cancelled: {
    readonly at: Instant;
    readonly by: string;
    readonly reason: string | null;
  } | null;
  readonly waiting: readonly WaitingParticipant[];
  readonly participants: readonly Stay[];
}

export interface AppointmentPage {
  readonly items: readonly Appointment[];
  readonly next_cursor: string | null;
}

export interface Interval {
  readonly start: TimeText;
  readonly end: TimeText;
}

export interface DayInterval extends Interval {
  /** 0 = Sunday */
  readonly day: number;
}

export interface Schedule {
  readonly name: string;
  readonly active: boolean;
  readonly slot_minutes: number;
  readonly intervals: readonly DayInterval[];
}

export type OverrideKind = "blocked" | "holiday" | "custom";

export interface DateOverride {
  readonly date: DateText;
  readonly kind: OverrideKind;
  readonly intervals: readonly Interval[];
  readonly note?: string | null;
}

export interface Availability {
  readonly time_zone: Zone;
  readonly schedules: readonly Schedule[];
  readonly overrides: readonly DateOverride[];
}

export interface ServerConfig {
  readonly version: string;
  readonly media_url: string;
  readonly default_locale: string;
  readonly dev: boolean;
}
