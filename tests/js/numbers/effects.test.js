import assert from 'node:assert/strict';
import test from 'node:test';
import { atlasPath, regionPath, rowPath, scoresPath } from '../../../assets/viewer/data/source.js';
import { directionsOf, isOf } from '../../../assets/viewer/data/selection.js';
import { makeAtlas, mapAtPlace, ownHigh, sharedHigh } from '../../../assets/viewer/numbers/atlas.js';
import { barLabels, placeIn, rangeOf } from '../../../assets/viewer/numbers/colour_range.js';
import { makeDrawn } from '../../../assets/viewer/numbers/coloured_map.js';
import { bestHeads, orderOf, ORDERS, ranksOf } from '../../../assets/viewer/numbers/head_order.js';
import { makeTint } from '../../../assets/viewer/numbers/token_tint.js';
import { makeShown, wantedAtlas, wantedScores } from '../../../assets/viewer/state/follow.js';
import { startingLook } from '../../../assets/viewer/state/look.js';
import { divergingPixels, entry } from '../../../assets/viewer/paint/palette.js';
import { paintMaps, signedEntriesOf } from '../../../assets/viewer/paint/small_maps.js';
import { heldNow, makeItems, setRanges, viewOf } from '../../../assets/viewer/views/atlas/atlas_maps.js';

const EFFECT = { kind: 'forecast', name: 'f0', tokens: [3], isWhole: true, towers: ['language'], value: -1 };
const INFO = {
  tokens: [0, 1, 2, 3].map((index) => ({ index, role: index < 2 ? 'image' : index < 3 ? 'prompt' : 'answer', text: 'abcd'[index], ...(index < 2 ? { grid: 0, row: 0, col: index } : { grid: null }) })),
  images: [{}], grids: [{ image: 0, tower: 'language', kind: 'whole', rows: 1, cols: 2, box_px: [0, 0, 2, 1] }],
  towers: { language: { heads: 2, keys: 4, layers: [{ index: 0, file: 'x' }, { index: 3, file: 'y' }] } }, groups: { language: [] }, sinks: { language: { 0: [0] } },
};
const SELECTION = { tower: 'language', direction: 'received', token: 3, until: null, reading: 'predicting', layer: 0, head: 'mean', grid: 0 };
const numbers = (values, shape) => ({ values: Float32Array.from(values), shape, dtype: 'float32', source: 'forecast' });
const shownOf = (values, changes = {}, shape = [2, 4]) => makeShown(INFO, { ...SELECTION, ...changes }, numbers(values, shape), { effect: EFFECT });

// Addresses

test('what is read and what a forecast says have addresses of their own; of all rows no row is named', () => {
  const row = { tower: 'language', direction: 'reads', layer: 1, head: 0, query: 4 };
  assert.equal(rowPath({ ...row, effect: 'f0' }), `${rowPath(row)}&reading=f0`);
  assert.equal(rowPath({ ...row, effect: 'f0', direction: 'read by' }), 'column?tower=language&layer=1&key=4&reading=f0');
  assert.equal(rowPath({ ...row, effect: 'f0', direction: 'received', layer: 'mean', head: 'max' }), 'row?tower=language&layer=mean&head=max&reading=f0');
  assert.equal(rowPath({ ...row, effect: null, direction: 'received' }), 'received?tower=language&layer=1');
  assert.equal(atlasPath({ tower: 'language', direction: 'received', query: 4, grid: 0, max_cells: 9, effect: 'f0' }), 'atlas?tower=language&grid=0&max_cells=9&reading=f0');
  const region = { place: [1, 2], image: 0 };
  assert.equal(regionPath({ tower: 'language', query: 4, region, effect: 'f0' }), 'region?tower=language&point=1,2&image=0&reading=f0');
  assert.equal(wantedAtlas(INFO, SELECTION), null, 'there is no atlas of what is received');
  assert.equal(wantedAtlas(INFO, SELECTION, EFFECT).effect, 'f0');
  assert.deepEqual([directionsOf(INFO, 'language').includes('received'), directionsOf(INFO, 'language', true).includes('received')], [false, true]);
});

// Sums

