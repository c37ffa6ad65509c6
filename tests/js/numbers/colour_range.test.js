import assert from 'node:assert/strict';
import test from 'node:test';
import { formatValue } from '../../../assets/viewer/data/format.js';
import { barLabels, nthLargest, position, rangeOf, valueAt } from '../../../assets/viewer/numbers/colour_range.js';

const random = (count, seed = 1) => Float32Array.from({ length: count }, () => (seed = (seed * 16807) % 2147483647) / 2147483647);

test('without clipping the last colour is the maximum, and the bar says that number', () => {
  const range = rangeOf([0.1, 0.4, 0.2]);
  assert.deepEqual(range, { low: 0, high: 0.4, curve: 'linear', unit: 'attention', factor: 1, maximum: 0.4, clipped: 0 });
  assert.equal(position(range, 0.4), 1);
  assert.deepEqual(barLabels(range), { unit: 'attention', low: '0', middle: '0.200', high: '0.400', note: '' });
});

test('with clipping the bar says so, and the number is where the overlay saturates', () => {
  const values = random(1000);
  const sorted = [...values].sort((a, b) => b - a);
  for (const clip of [99, 95]) {
    const spared = (1000 * (100 - clip)) / 100;
    const range = rangeOf(values, { clip });
    assert.equal(range.high, sorted[spared]);
    assert.equal(range.clipped, spared);
    assert.equal(barLabels(range).high, `≥\u202f${formatValue(range.high)}`);
    assert.match(barLabels(range).note, new RegExp(`^${spared} cells above, up to `));
    assert.equal(position(range, range.high), 1);
    assert.ok(position(range, sorted[spared + 1]) < 1);
  }
});

test('clipping does not make noise of a map with one peak', () => {
  const values = new Float32Array(400).fill(0.0002);
  values[7] = 0.9;
  const range = rangeOf(values, { clip: 99 });
  assert.ok(Math.abs(range.high - 0.09) < 1e-6);
  assert.ok(position(range, values[0]) < 0.01);
});

test('maps of zeros, of equal values and of few cells have a range', () => {
  for (const curve of ['linear', 'sqrt', 'log']) {
    const zeros = rangeOf(new Float32Array(9), { clip: 99, curve });
    assert.equal(zeros.high, 0);
    assert.equal(position(zeros, 0), 0);
    assert.equal(position(rangeOf(new Float32Array(200).fill(0.25), { clip: 99, curve }), 0.25), 1);
  }
  assert.equal(rangeOf([0.5, 0.25], { clip: 99 }).high, 0.5);
});

test('a range given from outside counts what lies above it', () => {
  const { high, maximum, clipped } = rangeOf([1, 2, 3, 4], { high: 2 });
  assert.deepEqual({ high, maximum, clipped }, { high: 2, maximum: 4, clipped: 2 });
});

test('curves bend what lies between the ends, and the bar can be read backwards', () => {
  const linear = rangeOf([1], {});
  const root = rangeOf([1], { curve: 'sqrt' });
  const log = rangeOf([1], { curve: 'log' });
  assert.deepEqual([linear, root].map((range) => position(range, 0.25)), [0.25, 0.5]);
  assert.ok(Math.abs(position(log, 0.1) - 2 / 3) < 1e-12);
  assert.deepEqual([position(log, 0.001), position(log, 0), log.low], [0, 0, 0.001]);
  assert.equal(barLabels(log).low, '≤\u202f0.00100');
  for (const range of [linear, root, log]) {
    for (const place of [0.1, 0.5, 0.9]) assert.ok(Math.abs(position(range, valueAt(range, place)) - place) < 1e-12);
  }
});

test('the absolute scale counts in multiples of even attention, whatever the map', () => {
  const values = [0.002, 0.001, 0.5, 0];
  const range = rangeOf(values, { curve: 'log', even: 0.001, clip: 99 });
  assert.deepEqual([range.low, range.high, range.unit, range.clipped], [0.1, 100, 'uniform', 1]);
  assert.ok(Math.abs(position(range, 0.001) - 1 / 3) < 1e-12); // even attention: a third of three decades
  assert.equal(position(range, 0.5), 1);
  assert.deepEqual([barLabels(range).low, barLabels(range).high, barLabels(range).unit], ['≤\u202f0.10×', '≥\u202f100×', 'times even attention']);
  assert.equal(position(rangeOf([0, 0], { even: 0 }), 0), 0);
});

test('hidden values count neither for the range nor as clipped', () => {
  const range = rangeOf([0.9, 0.1, 0.2], { hidden: Uint8Array.of(1, 0, 0) });
  assert.ok(Math.abs(range.high - 0.2) < 1e-7);
  assert.equal(range.clipped, 0);
});

test('the nth largest value, also among equals', () => {
  const values = random(500, 9);
  const sorted = [...values].sort((a, b) => b - a);
  for (const n of [0, 1, 5, 40]) assert.equal(nthLargest(values, n), sorted[n]);
  assert.equal(nthLargest([3, 3, 3, 1], 1), 3);
});

