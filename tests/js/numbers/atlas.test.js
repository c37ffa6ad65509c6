import assert from 'node:assert/strict';
import test from 'node:test';
import { choiceAt, gainsOf, makeAtlas, mapAtPlace, ownHigh, sharedHigh, sinksOfMap } from '../../../assets/viewer/numbers/atlas.js';
import { placeBeside } from '../../../assets/viewer/views/floating.js';
import { atlasOf, wantedScores } from '../../../assets/viewer/state/follow.js';
import { bestHeads, ORDERS, ranksOf } from '../../../assets/viewer/numbers/head_order.js';
import { OFFERED } from '../../../assets/viewer/state/look.js';
import { countInLines, labelled, bandOf, layOutAxes, layOutLines, layOutWithPanel, mapAt, shelfOf } from '../../../assets/viewer/paint/map_layout.js';
import { entriesOf, paintMaps } from '../../../assets/viewer/paint/small_maps.js';
import { entry, pixel, solidPixels } from '../../../assets/viewer/paint/palette.js';
import { chooseHead } from '../../../assets/viewer/numbers/reduce.js';
import { barsOf, stackedGroups } from '../../../assets/viewer/numbers/ribbon.js';
import { highOf, position, rangeOf } from '../../../assets/viewer/numbers/colour_range.js';
import { massesPath } from '../../../assets/viewer/data/source.js';
import { createState } from '../../../assets/viewer/state/state.js';

