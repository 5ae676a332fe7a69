// The judge of layers.test.mjs: gaps planted into a stream of pictures.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { judge } from './lib/switches.mjs';

const [EVERY_MS, COUNT, LIMIT_MS] = [50, 100, 200];
/** What passed of a stream of 20 pictures a second, without those in [from, to), `late` after they were made. */
function stream({ late = 0, missing: [from, to] = [0, 0] } = {}) {
  return Array.from({ length: COUNT }, (_, place) => place * EVERY_MS)
    .filter((at) => at < from || at >= to)
    .map((at) => ({ at: at + late, mediaMs: at, width: 640 }));
}

const whose = (given) => {
  const [pictures, control] = [stream({ late: 80 }), stream({ late: 80 })];
  const found = judge({ pictures, control, arrived: stream({ late: 20 }), stalls: [], sent: stream(), from: 0, limit: LIMIT_MS, ...given });
  return [found.own.length, found.shared.length, found.encoder.length, found.control.gaps];
};

describe('a gap between pictures', () => {
  const gap = { late: 80, missing: [2_000, 2_400] };

  test('is the switch’s when the control had none', () => {
    assert.deepEqual(whose({}), [0, 0, 0, 0]);
    assert.deepEqual(whose({ pictures: stream(gap) }), [1, 0, 0, 0]);
    // Also when everything came in time and the page was late: the control is drawn by the same page.
    assert.deepEqual(whose({ pictures: stream(gap), stalls: [{ at: 2_400, late: 350 }] }), [1, 0, 0, 0]);
  });

  test('up to the limit is none', () => {
    assert.deepEqual(whose({ pictures: stream({ late: 80, missing: [2_000, 2_150] }) }), [0, 0, 0, 0]);
    assert.deepEqual(whose({ pictures: stream({ late: 80, missing: [2_000, 2_200] }) }), [1, 0, 0, 0]);
  });

  test('is not when the control had one at that time, and no other', () => {
    assert.deepEqual(whose({ pictures: stream(gap), control: stream({ late: 80, missing: [2_200, 2_600] }) }), [0, 1, 0, 1]);
    assert.deepEqual(whose({ pictures: stream(gap), control: stream({ late: 80, missing: [3_000, 3_400] }) }), [1, 0, 0, 1]);
    assert.deepEqual(whose({ pictures: stream(gap), control: stream({ late: 80, missing: [2_000, 2_150] }) }), [1, 0, 0, 0]);
  });

  test('is the encoder’s when that gave out nothing of the layer', () => {
    const sent = stream({ missing: [2_000, 2_400] });
    assert.deepEqual(whose({ pictures: stream(gap), sent }), [0, 0, 1, 0]);
    const other = sent.concat(stream().map((picture) => ({ ...picture, width: 320 })));
    assert.deepEqual(whose({ pictures: stream(gap), sent: other }), [0, 0, 1, 0], 'whatever it gave out of another');
  });
});
