// Judges what a receiver saw against what the publisher sent meanwhile.

/** Round trip, jitter buffer and drawing: what a picture may take from the publisher to the screen. */
const ON_THE_WAY_MS = 400;
/** A page that was this late was not able to draw. */
const STALL_MS = 100;
/** Longer than two pictures take, as far as counters tell that browsers renew every 50 ms. */
const PAUSE_MS = 100;

/**
 * Gaps between pictures over `limit` ms. Those are not counted in which the publisher itself sent nothing for most of
 * the time, or in which the receiving page got no time to draw: the machine was too busy then, not the server.
 */
export function freezes({ pictures, stalls, sent, from, limit }) {
  const shown = pictures.filter(({ at }) => at >= from);
  const counted = [];
  const excused = [];
  let longestMs = 0;
  for (let place = 1; place < shown.length; place += 1) {
    const [before, next] = [shown[place - 1], shown[place]];
    const gap = next.at - before.at;
    longestMs = Math.max(longestMs, gap);
    if (gap <= limit) continue;
    const detail = {
      ms: Math.round(gap),
      at: Math.round(before.at - from),
      width: [before.width, next.width],
      skipped: next.count - before.count - 1,
      /** By the clock of the pictures: the same as `ms` where they came late, less where they were shown late. */
      mediaMs: Math.round(((next.rtpTimestamp - before.rtpTimestamp) >>> 0) / 90),
    };
    const paused = overlap(sendingPauses(sent, before.width), before.at - ON_THE_WAY_MS, next.at);
    const stalled = Math.max(0, ...stalls.filter(({ at, late }) => at > before.at && at - late < next.at).map(({ late }) => late));
    if (gap - paused <= limit / 2) excused.push({ ...detail, publisherPausedMs: Math.round(paused) });
    else if (stalled >= STALL_MS) excused.push({ ...detail, pageStalledMs: Math.round(stalled) });
    else counted.push(detail);
  }
  return { pictures: shown.length, longestMs: Math.round(longestMs), counted, excused };
}

/** Spans in which the simulcast layer of that width, or the one stream there is, sent no picture, as far as the
 * samples tell. */
function sendingPauses(sent, width) {
  const pauses = [];
  const count = ({ frames }) => frames[width] ?? Math.max(...Object.values(frames));
  let moved = sent[0];
  for (const sample of sent.slice(1)) {
    if (count(sample) === count(moved)) continue;
    if (sample.at - moved.at > PAUSE_MS) pauses.push([moved.at, sample.at]);
    moved = sample;
  }
  return pauses;
}

/** The longest of `spans` as far as it lies between. */
function overlap(spans, begin, end) {
  return Math.max(0, ...spans.map(([a, b]) => Math.min(b, end) - Math.max(a, begin)));
}
