import assert from 'node:assert/strict';
import test from 'node:test';
import { isSideBySide } from '../../../assets/viewer/data/comparison_info.js';
import { startingSelection } from '../../../assets/viewer/data/selection.js';
import { makeMaps, makePair } from '../../../assets/viewer/numbers/pair.js';
import { createBestFollower } from '../../../assets/viewer/state/best_follow.js';
import { readView, writeView } from '../../../assets/viewer/state/comparison_view.js';
import { makeShown } from '../../../assets/viewer/state/follow.js';
import { ownIn, readOwn, selectionOf, writeOwn } from '../../../assets/viewer/state/own_heads.js';
import { createState } from '../../../assets/viewer/state/state.js';
import { cellWords, pairWords } from '../../../assets/viewer/text/pair.js';
import { whySideBySide } from '../../../assets/viewer/text/side_by_side.js';
import { largest } from '../../../assets/viewer/views/comparison/best_heads.js';

/** Five tokens around a picture of four cells, by a model of some layers and heads. */
function runInfo(layers, heads, vision = [2, 2]) {
  const token = (text, role, more = {}) => ({ id: 0, text, role, grid: null, row: null, col: null, ...more });
  const tokens = [...[0, 1, 2, 3].map((i) => token('<i>', 'image', { grid: 0, row: i >> 1, col: i % 2 })), token('red', 'answer')].map((record, index) => ({ ...record, index }));
  const tower = ([count, each], keys) => ({ heads: each, keys, layers: Array.from({ length: count }, (_, index) => ({ index, file: 'a', kv_heads: 1 })) });
  return {
    id: 'r', model: { id: 'm' }, adapter: null, tokens, images: [{ width: 20, height: 20 }], sinks: {}, logprobs: [-1], points: [], groups: {},
    boxes: [{ x0: 0, y0: 0, x1: 10, y1: 10, label: 'Save', image: 0 }], grids: [{ image: 0, tower: 'language', kind: 'whole', box_px: [0, 0, 20, 20], rows: 2, cols: 2 }],
    towers: { language: tower([layers, heads], 5), vision: tower(vision, []) },
  };
}

const INFOS = [runInfo(2, 2), runInfo(4, 3)];
const MEMBERS = [{ folder: 'base', adapter: null, answer: 'red' }, { folder: 'model_1', adapter: null, name: 'big', answer: 'red', own_towers: true }];
const COMPARISON = { members: MEMBERS, measures: {}, shared_tokens: 5, answer_rows: [3, 3] };
const SELECTION = { ...startingSelection(INFOS[0], 'language'), layer: 1, head: 0 };

test('each member has its own layer and head, and keeps no more than its tower has', () => {
  const own = [{ layer: 'mean', head: 'mean' }, { layer: 3, head: 2 }];
  assert.deepEqual(selectionOf(SELECTION, own, 1), { ...SELECTION, layer: 3, head: 2 });
  assert.equal(selectionOf(SELECTION, own, 0), SELECTION);
  assert.equal(selectionOf(SELECTION, [], 1), SELECTION, 'where heads stand for each other there is one');
  assert.equal(ownIn(INFOS, 'language', own), own);
  assert.deepEqual(ownIn(INFOS, 'vision', own)[1], { layer: 'mean', head: 'mean' });
});

test('the address has them, and what is not there is the mean', () => {
  const own = readOwn('3.2', INFOS, 'language');
  assert.deepEqual(own, [{ layer: 'mean', head: 'mean' }, { layer: 3, head: 2 }]);
  assert.equal(writeOwn(own), '3.2');
  for (const text of [undefined, '', '9.9', 'x.y', '-1.-1', '__proto__']) assert.equal(writeOwn(readOwn(text, INFOS, 'language')), 'mean.mean');
  assert.equal(writeOwn(readOwn('max.1', INFOS, 'language')), 'max.1');
});

test('side by side the base is first, and no pane or list of what lies between can be asked for', () => {
  assert.ok(isSideBySide(COMPARISON) && !isSideBySide({ ...COMPARISON, members: [MEMBERS[0], { ...MEMBERS[1], own_towers: undefined }] }) && !isSideBySide(null));
  const view = readView(COMPARISON, true, {}, { left: '1', alone: 'wipe', list: 'heads', measure: 'js_row' });
  assert.deepEqual([view.left, view.right, view.alone, view.list, view.measure], [0, 1, null, 'tokens', 'js_image']);
  assert.equal(readView(COMPARISON, true, {}, { alone: 'after', list: 'answers' }).alone, 'after');
  assert.equal(writeView({ ...view, of: 'mean', split: 0.5, magnified: false, own: readOwn('3.2', INFOS, 'language') }).heads, '3.2');
});

