// The steps of a consultation, as people take them through the pages.
import { until } from './wait.mjs';

export const DOCTOR = 'doctor@demo.test';
export const ADMIN = 'admin@demo.test';
const PROVIDER_NAME = /Ada Lind/;

/** Books the soonest time with the demo doctor as a guest; gives the address of the appointment's page. */
export async function bookAsGuest(person, server, { name, email }, afterEach = async () => {}) {
  await person.open(`${server.origin}/o/demo`);
  await person.see('link', /Video consultation/);
  await afterEach('booking-service');
  await person.click('link', /Video consultation/);
  await person.see('button', PROVIDER_NAME);
  await afterEach('booking-time');
  await person.click('button', PROVIDER_NAME);
  await person.type('input[name=name]', name);
  await person.type('input[name=email]', email);
  await afterEach('booking-details');
  await person.press('form button[type=submit]');
  await until(`${person.name} is on the appointment's page`, () => new URL(person.url()).pathname.startsWith('/a/'));
  await person.see('link', /join/i);
  await afterEach('appointment');
  return person.url();
}

export async function signIn(person, server, { email, password }) {
  await person.open(`${server.origin}/sign-in`);
  await person.type('input[name=email]', email);
  await person.type('input[name=password]', password);
  await person.press('form button[type=submit]');
  await until(`${person.name} is on the dashboard`, () => new URL(person.url()).pathname === '/dashboard');
}

/** `loading`, `prejoin`, `waiting`, `in_call`, `reconnecting`, `left`, `ended`, `error`, … */
export const phase = (person) => person.evaluate(() => document.querySelector('.c-root')?.dataset.phase);

export function inPhase(person, wanted, timeout = 20_000) {
  const accepted = [wanted].flat();
  return until(
    `${person.name} is in phase ${accepted.join(' or ')}`,
    async () => {
      const now = await phase(person);
      if (!accepted.includes(now)) throw new Error(`phase ${now}`);
      return now;
    },
    { timeout, every: 50 },
  );
}

/** Opens a join link and waits for the picture of one's own camera. */
export async function openLink(person, link) {
  await person.open(link);
  await inPhase(person, 'prejoin');
  await person.waitFor('[data-testid=preview][data-camera=on]');
}

export async function join(person, name) {
  if (name !== undefined) await person.fill('Your name', name);
  await person.press('[data-testid=join]');
}

/** The instants, by this machine's clock, of the named steps of the newest join in that page. */
export function marks(person) {
  return person.evaluate(() =>
    Object.fromEntries(
      performance
        .getEntriesByType('mark')
        .filter(({ name }) => name.startsWith('parley:'))
        .map(({ name, startTime }) => [name.slice('parley:'.length), performance.timeOrigin + startTime]),
    ),
  );
}

/** A remote tile of that kind shows a picture that is not empty. */
export function remotePicture(person, kind) {
  return person.evaluate((wanted) => {
    const video = document.querySelector(`[data-testid=tile][data-kind=${wanted}][data-local=false] video`);
    return video && video.videoWidth > 0 && !video.paused ? { width: video.videoWidth, height: video.videoHeight } : null;
  }, kind);
}
