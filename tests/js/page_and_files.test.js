/** The page gives the numbers, colours and sentences that exported files give: see tests/test_page_and_files.py. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { memberName } from '../../assets/viewer/data/comparison_info.js';
import { formatPercent, formatStrength, formatTimes, formatValue } from '../../assets/viewer/data/format.js';
import { barLabels, placeIn, position, signedPosition } from '../../assets/viewer/numbers/colour_range.js';
import { makeDrawn } from '../../assets/viewer/numbers/coloured_map.js';
import { jensenShannon, makeMaps } from '../../assets/viewer/numbers/pair.js';
import { regionCells, shareIn } from '../../assets/viewer/numbers/regions.js';
import { smoother } from '../../assets/viewer/paint/cells.js';
import { coverage, divergingPixels, entry, overlayPixels, PALETTES, solidPixels } from '../../assets/viewer/paint/palette.js';
import { targetName } from '../../assets/viewer/text/effect.js';
import { expiredWords } from '../../assets/viewer/text/expired.js';
import { learnedSinkSentence, sinksSentence } from '../../assets/viewer/text/sinks.js';
import { onLearnedSink } from '../../assets/viewer/numbers/sinks.js';

const GOLDEN = JSON.parse(readFileSync(new URL('../golden/page_and_files.json', import.meta.url), 'utf8'));

const near = (found, expected, off) => assert.ok(Math.abs(found - expected) <= off, `${found} is not ${expected}`);
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** A row on screen that is its picture's cells alone. */
function shownOf(cells, isSink, rowMass) {
  const found = isSink.some(Boolean) ? Uint8Array.from(isSink) : null;
  return {
    effect: null, direction: 'reads', layer: 0, head: 0, row: Float32Array.from(cells), cells: Float32Array.from(cells), mass: sum(cells),
    sinks: { cells: found, count: sum(isSink), mass: 0, rowMass },
  };
}

test('every number has its text', () => {
  const formats = { value: formatValue, times: formatTimes, percent: formatPercent, strength: formatStrength };
  assert.deepEqual(Object.keys(GOLDEN.texts), Object.keys(formats));
  for (const [kind, write] of Object.entries(formats)) {
    assert.deepEqual(GOLDEN.texts[kind].map(([number]) => [number, write(Number(number))]), GOLDEN.texts[kind]);
  }
});

test('a map has its range, its entries and its texts', () => {
  for (const { cells, is_sink: isSink, sink_mass: rowMass, sinks, unit, curve, high, low, end, clipped, labels, entries } of GOLDEN.ranges) {
    const scale = unit === 'uniform' ? 'uniform' : high === null ? 'map' : 'atlas';
    const { values, hidden, range } = makeDrawn(shownOf(cells, isSink, rowMass), { scale, curve, clip: 100, sinks }, high);
    near(range.low, low, 1e-7 * end);
    near(range.high, end, 1e-7 * end);
    assert.equal(range.clipped, clipped);
    const said = barLabels(range);
    assert.deepEqual([said.low, said.middle, said.high], labels);
    assert.deepEqual([...values].map((value, cell) => (hidden?.[cell] ? null : entry(position(range, value)))), entries);
  }
});

test('tokens of a target that are no neighbours are named apart', () => {
  for (const { texts, target, name } of GOLDEN.targets) {
    const tokens = texts.map((text, index) => ({ index, text, role: 'answer', grid: null }));
    assert.equal(targetName({ grids: [], images: [], tokens }, { tokens: target }), name);
  }
});

test('a map of effects has its range, its entries and its texts', () => {
  for (const { cells, curve, high, low, end, clipped, labels, entries } of GOLDEN.effects) {
    const shown = { ...shownOf(cells, cells.map(() => 0), 0), effect: { name: 'f0' } };
    const { values, range } = makeDrawn(shown, { scale: high === null ? 'map' : 'atlas', curve, clip: 100, sinks: 'masked' }, high);
    near(range.low, low, 1e-7 * end);
    near(range.high, end, 1e-7 * end);
    assert.equal(range.clipped, clipped);
    const said = barLabels(range);
    assert.deepEqual([said.low, said.middle, said.high], labels);
    assert.deepEqual([...values].map((value) => entry(placeIn(range, value))), entries);
  }
});

