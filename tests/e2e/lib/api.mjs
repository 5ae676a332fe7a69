// The control plane's REST interface, as the pages use it.
import { randomUUID } from 'node:crypto';

const API = '/api/v1';

export class ApiError extends Error {
  constructor(method, path, answer) {
    super(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 400)}`);
    this.status = answer.status;
    this.code = answer.json?.code;
  }
}

export class Api {
  constructor(server) {
    this.server = server;
    this.cookie = undefined;
  }

  async call(method, path, body, headers = {}) {
    const session = this.cookie ? { cookie: this.cookie, 'x-parley-csrf': '1', origin: this.server.origin } : {};
    const answer = await this.server.call(method, API + path, { body, headers: { ...session, ...headers } });
    if (answer.status >= 400) throw new ApiError(method, path, answer);
    for (const line of answer.headers['set-cookie'] ?? []) this.cookie = line.split(';')[0];
    return answer.json;
  }

  get(path) {
    return this.call('GET', path);
  }

  static async signedIn(server, { email, password }) {
    const api = new Api(server);
    api.me = await api.call('POST', '/auth/login', { email, password });
    return api;
  }

  organisation(slug = 'demo') {
    return this.get(`/public/organisations/${slug}`);
  }

  /** Slots of a service from now on, soonest first. */
  async slots(service, { days = 3, duration = service.durations_minutes[0] } = {}) {
    const date = (offset) => new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);
    const query = new URLSearchParams({
      provider_id: service.provider_ids[0],
      from: date(0),
      to: date(days),
      time_zone: 'UTC',
      duration_minutes: duration,
    });
    const found = await this.get(`/public/services/${service.id}/slots?${query}`);
    return found.days.flatMap(({ slots }) => slots);
  }

  /** Books as a guest; `{ appointment, manage_token, join_token }`. */
  book({ service, slot, name = 'Robin Client', email = 'robin@client.test', duration = service.durations_minutes[0] }) {
    const body = {
      service_id: service.id,
      provider_id: slot.provider_id,
      start: slot.start,
      duration_minutes: duration,
      time_zone: 'UTC',
      client: { name, email },
      locale: 'en',
    };
    return this.call('POST', '/public/appointments', body, { 'idempotency-key': randomUUID() });
  }

  /** Books the demo's video consultation at the `nth` free time of that provider; with the join link. */
  async bookVideo({ nth = 0, provider = 'ada-lind', ...client } = {}) {
    const { services, providers } = await this.organisation();
    const service = services.find(({ slug }) => slug === 'video-consultation');
    const { id } = providers.find(({ slug }) => slug === provider);
    const slots = await this.slots({ ...service, provider_ids: [id] });
    if (!slots[nth]) throw new Error(`${provider} has only ${slots.length} free times`);
    const booked = await this.book({ service, slot: slots[nth], ...client });
    return { ...booked, link: `${this.server.origin}/j/${booked.join_token}` };
  }
}
