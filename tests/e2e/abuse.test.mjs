// What strangers and broken programs send, while a call goes on: refused clearly, and the call does not notice.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import net from 'node:net';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';

import { launchChromium } from './lib/browsers.mjs';
import { plain, plainClient, servePlainPage } from './lib/plain.mjs';
import { Parley } from './lib/server.mjs';
import { received, stats } from './lib/stats.mjs';
import { accessToken } from './lib/token.mjs';
import { delay, until } from './lib/wait.mjs';

const ROOM = 'consultation';
const MIB = 1024 * 1024;
/** What abuse may leave behind: allocator slack and tables of bounded size. */
const MEMORY_GROWTH_KIB = 24 * 1024;

let server;
let page;
let browser;
let people;

before(async () => {
  [server, page, browser] = await Promise.all([
    Parley.start({ name: 'abuse', dev: true }),
    servePlainPage(),
    launchChromium(),
  ]);
  people = [];
  for (const identity of ['alice', 'bob']) {
    people.push(await plainClient(browser, page, { url: server.url, room: ROOM, identity }));
  }
  for (const person of people) await plain.publish(person);
  for (const person of people) {
    await until(`${person.name} decodes`, async () => (await stats(person)).framesDecoded > 20, { timeout: 20_000 });
  }
});

after(async () => {
  await browser?.close();
  await page?.stop();
  await server?.stop();
});

/** Runs `abuse` and checks that the call went on meanwhile, that nothing panicked and that nobody was added. */
async function undisturbed(abuse) {
  const before = await Promise.all(people.map(stats));
  await abuse();
  await delay(1_000);
  const afterwards = await Promise.all(people.map(stats));
  for (const [n, person] of people.entries()) {
    const seconds = (afterwards[n].at - before[n].at) / 1000;
    const fps = (afterwards[n].framesDecoded - before[n].framesDecoded) / seconds;
    assert.ok(fps >= 12, `${person.name} decoded ${fps.toFixed(1)} frames a second meanwhile`);
    assert.ok(afterwards[n].audioEnergy > before[n].audioEnergy, `${person.name} heard nothing meanwhile`);
    assert.equal(await plain.count(person, 'Disconnected'), 0);
    assert.equal(await plain.count(person, 'Reconnecting'), 0);
    assert.equal((await plain.others(person)).length, 1, 'nobody was added to the room');
  }
  assert.deepEqual(server.panics(), []);
  assert.equal(server.exit, null, 'the server runs');
}

const tokenFor = (changes) => accessToken({ identity: 'mallory', room: ROOM, ...changes });

/** The tokens that must not let anybody in, with the answer and a word of its reason. */
const REFUSED = [
  ['signed with another secret', tokenFor({ secret: 'not the secret' }), 401],
  ['of an unknown key', tokenFor({ key: 'nobody' }), 401],
  ['expired', tokenFor({ validSeconds: -120 }), 401],
  ['that says alg none', `${tokenFor({ header: { alg: 'none' } }).split('.').slice(0, 2).join('.')}.`, 401],
  ['without a join grant', tokenFor({ grants: { roomJoin: false } }), [401, 403]],
  ['that is no token', 'rubbish', 401],
  ['that is empty', '', 401],
];

for (const [what, token, expected] of REFUSED) {
  test(`a token ${what} is refused`, async () => {
    await undisturbed(async () => {
      for (const path of ['/rtc/v1', '/rtc/v1/validate', '/rtc', '/rtc/validate']) {
        const answer = await openSocketOrAnswer(path, token);
        assert.ok([expected].flat().includes(answer.status), `${path} answers ${answer.status} ${answer.text}`);
        assert.ok(answer.text.trim().length > 3, `${path} says why`);
        assert.ok(!/panick|\.rs:/.test(answer.text), 'no inner detail');
      }
    });
  });
}

test('a token for another room does not reach this one', async () => {
  await undisturbed(async () => {
    const stranger = await plainClient(browser, page, { url: server.url, room: 'another', identity: 'mallory' });
    assert.deepEqual(await plain.others(stranger), []);
    await stranger.close();
    // Asking by name for a room that the token does not name.
    const answer = await openSocketOrAnswer('/rtc', accessToken({ identity: 'mallory', room: 'another' }), { room: ROOM });
    if (answer.status === 101) {
      answer.socket.terminate();
    }
  });
});

test('messages that are too large close their own connection only', async () => {
  await undisturbed(async () => {
    for (const size of [1 * MIB, 8 * MIB, 32 * MIB]) {
      const { socket } = await openSocketOrAnswer('/rtc', accessToken({ identity: `big-${size}`, room: 'big' }));
      const closed = new Promise((done) => socket.once('close', (code) => done(code)));
      socket.on('error', () => {});
      socket.send(randomBytes(size));
      const code = await Promise.race([closed, delay(10_000).then(() => 'still open')]);
      assert.notEqual(code, 'still open', `${size} bytes`);
    }
  });
});

test('a join request that unpacks to very much is refused', async () => {
  const { gzipSync } = await import('node:zlib');
  await undisturbed(async () => {
    // WrappedJoinRequest: compression = GZIP (field 1), join_request = bytes (field 2).
    const packed = gzipSync(Buffer.alloc(64 * MIB));
    const wrapped = Buffer.concat([Buffer.from([0x08, 0x01, 0x12]), varint(packed.length), packed]);
    const answer = await openSocketOrAnswer('/rtc/v1', accessToken({ identity: 'bomb', room: 'big' }), {
      join_request: wrapped.toString('base64url'),
    });
    assert.ok(answer.status >= 400 && answer.status < 500, `answers ${answer.status}`);
  });
});

