import assert from 'node:assert/strict';
import test from 'node:test';
import { cellBorders, cellCentres, cellsInSight } from '../../../assets/viewer/paint/geometry.js';
import { paintCells, paintSmoothed, smoother } from '../../../assets/viewer/paint/cells.js';
import { overlayPixels, solidPixels } from '../../../assets/viewer/paint/palette.js';

const GRID = { box_px: [0, 0, 230, 70], rows: 7, cols: 23 };
const PICTURE = { width: 230, height: 70 };
const UNEQUAL = { box_px: [10, 0, 200, 60], rows: 3, cols: 4, row_edges_px: [0, 11, 40, 60], col_edges_px: [10, 30, 90, 120, 200] };
const COLOURS = Uint32Array.from({ length: 256 }, (_, i) => i + 1);
const someValues = (count) => Float32Array.from({ length: count }, (_, i) => ((i * 7919) % 101) / 100);
const linear = (high) => (value) => value / high;

/** The map at one place of the picture and all that is needed to paint it. */
function laidOut(grid, place) {
  return { borders: cellBorders(grid, PICTURE, place), centres: cellCentres(grid, PICTURE, place) };
}

/** @returns {Float64Array[]} the smoothed values, line by line */
function smoothed(values, hidden, grid, place, size) {
  const read = smoother(values, hidden, laidOut(grid, place).centres, size);
  return Array.from({ length: size.height }, (_, y) => {
    const line = new Float64Array(size.width);
    read(y, line);
    return line;
  });
}

test('every pixel has the colour of its cell, at any zoom; outside of the grid there is none', () => {
  const values = someValues(161);
  const size = { width: 203, height: 111 };
  for (const place of [{ width: 203, height: 62 }, { left: -310, top: -90, width: 812, height: 248 }, { left: 20, top: 7, width: 97, height: 33 }]) {
    const { borders } = laidOut(GRID, place);
    const pixels = new Uint32Array(size.width * size.height);
    paintCells({ values, hidden: null, place: linear(1), colours: COLOURS }, borders, size, pixels);
    for (let y = 0; y < size.height; y++) {
      for (let x = 0; x < size.width; x++) {
        const row = borders.rows.findLastIndex((border) => border <= y);
        const col = borders.cols.findLastIndex((border) => border <= x);
        const isIn = row >= 0 && row < 7 && col >= 0 && col < 23;
        const expected = isIn ? COLOURS[Math.min(255, Math.floor(values[row * 23 + col] * 256))] : 0;
        assert.equal(pixels[y * size.width + x], expected, `${x} ${y}`);
      }
    }
  }
});

test('cells in sight are those that have a pixel there', () => {
  const borders = Int32Array.from([-30, -10, 0, 5, 20, 40]);
  assert.deepEqual(cellsInSight(borders, 20), { first: 2, last: 4 });
  assert.deepEqual(cellsInSight(borders, 21), { first: 2, last: 5 });
  assert.deepEqual(cellsInSight(Int32Array.from([50, 60]), 20), { first: 0, last: 0 });
  assert.deepEqual(cellsInSight(Int32Array.from([-50, -60]), 20), { first: 1, last: 1 });
});

test('smoothed values are those of the cells at their centres, also of unequal cells', () => {
  for (const [grid, scale] of [[GRID, 9], [UNEQUAL, 10]]) {
    const place = { width: 230 * scale, height: 70 * scale };
    const size = { width: place.width, height: place.height };
    const values = someValues(grid.rows * grid.cols);
    const { centres } = laidOut(grid, place);
    // Moved by half a pixel, so that centres are centres of pixels.
    const read = smoother(values, null, { rows: centres.rows.map((y) => Math.floor(y) + 0.5), cols: centres.cols.map((x) => Math.floor(x) + 0.5) }, size);
    const line = new Float64Array(size.width);
    centres.rows.forEach((y, row) => {
      read(Math.floor(y), line);
      centres.cols.forEach((x, col) => assert.equal(line[Math.floor(x)], values[row * grid.cols + col]));
    });
  }
});

test('smoothed values lie within those of the neighbours, and rise and fall steadily between two centres', () => {
  const values = someValues(12);
  const size = { width: 460, height: 140 };
  const lines = smoothed(values, null, UNEQUAL, size, size);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  assert.ok(lines.every((line) => line.every((value) => value >= low - 1e-12 && value <= high + 1e-12)));
  const { centres } = laidOut(UNEQUAL, size);
  const [from, to] = [Math.ceil(centres.cols[1]), Math.floor(centres.cols[2])];
  const steps = Array.from({ length: to - from - 1 }, (_, i) => lines[70][from + i + 1] - lines[70][from + i]);
  assert.ok(steps.every((step) => Math.abs(step - steps[0]) < 1e-9));
  assert.ok(lines[3].slice(20, 38).every((value) => value === values[0]), 'constant outside of the outermost centres');
});

