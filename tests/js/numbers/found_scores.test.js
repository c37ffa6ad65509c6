import assert from 'node:assert/strict';
import test from 'node:test';
import { foundBy, readFoundHeads, whyNotIn } from '../../../assets/viewer/data/found_heads.js';
import { bestHeads, ORDERS, ranksOf } from '../../../assets/viewer/numbers/head_order.js';
import { foundScores } from '../../../assets/viewer/numbers/found_scores.js';

const score = (mean) => ({ mean, low: mean, high: mean, n: 9 });
const FILE = {
  format: 1, kind: 'heads', model: { id: 'pocket', revision: null }, adapter: null, tower: 'language', by: 'region_share',
  heads: [{ layer: 7, head: 1, score: score(0.7), above_chance: true }, { layer: 5, head: 0, score: score(0.8), above_chance: null }],
};
const layer = (index) => ({ index, kind: 'softmax', file: `layer_${index}` });
const INFO = { towers: { language: { heads: 2, keys: 4, layers: [layer(5), { index: 6, kind: 'linear', file: null }, layer(7)] } } };
const read = (change = {}) => readFoundHeads(JSON.stringify({ ...FILE, ...change }), 'heads.json');

test('found heads have their scores at their places, the others none, and come first', () => {
  const scores = foundScores(read(), INFO, 'language');
  assert.deepEqual([...scores].map((value) => Math.round(value * 10) / 10), [0.8, NaN, NaN, 0.7]);
  assert.equal(foundScores(read(), INFO, 'vision'), null);
  assert.equal(foundScores(null, INFO, 'language'), null);
  const found = read();
  assert.equal(foundScores(found, INFO, 'language'), foundScores(found, INFO, 'language'), 'the same for who asks twice');
  assert.deepEqual(bestHeads(scores, [1, 1, 1, 1], 'found'), [0, 3]);
  assert.deepEqual(ranksOf(scores, 2, 'found').slice(0, 2).map((ranks) => [...ranks]), [[0, 1], [1, 0]]);
  assert.equal(ORDERS.found.write(NaN), '–');
});

test('heads that a run has not are refused by name', () => {
  assert.equal(whyNotIn(read(), INFO), '');
  assert.match(whyNotIn(read({ heads: [{ layer: 6, head: 0, score: score(1) }] }), INFO), /of another model, pocket: this run has no layer 6, head 0/);
  assert.match(whyNotIn(read({ heads: [{ layer: 5, head: 2, score: score(1) }] }), INFO), /layer 5, head 2/);
  assert.match(whyNotIn(read({ tower: 'cross' }), INFO), /cross tower/);
  assert.equal(foundScores(read({ heads: [{ layer: 6, head: 0, score: score(1) }] }), INFO, 'language'), null);
});

test('a file that is none is refused with what is wrong', () => {
  for (const [text, why] of [['{', /not JSON/], ['[]', /kind is not/], ['{"kind":"heads","format":2}', /has format 2; this page reads 1/]]) {
    assert.throws(() => readFoundHeads(text, 'heads.json'), why);
  }
  assert.throws(() => read({ by: 'region_iou' }), /by is “region_iou”/);
  assert.throws(() => read({ tower: 4 }), /no text/);
  assert.throws(() => read({ heads: {} }), /heads is no list/);
  for (const head of [{ layer: 1.5, head: 0, score: score(1) }, { layer: 1, head: -1, score: score(1) }, { layer: 1, head: 0 }, null]) {
    assert.throws(() => read({ heads: [head] }), /head 1 has no layer, head or score/);
  }
  assert.equal(foundBy(read({ adapter: { id: 'largest' } })), 'share at the right place, over a set, of pocket with largest');
});
