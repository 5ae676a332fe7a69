// The main job, from booking to goodbye, for whichever browser the client uses.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';

import { Api } from './api.mjs';
import { DESKTOP, PHONE } from './browsers.mjs';
import { bookAsGuest, DOCTOR, inPhase, join, marks, openLink, remotePicture, signIn } from './flow.mjs';
import { linkIn } from './mail.mjs';
import { received } from './stats.mjs';
import { story } from './story.mjs';
import { until } from './wait.mjs';

const CLIENT = { name: 'Robin Client', email: 'robin@client.test' };
const WATCHED_MS = 10_000;
const WINDOWS = 3;
const MIN_FPS = 15;
/** Times are stored in the server's clock, which is this machine's: right to the second. */
const TIME_TOLERANCE_MS = 1_000;

/**
 * Registers the tests. `setUp` gives `{ server, mailbox, provider, client, hasSound, tearDown }`, the two people with
 * their pages open; `label` begins the names of the screenshots.
 */
export function describeConsultation(label, setUp) {
  let scene;
  let server;
  let provider;
  let client;
  let api;
  let link;
  const times = {};
  const test = story(label, () => ({ provider, client }));

  before(async () => {
    scene = await setUp();
    ({ server, provider, client } = scene);
    api = await Api.signedIn(server, server.demoLogin(DOCTOR));
  });

  after(async () => {
    await scene?.tearDown();
  });

  /** Keeps what the person sees, on a desktop and on a phone. */
  const shot = async (person, name) => {
    await person.shot(`${label}-${name}`);
    await person.resize(PHONE);
    await person.shot(`${label}-${name}-phone`);
    await person.resize(DESKTOP);
  };

  const appointment = async () => {
    const { items } = await api.get(`/appointments?from=${new Date(Date.now() - 3_600_000).toISOString()}`);
    return items.find((item) => item.client.email === CLIENT.email);
  };

  const assertNear = (what, instant, expectedMs) => {
    assert.ok(instant, `${what} is missing`);
    const off = Date.parse(instant) - expectedMs;
    assert.ok(Math.abs(off) <= TIME_TOLERANCE_MS, `${what} is ${off} ms off`);
  };

  test('the client books as a guest', async () => {
    await bookAsGuest(client, server, CLIENT, (step) => shot(client, step));
    const booked = await appointment();
    assert.equal(booked.state, 'scheduled');
    assert.equal(booked.client.name, CLIENT.name);
  });

  test('a confirmation comes by mail, with the link', async () => {
    const mail = await scene.mailbox.message(CLIENT.email);
    link = linkIn(mail, '/j/');
    assert.equal(link.origin, server.origin);
    assert.ok(mail.parts.includes('text/calendar'), `the mail has a calendar entry: ${mail.parts}`);
  });

  test('the link leads to the prejoin page, and Join to the waiting room', async () => {
    await openLink(client, link);
    // Firefox starts no audio context on a machine without a sound device.
    if (scene.hasSound) await until('the microphone’s level moves', () =>
      client.evaluate(() => Number(document.querySelector('[data-testid=level]').dataset.level) > 0));
    await until('the connection was judged', () =>
      client.evaluate(() => ['good', 'fair'].includes(document.querySelector('[data-testid=verdict]').dataset.verdict)));
    await shot(client, 'prejoin');
    await join(client);
    await inPhase(client, 'waiting');
    await shot(client, 'waiting');
    assert.equal((await appointment()).state, 'waiting');
    const text = await client.text();
    assert.ok(!/Mira Sato|Jonas Weber/.test(text), 'no other client is named');
  });

  test('the provider signs in and sees who waits', async () => {
    await signIn(provider, server, server.demoLogin(DOCTOR));
    await provider.see('button', new RegExp(`admit ${CLIENT.name}`, 'i'));
    await shot(provider, 'dashboard');
  });

  test('one click on Admit, and both are in the call', async () => {
    await provider.click('button', new RegExp(`admit ${CLIENT.name}`, 'i'));
    for (const person of [provider, client]) await inPhase(person, 'in_call');
    times.provider = { joined: (await marks(provider))['signal-connected'] };
    times.client = { joined: (await marks(client))['signal-connected'] };
    await until('the consultation is in progress', async () => (await appointment()).state === 'in_progress');
  });

  test(`both see each other at ${MIN_FPS} frames a second and hear each other, for 10 s`, async () => {
    const people = [provider, client];
    for (const person of people) {
      await until(`${person.name} shows the other’s picture`, () => remotePicture(person, 'person'), { timeout: 20_000 });
    }
    // While a connection finds out how much it carries, the first window may be poorer.
    let got;
    for (let window = 1; window <= WINDOWS; window += 1) {
      got = await Promise.all(people.map((person) => received(person, WATCHED_MS)));
      for (const [n, person] of people.entries()) {
        const { fps, energy, videos, sent } = got[n];
        const sizes = videos.filter(({ width }) => width).map(({ width, height }) => `${width}×${height}`);
        console.log(`${person.name}: ${fps.toFixed(1)} frames/s of ${sizes.join(', ')}, sound energy ${energy.toFixed(4)}`);
        for (const { rid, width, fps: out, limit } of sent) console.log(`  sends ${rid ?? ''} ${width ?? '-'} wide, ${out} frames/s, limited by ${limit}`);
      }
      if (got.every(({ fps, energy }) => fps >= MIN_FPS && energy > 0)) break;
    }
    for (const [n, person] of people.entries()) {
      const { fps, energy, seconds } = got[n];
      assert.ok(seconds >= 9.9);
      assert.ok(fps >= MIN_FPS, `${person.name} decoded ${fps.toFixed(1)} frames a second`);
      assert.ok(energy > 0, `${person.name} heard silence`);
    }
    await shot(client, 'call-client');
    await shot(provider, 'call-provider');
  });

  test('muting shows at the other side', async () => {
    await client.press('[data-testid=microphone-toggle]');
    const muted = () => provider.evaluate(() =>
      Boolean(document.querySelector('[data-testid=tile][data-kind=person][data-local=false] .c-tile-muted')));
    await until('the provider sees it', muted);
    await client.press('[data-testid=microphone-toggle]');
    await until('the provider sees the end of it', async () => !(await muted()));
  });

  test('the provider shares the screen, and the client sees it', async () => {
    await provider.press('[data-testid=share]');
    const picture = await until('the client shows the screen', () => remotePicture(client, 'screen'), { timeout: 20_000 });
    assert.ok(picture.width >= 640, JSON.stringify(picture));
    await until('the client still sees the provider beside it', () => remotePicture(client, 'person'), { timeout: 5_000 });
    await shot(client, 'call-screen-share');
    await provider.press('[data-testid=share]');
    await until('the client sees the end of it', async () => !(await remotePicture(client, 'screen')));
  });

  test('the client leaves; the provider ends it for all', async () => {
    times.client.left = Date.now();
    await client.press('[data-testid=leave]');
    await inPhase(client, 'left');
    await shot(client, 'left');
    await until('the provider is alone', () => provider.evaluate(() =>
      !document.querySelector('[data-testid=tile][data-local=false]')));
    await provider.press('[data-testid=end-for-all]');
    await provider.waitFor('[role=alertdialog]');
    await provider.shot(`${label}-end-for-all`);
    times.provider.left = Date.now();
    await provider.press('[role=alertdialog] .p-dialog-actions button:last-of-type');
    await inPhase(provider, 'ended');
    await shot(provider, 'ended');
  });

  test('the appointment is completed, with everybody’s times right to the second', async () => {
    const done = await until('it is completed', async () => {
      const found = await appointment();
      return found.state === 'completed' && found;
    });
    const stay = (role) => done.participants.filter((entry) => entry.role === role);
    for (const role of ['client', 'provider']) {
      assert.equal(stay(role).length, 1, `one stay of the ${role}: ${JSON.stringify(done.participants)}`);
      assertNear(`joined_at of the ${role}`, stay(role)[0].joined_at, times[role].joined);
      assertNear(`left_at of the ${role}`, stay(role)[0].left_at, times[role].left);
    }
    const later = Math.max(times.client.joined, times.provider.joined);
    assertNear('actual_start', done.actual_start, later);
    assertNear('actual_end', done.actual_end, times.provider.left);

    await provider.open(`${server.origin}/appointments/${done.id}`);
    await provider.seeText(done.number);
    const clock = (instant) => provider.evaluate(
      (at) => new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(new Date(at)), instant);
    for (const entry of done.participants) {
      await provider.seeText(await clock(entry.joined_at));
      await provider.seeText(await clock(entry.left_at));
    }
    await shot(provider, 'appointment-done');
  });

  test('the pages and the server reported no error', () => {
    assert.deepEqual(server.panics(), []);
    for (const person of [provider, client]) assert.deepEqual(person.pageErrors(), [], person.name);
  });
}
