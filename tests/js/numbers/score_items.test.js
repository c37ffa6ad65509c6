// Items of scores are found by words, ordered worst first or by the largest change, and the axis of their drawings has round ends.
import assert from 'node:assert/strict';
import test from 'node:test';

import { readFoundHeads } from '../../../assets/viewer/data/found_heads.js';
import { headsFile } from '../../../assets/viewer/data/scores_source.js';
import { axisEnd, orderedItems } from '../../../assets/viewer/numbers/score_items.js';
import { changeWords, interval, itemCount, itemRange, points } from '../../../assets/viewer/text/scores.js';

const item = (prompt, place, ...models) => ({ name: `line ${prompt}`, image: `/a/${prompt}.png`, picture: null, prompt, place, models });
const ITEMS = [
  item('star', [0, 0, 10, 10], { share: 0.5, outcome: 'hit', answer: 'red' }, { share: 0.4, change: -0.1, answer: 'blau' }),
  item('circle', [0, 0, 2, 2], { share: 0.1, outcome: 'miss', answer: 'blue' }, { share: 0.9, change: 0.8, answer: 'rot' }),
  item(null, null, { error: 'no file' }, { error: 'no file' }),
  item('box', [3, 4], { share: null, outcome: 'nothing', answer: null }, { share: 0.2, change: null, answer: '' }),
];
const order = (wish) => orderedItems(ITEMS, { search: '', isBad: false, column: { of: 'set' }, isReversed: false, ...wish });

test('the worst comes first, what has no value last in either direction', () => {
  assert.deepEqual(order({}), [0, 1, 2, 3]);
  assert.deepEqual(order({ isReversed: true }), [3, 2, 1, 0]);
  assert.deepEqual(order({ column: { of: 'share', model: 0 } }), [1, 0, 2, 3]);
  assert.deepEqual(order({ column: { of: 'share', model: 0 }, isReversed: true }), [0, 1, 2, 3]);
  assert.deepEqual(order({ column: { of: 'outcome', model: 0 } }), [1, 3, 0, 2]);
  assert.deepEqual(order({ column: { of: 'change', model: 1 } }), [1, 0, 2, 3], 'the largest change, whatever its sign');
  assert.deepEqual(order({ column: { of: 'words' } }), [3, 1, 0, 2]);
  assert.deepEqual(order({ column: { of: 'place' } }), [3, 1, 0, 2], 'a click has no area');
});

test('every word is looked for in words, answers, pictures and reasons', () => {
  assert.deepEqual(order({ search: 'STAR red' }), [0]);
  assert.deepEqual(order({ search: 'rot' }), [1]);
  assert.deepEqual(order({ search: 'no file' }), [2]);
  assert.deepEqual(order({ isBad: true }), [2]);
  assert.deepEqual(order({ search: 'star rot' }), []);
});

test('five thousand items of four models are ordered at once', () => {
  const many = Array.from({ length: 5000 }, (_, i) => item(`word ${i}`, [0, 0, 1, 1], ...[1, 2, 3, 4].map((k) => ({ share: (i * 7919 * k % 5000) / 5000, answer: 'yes' }))));
  const began = performance.now();
  const found = orderedItems(many, { search: 'word yes', isBad: false, column: { of: 'share', model: 3 }, isReversed: false });
  assert.ok(performance.now() - began < 1000);
  assert.equal(found.length, 5000);
  assert.ok(found.every((at, i) => !i || many[found[i - 1]].models[3].share <= many[at].models[3].share));
});

test('numbers are said with sign, interval and p', () => {
  assert.equal(points(-0.4389), '\u221243.9');
  assert.equal(points(-0.0001), '0.0');
  assert.equal(interval({ mean: 0.5, low: 0.25, high: 0.75, n: 3 }), '[25.0, 75.0]');
  assert.equal(changeWords({ mean: 0.01, low: null, high: null, n: 2, p: null }), '+1.0 points, too few pictures for a p');
  assert.equal(changeWords({ mean: 0.01, low: -0.01, high: 0.03, n: 9, p: 0.03125 }), '+1.0 points [\u22121.0, +3.0], p = 0.031');
  assert.equal(itemCount({ all: 5000, bad: 2, found: 3, isSearched: true }), '3 of 5,000 items · 2 not scored');
  assert.equal(itemRange(50, 50, 5000), '51 to 100 of 5,000');
  assert.deepEqual([0.004, 0.3, 0.7, null].map((value) => axisEnd([value])), [0.01, 0.5, 1, 0.01]);
});

test('heads of a model are a file that the viewer loads', () => {
  const estimate = { mean: 0.5, low: null, high: null, n: 3 };
  const model = { model_id: 'pocket', adapter: null, tower: 'language', heads: [{ layer: 3, head: 1, score: estimate, above_chance: true }] };
  const found = readFoundHeads(headsFile({ by: 'region_share' }, model), 'scores');
  assert.deepEqual(found.heads, [{ layer: 3, head: 1, score: 0.5, isAbove: true }]);
});
