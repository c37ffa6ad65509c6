// @ts-nocheck
/** Ratios as they are drawn: logarithms about 1, an atlas as the server has reduced it, colours whose middle is 1. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atlasPath, rowPath } from '../../../assets/viewer/data/source.js';
import { makeAtlas, mapAtPlace } from '../../../assets/viewer/numbers/atlas.js';
import { barLabels, placeIn, rangeOf } from '../../../assets/viewer/numbers/colour_range.js';
import { areSummed, formatRatio, isRatio, octavesOf } from '../../../assets/viewer/numbers/ratios.js';
import { readFragment, writeFragment } from '../../../assets/viewer/state/address.js';
import { startingLook } from '../../../assets/viewer/state/look.js';
import { findRelative } from '../../../assets/viewer/state/reading.js';
import { relativeSentence } from '../../../assets/viewer/text/relative.js';

const RELATIVE = { kind: 'relative', name: 'ab', tokens: [], isWhole: true, towers: ['language'], prompt: 'Describe it.', floor: 1e-6 };

test('a ratio and its inverse lie as far from 1, which is in the middle of the colours', () => {
  assert.deepEqual([...octavesOf(Float32Array.of(1, 2, 0.25))], [0, 1, -2]);
  const range = rangeOf([1, -2, 0], { isEffect: true, isRatio: true });
  assert.deepEqual([placeIn(range, 0), placeIn(range, 2), placeIn(range, -2)], [0.5, 1, 0]);
  const { low, middle, high, unit } = barLabels(range);
  assert.deepEqual([low, middle, high, unit], ['÷4.0', '×1', '×4.0', 'ratio to the general question']);
});

test('ratios are written as times more or less, never as infinite', () => {
  assert.deepEqual([0, 1, -2, Math.log2(1600), 20, NaN].map(formatRatio), ['×1', '×2.0', '÷4.0', '×1600', '×1.0e6', '–']);
});

test('an atlas of ratios holds what the server has reduced, and not means of ratios', () => {
  const values = Float32Array.from({ length: 3 * 4 * 2 }, (_, i) => 2 ** i); // [2 + 1 layers, 2 + 2 heads, 1, 2]
  const wish = { tower: 'language', query: 5, grid: 0, effect: 'ab', isRatio: true };
  const atlas = makeAtlas({ values, shape: [3, 4, 1, 2] }, wish, { grids: [{ rows: 1, cols: 2 }] });
  assert.deepEqual([atlas.layers, atlas.heads, atlas.isEffect], [2, 2, true]);
  for (let layer = 0; layer < 3; layer++) {
    for (let head = 0; head < 4; head++) {
      const { values: of, offset } = mapAtPlace(atlas, layer, head);
      assert.deepEqual([...of.slice(offset, offset + 2)], [0, 1].map((cell) => (layer * 4 + head) * 2 + cell));
    }
  }
  assert.equal(atlas.sizes[1], 2 + 3);
  assert.match(atlasPath(wish), /&reading=ab&reduced=1$/);
  assert.match(rowPath({ ...wish, layer: 3, head: 'mean', direction: 'reads' }), /row\?.*&head=mean&reading=ab$/);
});

test('what is shown are ratios or sums, and its address is found again', () => {
  assert.deepEqual([isRatio(RELATIVE), areSummed(RELATIVE), areSummed({ kind: 'forecast' }), areSummed(null)], [true, false, true, false]);
  const made = [{ kind: 'relative', name: 'ab', towers: ['language'], prompt: 'Describe it.', floor: 1e-6 }];
  assert.equal(findRelative(made, 'language').prompt, 'Describe it.');
  assert.equal(findRelative(made, 'vision'), null);
  const selection = { tower: 'language', direction: 'reads', reading: 'own', layer: 1, head: 'mean', token: 3, until: null, grid: 0 };
  const fragment = writeFragment('run', selection, { ...startingLook(), reading: RELATIVE });
  assert.deepEqual(readFragment(fragment).shows, { kind: 'relative', tokens: null });
});

test('the sentence names the cells that are read most and least beside the general question', () => {
  const shown = { effect: RELATIVE, layer: 3, head: 1, grid: 0, cells: Float32Array.of(0, 2, -1, 0) };
  const info = { grids: [{ rows: 2, cols: 2 }] };
  assert.match(relativeSentence(shown, info), /reads row 0, col 1 ×4\.0 as much as “Describe it\.” does, the most; the least ÷2\.0 at row 1, col 0\. Weights below 0\.000001 count/);
  assert.match(relativeSentence({ ...shown, cells: new Float32Array(4) }, info), /every cell is read as “Describe it\.” reads it/);
});
