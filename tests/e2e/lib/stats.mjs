// What browsers themselves measured: getStats of every peer connection that the page has made.
import { delay } from './wait.mjs';

/** Runs in the page before its scripts: keeps its peer connections and web sockets within reach, and when each
 * web socket was first answered. */
export function watchConnections() {
  const kept = { peers: [], sockets: [] };
  Object.defineProperty(window, '__parleyTest', { value: kept });
  for (const [name, list] of [
    ['RTCPeerConnection', kept.peers],
    ['WebSocket', kept.sockets],
  ]) {
    if (!window[name]) continue;
    window[name] = new Proxy(window[name], {
      construct(target, args, newTarget) {
        const made = Reflect.construct(target, args, newTarget);
        list.push(made);
        made.addEventListener('message', () => (made.firstMessageAt ??= Date.now()));
        return made;
      },
    });
  }
}

/** Runs in the page: sums over all connections that are not closed. */
async function readStats() {
  const sum = {
    at: performance.now(),
    framesDecoded: 0,
    audioEnergy: 0,
    audioPackets: 0,
    framesSent: 0,
    videos: [],
    senders: [],
    peers: 0,
    states: [],
  };
  for (const peer of window.__parleyTest.peers) {
    if (peer.connectionState === 'closed') continue;
    sum.peers += 1;
    sum.states.push(peer.connectionState);
    for (const report of (await peer.getStats()).values()) {
      if (report.type === 'inbound-rtp' && report.kind === 'video') {
        sum.framesDecoded += report.framesDecoded ?? 0;
        sum.videos.push({ track: report.trackIdentifier, frames: report.framesDecoded ?? 0, width: report.frameWidth, height: report.frameHeight });
      }
      if (report.type === 'inbound-rtp' && report.kind === 'audio') {
        sum.audioEnergy += report.totalAudioEnergy ?? 0;
        sum.audioPackets += report.packetsReceived ?? 0;
      }
      if (report.type === 'outbound-rtp' && report.kind === 'video') {
        sum.framesSent += report.framesSent ?? 0;
        sum.senders.push({
          rid: report.rid,
          frames: report.framesSent ?? 0,
          width: report.frameWidth,
          active: report.active,
          limit: report.qualityLimitationReason,
        });
      }
    }
  }
  return sum;
}

export const stats = (person) => person.evaluate(readStats);

/** What arrives at a person within `ms`: frames a second over all videos, and the sound's energy. */
export async function received(person, ms) {
  const before = await stats(person);
  await delay(ms);
  const after = await stats(person);
  const seconds = (after.at - before.at) / 1000;
  return {
    seconds,
    fps: (after.framesDecoded - before.framesDecoded) / seconds,
    energy: after.audioEnergy - before.audioEnergy,
    audioPackets: after.audioPackets - before.audioPackets,
    videos: after.videos,
    /** Layers that go out meanwhile: frames a second of each, and what the browser says holds it back. */
    sent: after.senders.map(({ rid, frames, width, limit }) => {
      const earlier = before.senders.find((sender) => sender.rid === rid)?.frames ?? 0;
      return { rid, width, fps: Math.round((frames - earlier) / seconds), limit };
    }),
    peers: after.peers,
    states: after.states,
  };
}

/** The reports of the videos that a person receives, with their codecs, in the order of the connections. */
export const videoReports = (person) =>
  person.evaluate(async () => {
    const found = [];
    for (const peer of window.__parleyTest.peers) {
      if (peer.connectionState === 'closed') continue;
      const reports = await peer.getStats();
      const inbound = [...reports.values()].filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
      const decoding = inbound.filter(({ framesDecoded }) => framesDecoded > 0);
      found.push(...decoding.map((report) => ({ ...report, mimeType: reports.get(report.codecId)?.mimeType })));
    }
    return found;
  });

/** The first of them. */
export const videoReport = async (person) => (await videoReports(person))[0] ?? {};

/** Keyframes that a person's encoders were asked for, and made, over all layers. */
export const encoderReport = (person) =>
  person.evaluate(async () => {
    const sum = { asked: 0, made: 0 };
    for (const peer of window.__parleyTest.peers) {
      for (const report of (await peer.getStats()).values()) {
        if (report.type !== 'outbound-rtp' || report.kind !== 'video') continue;
        sum.asked += (report.pliCount ?? 0) + (report.firCount ?? 0);
        sum.made += report.keyFramesEncoded ?? 0;
      }
    }
    return sum;
  });
