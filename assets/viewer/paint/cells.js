// @ts-check
/**
 * From the values of cells to pixels: as cells with sharp borders, or smoothed. Knows no document and no canvas.
 *
 * Cells without a colour stay transparent either way; whoever paints them hatches them. Smoothing is bilinear between the
 * centres of cells and constant outside of the outermost; it is done on values, never on colours. A cell without a colour takes
 * no part in it: what lies between it and its neighbours comes from those alone.
 *
 * @typedef {object} Coloured  a map, and which colours its values have
 * @property {ArrayLike<number>} values      [cells]
 * @property {Uint8Array | null} hidden      1 for a cell without a colour
 * @property {(value: number) => number} place  of a value among the colours, 0 to 1
 * @property {Uint32Array} colours           256 pixels
 *
 * @typedef {{rows: Int32Array, cols: Int32Array}} Borders       in pixels of the canvas, also outside of it
 * @typedef {{rows: Float64Array, cols: Float64Array}} Centres
 * @typedef {import('./geometry.js').Size} Size
 */
import { cellsInSight } from './geometry.js';
import { entry } from './palette.js';

const GUESSES = 1024;
const HALVINGS = 32; // of the range: finer than float32 values

/**
 * @param {Coloured} map
 * @param {Borders} borders
 * @param {Size} size        of the canvas
 * @param {Uint32Array} into  its pixels, all transparent
 */
export function paintCells({ values, hidden, place, colours }, borders, size, into) {
  const { width } = size;
  const count = borders.cols.length - 1;
  const across = cellsInSight(borders.cols, width);
  eachRow(borders, size, (row, top, bottom) => {
    for (let col = across.first; col < across.last; col++) {
      const cell = row * count + col;
      if (hidden?.[cell]) continue;
      const from = Math.max(0, borders.cols[col]);
      const to = Math.min(width, borders.cols[col + 1]);
      into.fill(colours[entry(place(values[cell]))], top * width + from, top * width + to);
    }
    for (let y = top + 1; y < bottom; y++) into.copyWithin(y * width, top * width, (top + 1) * width);
  });
}

/**
 * @param {Coloured} map
 * @param {Borders} borders
 * @param {Centres} centres
 * @param {Size} size
 * @param {Uint32Array} into
 */
export function paintSmoothed({ values, hidden, place, colours }, borders, centres, size, into) {
  const { width } = size;
  const count = borders.cols.length - 1;
  const from = Math.max(0, borders.cols[0]);
  const to = Math.min(width, borders.cols[count]);
  const across = cellsInSight(borders.cols, width);
  const read = smoother(values, hidden, centres, size);
  const line = new Float64Array(width);
  const steps = stepsOf(values, place);
  eachRow(borders, size, (row, top, bottom) => {
    for (let y = top; y < bottom; y++) {
      read(y, line);
      colourLine(line, from, to, steps, colours, into, y * width);
    }
    for (let col = across.first; hidden && col < across.last; col++) {
      if (!hidden[row * count + col]) continue;
      for (let y = top; y < bottom; y++) into.fill(0, y * width + Math.max(0, borders.cols[col]), y * width + Math.min(width, borders.cols[col + 1]));
    }
  });
}

/**
 * A function of its own, as are the other loops over pixels: it is compiled once, and fast.
 * @param {Float64Array} line
 * @param {number} from
 * @param {number} to
 * @param {ReturnType<typeof stepsOf>} table
 * @param {Uint32Array} colours
 * @param {Uint32Array} into
 * @param {number} start  of the line
 */
function colourLine(line, from, to, { steps, guesses, lowest, scale }, colours, into, start) {
  for (let x = from; x < to; x++) {
    const value = line[x];
    let index = guesses[((value - lowest) * scale) | 0];
    while (value >= steps[index + 1]) index++;
    into[start + x] = colours[index];
  }
}

/**
 * A function that writes the smoothed values of one line of pixels.
 * @param {ArrayLike<number>} values
 * @param {Uint8Array | null} hidden
 * @param {Centres} centres
 * @param {Size} size
 * @returns {(y: number, line: Float64Array) => void}
 */
