// The network of a call changes in the middle of it: what the call page does about it.
//
// PARLEY_MOVE_LIMIT_MS: how long pictures may stand still; 1500 is the aim, for a machine that is otherwise idle.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Api } from './lib/api.mjs';
import { ChromiumPerson, FirefoxPerson, launchChromium, launchFirefox } from './lib/browsers.mjs';
import { DOCTOR, inPhase, join, openLink, remotePicture, signIn } from './lib/flow.mjs';
import {
  blockUdp, BROWSER_ADDRESS, changeAddress, insideNamespaces, namespaces, OTHER_BROWSER_ADDRESS, SERVER_ADDRESS,
} from './lib/netns.mjs';
import { selectedPaths, startWatching, stillness } from './lib/path.mjs';
import { Parley } from './lib/server.mjs';
import { received } from './lib/stats.mjs';
import { delay, until } from './lib/wait.mjs';

/** From the change to moving pictures, on a machine where two browsers encode and decode beside the server. */
const LIMIT_MS = Number(process.env.PARLEY_MOVE_LIMIT_MS ?? 3_000);
const REMOTE = '[data-testid=tile][data-kind=person][data-local=false] video';

const inner = namespaces();

if (!inner) {
  test('a change of network, in network namespaces', async () => {
    assert.equal(await insideNamespaces(import.meta.url, 'mv'), 0);
  });
} else {
  const clients = [['Chromium', ChromiumPerson, launchChromium, true], ['Firefox', FirefoxPerson, launchFirefox, false]];
  for (const [name, kind, launch, hasSound] of clients) describe(`a change of network, the client in ${name}`, () => {
    let server;
    let browsers;
    let people;
    let lift = () => {};

    before(async () => {
      [server, ...browsers] = await Promise.all([
        Parley.start({ name: `moving-${name}`, demo: true, dev: true, host: SERVER_ADDRESS, https: true, netns: inner.server }),
        launchChromium(),
        launch(),
      ]);
      const [provider, client] = await Promise.all([
        ChromiumPerson.at(browsers[0], 'provider'),
        kind.at(browsers[1], 'client'),
      ]);
      people = [provider, client];
      const api = await Api.signedIn(server, server.demoLogin(DOCTOR));
      const booked = await api.bookVideo();
      await openLink(client, booked.link);
      await join(client);
      await inPhase(client, 'waiting');
      await signIn(provider, server, server.demoLogin(DOCTOR));
      await provider.click('button', /admit/i);
      for (const person of people) await inPhase(person, 'in_call');
      await seeEachOther();
    });

    after(async () => {
      lift();
      for (const browser of browsers ?? []) await browser.close();
      await server?.stop();
      assert.deepEqual(server?.panics(), []);
    });

    async function seeEachOther() {
      for (const person of people) {
        await until(`${person.name} shows the other’s picture`, () => remotePicture(person, 'person'), { timeout: 20_000 });
        await until(`${person.name} sees and hears`, async () => {
          const got = await received(person, 1_000);
          return got.fps >= 8 && (got.energy > 0 || !hasSound);
        }, { timeout: 20_000 });
      }
    }

    const session = (person) => person.evaluate(() => window.__parley.room.localParticipant.sid);

    /** Pictures stand still for no longer than the limit, and everybody is who they were. */
    async function across(change, arrived) {
      await delay(3_000);
      const before = await Promise.all(people.map(session));
      for (const person of people) await startWatching(person, REMOTE);
      const begun = Date.now();
      change();
      for (const person of people) {
        await until(`${person.name} takes the other way`, async () => arrived((await selectedPaths(person))[0]), { timeout: 30_000 });
      }
      await seeEachOther();
      const longest = [];
      for (const person of people) longest.push((await stillness(person, begun)).longest);
      console.log(`pictures stood still for ${longest.join(' and ')} ms`);
      assert.deepEqual(await Promise.all(people.map(session)), before, 'the same participants');
      assert.ok(Math.max(...longest) <= LIMIT_MS, `${longest}`);
    }

    test('the address changes', async () => {
      await across(() => {
        changeAddress(OTHER_BROWSER_ADDRESS);
        lift = () => changeAddress(BROWSER_ADDRESS, OTHER_BROWSER_ADDRESS);
      }, (path) => path?.address === OTHER_BROWSER_ADDRESS);
    });

    test('and back', async () => {
      await across(() => {
        lift();
        lift = () => {};
      }, (path) => path?.address === BROWSER_ADDRESS);
    });

    test('UDP is blocked', async () => {
      await across(() => {
        lift = blockUdp();
      }, (path) => path?.protocol === 'tcp');
    });
  });
}
