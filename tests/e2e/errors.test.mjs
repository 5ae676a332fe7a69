// What people see when something is wrong: every page says what happened and offers a next step.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Api } from './lib/api.mjs';
import { ChromiumPerson, DESKTOP, launchChromium, PHONE } from './lib/browsers.mjs';
import { DOCTOR, inPhase, join, openLink, phase } from './lib/flow.mjs';
import { faketimeLibrary } from './lib/paths.mjs';
import { Parley } from './lib/server.mjs';
import { DEV, serverApi } from './lib/token.mjs';
import { until } from './lib/wait.mjs';

const REASON_TO_CALL = /call the practice|try|open|use|select|book|check|close|wait/i;

let server;
let browser;
let api;

before(async () => {
  [server, browser] = await Promise.all([
    Parley.start({ name: 'errors', demo: true }),
    launchChromium({ media: 'asked' }),
  ]);
  api = await Api.signedIn(server, server.demoLogin(DOCTOR));
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const both = ['camera', 'microphone'];

async function person(options = {}) {
  return ChromiumPerson.at(browser, 'client', { permissions: both, ...options });
}

const appointmentAt = (nth, provider) => api.bookVideo({ nth, provider });

/** The heading, a sentence of help, and something to press or follow (or nothing to do, and it says so). */
async function assertPage(someone, { title, help, action, name }) {
  await someone.seeText(title);
  await someone.seeText(help ?? REASON_TO_CALL);
  if (action) await until(`there is a next step: ${action}`, () =>
    someone.page.getByRole('button', { name: action }).or(someone.page.getByRole('link', { name: action })).first().isVisible());
  await someone.resize(DESKTOP);
  await someone.shot(`error-${name}`);
  await someone.resize(PHONE);
  await someone.shot(`error-${name}-phone`);
  const sideways = await someone.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(sideways <= 0, `${name} scrolls sideways by ${sideways} px`);
}

describe('devices', () => {
  let link;

  before(async () => {
    ({ link } = await appointmentAt(0));
  });

  for (const [denied, granted, title] of [
    ['camera', ['microphone'], 'The camera is blocked'],
    ['microphone', ['camera'], 'The microphone is blocked'],
    ['both', [], 'Camera and microphone are blocked'],
  ]) {
    test(`${denied} denied: says how to allow it, and that one can join without`, async () => {
      const someone = await person({ permissions: granted });
      await someone.open(link);
      await inPhase(someone, 'prejoin');
      await someone.waitFor(`[data-testid=trouble-${denied}-denied]`);
      await assertPage(someone, { title, help: /allow camera and microphone, then try again/, action: 'Try again', name: `denied-${denied}` });
      await join(someone);
      await inPhase(someone, 'waiting');
      await someone.press('[data-testid=waiting-leave]');
      await inPhase(someone, 'left');
      await someone.close();
    });
  }

  test('allowed later: “Try again” is enough', async () => {
    const someone = await person({ permissions: [] });
    await someone.open(link);
    await someone.waitFor('[data-testid=trouble-both-denied]');
    await someone.context.grantPermissions(both);
    await someone.click('button', 'Try again');
    await someone.waitFor('[data-testid=preview][data-camera=on]');
    await someone.close();
  });

  test('a browser without WebRTC', async () => {
    const someone = await person();
    await someone.context.addInitScript(() => {
      delete window.RTCPeerConnection;
      delete window.webkitRTCPeerConnection;
    });
    await someone.open(link);
    await someone.waitFor('.c-root[data-phase=error][data-problem=unsupported]');
    await assertPage(someone, { title: 'This browser cannot make video calls', help: /Open the link in a current/, name: 'unsupported' });
    await someone.close();
  });
});

describe('links', () => {
  test('an invalid link', async () => {
    const someone = await person();
    await someone.open(`${server.origin}/j/this-is-no-link`);
    await assertPage(someone, { title: 'This link does not work', help: /Open it straight from the mail/, name: 'link-invalid' });
    await someone.close();
  });

  test('a link with a letter changed', async () => {
    const { link } = await appointmentAt(1);
    const someone = await person();
    const last = link.at(-1);
    await someone.open(link.slice(0, -1) + (last === 'A' ? 'B' : 'A'));
    await someone.seeText('This link does not work');
    await someone.close();
  });

  test('too early: a countdown and the test of the setup; opens by itself is said', async () => {
    const { link } = await appointmentAt(20);
    const someone = await person();
    await someone.open(link);
    await inPhase(someone, 'too_early');
    await assertPage(someone, { title: 'You are early', help: /You can leave this page open/, action: 'Test my setup', name: 'too-early' });
    await someone.close();
  });

  test('cancelled', async () => {
    const { link, manage_token: manage } = await appointmentAt(2);
    await api.call('POST', `/public/appointments/${manage}/cancel`, {});
    const someone = await person();
    await someone.open(link);
    await inPhase(someone, 'cancelled');
    await assertPage(someone, { title: 'This appointment was cancelled', help: /book again/, name: 'cancelled' });
    await someone.close();
  });
});

describe('the call', () => {
  let own;
  let host;
  let someone;
  let provider;
  let made;

  /** A server with room for one: the provider is in the call, the client in the waiting room. */
  before(async () => {
    own = await Parley.start({ name: 'errors-call', demo: true, settings: { room_limit: 1 } });
    host = await Api.signedIn(own, own.demoLogin(DOCTOR));
    made = await host.bookVideo();
    someone = await person();
    await openLink(someone, made.link);
    await join(someone);
    await inPhase(someone, 'waiting');
    const { join_token: token } = await host.call('POST', `/appointments/${made.appointment.id}/start`);
    provider = await person();
    await openLink(provider, `${own.origin}/j/${token}`);
    await join(provider);
    await inPhase(provider, 'in_call');
  });

  after(async () => {
    await someone?.close();
    await provider?.close();
    await own?.stop();
  });

  test('a full room; with a free seat “Try again” leads on', async () => {
    await host.call('POST', `/appointments/${made.appointment.id}/admit-all`);
    await someone.waitFor('.c-root[data-phase=error][data-problem=room_full]', 30_000);
    await assertPage(someone, { title: 'The call is full', help: /wait until somebody leaves/, action: 'Try again', name: 'room-full' });
    await provider.press('[data-testid=leave]');
    await inPhase(provider, 'left');
    await someone.click('button', 'Try again');
    await inPhase(someone, 'prejoin');
    await join(someone);
    await inPhase(someone, ['waiting', 'in_call']);
  });
});

describe('the end, and no server', () => {
  test('gone in the call: says so, counts down, and in the end asks', async () => {
    const own = await Parley.start({ name: 'errors-gone', demo: true });
    const ownApi = await Api.signedIn(own, own.demoLogin(DOCTOR));
    const someone = await person();
    try {
      await someone.page.clock.install();
      const made = await ownApi.bookVideo();
      await openLink(someone, made.link);
      await join(someone);
      await inPhase(someone, 'waiting');
      await ownApi.call('POST', `/appointments/${made.appointment.id}/start`);
      await ownApi.call('POST', `/appointments/${made.appointment.id}/admit-all`);
      await inPhase(someone, 'in_call');
      await own.kill();
      await inPhase(someone, 'reconnecting', 30_000);
      await someone.waitFor('[data-testid=reconnecting]');
      await assertPage(someone, { title: 'Reconnecting…', help: /This happens by itself/, name: 'reconnecting' });
      for (let minute = 0; minute < 14; minute += 1) {
        await someone.page.clock.fastForward('01:00');
        await someone.page.waitForTimeout(150);
      }
      await inPhase(someone, 'error', 30_000);
      await assertPage(someone, { title: 'The server cannot be reached', help: /join again/, action: 'Join again', name: 'server-gone' });
    } finally {
      await someone.close();
      await own.stop();
    }
  });

  test('the provider ends the consultation', async () => {
    const own = await Parley.start({ name: 'errors-ended', demo: true });
    const people = [await person(), await person()];
    const [someone, provider] = people;
    try {
      const host = await Api.signedIn(own, own.demoLogin(DOCTOR));
      const made = await host.bookVideo();
      const { join_token: token } = await host.call('POST', `/appointments/${made.appointment.id}/start`);
      for (const [who, link] of [[someone, made.link], [provider, `${own.origin}/j/${token}`]]) {
        await openLink(who, link);
        await join(who);
      }
      await inPhase(someone, 'waiting');
      await inPhase(provider, 'in_call');
      await host.call('POST', `/appointments/${made.appointment.id}/admit-all`);
      await inPhase(someone, 'in_call');
      await until('it is in progress', async () =>
        (await host.get(`/appointments/${made.appointment.id}`)).state === 'in_progress');
      await host.call('POST', `/appointments/${made.appointment.id}/end`);
      await inPhase(someone, 'ended');
      await inPhase(provider, 'ended');
      await assertPage(someone, { title: 'The consultation has ended', help: /You can close this page/, name: 'ended' });
      await someone.open(made.link);
      await inPhase(someone, 'ended');
    } finally {
      for (const who of people) await who.close();
      await own.stop();
    }
  });

  test('the room is deleted by the server API', async () => {
    const secret = DEV.secret.padEnd(16, '-');
    const own = await Parley.start({ name: 'errors-deleted', demo: true, settings: { keys: `${DEV.key}:${secret}` } });
    const people = [await person(), await person()];
    const [someone, provider] = people;
    try {
      const host = await Api.signedIn(own, own.demoLogin(DOCTOR));
      const made = await host.bookVideo();
      const { join_token: token } = await host.call('POST', `/appointments/${made.appointment.id}/start`);
      for (const [who, link] of [[someone, made.link], [provider, `${own.origin}/j/${token}`]]) {
        await openLink(who, link);
        await join(who);
      }
      await inPhase(provider, 'in_call');
      await host.call('POST', `/appointments/${made.appointment.id}/admit-all`);
      await inPhase(someone, 'in_call');
      const appointment = () => host.get(`/appointments/${made.appointment.id}`);
      await until('it is in progress', async () => (await appointment()).state === 'in_progress');
      const desk = (method, request) => serverApi(own, method, request, { key: DEV.key, secret });
      const [{ name: room }] = (await desk('ListRooms', {})).answer.rooms;
      assert.equal((await desk('DeleteRoom', { room })).status, 200);
      for (const who of people) {
        await until(`${who.name} is told`, async () => (await phase(who)) !== 'in_call');
      }
      const stays = await until('nobody is there any more', async () => {
        const { participants } = await appointment();
        return participants.every(({ left_at: leftAt }) => leftAt) && participants;
      });
      assert.deepEqual(stays.map(({ role }) => role).sort(), ['client', 'provider']);
      assert.deepEqual(own.panics(), []);
    } finally {
      for (const who of people) await who.close();
      await own.stop();
    }
  });

  test('gone when Join is clicked: the page stays and says what to do', async () => {
    const own = await Parley.start({ name: 'errors-join', demo: true });
    const ownApi = new Api(own);
    const someone = await person();
    try {
      const made = await ownApi.bookVideo();
      await openLink(someone, made.link);
      await own.kill();
      await join(someone);
      await assertPage(someone, { title: 'Joining did not work', help: /select Join again/, action: 'Join', name: 'join-failed' });
      await own.launch();
      await join(someone);
      await inPhase(someone, 'waiting');
    } finally {
      await someone.close();
      await own.stop();
    }
  });

  test('a link whose time is over has expired', async () => {
    const own = await Parley.start({ name: 'errors-expired', demo: true });
    const someone = await person();
    try {
      const ownApi = new Api(own);
      const made = await ownApi.bookVideo();
      await own.terminate();
      own.options.env = { LD_PRELOAD: faketimeLibrary(), FAKETIME: '+5h', DONT_FAKE_MONOTONIC: '1' };
      await own.launch();
      await someone.open(made.link);
      await assertPage(someone, { title: /This link has expired|The consultation has ended/, help: /Book again|close this page/, name: 'link-expired' });
    } finally {
      await someone.close();
      await own.stop();
    }
  });
});