test('10,000 random bytes on the WebSocket', async () => {
  await undisturbed(async () => {
    for (let round = 0; round < 20; round += 1) {
      const { socket } = await openSocketOrAnswer('/rtc', accessToken({ identity: `noise-${round}`, room: 'noise' }));
      socket.on('error', () => {});
      const closed = new Promise((done) => socket.once('close', done));
      const bytes = randomBytes(10_000);
      // One message, many small ones, and text where bytes are due.
      if (round % 3 === 0) socket.send(bytes);
      else if (round % 3 === 1) for (let at = 0; at < bytes.length; at += 100) socket.send(bytes.subarray(at, at + 100));
      else socket.send(bytes.toString('latin1'));
      await Promise.race([closed, delay(150)]);
      socket.terminate();
    }
  });
});

test('random bytes on the TCP port, before and after an upgrade', async () => {
  await undisturbed(async () => {
    const upgrade =
      `GET /rtc?access_token=${accessToken({ identity: 'raw', room: 'noise' })} HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\n` +
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
    for (const prefix of ['', upgrade]) {
      for (let round = 0; round < 10; round += 1) {
        const socket = net.connect(server.port, '127.0.0.1');
        socket.on('error', () => {});
        socket.write(prefix);
        await delay(prefix ? 60 : 0);
        socket.write(randomBytes(10_000));
        await delay(40);
        socket.destroy();
      }
    }
  });
});

test('random and half-right datagrams on the media port', async () => {
  await undisturbed(async () => {
    const socket = dgram.createSocket('udp4');
    const send = (bytes, port) => new Promise((done) => socket.send(bytes, port, '127.0.0.1', done));
    for (let round = 0; round < 600; round += 1) {
      const port = server.udpPort + (round % 2);
      await send(randomBytes(1 + (round * 7) % 1400), port);
      await send(stunLike(round), port);
      await send(rtpLike(round), port);
      await send(dtlsLike(round), port);
    }
    // 10,000 bytes in one datagram: larger than any that media sends.
    await send(randomBytes(10_000), server.udpPort);
    await send(Buffer.alloc(0), server.udpPort);
    socket.close();
  });
});

test('memory stays flat under repeated abuse', async () => {
  const flood = async () => {
    const socket = dgram.createSocket('udp4');
    for (let n = 0; n < 3_000; n += 1) {
      await new Promise((done) => socket.send(n % 2 ? stunLike(n) : randomBytes(900), server.udpPort, '127.0.0.1', done));
    }
    socket.close();
    for (let n = 0; n < 40; n += 1) {
      const answer = await openSocketOrAnswer('/rtc', n % 2 ? tokenFor({ secret: 'no' }) : accessToken({ identity: 'again', room: 'noise' }));
      answer.socket?.on('error', () => {});
      answer.socket?.send(randomBytes(10_000));
      await delay(5);
      answer.socket?.terminate();
    }
    await delay(1_500);
  };
  await undisturbed(async () => {
    await flood(); // Warms allocator and tables.
    const first = server.memoryKib();
    for (let round = 0; round < 4; round += 1) await flood();
    const last = server.memoryKib();
    console.log(`resident memory: ${first} KiB before, ${last} KiB after four floods`);
    assert.ok(last - first < MEMORY_GROWTH_KIB, `grew by ${last - first} KiB`);
  });
});

/** Opens a WebSocket (status 101 and the socket) or gives the HTTP answer that refused it. */
function openSocketOrAnswer(path, token, query = {}) {
  const address = new URL(path, server.url);
  for (const [name, value] of Object.entries({ access_token: token, protocol: '16', sdk: 'js', version: '2.0.0', ...query })) {
    address.searchParams.set(name, value);
  }
  if (path.endsWith('/validate')) {
    return server.get(address.pathname + address.search);
  }
  return new Promise((done, fail) => {
    const socket = new WebSocket(address.href.replace(/^http/, 'ws'));
    socket.once('open', () => done({ status: 101, socket, text: '' }));
    socket.once('unexpected-response', (_request, response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => done({ status: response.statusCode, text: Buffer.concat(chunks).toString() }));
    });
    socket.once('error', fail);
  });
}

function varint(value) {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** A STUN binding request with a made-up user name, sometimes cut or with a wrong length. */
function stunLike(seed) {
  const user = Buffer.from(`ufrag${seed}:nobody`.padEnd(16));
  const attribute = Buffer.concat([Buffer.from([0x00, 0x06, 0x00, user.length]), user]);
  const header = Buffer.alloc(20);
  header.writeUInt16BE(0x0001, 0);
  header.writeUInt16BE(seed % 5 === 0 ? 0xffff : attribute.length, 2);
  header.writeUInt32BE(0x2112a442, 4);
  randomBytes(12).copy(header, 8);
  const message = Buffer.concat([header, attribute]);
  return seed % 3 === 0 ? message.subarray(0, message.length - 5) : message;
}

const rtpLike = (seed) => Buffer.concat([Buffer.from([0x80 | (seed & 0x1f), 96 + (seed % 30)]), randomBytes(10 + (seed % 1000))]);
const dtlsLike = (seed) => Buffer.concat([Buffer.from([20 + (seed % 5), 0xfe, 0xfd]), randomBytes(13 + (seed % 500))]);
