import assert from 'node:assert/strict';
import test from 'node:test';
import { shareOf } from '../../../assets/viewer/views/picture/picture_strip.js';

const shown = { direction: 'reads', query: 4, until: null, layer: 0, head: 0, masses: new Map([[0, 0.25]]), effect: null };

test('what a picture has of a row is its share, of a forecast its sum, and of ratios nothing: these do not add up', () => {
  const said = [null, { kind: 'forecast' }, { kind: 'relative' }].map((effect) => shareOf({ ...shown, effect }, 0));
  assert.deepEqual(said, ['25.0\u202f%', '+0.250', '']);
});