test('equal values stay equal, to the bit, also beside cells without a colour', () => {
  const values = new Float32Array(161).fill(0.3);
  const hidden = Uint8Array.from({ length: 161 }, (_, i) => Number(i % 5 === 0));
  for (const mask of [null, hidden]) {
    const lines = smoothed(values.map((value, i) => (mask?.[i] ? 9 : value)), mask, GRID, { width: 500, height: 160 }, { width: 500, height: 160 });
    const { borders } = laidOut(GRID, { width: 500, height: 160 });
    lines.forEach((line, y) => line.forEach((value, x) => {
      const cell = borders.rows.findLastIndex((b) => b <= y) * 23 + borders.cols.findLastIndex((b) => b <= x);
      if (!mask?.[cell]) assert.equal(value, values[0], `${x} ${y}`);
    }));
  }
});

test('a cell without a colour does not bleed, whatever it holds, and there is no jump where it ends', () => {
  const values = someValues(161);
  const hidden = new Uint8Array(161);
  for (const cell of [0, 30, 31, 80, 160]) hidden[cell] = 1;
  const size = { width: 690, height: 210 };
  const with_ = (huge) => smoothed(values.map((value, i) => (hidden[i] ? huge : value)), hidden, GRID, size, size);
  const [some, other] = [with_(0), with_(1e6)];
  const { borders } = laidOut(GRID, size);
  some.forEach((line, y) => line.forEach((value, x) => {
    const cell = borders.rows.findLastIndex((b) => b <= y) * 23 + borders.cols.findLastIndex((b) => b <= x);
    if (hidden[cell]) return;
    assert.equal(value, other[y][x]);
    assert.ok(value <= 1);
  }));
});

test('a picture of unequal and hidden cells is the bilinear mean of the visible ones', () => {
  const values = someValues(12);
  const hidden = Uint8Array.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  const size = { width: 230, height: 70 };
  const { centres, borders } = laidOut(UNEQUAL, size);
  const lines = smoothed(values, hidden, UNEQUAL, size, size);
  const shares = (at, places) => {
    const after = Math.min(places.length - 1, Math.max(1, places.findIndex((place) => place > at) === -1 ? places.length - 1 : places.findIndex((place) => place > at)));
    const share = Math.min(1, Math.max(0, (at - places[after - 1]) / (places[after] - places[after - 1])));
    return [[after - 1, 1 - share], [after, share]];
  };
  for (let y = 0; y < 60; y += 3) {
    for (let x = 10; x < 200; x += 3) {
      const row = borders.rows.findLastIndex((b) => b <= y);
      const col = borders.cols.findLastIndex((b) => b <= x);
      if (hidden[row * 4 + col]) continue;
      let [total, weight] = [0, 0];
      for (const [r, down] of shares(y + 0.5, centres.rows)) {
        for (const [c, across] of shares(x + 0.5, centres.cols)) {
          total += hidden[r * 4 + c] ? 0 : down * across * values[r * 4 + c];
          weight += hidden[r * 4 + c] ? 0 : down * across;
        }
      }
      assert.ok(Math.abs(lines[y][x] - total / weight) < 1e-9, `${x} ${y}`);
    }
  }
});

test('smoothing is done on values and coloured afterwards; hidden cells stay without a colour', () => {
  const values = Float32Array.from([0, 1, 0.2, 0.4]);
  const grid = { box_px: [0, 0, 230, 70], rows: 2, cols: 2 };
  const size = { width: 230, height: 70 };
  const { borders, centres } = laidOut(grid, size);
  const pixels = new Uint32Array(size.width * size.height);
  paintSmoothed({ values, hidden: Uint8Array.from([0, 0, 0, 1]), place: (value) => value ** 2, colours: COLOURS }, borders, centres, size, pixels);
  const line = smoothed(values, Uint8Array.from([0, 0, 0, 1]), grid, size, size)[5];
  for (let x = 0; x < 230; x++) assert.equal(pixels[5 * 230 + x], COLOURS[Math.min(255, Math.floor(line[x] ** 2 * 256))]);
  assert.ok(pixels.every((pixel, i) => (pixel === 0) === (i % 230 >= 115 && i >= 35 * 230)));
});

test('one row, one column or one cell can be smoothed too', () => {
  for (const [rows, cols] of [[1, 5], [5, 1], [1, 1]]) {
    const values = someValues(5);
    const lines = smoothed(values, null, { box_px: [0, 0, 230, 70], rows, cols }, { width: 230, height: 70 }, { width: 230, height: 70 });
    assert.ok(lines.every((line) => line.every(Number.isFinite)));
    if (rows * cols === 1) assert.ok(lines.every((line) => line.every((value) => value === values[0])));
  }
});

test('colours are a table given from outside, so that a signed map has its own', () => {
  const grid = { box_px: [0, 0, 230, 70], rows: 1, cols: 2 };
  const pixels = new Uint32Array(4);
  paintCells({ values: [-1, 1], hidden: null, place: (value) => (value + 1) / 2, colours: COLOURS }, cellBorders(grid, PICTURE, { width: 4, height: 1 }), { width: 4, height: 1 }, pixels);
  assert.deepEqual([...pixels], [1, 1, 256, 256]);
  assert.equal(overlayPixels('magma').length, solidPixels('magma').length);
});
