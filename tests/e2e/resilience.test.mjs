// A connection that breaks and a server that dies, in the middle of a call.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launchChromium } from './lib/browsers.mjs';
import { plain, plainClient, servePlainPage } from './lib/plain.mjs';
import { Relay } from './lib/proxy.mjs';
import { Parley } from './lib/server.mjs';
import { received, stats } from './lib/stats.mjs';
import { delay, until } from './lib/wait.mjs';

/** From the broken connection to the resumed session. */
const RESUME_LIMIT_MS = 2_000;
/** From the server's return to moving pictures again. */
const COMEBACK_LIMIT_MS = 30_000;

let page;
/** One for each person: two pages of one browser share a camera, which both reopen when the server is back. */
let browsers;

before(async () => {
  [page, ...browsers] = await Promise.all([servePlainPage(), launchChromium(), launchChromium()]);
});

after(async () => {
  for (const browser of browsers ?? []) await browser.close();
  await page?.stop();
});

/** What a person was told since, what it sends and what it sees: for the message of a failure. */
async function situation(person, sinceMs) {
  const events = (await plain.events(person)).filter(({ at }) => at >= sinceMs - 1_000);
  const told = events.map(({ kind, at, identity = '', source = '' }) => `${at - sinceMs} ${kind} ${identity} ${source}`);
  const own = await person.evaluate(() =>
    [...window.plain.room.localParticipant.trackPublications.values()].map(({ source, trackSid, isMuted, track }) => {
      const { readyState, muted, enabled } = track.mediaStreamTrack;
      return { source, trackSid, isMuted, readyState, muted, enabled };
    }));
  const said = person.console.slice(-20).map(({ text }) => text.slice(0, 300));
  return [...told, ...[own, await plain.others(person), await stats(person)].map((part) => JSON.stringify(part)), ...said].join('\n');
}

for (const singlePeerConnection of [true, false]) {
  describe(singlePeerConnection ? 'one peer connection' : 'two peer connections', () => {
    const room = `resilience-${singlePeerConnection}`;
    let server;
    let relay;
    let alice;
    let bob;

    before(async () => {
      server = await Parley.start({ name: room, dev: true });
      relay = await Relay.start({ port: server.port });
      // Alice's signalling goes through the relay, Bob's straight; media goes straight for both.
      const options = { singlePeerConnection };
      alice = await plainClient(browsers[0], page, { url: `http://127.0.0.1:${relay.port}`, room, identity: 'alice', options });
      bob = await plainClient(browsers[1], page, { url: server.url, room, identity: 'bob', options });
      for (const person of [alice, bob]) await plain.publish(person);
      for (const person of [alice, bob]) {
        await until(`${person.name} decodes`, async () => (await stats(person)).framesDecoded > 20, { timeout: 20_000 });
      }
    });

    after(async () => {
      await alice?.close();
      await bob?.close();
      await relay?.stop();
      await server?.stop();
    });

    test('a broken WebSocket: media goes on, the session resumes, nothing doubles', async () => {
      const tracksBefore = await plain.others(bob);
      const pictures = [stats(alice), stats(bob)];
      const [aliceBefore, bobBefore] = await Promise.all(pictures);
      const cutAt = Date.now();
      assert.ok(relay.cut() >= 1, 'there was a connection to cut');
      // The server has taken the session up again when its first word comes on the new WebSocket. (The SDK
      // itself says Reconnected not before it has watched the media for 2 s.)
      const resumedAt = await until('the session is resumed', () => alice.evaluate((since) =>
        window.__parleyTest.sockets.map(({ firstMessageAt }) => firstMessageAt).find((at) => at >= since), cutAt),
      { timeout: 10_000, every: 25 });
      console.log(`resumed after ${resumedAt - cutAt} ms`);
      assert.ok(resumedAt - cutAt <= RESUME_LIMIT_MS, `took ${resumedAt - cutAt} ms`);
      await until('the SDK says so too', async () => (await plain.count(alice, 'Reconnected')) === 1, { every: 25 });
      assert.equal(await plain.count(alice, 'Reconnecting'), 0, 'a resume, not a full reconnect');

      const [aliceAfter, bobAfter] = await Promise.all([stats(alice), stats(bob)]);
      for (const [person, was, is] of [['alice', aliceBefore, aliceAfter], ['bob', bobBefore, bobAfter]]) {
        const fps = (is.framesDecoded - was.framesDecoded) / ((is.at - was.at) / 1000);
        assert.ok(fps >= 10, `${person} decoded ${fps.toFixed(1)} frames a second across the break`);
      }
      await delay(1_000);
      assert.deepEqual(await plain.others(bob), tracksBefore, 'the same participant with the same tracks');
      assert.equal(await plain.count(bob, 'ParticipantDisconnected'), 0);
      assert.equal(await plain.count(alice, 'Disconnected'), 0);
      assert.equal(aliceAfter.peers, singlePeerConnection ? 1 : 2, 'no new peer connection');
      // The resumed connection works: a message goes through in both directions.
      await plain.send(alice, { text: 'after the break', reliable: true });
      await plain.send(bob, { text: 'and back', reliable: true });
      await until('bob has it', async () => (await plain.data(bob)).some(({ text }) => text === 'after the break'));
      await until('alice has it', async () => (await plain.data(alice)).some(({ text }) => text === 'and back'));
    });

    test('three breaks in a row are survived', async () => {
      for (let round = 1; round <= 3; round += 1) {
        const seen = await plain.count(alice, 'Reconnected');
        relay.cut();
        await until(`alice is back for the ${round}. time`, async () => (await plain.count(alice, 'Reconnected')) > seen, { every: 25 });
      }
      await until('bob decodes as before', async () => (await received(bob, 1_000)).fps >= 12);
      assert.equal((await plain.others(bob)).length, 1);
    });

    test('the server is killed and comes back: so do the clients, by themselves', async () => {
      await server.kill();
      await delay(500);
      const begun = Date.now();
      await server.launch();
      for (const person of [alice, bob]) {
        await until(`${person.name} decodes again`, async () => (await received(person, 500)).fps >= 8, { timeout: COMEBACK_LIMIT_MS }).catch(
          async (error) => {
            throw new Error(`${error.message}\n${await situation(person, begun)}`);
          },
        );
      }
      console.log(`pictures again ${Date.now() - begun} ms after the start of the server`);
      for (const person of [alice, bob]) {
        const others = await plain.others(person);
        assert.equal(others.length, 1, `${person.name} sees one other: ${JSON.stringify(others)}`);
        assert.equal(await plain.count(person, 'Disconnected'), 0, 'no page had to join anew');
        const got = await received(person, 1_000);
        assert.ok(got.energy > 0, `${person.name} hears again`);
      }
      assert.deepEqual(server.panics(), []);
    });

    test('a polite stop tells the participants and exits with 0', async () => {
      const exit = await server.terminate();
      assert.deepEqual(exit, { code: 0, signal: null });
      await until('alice is told', async () => {
        const events = await plain.events(alice);
        return events.some(({ kind }) => kind === 'Disconnected' || kind === 'Reconnecting' || kind === 'SignalReconnecting');
      });
    });
  });
}