const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`);

/** A run with one picture; its cells are tokens 0, 1, 2 ... */
function infoOf(layers, heads, rows, cols, sinks = {}) {
  const tokens = Array.from({ length: rows * cols }, (_, i) => ({ index: i, role: 'image', grid: 0, row: Math.floor(i / cols), col: i % cols }));
  return {
    tokens, images: [{}], grids: [{ image: 0, tower: 'language', kind: 'whole', rows, cols, box_px: [0, 0, cols, rows] }],
    towers: { language: { heads, keys: tokens.length, layers: Array.from({ length: layers }, (_, i) => ({ index: 2 * i, kind: 'softmax', file: 'x' })) } },
    groups: { language: [{ name: 'image 1', spans: [[0, tokens.length]] }, { name: 'sink', spans: null }] }, sinks: { language: sinks },
  };
}

const WISH = { tower: 'language', direction: 'reads', query: 4, until: null, grid: 0 };
const atlasOfValues = (values, shape, sinks = {}, wish = WISH) =>
  makeAtlas({ values: Float32Array.from(values), shape }, wish, infoOf(shape[0], shape[1], shape[2], shape[3], sinks));
const mapOf = (atlas, layer, head) => {
  const { values, offset } = mapAtPlace(atlas, layer, head);
  return [...values.subarray(offset, offset + atlas.rows * atlas.cols)];
};

// The numbers

test('after the heads come their mean and maximum, after the layers their mean: heads first, then layers', () => {
  const atlas = atlasOfValues([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 1, 2]);
  const maps = [0, 1, 2].map((layer) => [0, 1, 2, 3].map((head) => mapOf(atlas, layer, head)));
  assert.deepEqual(maps, [
    [[1, 2], [3, 4], [2, 3], [3, 4]],
    [[5, 6], [7, 8], [6, 7], [7, 8]],
    [[3, 4], [5, 6], [4, 5], [5, 6]],
  ]);
  assert.deepEqual([...atlas.masses], [3, 7, 5, 7, 11, 15, 13, 15, 7, 11, 9, 11]);
  assert.deepEqual([0, 1, 2, 3].map((place) => choiceAt([0, 5], place)), [0, 5, 'mean', 'max']);
});

test('the mass of a pooled map is that of the whole', () => {
  const atlas = makeAtlas({ values: Float32Array.of(0.1, 0.3), shape: [1, 1, 1, 2] }, WISH, infoOf(1, 1, 2, 4));
  near(atlas.masses[0], 1.6);
});

test('an atlas knows the wish that it answers, as what is on screen asks for it', () => {
  const info = infoOf(2, 2, 2, 2);
  const shown = { ...WISH, token: 4, layer: 0, head: 0 };
  const atlas = makeAtlas({ values: new Float32Array(16), shape: [2, 2, 2, 2] }, { ...WISH, max_cells: 4096 }, info);
  assert.equal(atlas.name, atlasOf(info, shown));
  assert.notEqual(atlas.name, atlasOf(info, { ...shown, query: 5 }));
  assert.equal(atlasOf(info, { ...shown, direction: 'received' }), '');
});

// Sinks and ranges

test('a pooled cell that holds a sink is a sink, in its layer and in the mean over layers', () => {
  const info = infoOf(2, 1, 4, 6, { 2: [7] }); // row 1, col 1 of layer 2, the second
  assert.deepEqual([...sinksOfMap(info, 0, [7], 2, 3)], [1, 0, 0, 0, 0, 0]);
  assert.deepEqual([...sinksOfMap(info, 0, [7], 4, 6)].indexOf(1), 7);
  assert.deepEqual([...sinksOfMap(info, 0, [7], 3, 4)].filter(Boolean).length, 4); // it lies across borders
  assert.equal(sinksOfMap(info, 0, [], 2, 3), null);
  const atlas = makeAtlas({ values: new Float32Array(12), shape: [2, 1, 2, 3] }, WISH, info);
  assert.deepEqual(atlas.sinks.map((cells) => cells && [...cells].indexOf(1)), [null, 0, 0]);
  const column = makeAtlas({ values: new Float32Array(12), shape: [2, 1, 2, 3] }, { ...WISH, direction: 'read by' }, info);
  assert.deepEqual(column.sinks, [null, null, null]); // its cells are readers
});

test('the shared range ends at the largest value, or near the hundredth from the top', () => {
  const values = Float32Array.from({ length: 2000 }, (_, i) => (i + 1) / 2000);
  const atlas = atlasOfValues(values, [1, 1, 40, 50]);
  const fields = { clip: 100, sinks: 'masked', info: null, masses: null };
  assert.equal(sharedHigh(atlas, fields), 1);
  const high = sharedHigh(atlas, { ...fields, clip: 99 });
  assert.ok(high >= 0.989 && high <= 0.99 * 1.01, String(high));
});

test('a sink is in no range, unless raw numbers are asked for', () => {
  const values = [9, 1, 2, 3, 9, 4, 5, 6];
  const atlas = atlasOfValues(values, [2, 1, 2, 2], { 0: [0], 2: [0] });
  const fields = { clip: 100, sinks: 'masked', info: null, masses: null };
  assert.equal(sharedHigh(atlas, fields), 6);
  assert.equal(sharedHigh(atlas, { ...fields, sinks: 'raw' }), 9);
  const scratch = new Float32Array(4);
  assert.equal(ownHigh(atlas.maps, 0, 100, atlas.sinks[0], scratch), 3);
  assert.equal(ownHigh(atlas.maps, 0, 100, null, scratch), 9);
});

test('the range of a map ends where the one on the picture ends', () => {
  for (const [count, clip] of [[300, 99], [300, 95], [300, 100], [2000, 95]]) {
    const values = Float32Array.from({ length: count + 5 }, (_, i) => ((i * 7919) % 1009) / 1009);
    const hidden = Uint8Array.from({ length: count }, (_, i) => Number(i % 50 === 3));
    const map = values.subarray(5);
    near(ownHigh(values, 5, clip, null, new Float32Array(count)), highOf(map, clip));
    near(ownHigh(values, 5, clip, hidden, new Float32Array(count)), rangeOf(map, { clip, hidden }).high);
  }
});

test('renormalised maps are divided by what is not on sinks, as far as that is known', () => {
  const info = infoOf(2, 2, 1, 2, { 0: [0] });
  const atlas = makeAtlas({ values: new Float32Array(8).fill(0.1), shape: [2, 2, 1, 2] }, WISH, info);
  const masses = { name: massesPath(WISH), values: Float32Array.of(0.6, 0.5, 0.4, 0.25, 1, 0, 1, 0), positions: [] };
  const gains = gainsOf(atlas, { info, sinks: 'renormalised', masses });
  [2, 1 / 0.75, 1 / 0.625, 1, 1, 1, 1, 1, 1, 1, 1, 1].forEach((gain, i) => near(gains[i], gain));
  assert.equal(gainsOf(atlas, { info, sinks: 'masked', masses }), null);
  assert.equal(gainsOf(atlas, { info, sinks: 'renormalised', masses: { ...masses, name: 'of another row' } }), null);
  near(sharedHigh(atlas, { clip: 100, sinks: 'renormalised', info, masses }), 0.2);
  near(sharedHigh(atlas, { clip: 100, sinks: 'renormalised', info, masses: null }), 0.1);
});

// Painting

test('entries are those of the colour bar, on every curve', () => {
  const values = Float32Array.from({ length: 999 }, (_, i) => (i / 700) ** 3);
  for (const curve of ['linear', 'sqrt', 'log']) {
    const into = new Uint8Array(999);
    entriesOf(values, 0, 999, 0.7, curve, into);
    const range = rangeOf(values, { curve, high: 0.7 });
    values.forEach((value, i) => {
      const place = position(range, value);
      if (Math.abs(place * 256 - Math.round(place * 256)) > 1e-3) assert.equal(into[i], entry(place), `${curve} ${value}`);
    });
    entriesOf(values, 0, 999, 0, curve, into);
    assert.ok(into.every((index) => index === 0));
  }
});

const STRIPES = [111, 222];
function painted(map, shape, bar = null) {
  const pixels = new Uint32Array(shape.width * shape.height);
  paintMaps([{ offset: 0, share: null, hidden: null, x: 0, y: 0, ...map }], shape, { palette: solidPixels('grey'), curve: 'linear', stripes: STRIPES, stripe: 2, bar }, pixels, shape.width);
  return [...pixels];
}
const grey = (index) => pixel(index, index, index, 255);

test('cells are squares where there is room, and averaged where there is none', () => {
  const values = Float32Array.of(0, 0.5, 0.5, 1);
  assert.deepEqual(painted({ values, high: 1 }, { rows: 2, cols: 2, width: 4, height: 2 }), [0, 0, 128, 128, 128, 128, 255, 255].map(grey));
  assert.deepEqual(painted({ values, high: 1 }, { rows: 2, cols: 2, width: 1, height: 1 }), [grey(128)]);
});

test('hidden cells are striped and in no average', () => {
  const shape = { rows: 2, cols: 4, width: 4, height: 2 };
  const values = Float32Array.of(9, 0, 0.5, 0.5, 9, 0, 0.5, 0.5);
  const hidden = Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0);
  const wide = painted({ values, high: 1, hidden }, shape);
  assert.ok(STRIPES.includes(wide[0]) && STRIPES.includes(wide[4]));
  assert.deepEqual(wide.slice(1, 4), [0, 128, 128].map(grey));
  // Averaged down, the pixel with the middle of a hidden cell is striped; the others do not know of it.
  const small = painted({ values, high: 1, hidden }, { rows: 2, cols: 4, width: 2, height: 1 });
  assert.ok(STRIPES.includes(small[0]));
  assert.equal(small[1], grey(128));
  const part = painted({ values: Float32Array.of(0.25, 9, 0.25), high: 1, hidden: Uint8Array.of(0, 1, 0) }, { rows: 1, cols: 3, width: 2, height: 1 });
  assert.equal(part[0], grey(64)); // a third of it is hidden: the rest is not diluted
});

test('the bar on the lower edge is as long as the share of the row, and nothing else is touched', () => {
  const shape = { rows: 1, cols: 1, width: 4, height: 3 };
  const bar = { height: 1, filled: 7, empty: 8 };
  const values = Float32Array.of(1);
  const map = [255, 255, 255, 255, 255, 255, 255, 255].map(grey);
  assert.deepEqual(painted({ values, high: 1, share: 0.5 }, shape, bar), [...map, 7, 7, 8, 8]);
  assert.deepEqual(painted({ values, high: 1, share: 1 }, shape, bar).slice(8), [7, 7, 7, 7]);
  assert.deepEqual(painted({ values, high: 1, share: 0.001 }, shape, bar).slice(8), [7, 8, 8, 8], 'a little is not nothing');
  assert.deepEqual(painted({ values, high: 1, share: 0 }, shape, bar).slice(8), [8, 8, 8, 8]);
  assert.deepEqual(painted({ values, high: 1, share: null }, shape, bar), [...map, ...map.slice(4)], 'a maximum over heads is no share');
});

// Where maps lie

test('heads of a tall picture go on in bands beside, all in the place, and are found again', () => {
  const layout = layOutAxes({ layers: 5, heads: 4, reduced: { layers: 1, heads: 2 }, aspect: 2 / 34, width: 560, height: 360, left: 34, gap: 2, apart: 6, narrowest: 8 });
  assert.ok(layout.bands > 1 && layout.mapWidth >= 4, JSON.stringify(layout));
  assert.ok(layout.width <= 560 && layout.height <= 360);
  for (let head = 0; head < 6; head++) {
    for (let layer = 0; layer < 6; layer++) {
      const at = [layout.x[layer] + bandOf(layout, head) + 1, layout.y[head] + layout.mapHeight - 1];
      assert.deepEqual(mapAt(layout, ...at), { layer, head });
    }
  }
});

test('many layers go on on shelves below where that makes the maps larger, all in the place, and are found again', () => {
  for (const [layers, heads, most] of [[34, 2, 9], [28, 16, 3], [5, 4, 1]]) {
    const place = { layers, heads, reduced: { layers: 1, heads: 2 }, aspect: 1.6, width: 580, height: 640, left: 34, gap: 1, apart: 6, narrowest: 8, below: 20 };
    const [layout, one] = [layOutAxes(place), layOutAxes({ ...place, below: null })];
    assert.equal(one.shelves, 1);
    assert.ok(layout.shelves <= most && (layout.shelves === 1) === (most === 1), JSON.stringify(layout));
    if (most > 1) assert.ok(layout.mapWidth > 1.15 * one.mapWidth);
    else assert.deepEqual([layout.mapWidth, layout.x], [one.mapWidth, one.x]);
    assert.ok(layout.width <= 580 && layout.height <= 640);
    for (let head = 0; head < heads + 2; head++) {
      for (let layer = 0; layer <= layers; layer++) {
        const at = [layout.x[layer] + layout.mapWidth - 1, layout.y[head] + shelfOf(layout, layer) + layout.mapHeight - 1];
        assert.deepEqual(mapAt(layout, ...at), { layer, head });
      }
    }
    if (most > 1) assert.equal(mapAt(layout, layout.x[1] + 1, layout.shelfHeight + 10), null, 'a label');
  }
});

const PLACE = { layers: 28, heads: 16, reduced: { layers: 1, heads: 2 }, aspect: 1.5, width: 760, height: 420, left: 30, gap: 1, apart: 6, narrowest: 10 };

test('maps lie apart, inside the place, with the proportions of the picture, and are found again', () => {
  const layout = layOutAxes(PLACE);
  assert.deepEqual([layout.x.length, layout.y.length], [29, 18]);
  assert.ok(layout.width <= 760 && layout.height <= 420);
  assert.ok(Math.abs(layout.mapWidth / layout.mapHeight - 1.5) < 0.1);
  for (let i = 1; i < layout.x.length; i++) assert.ok(layout.x[i] - layout.x[i - 1] > layout.mapWidth);
  for (const [layer, head] of [[0, 0], [27, 15], [28, 16], [3, 17]]) {
    assert.deepEqual(mapAt(layout, layout.x[layer] + 1, layout.y[head] + 1), { layer, head });
  }
  assert.equal(layout.y[16] - layout.y[15], layout.mapHeight + 1 + 6);
  assert.equal(layout.y[17] - layout.y[16], layout.mapHeight + 1);
  assert.equal(mapAt(layout, 10, 10), null);
  assert.equal(mapAt(layout, layout.width + 1, 10), null);
});

test('on a narrow page maps keep a size that a thumb can hit, and the atlas scrolls', () => {
  const layout = layOutAxes({ ...PLACE, aspect: 1, width: 320, height: 320, narrowest: 16 });
  assert.equal(layout.mapWidth, 16);
  assert.ok(layout.width > 320);
});

test('a panel stands where the maps come out largest: below many layers, beside a few', () => {
  const panels = [{ height: 64, width: 0 }, { height: 0, width: 200 }];
  assert.equal(layOutWithPanel({ ...PLACE, height: 700 }, panels).panel, 0);
  const few = layOutWithPanel({ ...PLACE, layers: 4, heads: 4, height: 240 }, panels);
  assert.equal(few.panel, 1);
  assert.ok(few.layout.width + 200 <= PLACE.width && few.layout.height <= 240);
});

test('lines of maps fill the place, and scroll rather than get too small', () => {
  const room = { count: 18, aspect: 1.6, width: 700, height: 170, gap: 6, caption: 18, narrowest: 50 };
  const lines = layOutLines(room);
  assert.ok(lines.width <= 700 && lines.height <= 170 && lines.mapWidth >= 70);
  for (let i = 0; i < 18; i++) {
    for (let j = 0; j < i; j++) assert.ok(Math.abs(lines.x[i] - lines.x[j]) >= lines.mapWidth || Math.abs(lines.y[i] - lines.y[j]) >= lines.mapHeight + 18);
  }
  const narrow = layOutLines({ ...room, width: 300, narrowest: 76 });
  assert.ok(narrow.mapWidth >= 76 && narrow.width <= 300 && narrow.height > 170);
  const count = countInLines({ ...room, count: 24 }, { fewest: 12, least: 76 });
  assert.ok(count >= 12 && count < 24 && layOutLines({ ...room, count }).mapWidth >= 76);
});

test('a panel beside what is pointed at is whole in the window', () => {
  const [size, page] = [{ width: 240, height: 200 }, { width: 1000, height: 700 }];
  for (const [left, top] of [[0, 0], [980, 0], [980, 680], [0, 680], [500, 300]]) {
    for (const isAbove of [false, true]) {
      const box = { left, top, width: 20, height: 20 };
      const at = placeBeside(box, size, page, isAbove);
      assert.ok(at.left >= 0 && at.top >= 0 && at.left + 240 <= 1000 && at.top + 200 <= 700, `${left} ${top}`);
      const isApart = at.left >= left + 20 || at.left + 240 <= left || at.top >= top + 20 || at.top + 200 <= top;
      assert.ok(isApart, 'it would hide what is pointed at');
    }
  }
});

test('labels keep their distance', () => {
  assert.deepEqual(labelled(6, 30, 20), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(labelled(28, 9, 20), [0, 5, 10, 15, 20, 25]);
});

// Orders

test('heads come in the order of their scores: masses from the highest, entropies from the lowest', () => {
  const scores = Float32Array.of(0.2, 0.9, 0.2, 0.5, 0.4, 0.1); // two layers of three heads
  assert.deepEqual(ranksOf(scores, 3, 'image_mass').map((heads) => [...heads]), [[1, 0, 2], [0, 1, 2], [1, 0, 2]]);
  assert.deepEqual(ranksOf(scores, 3, 'entropy').map((heads) => [...heads]), [[0, 2, 1], [2, 1, 0], [2, 0, 1]]);
  assert.deepEqual([...ranksOf(Float32Array.of(NaN, 3, 1), 3, 'entropy')[0]], [2, 1, 0]);
  assert.deepEqual(Object.keys(ORDERS), OFFERED.order);
});

test('every head has one rank, and ranks lead back to heads', () => {
  const scores = Float32Array.from({ length: 5 * 16 }, (_, i) => ((i * 37) % 11) / 11);
  for (const heads of ranksOf(scores, 16, 'value')) assert.deepEqual([...heads].sort((a, b) => a - b), Array.from({ length: 16 }, (_, i) => i));
});

test('the best by entropy are among those that read of the picture', () => {
  const scores = Float32Array.of(0.1, 2, 3, 1);
  const masses = Float32Array.of(0.001, 0.5, 0.6, 0.4);
  assert.deepEqual(bestHeads(scores, masses, 'entropy'), [1, 2]); // half of all
  assert.deepEqual(bestHeads(scores, masses, 'entropy', 1), [1]);
  assert.deepEqual(bestHeads(scores, masses, 'value', 2), [2, 1]);
  assert.deepEqual(bestHeads(Float32Array.of(NaN, 1), Float32Array.of(1, 1), 'image_mass'), [1]);
});

test('scores are of rows, and a value is that at a pinned cell', () => {
  const info = infoOf(1, 1, 2, 3);
  assert.equal(wantedScores(info, WISH, 'number', null), null);
  assert.equal(wantedScores(info, { ...WISH, direction: 'read by' }, 'entropy', null), null);
  assert.equal(wantedScores(info, WISH, 'entropy', null).name, 'entropy');
  assert.equal(wantedScores(info, WISH, 'value', null), null);
  assert.equal(wantedScores(info, WISH, 'value', { grid: 0, row: 1, col: 2 }).key, 5);
});

// The ribbon

const GROUPS = [
  { name: 'system', spans: [[0, 1]] }, { name: 'prompt', spans: [[5, 8]] }, { name: 'thinking', spans: [] }, { name: 'answer', spans: [[8, 9]] },
  { name: 'image 1', spans: [[1, 3]] }, { name: 'image 2', spans: [[3, 5]] }, { name: 'sink', spans: null },
];

test('parts of a bar stand on each other, pictures at the bottom, and hold the whole row', () => {
  assert.deepEqual(stackedGroups(GROUPS).map(({ name }) => name), ['image 1', 'image 2', 'prompt', 'answer', 'system']);
  const masses = Float32Array.of(
    0.1, 0.2, 0, 0.1, 0.4, 0.2, 0.3, /**/ 0.5, 0.1, 0, 0.2, 0.1, 0.1, 0.5, // one layer, two heads
    0.2, 0.2, 0, 0.2, 0.2, 0.2, 0, /**/ 0.2, 0.2, 0, 0.2, 0.2, 0.2, 0,
  );
  const bars = barsOf(masses, GROUPS, 2, 0);
  assert.equal(bars.length, 3); // two layers and their mean
  for (const { parts } of bars) {
    near(parts[0].from, 0);
    parts.slice(1).forEach(({ from }, i) => near(from, parts[i].to));
    near(parts.at(-1).to, 1);
    for (const { from, to, mass } of parts) near(to - from, mass);
  }
  near(bars[0].parts[0].mass, 0.4);
  near(bars[0].sink, 0.3);
  near(bars[2].parts[0].mass, 0.3);
  near(barsOf(masses, GROUPS, 2, 1)[0].sink, 0.2); // never more than what is on pictures
  near(barsOf(masses, GROUPS, 2, 'mean')[0].parts[0].mass, 0.25);
  assert.deepEqual(barsOf(masses, GROUPS, 2, 'max'), barsOf(masses, GROUPS, 2, 'mean'));
});

// Others

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
