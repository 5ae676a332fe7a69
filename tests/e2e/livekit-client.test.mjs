// livekit-client, unmodified, in a plain page in Chromium against `parley serve --dev`, over one peer
// connection (its default, protocol v1) and over two (v0).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launchChromium } from './lib/browsers.mjs';
import { plain, plainClient, servePlainPage } from './lib/plain.mjs';
import { Parley } from './lib/server.mjs';
import { talkingMicrophone } from './lib/speech.mjs';
import { received, stats } from './lib/stats.mjs';
import { serverApi } from './lib/token.mjs';
import { until } from './lib/wait.mjs';

let server;
let page;
let browser;

before(async () => {
  [server, page, browser] = await Promise.all([
    Parley.start({ name: 'livekit-client', dev: true }),
    servePlainPage(),
    launchChromium({ flags: [talkingMicrophone()] }),
  ]);
});

after(async () => {
  await browser?.close();
  await page?.stop();
  await server?.stop();
});

for (const singlePeerConnection of [true, false]) {
  describe(singlePeerConnection ? 'one peer connection' : 'two peer connections', () => {
    const room = `plain-${singlePeerConnection}`;
    let alice;
    let bob;

    before(async () => {
      const join = (identity) =>
        plainClient(browser, page, { url: server.url, room, identity, options: { singlePeerConnection } });
      alice = await join('alice');
      bob = await join('bob');
      await plain.publish(alice);
      await plain.publish(bob);
    });

    after(async () => {
      await alice?.close();
      await bob?.close();
      assert.deepEqual(server.panics(), []);
    });

    test('both see moving pictures and hear sound', async () => {
      for (const person of [alice, bob]) {
        await until(`${person.name} decodes pictures`, async () => (await stats(person)).framesDecoded > 10, { timeout: 20_000 });
      }
      for (const person of [alice, bob]) {
        const got = await until(`${person.name} decodes 12 frames a second`, async () => {
          const now = await received(person, 2_000);
          return now.fps >= 12 && now;
        }, { timeout: 20_000 });
        assert.ok(got.energy > 0, `${person.name} hears silence: ${JSON.stringify(got)}`);
      }
    });

    test('uses as many connections as it should', async () => {
      const { peers, states } = await stats(alice);
      assert.equal(peers, singlePeerConnection ? 1 : 2);
      assert.deepEqual([...new Set(states)], ['connected']);
    });

    test('the camera goes out in layers and reaches 720 lines', async () => {
      const layers = await until('three layers are sent', async () => {
        const { senders } = await stats(alice);
        return senders.filter(({ rid }) => rid).length >= 3 && senders;
      });
      assert.deepEqual(layers.map(({ rid }) => rid).sort(), ['f', 'h', 'q']);
      await until(
        'bob sees the full layer',
        async () => (await stats(bob)).videos.some(({ height }) => height === 720),
        { timeout: 30_000 },
      );
    });

    test('the subscriber chooses a lower layer, and the picture goes on', async () => {
      await bob.evaluate(() => window.plain.remotePublication('Camera').setVideoQuality(0));
      await until('bob gets the low layer', async () => (await stats(bob)).videos.some(({ height }) => height === 180), {
        timeout: 20_000,
      });
      const low = await received(bob, 2_000);
      assert.ok(low.fps >= 8, `${low.fps.toFixed(1)} frames a second on the low layer`);
      await bob.evaluate(() => window.plain.remotePublication('Camera').setVideoQuality(2));
      await until('bob gets the high layer again', async () => (await stats(bob)).videos.some(({ height }) => height === 720), {
        timeout: 30_000,
      });
    });

    test('data arrives, reliable, lossy and addressed', async () => {
      await plain.send(alice, { text: 'reliable', reliable: true, topic: 'a' });
      await plain.send(alice, { text: 'lossy', reliable: false, topic: 'b' });
      await plain.send(alice, { text: 'for bob', reliable: true, to: ['bob'] });
      await plain.send(alice, { text: 'for nobody here', reliable: true, to: ['carol'] });
      await plain.send(alice, { text: 'last', reliable: true });
      const messages = await until('bob has the last message', async () => {
        const data = await plain.data(bob);
        return data.some(({ text }) => text === 'last') && data.some(({ text }) => text === 'lossy') && data;
      });
      const reliable = messages.filter(({ text }) => text !== 'lossy').map(({ text }) => text);
      assert.deepEqual(reliable, ['reliable', 'for bob', 'last']);
      assert.ok(messages.every(({ identity }) => identity === 'alice'));
      assert.equal(messages.find(({ text }) => text === 'lossy').topic, 'b');
    });

    test('mute and unmute are told and done', async () => {
      await alice.evaluate(() => window.plain.room.localParticipant.setMicrophoneEnabled(false));
      await until('bob is told', async () => (await plain.events(bob)).some(({ kind, source }) => kind === 'TrackMuted' && source === 'microphone'));
      await alice.evaluate(() => window.plain.room.localParticipant.setMicrophoneEnabled(true));
      await until('bob is told again', async () => (await plain.events(bob)).some(({ kind, source }) => kind === 'TrackUnmuted' && source === 'microphone'));
      await until('bob hears alice again', async () => (await received(bob, 500)).energy > 0);
    });

    test('who speaks is told', async () => {
      await until('bob hears of alice speaking', async () =>
        (await plain.events(bob)).some(({ kind, identities }) => kind === 'ActiveSpeakersChanged' && identities.includes('alice')));
    });

    test('a track that is unpublished goes, and comes back when published anew', async () => {
      const countBefore = await plain.count(bob, 'TrackSubscribed');
      await alice.evaluate(async () => {
        const { track } = window.plain.publication('Camera');
        await window.plain.room.localParticipant.unpublishTrack(track);
      });
      await until('bob loses the camera', async () =>
        (await plain.events(bob)).some(({ kind, source }) => kind === 'TrackUnsubscribed' && source === 'camera'));
      await alice.evaluate(() => window.plain.room.localParticipant.setCameraEnabled(true));
      await until('bob is subscribed again', async () => (await plain.count(bob, 'TrackSubscribed')) > countBefore);
      await until('bob decodes again', async () => (await received(bob, 1_000)).fps >= 8, { timeout: 20_000 });
    });

    test('unsubscribing stops the picture, subscribing starts it', async () => {
      await bob.evaluate(() => window.plain.remotePublication('Camera').setSubscribed(false));
      await until('no frames come', async () => (await received(bob, 700)).fps === 0);
      await bob.evaluate(() => window.plain.remotePublication('Camera').setSubscribed(true));
      await until('frames come', async () => (await received(bob, 1_000)).fps >= 8, { timeout: 20_000 });
    });

    test('leaving is told to the others at once', async () => {
      await alice.evaluate(() => window.plain.room.disconnect());
      await until('bob is told', async () => (await plain.events(bob)).some(({ kind, identity }) => kind === 'ParticipantDisconnected' && identity === 'alice'), { timeout: 3_000 });
      assert.deepEqual(await plain.others(bob), []);
    });

    test('one who is moved by the server API goes on in the other room', async () => {
      const other = `${room}-other`;
      const carol = await plainClient(browser, page, { url: server.url, room: other, identity: 'carol', options: { singlePeerConnection } });
      try {
        await plain.publish(carol);
        const moved = await serverApi(server, 'MoveParticipant', { room, identity: 'bob', destination_room: other });
        assert.equal(moved.status, 200, JSON.stringify(moved.answer));
        for (const [who, whom] of [[carol, 'bob'], [bob, 'carol']]) {
          await until(`${who.name} has ${whom}`, async () =>
            (await plain.others(who)).map(({ identity }) => identity).join() === whom, { timeout: 20_000 });
          await until(`${who.name} decodes ${whom}`, async () => (await received(who, 1_000)).fps >= 8, { timeout: 20_000 });
        }
        assert.equal(await plain.count(bob, 'Disconnected'), 0);
        assert.equal(await bob.evaluate(() => window.plain.room.name), other);
      } finally {
        await carol.close();
      }
    });
  });
}
