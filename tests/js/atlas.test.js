import assert from 'node:assert/strict';
import test from 'node:test';
import { labelled, layOut, makeAtlas, mapAt, sharedHigh, strength } from '../../assets/viewer/atlas.js';
import { chooseHead, withMeans } from '../../assets/viewer/reduce.js';
import { createState } from '../../assets/viewer/state.js';

const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`);

test('an atlas gains the mean over heads, over layers, and over both', () => {
  const maps = withMeans(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), 2, 2); // [2, 2, 2]
  assert.deepEqual([...maps], [1, 2, 3, 4, 2, 3, 5, 6, 7, 8, 6, 7, 3, 4, 5, 6, 4, 5]);
});

test('the mass of a pooled map is that of the whole', () => {
  const atlas = makeAtlas({ values: Float32Array.of(0.1, 0.3), shape: [1, 1, 1, 2] }, { query: 4, grid: 0 }, { rows: 2, cols: 4 });
  near(atlas.masses[0], 1.6);
  near(atlas.highestMass, 1.6);
});

test('the shared range ends at the largest value, or near the hundredth from the top', () => {
  const values = Float32Array.from({ length: 2000 }, (_, i) => (i + 1) / 2000);
  const atlas = makeAtlas({ values, shape: [1, 1, 40, 50] }, { query: 0, grid: 0 }, { rows: 40, cols: 50 });
  assert.equal(sharedHigh(atlas, 100), 1);
  const high = sharedHigh(atlas, 99);
  assert.ok(high >= 0.989 && high <= 0.99 * 1.01, String(high));
});

test('maps lie apart, inside the place, with the proportions of the picture, and are found again', () => {
  const layout = layOut({ layers: 28, heads: 16, aspect: 1.5, width: 760, height: 420, left: 30, gap: 1, apart: 6, narrowest: 10 });
  assert.ok(layout.width <= 760 && layout.height <= 420);
  assert.ok(Math.abs(layout.mapWidth / layout.mapHeight - 1.5) < 0.1);
  for (let i = 1; i < layout.x.length; i++) assert.ok(layout.x[i] - layout.x[i - 1] > layout.mapWidth);
  for (const [layer, head] of [[0, 0], [27, 15], [28, 16], [3, 16]]) {
    assert.deepEqual(mapAt(layout, layout.x[layer] + 1, layout.y[head] + 1), { layer, head });
  }
  assert.equal(mapAt(layout, 10, 10), null);
  assert.equal(mapAt(layout, layout.width + 1, 10), null);
});

test('on a narrow page maps keep a size that a thumb can hit, and the atlas scrolls', () => {
  const layout = layOut({ layers: 28, heads: 16, aspect: 1, width: 320, height: 320, left: 30, gap: 1, apart: 6, narrowest: 16 });
  assert.equal(layout.mapWidth, 16);
  assert.ok(layout.width > 320);
});

test('a map of little mass is faint, the one of most is not', () => {
  assert.equal(strength(0.5, 0.5), 1);
  assert.ok(strength(0.001, 0.5) < 0.2);
  assert.equal(strength(0, 0), 0);
});

test('labels keep their distance', () => {
  assert.deepEqual(labelled(6, 30, 20), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(labelled(28, 9, 20), [0, 5, 10, 15, 20, 25]);
});

test('heads are chosen or reduced in double precision', () => {
  const row = Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5, 0.6); // [3, 2]
  assert.deepEqual([...chooseHead(row, 3, 1)], [row[2], row[3]]);
  assert.deepEqual([...chooseHead(row, 3, 'max')], [row[4], row[5]]);
  near(chooseHead(row, 3, 'mean')[0], 0.3);
  assert.equal(chooseHead(row, 1, 'mean'), row);
});

test('listeners of a field are called once for each change, in order, before set returns', () => {
  const state = createState({ a: 1, b: 2, c: 0 });
  const calls = [];
  const stop = state.on(['a', 'b'], () => { calls.push(`ab${state.get.a}`); });
  state.on(['b'], () => { calls.push('b'); state.set({ c: state.get.c + 1 }); });
  state.on(['c'], () => calls.push('c'));
  state.set({ a: 5, b: 6 });
  assert.deepEqual(calls, ['ab5', 'b', 'c']);
  state.set({ a: 5 });
  assert.equal(calls.length, 3);
  stop();
  state.set({ a: 7 });
  assert.equal(calls.length, 3);
});
