import assert from 'node:assert/strict';
import test from 'node:test';

import { floorKinds, hasParts } from '../../../assets/viewer/data/comparison_info.js';
import { changePath } from '../../../assets/viewer/data/source.js';
import { belowNoise, timesNoise, timesOf } from '../../../assets/viewer/numbers/noise.js';
import { changeWish, floorWishes } from '../../../assets/viewer/state/change_wish.js';
import { matrixNow } from '../../../assets/viewer/state/matrix.js';
import { floorWords, formatMultiple, noiseText, partText } from '../../../assets/viewer/text/noise.js';
import { headWords } from '../../../assets/viewer/text/pair.js';

const FLOORS = { name: 'x', kinds: ['dtype', 'paraphrase'], tables: [Float32Array.of(0.1, 0.2, 0, NaN), Float32Array.of(0.5, 0.1, 0, NaN)] };
const VALUES = Float32Array.of(0.31, -0.19, 0.5, 0.4);

test('a change is a multiple of each floor, and noise up to the largest', () => {
  assert.deepEqual(timesOf(FLOORS, 1, VALUES[1]).map(({ times }) => times.toFixed(2)), ['0.95', '1.90']);
  assert.equal(timesNoise(FLOORS, 0, VALUES[0]).toFixed(2), '0.62');
  assert.deepEqual([...belowNoise(FLOORS, VALUES)], [1, 1, 0, 0], 'above a floor of 0, and of one that is not known nothing is said');
  assert.equal(belowNoise(null, VALUES), null);
  assert.deepEqual([...belowNoise(FLOORS, new Float32Array(4))], [1, 1, 1, 1]);
});

test('it is said in few words, and in all', () => {
  assert.equal(floorWords(FLOORS, 0, VALUES[0]), '3.1× the dtype floor, 0.62× what paraphrases differ by');
  assert.equal(floorWords(FLOORS, 2, VALUES[2]), 'the dtype floor is exactly 0, what paraphrases differ by is exactly 0');
  assert.equal(floorWords(FLOORS, 2, 0), '');
  assert.deepEqual([0.5, 3.14, 123.4].map(formatMultiple), ['0.50×', '3.1×', '123×']);
  assert.deepEqual([Infinity, NaN, 2].map(noiseText), ['floor 0', '', '2.0×']);
  const head = { measure: 'js_row', unit: 'bits', layer: 3, place: 0, head: 1, value: 0.31, mass: null, weights: null };
  assert.match(headWords({ ...head, floored: floorWords(FLOORS, 0, 0.31), isBelow: true }).lines[1], /3\.1× the dtype floor.*: no more than noise$/);
  assert.equal(partText('direct', 'js_row', true), "distance of the whole row, by this layer's own weights");
  assert.equal(partText('direct', 'js_row', false), 'distance of the whole row');
});

const INFO = {
  grids: [], images: [], tokens: [{ grid: null }, { grid: null }],
  towers: { language: { heads: 2, keys: 2, layers: [{ index: 0, file: 'a' }, { index: 1, file: 'b' }] } },
};
const SELECTION = { tower: 'language', direction: 'reads', token: 1, until: null, reading: 'own', layer: 0, head: 0, grid: null };
const COMPARISON = {
  members: [{ folder: 'base' }, { folder: 'adapter_1' }, { folder: 'model_2' }], queries: { language: [1, 2] }, answer_rows: [2, 2], parts: ['adapter_1'],
  floors: [{ kind: 'dtype' }, { kind: 'paraphrase' }, { kind: 'paraphrase' }, { kind: 'zero', why: 'no room' }],
};
const WHAT = { right: 1, measure: 'js_row', of: 'mean', region: null, part: 'direct', comparison: COMPARISON };

test('a part is asked for of an adapter alone, and floors of rows that were compared', () => {
  assert.deepEqual(floorKinds(COMPARISON), ['dtype', 'paraphrase']);
  assert.deepEqual([1, 2].map((member) => hasParts(COMPARISON, member)), [true, false]);
  const wish = changeWish(INFO, SELECTION, WHAT);
  assert.equal(changePath(wish), 'change?tower=language&measure=js_row&adapter=0&part=direct');
  assert.equal(changePath(changeWish(INFO, SELECTION, { ...WHAT, right: 2 })), 'change?tower=language&measure=js_row&adapter=1');
  assert.deepEqual(floorWishes(COMPARISON, wish).map(changePath), ['dtype', 'paraphrase'].map((kind) => `change?tower=language&measure=js_row&adapter=0&floor=${kind}`));
  assert.equal(floorWishes(COMPARISON, { ...wish, query: 1 }).length, 2);
  assert.deepEqual(floorWishes(COMPARISON, { ...wish, query: 0 }), [], 'a row that was not compared');
  const place = { place: [0, 0, 2, 2], image: 0 };
  assert.equal(floorWishes(COMPARISON, { ...wish, measure: 'region_share', region: place }).length, 2);
  const ranked = { ...wish, measure: 'region_rank', region: place };
  assert.deepEqual(floorWishes(COMPARISON, ranked), [], "the floors' rows are not kept");
  const kept = { ...COMPARISON, floor_regions: ['language'] };
  assert.deepEqual([null, 2, 1].map((query) => floorWishes(kept, { ...ranked, query }).length), [2, 2, 0], "of the answer's rows");
  assert.deepEqual(floorWishes(kept, { ...ranked, query: 2 }).map(changePath)[0], 'change?tower=language&measure=region_rank&adapter=0&query=2&box=0,0,2,2&image=0&floor=dtype');
});

test('the matrix knows what is below, once the floors of its change are there', () => {
  const name = changePath(changeWish(INFO, SELECTION, WHAT));
  const fields = { info: INFO, selection: SELECTION, change: { name, values: VALUES, positions: [] }, imageMasses: null, ...WHAT };
  const { held } = matrixNow(null, { ...fields, floors: null });
  assert.equal(held.below, null);
  assert.equal(matrixNow(held, { ...fields, floors: FLOORS }).held, held, 'floors of another change');
  assert.deepEqual([...matrixNow(held, { ...fields, floors: { ...FLOORS, name } }).held.below], [1, 1, 0, 0]);
});
