import assert from 'node:assert/strict';
import test from 'node:test';

import { boxAt, layOutMatrix, nextPlace, placeAt, placeOfMost } from '../../../assets/viewer/numbers/change_matrix.js';
import { changePath } from '../../../assets/viewer/data/source.js';
import { changeWish, massesName } from '../../../assets/viewer/state/change_wish.js';
import { matrixNow } from '../../../assets/viewer/state/matrix.js';
import { weightWords } from '../../../assets/viewer/text/pair.js';
import { coloursOf } from '../../../assets/viewer/views/comparison/matrix_paint.js';
import { divergingPixels, solidPixels } from '../../../assets/viewer/paint/palette.js';

const COUNTS = { layers: 3, heads: 4, parts: 2 };
const LAYOUT = layOutMatrix({ ...COUNTS, width: 200, height: 120, left: 42, apart: 10, label: 10, most: { width: 46, height: 26 }, narrowest: 7, gap: 1 });

test('where a place lies, there it is found', () => {
  for (const at of [{ layer: 0, head: 0 }, { layer: 2, head: 3 }, { layer: 1, part: 0 }, { layer: 2, part: 1 }]) {
    const { x, y, width, height } = boxAt(LAYOUT, at);
    assert.deepEqual(placeAt(LAYOUT, COUNTS, x, y), at);
    assert.deepEqual(placeAt(LAYOUT, COUNTS, x + width - 1, y + height - 1), at);
  }
});

test('arrow keys go from heads to weights and back, and stay at the edges', () => {
  assert.deepEqual(nextPlace({ layer: 0, head: 3 }, 0, 1, COUNTS), { layer: 0, part: 0 });
  assert.deepEqual(nextPlace({ layer: 0, part: 0 }, 1, -1, COUNTS), { layer: 1, head: 3 });
  assert.deepEqual(nextPlace({ layer: 2, part: 1 }, 1, 1, COUNTS), { layer: 2, part: 1 });
  assert.deepEqual(nextPlace({ layer: 0, head: 0 }, -1, -1, COUNTS), { layer: 0, head: 0 });
});

test('the head that moved most may have moved either way, and has a value', () => {
  assert.deepEqual(placeOfMost(Float32Array.of(NaN, 0.1, -0.4, 0.3), 2), { layer: 1, head: 0 });
  assert.deepEqual(placeOfMost(Float32Array.of(0, 0), 2), { layer: 0, head: 0 });
});

const INFO = {
  grids: [{ image: 0, tower: 'language', kind: 'whole', box_px: [0, 0, 4, 4], rows: 1, cols: 2 }], images: [{}], tokens: [{ grid: null }, { grid: null }],
  towers: { language: { heads: 2, keys: 2, layers: [{ index: 0, file: 'a' }] }, vision: { heads: 2, keys: 2, layers: [{ index: 0, file: 'b' }] } },
};
const SELECTION = { tower: 'language', direction: 'reads', token: 1, until: null, reading: 'own', layer: 0, head: 0, grid: 0 };
const WHAT = { right: 1, measure: 'js_image', of: 'token' };
const CHANGE = { name: changePath(changeWish(INFO, SELECTION, WHAT)), values: Float32Array.of(0.25, -0.5) };
const MASSES = { name: massesName(INFO, SELECTION, WHAT), values: Float32Array.of(0.5, 0.001) };
const FIELDS = { info: INFO, selection: SELECTION, change: CHANGE, imageMasses: MASSES, ...WHAT };

test('a matrix has its ends, and is faint where next to nothing of the picture is read', () => {
  const { held, isStale } = matrixNow(null, FIELDS);
  assert.deepEqual([held.high, [...held.faint], held.tower, isStale], [0.5, [0, 1], 'language', false]);
  assert.equal(matrixNow(held, FIELDS).held, held, 'nothing has changed');
  assert.notEqual(matrixNow(held, { ...FIELDS, change: { ...CHANGE, values: Float32Array.of(1, 2) } }).held, held);
});

test('the last whole matrix stays until the next is there; of another tower nothing does', () => {
  const { held } = matrixNow(null, FIELDS);
  const other = { ...CHANGE, name: 'of another row' };
  assert.deepEqual(matrixNow(held, { ...FIELDS, change: other }), { held, isStale: true });
  assert.deepEqual(matrixNow(held, { ...FIELDS, imageMasses: { ...MASSES, name: 'of another row' } }), { held, isStale: true });
  assert.deepEqual(matrixNow(held, { ...FIELDS, change: other, selection: { ...SELECTION, tower: 'vision' } }), { held: null, isStale: true });
  assert.deepEqual(matrixNow(held, { ...FIELDS, info: null }), { held: null, isStale: false });
});

test('masses do not count for what is not of the picture', () => {
  const row = { ...FIELDS, measure: 'js_row', change: { ...CHANGE, name: changePath(changeWish(INFO, SELECTION, { ...WHAT, measure: 'js_row' })) } };
  const { held } = matrixNow(null, row);
  assert.deepEqual([held.masses, [...held.faint]], [null, [0, 0]]);
});

test('a measure with two directions has the colours of differences', () => {
  assert.deepEqual(coloursOf('d_entropy', 'magma', false), divergingPixels(false, false));
  assert.deepEqual(coloursOf('js_row', 'magma', false), solidPixels('magma'));
  assert.deepEqual(coloursOf(undefined, 'magma', true), solidPixels('magma'));
});

test('a weight in words: how much of it is changed, or that it is not', () => {
  assert.deepEqual(weightWords({ layer: 7, part: 'q_proj', value: 0.0125 }), { name: 'layer 7 · q_proj', lines: ["changed by 1.3\u202f% of the weight's norm, at strength 1"] });
  assert.deepEqual(weightWords({ layer: 7, part: 'q_proj', value: NaN }).lines, ['not changed by this adapter']);
});