test('a difference has its range and its entries', () => {
  for (const { before, after, is_sink: isSink, curve, magnified, low, end, entries } of GOLDEN.differences) {
    const pair = { before: shownOf(before, isSink[0], 0), after: shownOf(after, isSink[1], 0) };
    const { difference: { values, hidden, range } } = makeMaps(pair, { scale: 'map', curve, clip: 100, sinks: 'masked', magnified }, null);
    near(range.low, low, 1e-7 * end);
    near(range.high, end, 1e-7 * end);
    assert.deepEqual([...values].map((value, cell) => (hidden?.[cell] ? null : entry(signedPosition(range, value)))), entries);
  }
});

test('a smoothed map is the mean of the cells around that have a colour', () => {
  const middles = (edges) => Float64Array.from(edges.slice(1), (edge, i) => (edges[i] + edge) / 2);
  for (const { row_edges: rows, col_edges: cols, size: [width, height], values, hidden, smoothed } of GOLDEN.smoothing) {
    const isHidden = hidden.flat().some(Boolean) ? Uint8Array.from(hidden.flat()) : null;
    const read = smoother(values.flat(), isHidden, { rows: middles(rows), cols: middles(cols) }, { width, height });
    const line = new Float64Array(width);
    for (let y = 0; y < height; y++) {
      read(y, line);
      smoothed[y].forEach((expected, x) => expected === null || near(line[x], expected, 1e-12));
    }
  }
});

test('two rows are as far apart', () => {
  for (const { p, q, bits } of GOLDEN.divergence) near(jensenShannon(p, q), bits, 1e-12);
});

test('a place has its share and its chance', () => {
  for (const { grids, image, place, row, share, uniform } of GOLDEN.regions) {
    const tokens = grids.flatMap(({ rows, cols }, grid) => Array.from({ length: rows * cols }, (_, i) => ({ grid, row: Math.floor(i / cols), col: i % cols })));
    const cells = regionCells({ grids, tokens, towers: { language: {} } }, { image, label: '', place }, 'language');
    near(cells.uniform, uniform, 1e-12);
    near(shareIn(row, cells, sum(row)), share, 1e-12);
  }
});

test('palettes have their colours and cover as much of the picture', () => {
  const hex = (pixels) => Array.from(pixels, (pixel) => [0, 8, 16].map((shift) => ((pixel >>> shift) & 255).toString(16).padStart(2, '0')).join('')).join('');
  const alpha = (pixels) => Array.from(pixels, (pixel) => pixel >>> 24);
  const tables = Object.fromEntries(PALETTES.map((name) => [name, hex(solidPixels(name))]));
  assert.deepEqual({ ...tables, differences: hex(divergingPixels(false, false)) }, GOLDEN.palettes);
  assert.deepEqual(Array.from({ length: 256 }, (_, i) => Math.round(255 * coverage(i))), GOLDEN.coverage.map);
  assert.deepEqual(alpha(overlayPixels('magma')), GOLDEN.coverage.map);
  assert.deepEqual(alpha(divergingPixels(false, true)), GOLDEN.coverage.difference);
});

test('attention on sinks has its sentence', () => {
  for (const [{ layer, head, are_shares: areShares, mode, maps }, sentence] of GOLDEN.sinks) {
    const found = maps.map(({ count, mass, total, row_mass: rowMass }) => ({ count, mass, total, rowMass }));
    assert.equal(sinksSentence({ layer, head, areShares }, found, mode), sentence);
  }
});

test('attention on a learned sink has its sentence, and is what a row lacks to 1', () => {
  for (const [masses, sentence] of GOLDEN.learned_sinks) assert.equal(learnedSinkSentence(masses), sentence);
  assert.equal(learnedSinkSentence([undefined]), '');
  const info = { towers: { language: { layers: [{ index: 0 }, { index: 1, learned_sink: true }] } } };
  const row = Float32Array.of(0.25, 0.5);
  assert.equal(onLearnedSink(info, { tower: 'language', layer: 0 }, row), undefined);
  for (const layer of [1, 'mean']) assert.equal(onLearnedSink(info, { tower: 'language', layer }, row), 0.25);
});

test('members have their names', () => {
  for (const [adapters, names] of GOLDEN.member_names) {
    const members = adapters.map((adapter) => ({ adapter }));
    assert.deepEqual(members.map((_, member) => memberName(members, member)), names);
  }
});

test('what is said of an expired run is what the server says', () => {
  assert.equal(expiredWords('run'), GOLDEN.expired);
});
