// Every call of the server API by `livekit-server-sdk`, with real participants in the room, and its webhooks.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, test } from 'node:test';

import { ConnectError, DisconnectReason, RoomEvent, dispose } from '@livekit/rtc-node';
import { DataPacket_Kind, RoomServiceClient, TwirpError, WebhookReceiver } from 'livekit-server-sdk';

import { KEY, Member, SECRET, URL as SERVER, loudness, microphone, pair, token, until } from './support.mjs';

after(() => dispose());

const service = (secret = SECRET, url = SERVER) => new RoomServiceClient(url, KEY, secret);

async function refused(call, code, status) {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof TwirpError, String(error));
    assert.deepEqual([error.code, error.status], [code, status]);
    return true;
  });
}

test('rooms are made, listed, changed and deleted', async () => {
  const rooms = service();
  const name = `interop-${randomUUID()}`;
  const room = await rooms.createRoom({ name, emptyTimeout: 60, departureTimeout: 30, maxParticipants: 7, metadata: 'first' });
  assert.match(room.sid, /^RM_/);
  assert.deepEqual([room.emptyTimeout, room.departureTimeout, room.maxParticipants, room.metadata], [60, 30, 7, 'first']);
  assert.ok(room.creationTime > 0n && room.creationTimeMs > room.creationTime);
  const again = await rooms.createRoom({ name });
  assert.deepEqual([again.sid, again.metadata, again.maxParticipants], [room.sid, 'first', 7]);
  assert.deepEqual((await rooms.listRooms([name])).map(({ sid }) => sid), [room.sid]);
  assert.equal((await rooms.updateRoomMetadata(name, 'second')).metadata, 'second');
  await rooms.deleteRoom(name);
  assert.deepEqual(await rooms.listRooms([name]), []);
  await refused(rooms.deleteRoom(name), 'not_found', 404);
});

test('participants are read, changed, muted and removed', () =>
  pair(async (ann, bob) => {
    const rooms = service();
    const { publication, stop } = await microphone(ann);
    try {
      await bob.subscribed(publication.sid);
      const listed = await rooms.listParticipants(ann.roomName);
      assert.deepEqual(listed.map(({ identity }) => identity).sort(), ['ann', 'bob']);
      const info = await rooms.getParticipant(ann.roomName, 'ann');
      assert.deepEqual([info.sid, info.tracks.map(({ sid }) => sid)], [ann.local.sid, [publication.sid]]);

      const muted = await rooms.mutePublishedTrack(ann.roomName, 'ann', publication.sid, true);
      assert.ok(muted.muted);
      await bob.event(RoomEvent.TrackMuted);
      await refused(rooms.mutePublishedTrack(ann.roomName, 'ann', publication.sid, false), 'failed_precondition', 412);
    } finally {
      await stop();
    }
    const changed = await rooms.updateParticipant(ann.roomName, 'ann', {
      name: 'Doctor Ann',
      metadata: 'notes',
      attributes: { hand: 'up' },
      permission: { canSubscribe: true, canPublish: false, canPublishData: true },
    });
    assert.deepEqual([changed.name, changed.metadata, changed.attributes.hand], ['Doctor Ann', 'notes', 'up']);
    assert.equal(changed.permission.canPublish, false);
    const atBob = () => bob.room.remoteParticipants.get('ann');
    await until(() => atBob().name === 'Doctor Ann' && atBob().metadata === 'notes', 'the changes at bob');
    await bob.event(RoomEvent.TrackUnpublished);

    const old = await token('ann', ann.roomName);
    await rooms.removeParticipant(ann.roomName, 'ann');
    const { values } = await ann.event(RoomEvent.Disconnected);
    assert.equal(values[0], DisconnectReason.PARTICIPANT_REMOVED);
    await bob.event(RoomEvent.ParticipantDisconnected);
    const back = new Member('ann', ann.roomName);
    await assert.rejects(back.room.connect(SERVER, old, { autoSubscribe: true, dynacast: false }), ConnectError);
    await refused(rooms.getParticipant(ann.roomName, 'ann'), 'not_found', 404);
  }));

