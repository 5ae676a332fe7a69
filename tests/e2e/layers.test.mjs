// Switches between the layers of a camera as receivers see them: no two pictures may be more than 200 ms apart, and
// none may fail to decode. Chromium publishes in each codec and way of layering that it knows; Chromium and Firefox
// watch. Pictures are small and few, so that two cores encode and decode them without stopping by themselves; a second
// receiver in the same page that does not switch shows when they do nevertheless (lib/switches.mjs).
//
// PARLEY_LAYER_SWITCHES: switches of each combination. Without it there are 8, and gaps are told, not judged.
// PARLEY_LAYER_KINDS: an expression for the combinations to try ("VP9.*Firefox"), all unless said otherwise.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { ChromiumPerson, FirefoxPerson, launchChromium, launchFirefox } from './lib/browsers.mjs';
import { insideNamespaces, namespaces, SERVER_ADDRESS } from './lib/netns.mjs';
import { resultsFolder } from './lib/paths.mjs';
import { controlClient, plain, plainClient, servePlainPage } from './lib/plain.mjs';
import { Parley } from './lib/server.mjs';
import { encoderReport, videoReport, videoReports } from './lib/stats.mjs';
import { judge, table } from './lib/switches.mjs';
import { delay, median, until } from './lib/wait.mjs';

const WISHED = process.env.PARLEY_LAYER_SWITCHES;
const SWITCHES = Number(WISHED ?? 8);
const WANTED = new RegExp(process.env.PARLEY_LAYER_KINDS ?? '');
const FREEZE_MS = 200;
/** After a switch has been seen, before the next. Chromium ignores requests for keyframes within 300 ms of another. */
const REST_MS = 320;
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
    const rows = [];

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
      writeFileSync(joinPath(resultsFolder('.'), 'layer-switches.json'), JSON.stringify(rows, undefined, 2));
      console.log(table(rows));
      assert.deepEqual(server?.panics(), []);
    });

    const browsers = [['Chromium', ChromiumPerson], ['Firefox', FirefoxPerson]];
    for (const [name, way] of Object.entries(KINDS)) {
      for (const [place, [browser, kind]] of browsers.entries()) {
        const title = `${name}, seen in ${browser}`;
        if (!WANTED.test(title)) continue;
        test(title, async (context) => {
          const room = `layers-${place}-${Object.keys(KINDS).indexOf(name)}`;
          const wanted = { url: server.url, room, options: { dynacast: false } };
          const join = (where, identity, more) => plainClient(where, page, { ...wanted, identity, noteEncoded: true, ...more });
          const alice = await join(publishing, 'alice');
          let bob;
          try {
            await plain.publish(alice, { resolution, encoding, sound: false, ...way });
            bob = await join(watching[place], 'bob', { kind });
            if (!(await decodes(bob, way.codec))) {
              context.skip(`${browser} has no decoder of ${way.codec} here`);
              return;
            }
            const watch = () => controlClient(bob, { ...wanted, identity: 'control' });
            const row = { combination: title, ...(await switchBackAndForth(alice, bob, watch, way.codec)) };
            rows.push(row);
            context.diagnostic(JSON.stringify(row));
            hold(row);
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

/** Switches, and what came of it, of Bob and of the control beside him that `watch` lets in. */
async function switchBackAndForth(alice, bob, watch, codec) {
  const whole = async (place) => (await videoReports(bob))[place]?.frameWidth === resolution.width;
  await until('the whole picture is shown', () => whole(0), { timeout: 30_000 });
  assert.match((await videoReport(bob)).mimeType.toLowerCase(), new RegExp(codec));
  await watch();
  await until('the control shows it too', () => whole(1), { timeout: 30_000 });
  await bob.evaluate(() => [window.plain, window.control].forEach((client) => client.watchPictures()));
  // The estimate has to reach what the large layer needs, and decoders to warm up.
  await delay(3_000);
  const [started, encoded] = await Promise.all([videoReports(bob), encoderReport(alice)]);
  const from = Date.now();
  const took = await bob.evaluate((wanted) => window.plain.switchLayers(wanted), {
    count: SWITCHES, low: LOW, high: HIGH, width: resolution.width, restMs: REST_MS, limitMs: SWITCH_LIMIT_MS,
  });
  const [ended, encodedLater] = await Promise.all([videoReports(bob), encoderReport(alice)]);
  const seen = await bob.evaluate(() => {
    const { pictures, arrived, stalls } = window.plain;
    return { pictures, arrived, stalls, control: window.control.pictures };
  });
  const sent = await alice.evaluate(() => window.plain.sent);
  const grown = (place, ...names) =>
    names.reduce((sum, name) => sum + (ended[place][name] ?? 0) - (started[place][name] ?? 0), 0);
  const found = judge({ ...seen, sent, from, limit: FREEZE_MS });
  return {
    switches: SWITCHES,
    seconds: Math.round((Date.now() - from) / 1000),
    upMs: { median: Math.round(median(took.up)), longest: Math.round(Math.max(...took.up)) },
    downMs: { median: Math.round(median(took.down)), longest: Math.round(Math.max(...took.down)) },
    ...found,
    decoded: grown(0, 'framesDecoded'),
    dropped: grown(0, 'framesDropped'),
    keyframesDecoded: grown(0, 'keyFramesDecoded'),
    /** By the decoder, because it could not go on. */
    keyframesWanted: grown(0, 'pliCount', 'firCount'),
    keyframesAsked: encodedLater.asked - encoded.asked,
    keyframesMade: encodedLater.made - encoded.made,
    freezes: grown(0, 'freezeCount'),
    controlFreezes: grown(1, 'freezeCount'),
  };
}

function hold(row) {
  assert.ok(row.pictures > SWITCHES * 4, 'too few pictures to judge by');
  assert.equal(row.keyframesWanted, 0, 'a picture could not be decoded');
  // Gaps are a measurement for a quiet machine: judged where it was asked for, told in any case.
  if (WISHED === undefined) return;
  assert.deepEqual(row.own, [], 'pictures were late');
  const others = [...row.shared, ...row.encoder];
  assert.ok(others.length <= SWITCHES / 4, `the machine is too busy to judge: ${JSON.stringify(others)}`);
}
