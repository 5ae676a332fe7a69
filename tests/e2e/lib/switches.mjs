// Judges what a receiver saw against what the publisher sent and what a control saw meanwhile.

/** Round trip, jitter buffer and drawing: what a picture may take from the publisher to the screen. */
const ON_THE_WAY_MS = 400;

/**
 * Gaps between pictures over `limit` ms, of a receiver who switches between layers and of a control: another receiver of
 * the same publisher, in the same page, who does not switch. A gap is the switch's unless the control had one over the same
 * limit at that time (`shared`: the machine's, or the publisher's), or the encoder gave out nothing of that layer
 * (`encoder`). All times in milliseconds.
 */
export function judge({ pictures, control, arrived, stalls, sent, from, limit }) {
  const seen = gaps(pictures, from);
  const beside = gaps(control, from).filter(({ ms }) => ms > limit);
  const verdict = { own: [], shared: [], encoder: [] };
  for (const gap of seen.filter(({ ms }) => ms > limit)) {
    const { before, next, ms } = gap;
    const begin = before.at - ON_THE_WAY_MS;
    const late = stalls.filter(({ at, late }) => at > before.at && at - late < next.at).map(({ late }) => late);
    const encoderPausedMs = longestGap(ofLayer(sent, before.width), begin, next.at);
    const others = beside.filter((other) => other.before.at < next.at && other.next.at > before.at);
    const whose = others.length > 0 ? 'shared' : ms - encoderPausedMs <= limit / 2 ? 'encoder' : 'own';
    verdict[whose].push({
      ms: Math.round(ms),
      at: Math.round(before.at - from),
      width: [before.width, next.width],
      /** By the clock of the pictures. */
      mediaMs: Math.round(next.mediaMs - before.mediaMs),
      encoderPausedMs,
      arrivalGapMs: longestGap(arrived, begin, next.at),
      pageStalledMs: Math.round(Math.max(0, ...late)),
    });
  }
  return {
    pictures: seen.length,
    longestMs: longest(seen),
    control: { pictures: gaps(control, from).length, longestMs: longest(gaps(control, from)), gaps: beside.length },
    ...verdict,
  };
}

/** Every two neighbouring pictures from `from` on, and how far they are apart. */
function gaps(pictures, from) {
  const shown = pictures.filter(({ at }) => at >= from);
  return shown.slice(1).map((next, place) => ({ before: shown[place], next, ms: next.at - shown[place].at }));
}

const longest = (found) => Math.round(Math.max(0, ...found.map(({ ms }) => ms)));

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

const COLUMNS = {
  combination: (row) => row.combination,
  switches: (row) => row.switches,
  'up ms': ({ upMs }) => `${upMs.median} (${upMs.longest})`,
  'down ms': ({ downMs }) => `${downMs.median} (${downMs.longest})`,
  gaps: ({ own, shared, encoder }) => own.length + shared.length + encoder.length,
  'by switch': ({ own }) => own.length,
  shared: ({ shared }) => shared.length,
  encoder: ({ encoder }) => encoder.length,
  'longest ms': ({ longestMs }) => longestMs,
  'control gaps': ({ control }) => control.gaps,
  'control longest ms': ({ control }) => control.longestMs,
  'decode errors': ({ keyframesWanted }) => keyframesWanted,
  'freezes (control)': ({ freezes, controlFreezes }) => `${freezes} (${controlFreezes})`,
  dropped: ({ dropped }) => dropped,
  'keyframes asked, made': ({ keyframesAsked, keyframesMade }) => `${keyframesAsked}, ${keyframesMade}`,
};

/** The combinations as a table for people: times are medians, with the longest in brackets. */
export function table(rows) {
  const lines = [Object.keys(COLUMNS), ...rows.map((row) => Object.values(COLUMNS).map((cell) => String(cell(row))))];
  const widths = lines[0].map((_, place) => Math.max(...lines.map((line) => line[place].length)));
  return lines.map((line) => line.map((cell, place) => cell.padEnd(widths[place])).join('  ').trimEnd()).join('\n');
}
