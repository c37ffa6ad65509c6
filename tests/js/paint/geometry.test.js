import assert from 'node:assert/strict';
import test from 'node:test';
import { axisWeights, cellAt, cellBorders, cellBox, edges, fitInside, resampler } from '../../../assets/viewer/paint/geometry.js';

test('cells tile: no gaps, no overlaps, every pixel belongs to the cell that covers it', () => {
  for (const [start, stop, count] of [[0, 560, 21], [0, 373, 23], [17.4, 301.9, 7], [0, 5, 9], [3, 1024, 32]]) {
    const borders = edges(start, stop, count);
    assert.equal(borders.length, count + 1);
    assert.equal(borders[0], Math.round(start));
    assert.equal(borders[count], Math.round(stop));
    for (let i = 0; i < count; i++) {
      assert.ok(borders[i + 1] >= borders[i]);
      assert.ok(Math.abs(borders[i] - (start + ((stop - start) * i) / count)) <= 0.5);
    }
    for (let pixel = borders[0]; pixel < borders[count]; pixel++) {
      const cell = cellAt(borders, pixel + 0.5);
      assert.ok(borders[cell] <= pixel && pixel < borders[cell + 1]);
    }
    assert.equal(cellAt(borders, borders[0] - 0.1), -1);
    assert.equal(cellAt(borders, borders[count]), -1);
  }
});

test('a cell covers equal parts of the box of its grid, wherever that lies', () => {
  assert.deepEqual(cellBox({ box_px: [100, 50, 300, 150], rows: 4, cols: 5 }, 1, 4), [260, 75, 300, 100]);
});

test('cells that are not equal lie where the run says, on the picture and on the screen', () => {
  const grid = { box_px: [4, 6, 34, 26], rows: 2, cols: 3, col_edges_px: [4, 11, 20, 34] };
  assert.deepEqual(cellBox(grid, 1, 1), [11, 16, 20, 26]);
  const { rows, cols } = cellBorders(grid, { width: 40, height: 30 }, { width: 100, height: 60 });
  assert.deepEqual([[...rows], [...cols]], [[12, 32, 52], [10, 28, 50, 85]]);
  assert.deepEqual([9, 10, 27, 28, 49.9, 50, 85].map((place) => cellAt(cols, place)), [-1, 0, 0, 1, 1, 2, -1]);
  const down = { ...grid, row_edges_px: [6, 20, 26] };
  assert.deepEqual(cellBox(down, 1, 2), [20, 20, 34, 26]);
  assert.deepEqual([...cellBorders(down, { width: 40, height: 30 }, { width: 40, height: 15 }).rows], [3, 10, 13]);
});

test('a picture fits its place with its own proportions', () => {
  assert.deepEqual(fitInside(1920, 1080, 640, 640), { width: 640, height: 360 });
  assert.deepEqual(fitInside(100, 400, 640, 500), { width: 125, height: 500 });
  assert.deepEqual(fitInside(1000, 1, 100, 100), { width: 100, height: 1 });
});

test('the weights of every output pixel sum to 1, and every input cell counts alike', () => {
  for (const [count, size] of [[32, 27], [21, 5], [7, 7], [100, 1]]) {
    const { first, counts, starts, weights } = axisWeights(count, size);
    const received = new Float64Array(count);
    for (let i = 0; i < size; i++) {
      const parts = weights.subarray(starts[i], starts[i] + counts[i]);
      assert.ok(Math.abs(parts.reduce((a, b) => a + b, 0) - 1) < 1e-9);
      parts.forEach((part, j) => { received[first[i] + j] += part; });
    }
    received.forEach((share) => assert.ok(Math.abs(share - size / count) < 1e-9));
  }
});

test('a smaller map is the area mean: sums are kept, a spike is not lost, nothing is invented', () => {
  const [rows, cols, height, width] = [14, 21, 9, 10];
  const map = Float32Array.from({ length: rows * cols }, (_, i) => (i * 7919) % 101);
  const into = new Float32Array(height * width);
  resampler(rows, cols, height, width)(map, 0, into);
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  assert.ok(Math.abs(mean([...into]) - mean([...map])) < 1e-3);
  assert.ok(Math.max(...into) <= Math.max(...map) && Math.min(...into) >= Math.min(...map));
  const spike = new Float32Array(rows * cols);
  spike[200] = 1;
  resampler(rows, cols, height, width)(spike, 0, into);
  assert.ok(Math.abs(into.reduce((a, b) => a + b, 0) - (height * width) / (rows * cols)) < 1e-5);
});

test('a larger map is the cells themselves, with sharp borders', () => {
  const into = new Float32Array(5 * 7);
  resampler(2, 3, 5, 7)(Float32Array.of(9, 9, 1, 2, 3, 4, 5, 6), 2, into);
  assert.deepEqual([...into.subarray(0, 7)], [1, 1, 2, 2, 2, 3, 3]);
  assert.deepEqual([...into.subarray(28)], [4, 4, 5, 5, 5, 6, 6]);
});
