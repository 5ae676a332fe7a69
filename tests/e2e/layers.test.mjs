// Switches between the layers of a camera as receivers see them: no picture may be late by more than 200 ms, and
// none may fail to decode. Chromium publishes in each codec and way of layering that it knows; Chromium and Firefox
// watch. Pictures are small and few, so that two cores encode and decode them without stopping by themselves.
//
// PARLEY_LAYER_SWITCHES: switches of each combination. Without it there are 8, and late pictures are told, not judged.
// PARLEY_LAYER_KINDS: an expression for the combinations to try ("VP9.*Firefox"), all unless said otherwise.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ChromiumPerson, FirefoxPerson, launchChromium, launchFirefox } from './lib/browsers.mjs';
import { insideNamespaces, namespaces, SERVER_ADDRESS } from './lib/netns.mjs';
import { plain, plainClient, servePlainPage } from './lib/plain.mjs';
import { Parley } from './lib/server.mjs';
import { videoReport } from './lib/stats.mjs';
import { freezes } from './lib/switches.mjs';
import { delay, until } from './lib/wait.mjs';

const WISHED = process.env.PARLEY_LAYER_SWITCHES;
const SWITCHES = Number(WISHED ?? 8);
const WANTED = new RegExp(process.env.PARLEY_LAYER_KINDS ?? '');
const FREEZE_MS = 200;
/** After a switch, before the next. */
const REST_MS = 400;
/** Where the estimate of the bandwidth has suffered from a busy machine, it has to recover first. */
const SWITCH_LIMIT_MS = 20_000;
const [LOW, HIGH] = [0, 2];

const resolution = { width: 640, height: 360, frameRate: 20 };
const encoding = { maxBitrate: 600_000, maxFramerate: 20 };
const SIMULCAST = { simulcast: true, layers: [[320, 180, 150_000, 20]] };
const KINDS = {
  'VP8 simulcast': { codec: 'vp8', ...SIMULCAST },
  'H.264 simulcast': { codec: 'h264', ...SIMULCAST },
  'VP9 SVC, layers that meet in keyframes': { codec: 'vp9', scalabilityMode: 'L3T3_KEY' },
  'VP9 SVC': { codec: 'vp9', scalabilityMode: 'L3T3' },
  'AV1 SVC, layers that meet in keyframes': { codec: 'av1', scalabilityMode: 'L3T3_KEY' },
  'AV1 SVC': { codec: 'av1', scalabilityMode: 'L3T3' },
};

const inner = namespaces();

if (!inner) {
  test('switches of layers, in network namespaces', async () => {
    assert.equal(await insideNamespaces(import.meta.url, 'ly'), 0);
  });
} else {
  describe('switches of layers', () => {
    let server;
    let page;
    let publishing;
    let watching;

    before(async () => {
      [server, page, publishing, ...watching] = await Promise.all([
        Parley.start({ name: 'layers', dev: true, host: SERVER_ADDRESS, netns: inner.server, settings: { 'http.behind_proxy': true } }),
        servePlainPage(),
        launchChromium(),
        launchChromium(),
        launchFirefox(),
      ]);
    });

    after(async () => {
      await Promise.all([publishing, ...(watching ?? [])].map((browser) => browser?.close()));
      await page?.stop();
      await server?.stop();
      assert.deepEqual(server?.panics(), []);
    });

    const browsers = [['Chromium', ChromiumPerson], ['Firefox', FirefoxPerson]];
    for (const [name, way] of Object.entries(KINDS)) {
      for (const [place, [browser, kind]] of browsers.entries()) {
        const title = `${name}, seen in ${browser}`;
        if (!WANTED.test(title)) continue;
        test(title, async (context) => {
          const room = `layers-${place}-${Object.keys(KINDS).indexOf(name)}`;
          const join = (where, identity, more) =>
            plainClient(where, page, { url: server.url, room, identity, options: { dynacast: false }, noteEncoded: true, ...more });
          const alice = await join(publishing, 'alice');
          let bob;
          try {
            await plain.publish(alice, { resolution, encoding, sound: false, ...way });
            bob = await join(watching[place], 'bob', { kind });
            if (!(await decodes(bob, way.codec))) {
              context.skip(`${browser} has no decoder of ${way.codec} here`);
              return;
            }
            await switchBackAndForth(context, alice, bob, way.codec);
          } finally {
            await bob?.close();
            await alice.close();
          }
        });
      }
    }
  });
}

const decodes = (person, codec) =>
  person.evaluate((wanted) => {
    const { codecs } = RTCRtpReceiver.getCapabilities('video');
    return codecs.some(({ mimeType }) => mimeType.toLowerCase() === `video/${wanted}`);
  }, codec);

async function switchBackAndForth(context, alice, bob, codec) {
  const width = async () => (await videoReport(bob)).frameWidth;
  const choose = (quality) =>
    bob.evaluate((wanted) => window.plain.remotePublication('Camera').setVideoQuality(wanted), quality);
  await until('the whole picture is shown', async () => (await width()) === resolution.width, { timeout: 30_000 });
  const codecs = (await videoReport(bob)).mimeType;
  assert.match(codecs.toLowerCase(), new RegExp(codec));
  await bob.evaluate(() => window.plain.watchPictures());
  // The estimate has to reach what the large layer needs, and decoders to warm up.
  await delay(3_000);
  const started = await videoReport(bob);
  const from = Date.now();
  const took = [];
  for (let made = 0; made < SWITCHES; made += 1) {
    const up = made % 2 === 1;
    const begun = Date.now();
    await choose(up ? HIGH : LOW);
    await until(`switch ${made + 1} ${up ? 'up' : 'down'} is seen`, async () => {
      const { frameWidth } = await videoReport(bob);
      return up ? frameWidth === resolution.width : frameWidth < resolution.width;
    }, { timeout: SWITCH_LIMIT_MS, every: 50 });
    took.push(Date.now() - begun);
    await delay(REST_MS);
  }
  const ended = await videoReport(bob);
  const seen = await bob.evaluate(() => {
    const { pictures, arrived, stalls } = window.plain;
    return { pictures, arrived, stalls };
  });
  const sent = await alice.evaluate(() => window.plain.sent);
  const found = freezes({ ...seen, sent, from, limit: FREEZE_MS });
  const grown = (name) => (ended[name] ?? 0) - (started[name] ?? 0);
  context.diagnostic(JSON.stringify({
    switches: SWITCHES,
    medianSwitchMs: took.toSorted((a, b) => a - b)[Math.floor(took.length / 2)],
    pictures: found.pictures,
    longestMs: found.longestMs,
    freezes: found.counted.length,
    notCounted: found.excused,
    decoded: grown('framesDecoded'),
    keyframes: grown('keyFramesDecoded'),
    dropped: grown('framesDropped'),
    askedForKeyframes: grown('pliCount') + grown('firCount'),
    browserFreezes: grown('freezeCount'),
  }));
  assert.ok(found.pictures > SWITCHES * 5, 'too few pictures to judge by');
  assert.equal(grown('pliCount') + grown('firCount'), 0, 'a picture could not be decoded');
  // Gaps are a measurement for a quiet machine: judged where it was asked for, told in any case.
  if (WISHED === undefined) return;
  assert.deepEqual(found.counted, [], 'pictures were late');
  assert.ok(found.excused.length <= SWITCHES / 4, `the machine is too busy to judge: ${JSON.stringify(found.excused)}`);
}