test('effects of heads, layers and rows add up, where a server sends their means; the largest is that of either sign', () => {
  const values = [1, -2, 0, 0, 3, -6, 0, 1];
  assert.deepEqual([...shownOf(values).row], [4, -8, 0, 1]);
  assert.deepEqual([...shownOf(values, { layer: 'mean' }).row], [8, -16, 0, 2], 'two layers');
  assert.deepEqual([...shownOf([1, -2, 0, 0], { layer: 'mean' }, [1, 4]).row], [4, -8, 0, 0], 'of two heads each');
  assert.deepEqual([...shownOf(values, { direction: 'reads', token: 1, until: 3, reading: 'own', head: 1 }).row], [9, -18, 0, 3], 'three rows');
  const largest = shownOf(values, { head: 'max' });
  assert.deepEqual([...largest.row], [3, -6, 0, 1]);
  assert.deepEqual([largest.argmax, largest.mass, largest.sinks.count, largest.sinks.learned], [1, -3, 0, undefined]);
  assert.ok(isOf(INFO, { ...SELECTION, head: 'max' }, largest, EFFECT) && !isOf(INFO, { ...SELECTION, head: 'max' }, largest, null), 'it is none of what is read');
});

test('an atlas of effects has sums after its heads and layers, and knows how large each map is', () => {
  const wish = { tower: 'language', direction: 'received', query: 3, grid: 0, effect: 'f0' };
  const atlas = makeAtlas(numbers([1, -1, -3, 2, 0, 0, 0, 4], [2, 2, 1, 2]), wish, INFO);
  const mapOf = (layer, head) => {
    const { values, offset } = mapAtPlace(atlas, layer, head);
    return [...values.subarray(offset, offset + 2)];
  };
  assert.deepEqual([mapOf(0, 2), mapOf(0, 3), mapOf(2, 0), mapOf(2, 2)], [[-2, 1], [-3, 2], [1, -1], [-2, 5]]);
  assert.deepEqual([atlas.masses[0], atlas.masses[2], atlas.sizes[0], atlas.sizes[1], atlas.sizes[10]], [0, -1, 2, 5, 7]);
  assert.deepEqual(atlas.sinks, [null, null, null], 'what a sink does counts as any effect');
  assert.equal(sharedHigh(atlas, { clip: 100, sinks: 'masked', info: INFO, masses: null }), 4);
  assert.equal(ownHigh(atlas.maps, 2, 100, null, new Float32Array(2)), 3);
});

// Colours

test('colours go as far below 0 as above it, and 0 is in their middle, on every curve', () => {
  const values = Float32Array.of(-0.5, 0, 0.25, 0.01);
  for (const curve of ['linear', 'sqrt', 'log']) {
    const range = rangeOf(values, { curve, isEffect: true });
    assert.deepEqual([placeIn(range, 0), placeIn(range, -0.5), placeIn(range, 0.5)], [0.5, 0, 1]);
    assert.ok(Math.abs(placeIn(range, 0.25) + placeIn(range, -0.25) - 1) < 1e-9);
    const into = new Uint8Array(4);
    signedEntriesOf(values, 0, 4, range.high, curve, into);
    assert.deepEqual([...into], [...values].map((value) => entry(placeIn(range, value))));
  }
  const { low, middle, high, unit, note } = barLabels(rangeOf(values, { isEffect: true }));
  assert.deepEqual([low, middle, high, unit, note], ['−0.500', '0', '+0.500', 'forecast, nats', '− loses, + gains']);
  const clipped = barLabels(rangeOf(Float32Array.from({ length: 200 }, (_, i) => (i === 7 ? -9 : 1)), { clip: 99, isEffect: true }));
  assert.match(clipped.low, /^≤\u202f−/);
  assert.match(clipped.note, /1 cell beyond, up to ±9/);
  assert.deepEqual([barLabels(rangeOf([0, 0], { isEffect: true })).low, placeIn(rangeOf([0, 0], { isEffect: true }), 0)], ['0', 0.5]);
});

test('a map of effects hides no sink and is on no scale of even attention', () => {
  const shown = shownOf([1, -2, 0, 0, 3, -6, 0, 1]);
  const { values, hidden, range } = makeDrawn(shown, { ...startingLook(), scale: 'uniform', sinks: 'renormalised', clip: 100 }, null);
  assert.deepEqual([values, hidden, range.unit, range.high, range.factor], [shown.cells, null, 'effect', 8, 1]);
});

test('a small map of effects is painted about zero, averaged with its signs', () => {
  const colours = { palette: divergingPixels(false, false), curve: 'linear', isSigned: true, stripes: [1, 2], stripe: 2, bar: null };
  const pixels = new Uint32Array(2);
  paintMaps([{ values: Float32Array.of(-1, 1), offset: 0, high: 1, share: null, hidden: null, x: 0, y: 0 }], { rows: 1, cols: 2, width: 2, height: 1 }, colours, pixels, 2);
  assert.deepEqual([...pixels], [colours.palette[0], colours.palette[255]]);
  const one = new Uint32Array(1);
  paintMaps([{ values: Float32Array.of(-1, 1), offset: 0, high: 1, share: null, hidden: null, x: 0, y: 0 }], { rows: 1, cols: 2, width: 1, height: 1 }, colours, one, 1);
  assert.equal(one[0], colours.palette[128]);
});

