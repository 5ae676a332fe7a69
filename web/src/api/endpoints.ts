import { apiUrl, get, post, request } from "./client";
import type {
  Appointment,
  AppointmentPage,
  Availability,
  Booked,
  BookingRequest,
  Device,
  JoinView,
  Me,
  MediaToken,
  Member,
  Organisation,
  OrganisationLink,
  PublicAppointment,
  Role,
  ServerConfig,
  Service,
  ServiceInput,
  SlotDays,
} from "./types";

const part = encodeURIComponent;

export const config = (signal?: AbortSignal) => get<ServerConfig>("/config", {}, signal);

/** Booking and appointment pages: no account. */
export const publicApi = {
  organisations: (signal?: AbortSignal) =>
    get<OrganisationLink[]>("/public/organisations", {}, signal),

  organisation: (slug: string, signal?: AbortSignal) =>
    get<Organisation>(`/public/organisations/${part(slug)}`, {}, signal),

  slots: (
    serviceId: string,
    query: {
      from: string;
      to: string;
      time_zone: string;
      duration_minutes: number;
      provider_id?: string;
    },
    signal?: AbortSignal,
  ) => get<SlotDays>(`/public/services/${part(serviceId)}/slots`, query, signal),

  book: (booking: BookingRequest, idempotencyKey: string) =>
    post<Booked>("/public/appointments", booking, { idempotencyKey }),

  appointment: (manageToken: string, signal?: AbortSignal) =>
    get<PublicAppointment>(`/public/appointments/${part(manageToken)}`, {}, signal),

  cancel: (manageToken: string, reason?: string) =>
    post<PublicAppointment>(`/public/appointments/${part(manageToken)}/cancel`, { reason }),

  /** Address of the calendar file, for a download link. */
  calendarUrl: (manageToken: string) =>
    apiUrl(`/public/appointments/${part(manageToken)}/calendar.ics`),
};

/** Joining; the token is a join token or a code. */
export const joinApi = {
  view: (token: string, signal?: AbortSignal) =>
    get<JoinView>(`/join/${part(token)}`, {}, signal),
  enter: (token: string, displayName: string, device?: Device) =>
    post<JoinView>(`/join/${part(token)}/enter`, { display_name: displayName, device }),
  mediaToken: (token: string) => post<MediaToken>(`/join/${part(token)}/media-token`),
  leave: (token: string) => post(`/join/${part(token)}/leave`),
  eventsUrl: (token: string) => apiUrl(`/join/${part(token)}/events`),
};

export interface AppointmentFilter {
  readonly from?: string;
  readonly to?: string;
  readonly state?: string;
  readonly provider_id?: string;
  readonly cursor?: string;
  readonly limit?: number;
}

export interface NewMember {
  readonly name: string;
  readonly email: string;
  readonly role: Role;
  readonly title?: string;
  readonly time_zone: string;
}

/** What a signed-in member of an organisation may do. */
export const memberApi = {
  login: (email: string, password: string) => post<Me>("/auth/login", { email, password }),
  requestMagicLink: (email: string) => post("/auth/magic-link", { email }),
  redeemMagicLink: (token: string) => post<Me>("/auth/magic-link/redeem", { token }),
  logout: () => post("/auth/logout"),
  me: (signal?: AbortSignal) => get<Me>("/me", {}, signal),
  /** The first password needs no current one. */
  changePassword: (fresh: string, current?: string) =>
    request<void>("PATCH", "/me", { body: { password: { current, new: fresh } } }),

  appointments: (filter: AppointmentFilter, signal?: AbortSignal) =>
    get<AppointmentPage>("/appointments", { ...filter }, signal),
  appointment: (id: string, signal?: AbortSignal) =>
    get<Appointment>(`/appointments/${part(id)}`, {}, signal),
  start: (id: string) => post<{ join_token: string }>(`/appointments/${part(id)}/start`),
  admit: (id: string, participantId: string) =>
    post<Appointment>(`/appointments/${part(id)}/admit`, { participant_id: participantId }),
  decline: (id: string, participantId: string) =>
    post<Appointment>(`/appointments/${part(id)}/decline`, { participant_id: participantId }),
  sendBack: (id: string, participantId: string) =>
    post<Appointment>(`/appointments/${part(id)}/send-back`, { participant_id: participantId }),
  admitAll: (id: string) => post<Appointment>(`/appointments/${part(id)}/admit-all`),
  end: (id: string) => post<Appointment>(`/appointments/${part(id)}/end`),
  cancel: (id: string, reason: string) =>
    post<Appointment>(`/appointments/${part(id)}/cancel`, { reason }),
  dashboardUrl: () => apiUrl("/dashboard/events"),

  services: (signal?: AbortSignal) => get<Service[]>("/services", {}, signal),
  createService: (service: ServiceInput) => post<Service>("/services", service),
  updateService: (id: string, change: Partial<ServiceInput>) =>
    request<Service>("PATCH", `/services/${part(id)}`, { body: change }),

  members: (signal?: AbortSignal) => get<Member[]>("/members", {}, signal),
  createMember: (member: NewMember) => post<Member>("/members", member),

  availability: (memberId: string, signal?: AbortSignal) =>
    get<Availability>(`/members/${part(memberId)}/availability`, {}, signal),
  saveAvailability: (memberId: string, availability: Availability) =>
    request<Availability>("PUT", `/members/${part(memberId)}/availability`, {
      body: availability,
    }),
};
