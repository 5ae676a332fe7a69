// A call between two unmodified clients of `@livekit/rtc-node`.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';

import { ConnectError, DataPacketKind, Room, RoomEvent, RpcError, SimulateScenarioKind, dispose } from '@livekit/rtc-node';

import { HEIGHT, Member, URL, WIDTH, camera, loudness, microphone, pair, pictures, token, until } from './support.mjs';

after(() => dispose());

test('pictures and sound arrive', () =>
  pair(async (ann, bob) => {
    const video = await camera(ann);
    const audio = await microphone(ann);
    try {
      const frames = await pictures(await bob.subscribed(video.publication.sid), 20);
      assert.equal(frames.length, 20);
      const { width, height } = frames.at(-1).frame;
      assert.ok(width >= WIDTH / 4 && width <= WIDTH && height >= HEIGHT / 4 && height <= HEIGHT);
      assert.ok((await loudness(await bob.subscribed(audio.publication.sid), 2)) > 1_000);
      const speakers = await bob.event(RoomEvent.ActiveSpeakersChanged);
      assert.equal(speakers.values[0][0].identity, 'ann');
    } finally {
      video.stop();
      await audio.stop();
    }
  }));

test('data arrives, reliable in order and lossy', () =>
  pair(async (ann, bob) => {
    const texts = Array.from({ length: 100 }, (_, number) => `message ${number}`);
    for (const text of texts) {
      await ann.local.publishData(Buffer.from(text), { reliable: true, topic: 'count' });
    }
    await until(() => bob.data.length >= 100, '100 messages');
    assert.deepEqual(bob.data.map(({ text }) => text), texts);
    assert.deepEqual([bob.data[0].from, bob.data[0].topic], ['ann', 'count']);
    await ann.local.publishData(Buffer.from('lossy'), { reliable: false });
    await until(() => bob.data.find(({ kind }) => kind === DataPacketKind.KIND_LOSSY), 'the lossy message');
    assert.equal(ann.data.length, 0);
  }));

test('a method is called at the other side', () =>
  pair(async (ann, bob) => {
    bob.local.registerRpcMethod('greet', async (call) => `hello ${call.callerIdentity}: ${call.payload}`);
    const call = (method) => ann.local.performRpc({ destinationIdentity: 'bob', method, payload: 'hi' });
    assert.equal(await call('greet'), 'hello ann: hi');
    await assert.rejects(call('unknown'), (error) => error.code === RpcError.ErrorCode.UNSUPPORTED_METHOD);
  }));

test('texts and files stream', () =>
  pair(async (ann, bob) => {
    const received = { text: undefined, file: undefined };
    bob.room.registerTextStreamHandler('chat', async (reader) => {
      received.text = await reader.readAll();
    });
    bob.room.registerByteStreamHandler('file', async (reader) => {
      received.file = Buffer.concat(await reader.readAll());
    });
    const text = 'Grüße, 你好! '.repeat(4_000);
    await ann.local.sendText(text, { topic: 'chat' });
    await until(() => received.text, 'the text');
    assert.equal(received.text, text);
    const file = randomBytes(200_000);
    const writer = await ann.local.streamBytes({ name: 'scan.pdf', topic: 'file', totalSize: file.length });
    await writer.write(file);
    await writer.close();
    await until(() => received.file, 'the file');
    assert.ok(received.file.equals(file));
  }));

test('attributes, name and metadata change', () =>
  pair(async (ann, bob) => {
    await ann.local.setAttributes({ hand: 'raised' });
    await bob.event(RoomEvent.ParticipantAttributesChanged);
    assert.equal(bob.room.remoteParticipants.get('ann').attributes.hand, 'raised');
    await ann.local.updateMetadata('notes');
    await bob.event(RoomEvent.ParticipantMetadataChanged);
    await ann.local.updateName('Doctor Ann');
    await bob.event(RoomEvent.ParticipantNameChanged);
    const { metadata, name } = bob.room.remoteParticipants.get('ann');
    assert.deepEqual([metadata, name], ['notes', 'Doctor Ann']);
  }));

test('a track is taken back', () =>
  pair(async (ann, bob) => {
    const { publication, stop } = await microphone(ann);
    try {
      await bob.subscribed(publication.sid);
      await ann.local.unpublishTrack(publication.sid);
      await bob.event(RoomEvent.TrackUnpublished);
      assert.equal(bob.room.remoteParticipants.get('ann').trackPublications.size, 0);
    } finally {
      await stop();
    }
  }));

test('a broken signal connection is resumed in place', () =>
  pair(async (ann, bob) => {
    const { publication, stop } = await camera(ann);
    try {
      const remote = await bob.subscribed(publication.sid);
      await pictures(remote, 5);
      const { sid } = ann.local;
      await ann.room.simulateScenario(SimulateScenarioKind.SIMULATE_SIGNAL_RECONNECT);
      await ann.event(RoomEvent.Reconnected);
      assert.equal(ann.local.sid, sid);
      assert.equal((await pictures(remote, 10)).length, 10);
      const gone = bob.seen.filter(({ name }) => name === RoomEvent.ParticipantDisconnected);
      assert.equal(gone.length, 0);
    } finally {
      stop();
    }
  }));

test('leaving is told', () =>
  pair(async (ann, bob) => {
    await bob.room.disconnect();
    const { values } = await ann.event(RoomEvent.ParticipantDisconnected);
    assert.equal(values[0].identity, 'bob');
    assert.equal(ann.room.remoteParticipants.size, 0);
  }));

test('bad tokens do not join', async () => {
  const bad = [
    await token('ann', 'r', {}, { secret: 'guess'.repeat(8) }),
    await token('ann', 'r', { roomJoin: false }),
    'garbage',
  ];
  for (const jwt of bad) {
    await assert.rejects(new Room().connect(URL, jwt, { autoSubscribe: true, dynacast: false }), ConnectError);
  }
});

test('the same identity replaces itself', () =>
  pair(async (ann, bob) => {
    const second = new Member('bob', ann.roomName);
    await second.connect();
    try {
      await bob.event(RoomEvent.Disconnected);
      await until(() => ann.room.remoteParticipants.get('bob')?.sid === second.local.sid, 'the second bob');
      assert.equal(ann.room.remoteParticipants.size, 1);
    } finally {
      await second.room.disconnect();
    }
  }));