test('tokens are tinted to the largest effect, however small, and sinks as any other', () => {
  const tint = makeTint(INFO, shownOf([1e-6, -4e-6, 0, 0, 0, 0, 0, 0]), 'masked', [0, 1, 2, 3]);
  assert.deepEqual([tint.end, tint.hidden, tint.sinks], [Math.fround(4e-6), null, 0]);
});

// Heads

test('heads are ordered by the forecast of silencing them, and by the effect at the pinned cell, whatever its sign', () => {
  const shown = shownOf([1, -2, 0, 0, 3, -6, 0, 1]);
  const asked = (order, changes = {}, pinned = null) => {
    const wish = wantedScores(INFO, { ...shown, ...changes }, order, pinned);
    return wish && scoresPath(wish);
  };
  assert.equal(asked('silence'), 'scores?tower=language&name=silence_zero&reading=f0');
  assert.equal(asked('silence', { direction: 'read by' }), 'scores?tower=language&name=silence_zero&reading=f0', 'it is of no row');
  const pinned = { grid: 0, row: 0, col: 1 };
  assert.equal(asked('value', {}, pinned), 'scores?tower=language&name=value&key=1&reading=f0');
  assert.equal(asked('value', { direction: 'reads' }, pinned), 'scores?tower=language&name=value&query=3&key=1&reading=f0');
  assert.deepEqual([asked('value', { direction: 'read by' }, pinned), asked('effect'), asked('image_mass')], [null, null, null]);
  const silenced = Float32Array.of(0.5, -2, 1, 0);
  assert.deepEqual(ranksOf(silenced, 2, 'silence').map((ranks) => [...ranks]), [[1, 0], [0, 1], [1, 0]]);
  assert.deepEqual(bestHeads(silenced, silenced, 'silence'), [1, 2, 0, 3]);
  assert.equal(ORDERS.silence.write(-2), '−2.00');
});

test('heads are ordered by the size of their effect; orders by what is read are none of effects', () => {
  assert.deepEqual(['number', 'effect', 'silence', 'value', 'image_mass'].map((order) => orderOf(order, true)), ['number', 'effect', 'silence', 'value', 'effect']);
  assert.deepEqual(['effect', 'silence', 'entropy'].map((order) => orderOf(order, false)), ['number', 'number', 'entropy']);
  assert.equal(ORDERS.effect.unit, 'nats');
  const wish = wantedAtlas(INFO, SELECTION, EFFECT);
  const atlas = makeAtlas(numbers([1, -1, -3, 2, 0, 0, 0, 4], [2, 2, 1, 2]), wish, INFO);
  const shown = shownOf([1, -2, 0, 0, 3, -6, 0, 1]);
  const fields = { info: INFO, tower: 'language', grid: 0, shown, atlas, scores: null, order: 'image_mass', pinned: null, region: null, found: null, selection: SELECTION, reading: EFFECT, atlasView: 'best', sinks: 'masked', masses: null, scale: 'map', clip: 100 };
  assert.equal(viewOf(fields), 'best', 'all rows together have maps of every head');
  const { held, isStale } = heldNow(null, fields);
  assert.deepEqual([isStale, held.order, [...held.scores]], [false, 'effect', [2, 5, 0, 4]]);
  assert.deepEqual(ranksOf(held.scores, 2, 'effect').map((ranks) => [...ranks]), [[1, 0], [1, 0], [1, 0]]);
  assert.deepEqual(bestHeads(held.scores, [0, -1, 0, 4], 'effect'), [1, 3, 0, 2], 'also where effects take each other away');
  const items = makeItems(held, fields);
  assert.deepEqual(items.map(({ caption }) => caption), ['L0 H1 −1.00', 'L3 H1 +4.00', 'L0 H0 0', 'L3 H0 0']);
  setRanges(items, held, fields, null);
  assert.deepEqual(items.map(({ map }) => [map.high, map.share]), [[3, 1], [4, 4 / 5], [1, 2 / 5], [0, 0]], 'the bar says how large beside the largest');
  assert.equal(heldNow(held, { ...fields, reading: null }).isStale, true, 'what is read is not here yet');
  const layer = makeItems({ ...held, view: 'layer' }, fields);
  assert.deepEqual(layer.map(({ caption }) => caption), ['H1 −3.00', 'H0 −1.00', 'sum −4.00', 'largest']);
});
