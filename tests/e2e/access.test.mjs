// Every page by axe's rules (WCAG 2.2 A and AA), and without sideways scroll from 320 px on; pictures in dark
// and in Arabic.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';

import { Api } from './lib/api.mjs';
import { ChromiumPerson, DESKTOP, launchChromium } from './lib/browsers.mjs';
import { DOCTOR, inPhase, join, openLink, signIn } from './lib/flow.mjs';
import { Parley } from './lib/server.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const NARROW = { width: 320, height: 640 };

let server;
let browser;
let api;
let booked;

before(async () => {
  [server, browser] = await Promise.all([Parley.start({ name: 'access', demo: true }), launchChromium()]);
  api = await Api.signedIn(server, server.demoLogin(DOCTOR));
  booked = await api.bookVideo();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function assertAccessible(person, name) {
  await person.page.evaluate(AXE);
  const { violations, passes } = await person.page.evaluate((values) => window.axe.run({ runOnly: { type: 'tag', values } }), RULES);
  assert.ok(passes.length >= 10, `axe looked at ${name}: ${passes.length} rules passed`);
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.slice(0, 3).map(({ html }) => `    ${html.slice(0, 200)}`).join('\n')}`);
  assert.deepEqual(found, [], `${name}:\n${found.join('\n')}`);
}

async function assertNoSidewaysScroll(person, name) {
  await person.resize(NARROW);
  const over = await person.evaluate(() => {
    const width = document.documentElement.scrollWidth - innerWidth;
    if (width <= 0) return null;
    const wide = [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > innerWidth + 1);
    return { width, elements: wide.slice(0, 5).map((element) => element.outerHTML.slice(0, 120)) };
  });
  await person.shot(`${name}-320`);
  await person.resize(DESKTOP);
  assert.equal(over, null, `${name} scrolls sideways: ${JSON.stringify(over)}`);
}

/** The pages that need nobody else: name, address, what is there when it has loaded. */
const pages = () => [
  ['home', '/', 'h1'],
  ['booking-service', '/o/demo', 'a.service-card'],
  ['booking-time', '/o/demo/video-consultation', '.times button'],
  ['appointment', `/a/${booked.manage_token}`, 'h1'],
  ['join-code', '/join', 'h1'],
  ['prejoin', `/j/${booked.join_token}`, '[data-testid=preview][data-camera=on]'],
  ['check', '/check', 'h1'],
  ['sign-in', '/sign-in', 'input[name=password]'],
  ['link-invalid', '/j/nothing', '.c-root[data-phase=error]'],
  ['not-found', '/no-such-page', 'h1'],
];
const memberPages = () => [
  ['dashboard', '/dashboard', '#queue'],
  ['appointments', '/appointments', 'h1'],
  ['appointment-detail', `/appointments/${booked.appointment.id}`, 'h1'],
  ['settings-availability', '/settings/availability', 'h1, h2'],
  ['settings-account', '/settings/account', 'h1, h2'],
];

const LOOKS = [
  ['light', {}],
  ['dark', { colorScheme: 'dark' }],
  ['arabic', { locale: 'ar' }],
];

for (const [look, options] of LOOKS) {
  describe(look, () => {
    let person;

    before(async () => {
      person = await ChromiumPerson.at(browser, look, options);
    });

    after(() => person?.close());

    const check = async ([name, path, ready]) => {
      await person.open(server.origin + path);
      await person.waitFor(ready);
      await person.page.waitForLoadState('networkidle').catch(() => {});
      await person.shot(`${name}-${look}`, { fullPage: true });
      await assertAccessible(person, name);
      await assertNoSidewaysScroll(person, `${name}-${look}`);
      if (look === 'arabic') assert.equal(await person.evaluate(() => document.documentElement.dir), 'rtl');
    };

    for (const page of ['home', 'booking-service', 'booking-time', 'appointment', 'join-code', 'prejoin', 'check', 'sign-in', 'link-invalid', 'not-found']) {
      test(page, () => check(pages().find(([name]) => name === page)));
    }

    test('sign-in', () => signIn(person, server, server.demoLogin(DOCTOR)));

    for (const page of ['dashboard', 'appointments', 'appointment-detail', 'settings-availability', 'settings-account']) {
      test(page, () => check(memberPages().find(([name]) => name === page)));
    }
  });
}

describe('in company', () => {
  test('waiting room and call', async () => {
    const client = await ChromiumPerson.at(browser, 'client');
    const provider = await ChromiumPerson.at(browser, 'provider');
    await openLink(client, booked.link);
    await join(client);
    await inPhase(client, 'waiting');
    await assertAccessible(client, 'waiting');
    await assertNoSidewaysScroll(client, 'waiting-light');
    const { join_token: token } = await api.call('POST', `/appointments/${booked.appointment.id}/start`);
    await openLink(provider, `${server.origin}/j/${token}`);
    await join(provider);
    await inPhase(provider, 'in_call');
    await api.call('POST', `/appointments/${booked.appointment.id}/admit-all`);
    await inPhase(client, 'in_call');
    await client.waitFor('[data-testid=tile][data-local=false] video');
    for (const [person, name] of [[client, 'call-client'], [provider, 'call-provider']]) {
      await assertAccessible(person, name);
      await assertNoSidewaysScroll(person, `${name}-light`);
    }
    await client.close();
    await provider.close();
  });
});