export function smoother(values, hidden, centres, { width, height }) {
  const cols = centres.cols.length;
  const down = neighbours(centres.rows, height);
  const across = neighbours(centres.cols, width);
  const means = new Float64Array(cols); // of each column's two cells above and below the line
  const weights = new Float64Array(cols); // how much of them has a colour
  return (y, line) => {
    const share = down.share[y];
    const above = down.first[y] * cols;
    const below = share > 0 ? above + cols : above;
    for (let col = 0; col < cols; col++) {
      const isAbove = hidden?.[above + col] ? 0 : 1 - share;
      const isBelow = hidden?.[below + col] ? 0 : share;
      const part = isAbove ? (isBelow ? share : 0) : 1;
      means[col] = values[above + col] + part * (values[below + col] - values[above + col]);
      weights[col] = isAbove && isBelow ? 1 : isAbove + isBelow;
    }
    for (let col = 0; col < cols; col++) {
      const isLast = col + 1 === cols;
      const [from, to] = [across.starts[col], across.starts[col + 1]];
      const rise = isLast ? 0 : means[col + 1] - means[col];
      const [before, after] = [weights[col], isLast ? 0 : weights[col + 1]];
      if (!hidden || (before === 1 && after === 1)) rising(line, from, to, across.share, means[col], rise);
      else risingUnevenly(line, from, to, across.share, means[col], rise, before, after);
    }
  };
}

/** @param {Float64Array} line @param {number} from @param {number} to @param {Float64Array} share @param {number} start @param {number} rise */
function rising(line, from, to, share, start, rise) {
  for (let x = from; x < to; x++) line[x] = start + share[x] * rise;
}

/**
 * @param {Float64Array} line @param {number} from @param {number} to @param {Float64Array} share @param {number} start @param {number} rise
 * @param {number} before  the weight of what is there in the beginning
 * @param {number} after   and in the end
 */
function risingUnevenly(line, from, to, share, start, rise, before, after) {
  for (let x = from; x < to; x++) {
    const there = share[x] * after;
    line[x] = there > 0 ? start + (there / ((1 - share[x]) * before + there)) * rise : start;
  }
}

/**
 * Where a map's values go on to the next of the 256 colours, so that each pixel's colour is found by comparing: `place` may cost
 * a logarithm. A guess for each of many equal parts of the range, the colour with which it begins, leaves little to compare.
 * @param {ArrayLike<number>} values
 * @param {(value: number) => number} place  rises with the value
 */
function stepsOf(values, place) {
  let [lowest, highest] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    lowest = Math.min(lowest, values[i]);
    highest = Math.max(highest, values[i]);
  }
  const colourOf = (/** @type {number} */ value) => entry(place(value));
  const steps = new Float64Array(257).fill(Infinity);
  const first = colourOf(lowest);
  steps.fill(-Infinity, 0, first + 1);
  const last = colourOf(highest);
  for (let index = first + 1, low = lowest; index <= last; index++) {
    let high = highest;
    for (let i = 0; i < HALVINGS; i++) {
      const middle = (low + high) / 2;
      if (colourOf(middle) >= index) high = middle;
      else low = middle;
    }
    steps[index] = high;
  }
  const scale = highest > lowest ? GUESSES / (highest - lowest) : 0;
  const guesses = Uint8Array.from({ length: GUESSES + 1 }, (_, i) => colourOf(lowest + ((i - 0.001) * (highest - lowest)) / GUESSES));
  return { steps, guesses, lowest, scale };
}

/**
 * For every pixel of an axis the cell whose centre comes before its own, and how far it is from there to the next, 0 to 1; and
 * for every cell where its pixels begin.
 * @param {Float64Array} centres  ascending
 * @param {number} size
 */
function neighbours(centres, size) {
  const count = centres.length;
  const first = new Int32Array(size);
  const share = new Float64Array(size);
  const starts = new Int32Array(count + 1).fill(size);
  starts[0] = 0;
  for (let i = 0, at = 0; i < size; i++) {
    while (at < count - 2 && centres[at + 1] <= i + 0.5) starts[++at] = i;
    first[i] = at;
    const apart = at + 1 < count ? centres[at + 1] - centres[at] : 0;
    share[i] = apart > 0 ? Math.min(1, Math.max(0, (i + 0.5 - centres[at]) / apart)) : 0;
  }
  return { first, share, starts };
}

/**
 * @param {Borders} borders
 * @param {Size} size
 * @param {(row: number, top: number, bottom: number) => void} paint  called for each row of cells in sight
 */
function eachRow({ rows }, { height }, paint) {
  const { first, last } = cellsInSight(rows, height);
  for (let row = first; row < last; row++) {
    const top = Math.max(0, rows[row]);
    const bottom = Math.min(height, rows[row + 1]);
    if (bottom > top) paint(row, top, bottom);
  }
}