test('it is said why, by the first tower that differs', () => {
  const rest = 'each is shown by itself; region numbers and log-probabilities are compared.';
  assert.equal(whySideBySide(INFOS), `The models have 2 × 2 and 4 × 3 layers and heads: ${rest}`);
  assert.equal(whySideBySide([runInfo(2, 2), runInfo(2, 2, [3, 2])]), `The models' vision towers have 2 × 2 and 3 × 2 layers and heads: ${rest}`);
  const hybrid = runInfo(4, 3);
  hybrid.towers.language.layers[0].file = null;
  assert.equal(whySideBySide([runInfo(2, 2), hybrid]), `The models have 2 × 2 and 3 × 3 layers with maps and heads: ${rest}`);
  assert.equal(whySideBySide([runInfo(2, 2), runInfo(2, 2)]), `The models have attention in different layers: ${rest}`);
});

const shownOf = (row, info, selection) => makeShown(info, selection, { values: Float32Array.from(row), shape: [1, row.length], dtype: 'float32', source: 'factors' });
const BEFORE = shownOf([0.1, 0.2, 0.1, 0.1, 0.5], INFOS[0], SELECTION);
const AFTER = shownOf([0.6, 0.1, 0.1, 0, 0.2], INFOS[1], { ...SELECTION, layer: 3, head: 2 });

test('nothing is measured between two rows that do not stand for each other; the place is said of each', () => {
  const pair = makePair(INFOS[0], { left: 0, right: 1, before: BEFORE, after: BEFORE, isSideBySide: true });
  assert.ok(!pair.isSame && Number.isNaN(pair.apart) && Number.isNaN(pair.apartOnImage));
  const two = { ...pair, after: AFTER };
  const said = pairWords(MEMBERS, two, INFOS[0]);
  assert.match(said, /^In “Save”: base, layer 1 head 0: 20\.0\s%; big, layer 3 head 2: 75\.0\s% of what is read of pictures \(chance 25\.0\s%\)\. Image mass 50\.0\s% → 80\.0\s%; most on/);
  assert.doesNotMatch(said, /bits|points/);
  const maps = makeMaps(two, { scale: 'map', curve: 'linear', clip: 100, sinks: 'masked', magnified: false }, null);
  assert.deepEqual([maps.before.range.high, maps.after.range.high].map((high) => high.toFixed(3)), ['0.200', '0.600'], 'each has a range of its own');
  const words = cellWords(MEMBERS, two, maps, INFOS[0].grids[0], { row: 0, col: 0 });
  assert.deepEqual([words.difference, words.readout], ['', 'row 0, col 0 · base 0.100 · big 0.600 · x 0–10, y 0–10 px']);
});

test('heads of each are asked for at the place, else by what is read of pictures, and ordered by it', async () => {
  const asked = [];
  const source = (base) => ({
    base,
    region: async () => { asked.push(`${base} region`); return { values: Float32Array.from([0, 0.25, 9, 0, 0.75, 9]), shape: [1, 2, 3], chance: [0.25, 0.3] }; },
    scores: async ({ name }) => { asked.push(`${base} ${name}`); return { values: Float32Array.from([0.5, 0.1]), shape: [1, 2] }; },
  });
  const state = createState({
    comparison: COMPARISON, info: null, pair: makePair(INFOS[0], { left: 0, right: 1, before: BEFORE, after: AFTER, isSideBySide: true }), region: null, sources: [source('a'), source('b')], best: null,
  });
  const follower = createBestFollower(state, { fail: (_, error) => assert.fail(error) });
  const found = () => new Promise((resolve) => { const end = state.on(['best'], () => { end(); resolve(state.get.best); }); });
  let next = found();
  state.set({ info: INFOS[0] });
  let best = await next;
  assert.deepEqual([asked, best.isOfPlace, best.chance, [...best.shares[1]]], [['a region', 'b region'], true, 0.25, [0.25, 0.75]]);
  asked.length = 0;
  next = found();
  state.set({ info: { ...INFOS[0], boxes: [] } });
  best = await next;
  assert.deepEqual([asked, best.isOfPlace, best.chance], [['a image_mass', 'b image_mass'], false, null]);
  const leftOut = Object.assign(new Error('not in this file'), { isLeftOut: true });
  const without = (base) => ({ ...source(base), region: () => Promise.reject(leftOut) });
  next = found();
  state.set({ sources: [without('c'), without('d')], info: INFOS[0] });
  best = await next;
  assert.deepEqual([best.isOfPlace, [...best.shares[0]], best.why], [false, [...Float32Array.of(0.5, 0.1)], 'not in this file'], 'a file without the place');
  next = found();
  state.set({ sources: ['e', 'f'].map((base) => ({ ...without(base), scores: () => Promise.reject(leftOut) })), info: { ...INFOS[0] } });
  best = await next;
  assert.deepEqual([best.shares, best.why], [[], 'not in this file']);
  follower.dispose();
  assert.deepEqual(largest(Float32Array.from([0.1, NaN, 0.7, 0.7]), 2), [2, 3]);
});
