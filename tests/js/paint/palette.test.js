import assert from 'node:assert/strict';
import test from 'node:test';
import { PALETTES, blend, coverage, divergingPixels, entry, mapPixels, overlayPixels, pixel, rgb, solidPixels } from '../../../assets/viewer/paint/palette.js';

const ENDS = {
  cividis: [[0, 34, 77], [253, 231, 55]], magma: [[0, 0, 3], [251, 252, 191]], viridis: [[68, 1, 84], [253, 231, 36]], blues: [[247, 251, 255], [8, 48, 107]], grey: [[0, 0, 0], [255, 255, 255]],
};
const lightness = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;

test('palettes have 256 entries, their known ends, and grow lighter all the way, or darker', () => {
  assert.deepEqual(PALETTES, Object.keys(ENDS));
  for (const name of PALETTES) {
    const bytes = rgb(name);
    const colour = (i) => [...bytes.subarray(3 * i, 3 * i + 3)];
    assert.equal(bytes.length, 768);
    for (const [i, end] of [[0, ENDS[name][0]], [255, ENDS[name][1]]]) {
      colour(i).forEach((channel, c) => assert.ok(Math.abs(channel - end[c]) <= 2, `${name} ${i}: ${colour(i)}`));
    }
    const way = name === 'blues' ? -1 : 1;
    for (let i = 8; i < 256; i += 8) assert.ok(way * (lightness(colour(i)) - lightness(colour(i - 8))) > 0, `${name} at ${i}`);
  }
});

test('an entry is chosen as matplotlib chooses it', () => {
  assert.deepEqual([0, 0.5 / 256, 1 / 256, 0.5, 255.9 / 256, 1, 1.5, -1, NaN].map(entry), [0, 0, 1, 128, 255, 255, 255, 0, 0]);
});

test('low attention leaves the picture visible, the highest covers it', () => {
  assert.equal(coverage(0), 0);
  assert.equal(coverage(255), 1);
  const alpha = [...overlayPixels('magma')].map((value) => value >>> 24);
  assert.ok(alpha.every((value, i) => i === 0 || value >= alpha[i - 1]));
  assert.ok([...solidPixels('magma')].every((value) => value >>> 24 === 255));
});

test('pixels are little-endian RGBA, as an ImageData has them', () => {
  assert.deepEqual([...new Uint8Array(new Uint32Array([pixel(1, 2, 3, 250)]).buffer)], [1, 2, 3, 250]);
  assert.equal(blend(pixel(0, 10, 255, 255), pixel(255, 20, 0, 255), 1), pixel(255, 20, 0, 255));
  assert.equal(blend(pixel(0, 10, 255, 255), pixel(255, 20, 0, 255), 0), pixel(0, 10, 255, 255));
});

test('what is signed has the palette of differences, effects and ratios alike; attention the one that is chosen', () => {
  for (const isOver of [true, false]) {
    const where = { isDark: false, isOver };
    for (const unit of ['effect', 'ratio']) assert.deepEqual(mapPixels({ unit }, 'cividis', where), divergingPixels(false, isOver));
    for (const unit of ['attention', 'uniform']) assert.deepEqual(mapPixels({ unit }, 'magma', where), (isOver ? overlayPixels : solidPixels)('magma'));
  }
});