test('data and subscriptions', () =>
  pair(async (ann, bob) => {
    const rooms = service();
    const send = (text, options) => rooms.sendData(ann.roomName, Buffer.from(text), DataPacket_Kind.RELIABLE, options);
    await send('all', { topic: 'desk' });
    await send('bob', { topic: 'desk', destinationIdentities: ['bob'] });
    await send('end', { topic: 'desk' });
    await until(() => bob.data.length >= 3 && ann.data.length >= 2, 'the data');
    assert.deepEqual(bob.data.map(({ text }) => text), ['all', 'bob', 'end']);
    assert.deepEqual(ann.data.map(({ text, topic }) => [text, topic]), [['all', 'desk'], ['end', 'desk']]);

    const { publication, stop } = await microphone(ann);
    try {
      const track = await bob.subscribed(publication.sid);
      assert.ok((await loudness(track, 1)) > 1_000);
      await rooms.updateSubscriptions(ann.roomName, 'bob', [publication.sid], false);
      await until(async () => (await loudness(track, 0.5)) < 100, 'silence');
      bob.tracks.clear();
      await rooms.updateSubscriptions(ann.roomName, 'bob', [publication.sid], true);
      assert.ok((await loudness(await bob.subscribed(publication.sid), 1)) > 1_000);
    } finally {
      await stop();
    }
  }));

test('a participant is moved, but not forwarded', () =>
  pair(async (ann, bob) => {
    const rooms = service();
    const destination = `interop-${randomUUID()}`;
    const eve = new Member('eve', destination);
    await eve.connect();
    try {
      await refused(rooms.forwardParticipant(ann.roomName, 'ann', destination), 'unimplemented', 501);
      await rooms.moveParticipant(ann.roomName, 'ann', destination);
      await until(() => eve.room.remoteParticipants.has('ann'), 'ann at eve');
      await until(() => !bob.room.remoteParticipants.has('ann'), 'no ann at bob');
      await until(() => [...ann.room.remoteParticipants.keys()].join() === 'eve', 'eve alone at ann');
      assert.ok(!ann.seen.some(({ name }) => name === RoomEvent.Disconnected));
    } finally {
      await eve.room.disconnect();
    }
  }));

test('a full room refuses, and whoever is in a deleted one is told', async () => {
  const rooms = service();
  const name = `interop-${randomUUID()}`;
  await rooms.createRoom({ name, maxParticipants: 1 });
  const [ann, bob] = [new Member('ann', name), new Member('bob', name)];
  await ann.connect();
  await assert.rejects(bob.connect(), ConnectError);
  await rooms.deleteRoom(name);
  const { values } = await ann.event(RoomEvent.Disconnected);
  assert.equal(values[0], DisconnectReason.ROOM_DELETED);
});

