// Judges what a receiver saw against what the publisher sent meanwhile.

/** Round trip, jitter buffer and drawing: what a picture may take from the publisher to the screen. */
const ON_THE_WAY_MS = 400;
/** A page that was this late was not able to draw. */
const STALL_MS = 100;

/**
 * Gaps between pictures over `limit` ms. Those are not counted for which the machine was too busy, not the server late:
 * where the publisher's encoder gave out nothing of that layer itself; where every encoded picture came in time and was
 * shown, but decoded or drawn late; or where the receiving page got no time at all.
 */
export function freezes({ pictures, arrived, stalls, sent, from, limit }) {
  const shown = pictures.filter(({ at }) => at >= from);
  const counted = [];
  const excused = [];
  let longestMs = 0;
  for (let place = 1; place < shown.length; place += 1) {
    const [before, next] = [shown[place - 1], shown[place]];
    const gap = next.at - before.at;
    longestMs = Math.max(longestMs, gap);
    if (gap <= limit) continue;
    const begin = before.at - ON_THE_WAY_MS;
    const late = stalls.filter(({ at, late }) => at > before.at && at - late < next.at).map(({ late }) => late);
    const detail = {
      ms: Math.round(gap),
      at: Math.round(before.at - from),
      width: [before.width, next.width],
      /** By the clock of the pictures. */
      mediaMs: Math.round(next.mediaMs - before.mediaMs),
      publisherPausedMs: longestGap(ofLayer(sent, before.width), begin, next.at),
      arrivalGapMs: longestGap(arrived, begin, next.at),
      pageStalledMs: Math.round(Math.max(0, ...late)),
    };
    const publisher = gap - detail.publisherPausedMs <= limit / 2;
    const drawing = detail.mediaMs <= limit / 2 && detail.arrivalGapMs <= limit;
    (publisher || drawing || detail.pageStalledMs >= STALL_MS ? excused : counted).push(detail);
  }
  return { pictures: shown.length, longestMs: Math.round(longestMs), counted, excused };
}

/** The pictures of a simulcast layer; of streams with layers inside, those of the lowest. */
function ofLayer(sent, width) {
  const layered = sent.some(({ spatialIndex }) => spatialIndex > 0);
  return sent.filter((picture) => (layered ? picture.spatialIndex === 0 : picture.width === width));
}

/** The longest time between two of `pictures`, as far as it lies between; all of it if there are none. */
function longestGap(pictures, begin, end) {
  const times = pictures.map(({ at }) => at).filter((at) => at > begin && at < end);
  const edges = [begin, ...times, end];
  return Math.round(Math.max(...edges.slice(1).map((at, place) => at - edges[place])));
}
