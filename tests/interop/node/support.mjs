// Two participants of `@livekit/rtc-node`, and patience with bounds.
import { setTimeout as sleep } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';
import assert from 'node:assert/strict';

import {
  AudioFrame,
  AudioSource,
  AudioStream,
  LocalAudioTrack,
  LocalVideoTrack,
  Room,
  RoomEvent,
  TrackPublishOptions,
  TrackSource,
  VideoBufferType,
  VideoFrame,
  VideoSource,
  VideoStream,
} from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';

export const URL = process.env.PARLEY_URL ?? 'ws://127.0.0.1:7880';
export const KEY = process.env.PARLEY_API_KEY ?? 'devkey';
export const SECRET = process.env.PARLEY_API_SECRET ?? 'secret';

// Generous, for slow machines; nothing waits longer than it must.
const PATIENCE_MS = 20_000;
export const WIDTH = 640;
export const HEIGHT = 360;
const SAMPLE_RATE = 48_000;

export async function token(identity, room, grants = {}, options = {}) {
  const token = new AccessToken(KEY, options.secret ?? SECRET, {
    identity,
    name: identity.toUpperCase(),
    ttl: options.ttl ?? '1h',
    attributes: { role: 'tester' },
  });
  token.addGrant({ roomJoin: true, room, canUpdateOwnMetadata: true, ...grants });
  return token.toJwt();
}

/** Waits until `condition()` is true, and returns its value. */
export async function until(condition, what) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < deadline, `waited ${PATIENCE_MS} ms for ${what}`);
    await sleep(20);
  }
}

/** A room and what its events have told. */
export class Member {
  room = new Room();
  seen = [];
  data = [];
  tracks = new Map();

  constructor(identity, roomName) {
    this.identity = identity;
    this.roomName = roomName;
    for (const name of Object.values(RoomEvent)) {
      this.room.on(name, (...values) => this.seen.push({ name, values }));
    }
    this.room.on(RoomEvent.DataReceived, (payload, participant, kind, topic) =>
      this.data.push({ text: Buffer.from(payload).toString(), from: participant?.identity, kind, topic }),
    );
    this.room.on(RoomEvent.TrackSubscribed, (track, publication) => this.tracks.set(publication.sid, track));
  }

  async connect(grants) {
    await this.room.connect(URL, await token(this.identity, this.roomName, grants), {
      autoSubscribe: true,
      dynacast: false,
    });
  }

  get local() {
    return this.room.localParticipant;
  }

  event(name) {
    return until(() => this.seen.find((event) => event.name === name), `${name} at ${this.identity}`);
  }

  subscribed(sid) {
    return until(() => this.tracks.get(sid), `track ${sid} at ${this.identity}`);
  }
}

/** Runs `body` with two connected members of a new room. */
export async function pair(body) {
  const name = `interop-${randomUUID()}`;
  const [ann, bob] = [new Member('ann', name), new Member('bob', name)];
  try {
    await ann.connect();
    await bob.connect();
    await until(() => ann.room.remoteParticipants.has('bob'), 'bob at ann');
    await until(() => bob.room.remoteParticipants.has('ann'), 'ann at bob');
    await body(ann, bob);
  } finally {
    await Promise.allSettled([ann.room.disconnect(), bob.room.disconnect()]);
  }
}

/** Publishes moving pictures until `stop` is called. */
export async function camera(member) {
  const source = new VideoSource(WIDTH, HEIGHT);
  const track = LocalVideoTrack.createVideoTrack('camera', source);
  let number = 0;
  const timer = setInterval(() => {
    const pixels = new Uint8Array(WIDTH * HEIGHT * 4).fill((number * 7) % 256);
    source.captureFrame(new VideoFrame(pixels, WIDTH, HEIGHT, VideoBufferType.RGBA));
    number += 1;
  }, 66);
  const options = new TrackPublishOptions({ source: TrackSource.SOURCE_CAMERA });
  const publication = await member.local.publishTrack(track, options);
  return { track, publication, stop: () => clearInterval(timer) };
}

/** Publishes a loud tone until `stop` is called. */
export async function microphone(member) {
  const source = new AudioSource(SAMPLE_RATE, 1);
  const track = LocalAudioTrack.createAudioTrack('microphone', source);
  let running = true;
  let time = 0;
  const sing = async () => {
    const samples = SAMPLE_RATE / 100;
    while (running) {
      const wave = new Int16Array(samples);
      for (let index = 0; index < samples; index += 1) {
        wave[index] = 20_000 * Math.sin((2 * Math.PI * 440 * (time + index)) / SAMPLE_RATE);
      }
      time += samples;
      await source.captureFrame(new AudioFrame(wave, SAMPLE_RATE, 1, samples));
    }
  };
  const done = sing();
  const options = new TrackPublishOptions({ source: TrackSource.SOURCE_MICROPHONE });
  const publication = await member.local.publishTrack(track, options);
  const stop = async () => {
    running = false;
    await done;
  };
  return { track, publication, stop };
}

async function read(stream, enough) {
  const reader = stream.getReader();
  const timer = setTimeout(() => void reader.cancel(), PATIENCE_MS);
  const values = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    values.push(value);
    if (enough(values)) {
      await reader.cancel();
      break;
    }
  }
  clearTimeout(timer);
  return values;
}

/** Decodes `count` pictures of a remote track. */
export const pictures = (track, count) => read(new VideoStream(track), (frames) => frames.length >= count);

/** The loudest root mean square of 10 ms in about `seconds` of a remote track. */
export async function loudness(track, seconds) {
  const frames = await read(new AudioStream(track), (heard) => heard.length >= seconds * 100);
  const levels = frames.map((frame) => {
    const sum = frame.data.reduce((total, sample) => total + sample * sample, 0);
    return Math.sqrt(sum / frame.data.length);
  });
  return Math.max(0, ...levels);
}