test('unknown names, wrong secrets and missing grants are told apart', async () => {
  const rooms = service();
  for (const call of [
    () => rooms.listParticipants('nowhere'),
    () => rooms.getParticipant('nowhere', 'ann'),
    () => rooms.removeParticipant('nowhere', 'ann'),
    () => rooms.mutePublishedTrack('nowhere', 'ann', 'TR_x', true),
    () => rooms.updateParticipant('nowhere', 'ann', { name: 'x' }),
    () => rooms.updateSubscriptions('nowhere', 'ann', ['TR_x'], true),
    () => rooms.sendData('nowhere', Buffer.from('x'), DataPacket_Kind.LOSSY, {}),
    () => rooms.updateRoomMetadata('nowhere', 'x'),
    () => rooms.moveParticipant('nowhere', 'ann', 'elsewhere'),
  ]) {
    await refused(call(), 'not_found', 404);
  }
  await refused(rooms.createRoom({ name: '' }), 'invalid_argument', 400);
  await refused(rooms.createRoom({ name: 'x', metadata: 'x'.repeat(70_000) }), 'invalid_argument', 400);
  await refused(service('guess'.repeat(8)).listRooms(), 'unauthenticated', 401);

  const http = SERVER.replace('ws', 'http');
  const post = async (path, jwt, body = '{}', type = 'application/json') => {
    const headers = { authorization: `Bearer ${jwt}`, 'content-type': type };
    const response = await fetch(`${http}/twirp/${path}`, { method: 'POST', headers, body });
    return [response.status, (await response.json()).code];
  };
  const guest = await token('ann', 'r');
  for (const method of ['CreateRoom', 'ListRooms', 'DeleteRoom']) {
    assert.deepEqual(await post(`livekit.RoomService/${method}`, guest), [403, 'permission_denied']);
  }
  const admin = await token('ann', 'r', { roomAdmin: true });
  const other = JSON.stringify({ room: 'another', identity: 'bob', destination_room: 'third', destination_identity: 'bob' });
  const methods =
    'ListParticipants GetParticipant RemoveParticipant MutePublishedTrack UpdateParticipant UpdateSubscriptions SendData ' +
    'UpdateRoomMetadata MoveParticipant ForwardParticipant PerformRpc';
  for (const method of methods.split(' ')) {
    assert.deepEqual(await post(`livekit.RoomService/${method}`, admin, other), [403, 'permission_denied'], method);
  }
  const move = JSON.stringify({ room: 'r', identity: 'ann', destination_room: 'third' });
  assert.deepEqual(await post('livekit.RoomService/MoveParticipant', admin, move), [403, 'permission_denied']);
  assert.deepEqual(await post('livekit.RoomService/Nothing', admin), [404, 'bad_route']);
  assert.deepEqual(await post('livekit.Egress/ListEgress', admin), [404, 'bad_route']);
  assert.deepEqual(await post('livekit.RoomService/ListParticipants', admin, '{'), [400, 'malformed']);
  assert.deepEqual(await post('livekit.RoomService/ListParticipants', admin, '{}', 'text/plain'), [404, 'bad_route']);
});

test('webhooks are verified by the SDK and come in order', async () => {
  const receiver = new WebhookReceiver(KEY, SECRET);
  const events = [];
  let failures = 2;
  const hook = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const event = await receiver.receive(body, request.headers.authorization);
    failures -= 1;
    response.statusCode = failures >= 0 ? 500 : 200;
    if (failures < 0) events.push(event);
    response.end();
  });
  await new Promise((done) => hook.listen(0, '127.0.0.1', done));
  const data = mkdtempSync(join(tmpdir(), 'parley-'));
  const root = fileURLToPath(new globalThis.URL('../../..', import.meta.url));
  const binary = process.env.PARLEY_BIN ?? join(root, 'target/release/parley');
  const port = await freePort();
  const env = { PATH: process.env.PATH, PARLEY_WEBHOOK_URLS: `http://127.0.0.1:${hook.address().port}/hook` };
  const options = ['serve', '--dev', '--data', data, '--http-listen', `127.0.0.1:${port}`, '--media-udp-port', '0'];
  const server = spawn(binary, options, { env });
  try {
    let log = '';
    server.stdout.on('data', (text) => (log += text));
    server.stderr.on('data', (text) => (log += text));
    await until(() => log.includes('is ready'), 'the server');
    const url = `ws://127.0.0.1:${port}`;
    const ann = new Member('ann', 'r');
    await ann.room.connect(url, await token('ann', 'r'), { autoSubscribe: true, dynacast: false });
    await service(SECRET, url).deleteRoom('r');
    await until(() => events.length >= 4, 'the webhooks');
    assert.deepEqual(events.map(({ event }) => event), ['room_started', 'participant_joined', 'participant_left', 'room_finished']);
    assert.equal(events[1].participant.identity, 'ann');
    assert.ok(events.every(({ room, id, createdAt }) => room.name === 'r' && id && createdAt > 0n));
  } finally {
    const ended = new Promise((done) => server.once('exit', done));
    server.kill();
    await ended;
    hook.close();
    rmSync(data, { recursive: true });
  }
});

async function freePort() {
  const probe = createServer();
  await new Promise((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}
