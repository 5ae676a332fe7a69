// Layers that nobody watches stop at the sender, and come back on demand (dynacast); the size of the element on
// the page decides what is watched (adaptive stream). livekit-client in Chromium; getStats tells what is sent.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launchChromium } from './lib/browsers.mjs';
import { plain, plainClient, servePlainPage } from './lib/plain.mjs';
import { Parley } from './lib/server.mjs';
import { stats } from './lib/stats.mjs';
import { delay, median, until } from './lib/wait.mjs';

const ROUNDS = 3;
const FALLS_WITHIN_MS = 3_000;
const RETURNS_WITHIN_MS = 1_000;

/** Bytes that a person has sent of each layer, by rid, and when. */
const sentLayers = (person) =>
  person.evaluate(async () => {
    const bytes = {};
    for (const peer of window.__parleyTest.peers) {
      for (const report of (await peer.getStats()).values()) {
        if (report.type === 'outbound-rtp' && report.kind === 'video') bytes[report.rid] = report.bytesSent;
      }
    }
    return { at: performance.now(), bytes };
  });

/** Bits a second of each layer in the next `ms`. */
async function rates(person, ms) {
  const before = await sentLayers(person);
  await delay(ms);
  const after = await sentLayers(person);
  const rate = (rid) => ((after.bytes[rid] - before.bytes[rid]) * 8000) / (after.at - before.at);
  return Object.fromEntries(Object.keys(after.bytes).map((rid) => [rid, rate(rid)]));
}

const height = async (person) => Math.max(0, ...(await stats(person)).videos.map((video) => video.height ?? 0));
const sees = (person, lines) =>
  until(`${person.name} sees ${lines} lines`, async () => (await height(person)) === lines, { timeout: 30_000 });
const watch = (person, quality) =>
  person.evaluate((q) => window.plain.remotePublication('Camera').setVideoQuality(q), quality);

describe('layers are sent on demand', () => {
  let server;
  let page;
  let browser;
  let alice;

  before(async () => {
    [server, page, browser] = await Promise.all([
      Parley.start({ name: 'dynacast', dev: true }),
      servePlainPage(),
      launchChromium(),
    ]);
    alice = await plainClient(browser, page, { url: server.url, room: 'dynacast', identity: 'alice' });
    await plain.publish(alice);
  });

  after(async () => {
    await browser?.close();
    await page?.stop();
    assert.deepEqual(server?.panics() ?? [], []);
    await server?.stop();
  });

  test('the high layer stops within 3 s when nobody watches it, and is back within 1 s', async () => {
    const bob = await plainClient(browser, page, { url: server.url, room: 'dynacast', identity: 'bob' });
    await sees(bob, 720);
    const returned = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = await rates(alice, 1_500);
      assert.ok(before.f > 100_000, `the high layer is sent: ${JSON.stringify(before)}`);
      await watch(bob, 0);
      await delay(FALLS_WITHIN_MS);
      const after = await rates(alice, 1_000);
      assert.ok(after.f < before.f / 20, `the high layer is not: ${JSON.stringify({ before, after })}`);
      assert.ok(after.q > 0, `the low layer goes on: ${JSON.stringify(after)}`);
      const idle = (await sentLayers(alice)).bytes.f;
      await sees(bob, 180);
      await watch(bob, 2);
      const asked = Date.now();
      await until('the high layer is sent again', async () => (await sentLayers(alice)).bytes.f > idle + 2_000, { every: 20 });
      returned.push(Date.now() - asked);
      await sees(bob, 720);
    }
    assert.ok(median(returned) < RETURNS_WITHIN_MS, `back after ${returned.join(', ')} ms`);
    await bob.close();
  });

  test('what is watched follows the size of the element', async () => {
    const options = { adaptiveStream: true };
    const carol = await plainClient(browser, page, { url: server.url, room: 'dynacast', identity: 'carol', options });
    const resize = (width, lines) =>
      carol.evaluate(([w, h]) => {
        const { style } = document.querySelector('video');
        Object.assign(style, { position: 'fixed', left: '0', top: '0', width: `${w}px`, height: `${h}px` });
      }, [width, lines]);
    await until('carol has the picture', async () => (await height(carol)) > 0, { timeout: 20_000 });
    await resize(160, 90);
    await sees(carol, 180);
    await resize(480, 270);
    await sees(carol, 360);
    await resize(1_280, 720);
    await sees(carol, 720);
    await carol.close();
  });
});
