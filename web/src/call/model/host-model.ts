import { isApiError, memberApi, stream, type Appointment } from "../../api";
import { Store } from "./store";

export interface WaitingPerson {
  readonly participantId: string;
  readonly name: string;
  readonly sinceMs: number;
}

export interface HostState {
  /** The signed-in person may admit and end; without it the controls are not shown. */
  canHost: boolean;
  waiting: readonly WaitingPerson[];
  /** Participant ids whose admission is on its way. */
  busy: readonly string[];
  ending: boolean;
  error: "admit_failed" | "end_failed" | "end_not_started" | null;
}

export interface HostApi {
  /** The appointment with this number, or null when nobody is signed in or it is not theirs. */
  find(number: string, start: string): Promise<Appointment | null>;
  read(id: string): Promise<Appointment>;
  /** `onMissed` is called when changes may have been missed, as after each new connection. */
  follow(onAppointment: (appointment: Appointment) => void, onMissed: () => void): () => void;
  admit(id: string, participantId: string): Promise<Appointment>;
  decline(id: string, participantId: string): Promise<Appointment>;
  end(id: string): Promise<Appointment>;
}

const DAY_MS = 86_400_000;

export const browserHostApi: HostApi = {
  async find(number, start) {
    const around = (days: number) => new Date(Date.parse(start) + days * DAY_MS).toISOString();
    try {
      let cursor: string | undefined;
      do {
        const page = await memberApi.appointments({ from: around(-1), to: around(1), cursor });
        const found = page.items.find((appointment) => appointment.number === number);
        if (found) return found;
        cursor = page.next_cursor ?? undefined;
      } while (cursor !== undefined);
    } catch {
      // Not signed in, or a member of another organisation: then this is a plain participant.
    }
    return null;
  },
  read: (id) => memberApi.appointment(id),
  follow: (onAppointment, onMissed) =>
    stream({
      url: memberApi.dashboardUrl(),
      events: { hello: onMissed, appointment: (data) => onAppointment(data as Appointment) },
    }),
  admit: (id, participantId) => memberApi.admit(id, participantId),
  decline: (id, participantId) => memberApi.decline(id, participantId),
  end: (id) => memberApi.end(id),
};

/** What a provider may do beside talking: let people in, and end the consultation. */
export class HostModel {
  readonly store = new Store<HostState>({
    canHost: false,
    waiting: [],
    busy: [],
    ending: false,
    error: null,
  });
  readonly #api: HostApi;
  #id: string | null = null;
  #stop: () => void = () => undefined;
  #disposed = false;
  /** How often this appointment was learned, to know a read that an event has overtaken. */
  #learned = 0;

  constructor(api: HostApi) {
    this.#api = api;
  }

  async start(number: string, startsAt: string): Promise<void> {
    const appointment = await this.#api.find(number, startsAt);
    if (!appointment || this.#disposed) return;
    this.#id = appointment.id;
    this.store.patch({ canHost: true });
    this.#learn(appointment);
    this.#stop = this.#api.follow(
      (changed) => this.#learn(changed),
      () => void this.#reread(),
    );
  }

  admit(participantId: string): Promise<void> {
    return this.#act(participantId, (id) => this.#api.admit(id, participantId));
  }

  decline(participantId: string): Promise<void> {
    return this.#act(participantId, (id) => this.#api.decline(id, participantId));
  }

  /** True when the consultation has ended for all. */
  async endForAll(): Promise<boolean> {
    if (this.#id === null || this.store.get().ending) return false;
    this.store.patch({ ending: true, error: null });
    try {
      this.#learn(await this.#api.end(this.#id));
      return true;
    } catch (error) {
      const isTooEarly = isApiError(error, "appointment_not_started");
      this.store.patch({ error: isTooEarly ? "end_not_started" : "end_failed" });
      return false;
    } finally {
      this.store.patch({ ending: false });
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#stop();
  }

  async #act(participantId: string, run: (id: string) => Promise<Appointment>): Promise<void> {
    const { busy } = this.store.get();
    if (this.#id === null || busy.includes(participantId)) return;
    this.store.patch({ busy: [...busy, participantId], error: null });
    try {
      this.#learn(await run(this.#id));
    } catch {
      this.store.patch({ error: "admit_failed" });
    } finally {
      this.store.patch({ busy: this.store.get().busy.filter((other) => other !== participantId) });
    }
  }

  async #reread(): Promise<void> {
    const before = this.#learned;
    try {
      const read = await this.#api.read(this.#id ?? "");
      if (this.#learned === before) this.#learn(read);
    } catch {
      // The next change or connection brings it.
    }
  }

  #learn(appointment: Appointment): void {
    if (appointment.id !== this.#id || this.#disposed) return;
    this.#learned += 1;
    this.store.patch({
      waiting: appointment.waiting
        .filter(({ state }) => state === "waiting" || state === "sent_back")
        .map(({ participant_id, name, since }) => ({
          participantId: participant_id,
          name,
          sinceMs: Date.parse(since),
        })),
    });
  }
}
