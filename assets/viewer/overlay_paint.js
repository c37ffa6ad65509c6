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
  eachRow(borders, size, (row, top, bottom) => {
    for (let y = top; y < bottom; y++) {
      read(y, line);
      const start = y * width;
      for (let x = from; x < to; x++) into[start + x] = colours[entry(place(line[x]))];
    }
    for (let col = across.first; hidden && col < across.last; col++) {
      if (!hidden[row * count + col]) continue;
      for (let y = top; y < bottom; y++) into.fill(0, y * width + Math.max(0, borders.cols[col]), y * width + Math.min(width, borders.cols[col + 1]));
    }
  });
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
    for (let x = 0; x < width; x++) {
      const left = across.first[x];
      let part = across.share[x];
      if (part > 0 && hidden && (weights[left] < 1 || weights[left + 1] < 1)) {
        const [before, after] = [(1 - part) * weights[left], part * weights[left + 1]];
        part = before + after > 0 ? after / (before + after) : 0;
      }
      line[x] = part > 0 ? means[left] + part * (means[left + 1] - means[left]) : means[left];
    }
  };
}

/**
 * For every pixel of an axis the cell whose centre comes before its own, and how far it is from there to the next, 0 to 1.
 * @param {Float64Array} centres  ascending
 * @param {number} size
 */
function neighbours(centres, size) {
  const last = centres.length - 1;
  const first = new Int32Array(size);
  const share = new Float64Array(size);
  for (let i = 0, at = 0; i < size && last > 0; i++) {
    while (at < last - 1 && centres[at + 1] <= i + 0.5) at++;
    const apart = centres[at + 1] - centres[at];
    first[i] = at;
    share[i] = apart > 0 ? Math.min(1, Math.max(0, (i + 0.5 - centres[at]) / apart)) : 0;
  }
  return { first, share };
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
