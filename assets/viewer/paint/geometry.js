// @ts-check
/**
 * Cells to pixels and back, and maps made smaller.
 *
 * A cell's borders are rounded to whole pixels once, in `edges` or `cellBorders`; what is painted, outlined and hit is
 * read from the same numbers, so cells neither overlap nor leave gaps.
 *
 * @typedef {object} Cells  what of a grid says where its cells lie: parts of a box, equal where no edges are given
 * @property {number[]} box_px  x0, y0, x1, y1 on the picture
 * @property {number} rows
 * @property {number} cols
 * @property {number[]} [row_edges_px]  rows + 1, ascending
 * @property {number[]} [col_edges_px]
 *
 * @typedef {{width: number, height: number}} Size
 */

import { cellEdges, parts } from '../numbers/regions.js';

/**
 * The borders of `count` equal cells between two places: integers, count + 1 of them, ascending.
 * @param {number} start
 * @param {number} stop
 * @param {number} count
 */
export function edges(start, stop, count) {
  return Int32Array.from(parts(start, stop, count), Math.round);
}

/**
 * The borders of a grid's cells where its picture lies on a canvas: whole pixels, for `cellAt`. Those that are not in sight
 * lie outside of the canvas.
 * @param {Cells} grid
 * @param {Size} picture
 * @param {Size & {left?: number, top?: number}} place  of the whole picture on the canvas, in whole pixels
 */
export function cellBorders(grid, picture, { left = 0, top = 0, width, height }) {
  const { rows, cols } = cellEdges(grid);
  return {
    rows: Int32Array.from(rows, (y) => top + Math.round((y / picture.height) * height)),
    cols: Int32Array.from(cols, (x) => left + Math.round((x / picture.width) * width)),
  };
}

/**
 * The middles of the rows and columns there, not rounded.
 * @param {Cells} grid
 * @param {Size} picture
 * @param {Size & {left?: number, top?: number}} place
 */
export function cellCentres(grid, picture, { left = 0, top = 0, width, height }) {
  const { rows, cols } = cellEdges(grid);
  const middles = (/** @type {number[]} */ ends, /** @type {number} */ start, /** @type {number} */ scale) =>
    Float64Array.from({ length: ends.length - 1 }, (_, i) => start + ((ends[i] + ends[i + 1]) / 2) * scale);
  return { rows: middles(rows, top, height / picture.height), cols: middles(cols, left, width / picture.width) };
}

/**
 * Which cells lie between 0 and an end, in part at least: from the first up to, not including, the last.
 * @param {Int32Array} borders
 * @param {number} end
 */
export function cellsInSight(borders, end) {
  const count = borders.length - 1;
  let first = 0;
  while (first < count && borders[first + 1] <= 0) first++;
  let last = count;
  while (last > first && borders[last - 1] >= end) last--;
  return { first, last };
}

/**
 * The cell that holds a pixel, or -1 outside.
 * @param {Int32Array} borders  from `edges` or `cellBorders`
 * @param {number} place
 */
export function cellAt(borders, place) {
  const last = borders.length - 1;
  if (!(place >= borders[0] && place < borders[last])) return -1;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (borders[middle] <= place) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * The largest size of given proportions that fits a box, in whole pixels, at least 1.
 * @param {number} width
 * @param {number} height
 * @param {number} boxWidth
 * @param {number} boxHeight
 */
export function fitInside(width, height, boxWidth, boxHeight) {
  const scale = Math.min(boxWidth / width, boxHeight / height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/**
 * Whether two pictures of given proportions are shown larger one below the other than side by side.
 * @param {Size} picture
 * @param {Size} box  for both
 * @param {number} gap
 */
export function stacksBetter(picture, box, gap) {
  const beside = fitInside(picture.width, picture.height, Math.max(1, (box.width - gap) / 2), box.height);
  const below = fitInside(picture.width, picture.height, box.width, Math.max(1, (box.height - gap) / 2));
  return below.width > beside.width;
}

/**
 * The pixels of the picture that a cell was made from.
 * @param {Cells} grid
 * @param {number} row
 * @param {number} col
 */
export function cellBox(grid, row, col) {
  const { rows, cols } = cellEdges(grid);
  return [cols[col], rows[row], cols[col + 1], rows[row + 1]];
}

/**
 * How to resample one axis: output pixel i is the sum over k < counts[i] of weights[starts[i] + k] * input[first[i] + k].
 * Smaller than the input: area mean. Not smaller: the nearest cell, so that cells stay squares with sharp borders.
 * @param {number} count  input cells
 * @param {number} size   output pixels
 */
export function axisWeights(count, size) {
  const first = new Int32Array(size);
  const counts = new Int32Array(size).fill(1);
  const starts = new Int32Array(size);
  const weights = [];
  if (size >= count) {
    const borders = edges(0, size, count);
    for (let cell = 0; cell < count; cell++) first.fill(cell, borders[cell], borders[cell + 1]);
    weights.push(1);
  } else {
    for (let i = 0; i < size; i++) {
      const start = (i * count) / size;
      const stop = ((i + 1) * count) / size;
      first[i] = Math.floor(start);
      starts[i] = weights.length;
      for (let cell = first[i]; cell < stop - 1e-9; cell++) {
        weights.push(((Math.min(stop, cell + 1) - Math.max(start, cell)) * size) / count);
      }
      counts[i] = weights.length - starts[i];
    }
  }
  return { first, counts, starts, weights: Float64Array.from(weights) };
}

/**
 * A function that resamples maps of rows x cols to height x width by `axisWeights`; made once for many maps. Which cells make a
 * pixel, and by what share, is one flat list: those of pixel i lie from starts[i] to starts[i + 1].
 * @param {number} rows
 * @param {number} cols
 * @param {number} height
 * @param {number} width
 * @returns {(maps: Float32Array, offset: number, into: Float32Array) => void}
 */
export function resampler(rows, cols, height, width) {
  const down = axisWeights(rows, height);
  const across = axisWeights(cols, width);
  const listed = { starts: [0], cells: /** @type {number[]} */ ([]), shares: /** @type {number[]} */ ([]) };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let i = 0; i < down.counts[y]; i++) {
        for (let j = 0; j < across.counts[x]; j++) {
          listed.cells.push((down.first[y] + i) * cols + across.first[x] + j);
          listed.shares.push(down.weights[down.starts[y] + i] * across.weights[across.starts[x] + j]);
        }
      }
      listed.starts.push(listed.cells.length);
    }
  }
  const starts = Int32Array.from(listed.starts);
  const cells = Int32Array.from(listed.cells);
  const shares = Float64Array.from(listed.shares);
  return (maps, offset, into) => {
    for (let i = 0, k = 0; i < width * height; i++) {
      const end = starts[i + 1];
      let sum = 0;
      for (; k < end; k++) sum += shares[k] * maps[offset + cells[k]];
      into[i] = sum;
    }
  };
}

/**
 * In how many columns several pictures of given proportions are shown largest.
 * @param {Size} picture
 * @param {Size} box    for all of them
 * @param {number} count
 * @param {number} gap
 * @param {number} above  what stands over each
 */
export function columnsFor(picture, box, count, gap, above) {
  let [columns, widest] = [1, 0];
  for (let tried = 1; tried <= count; tried++) {
    const lines = Math.ceil(count / tried);
    const room = { width: (box.width - gap * (tried - 1)) / tried, height: (box.height - gap * (lines - 1)) / lines - above };
    const { width } = fitInside(picture.width, picture.height, Math.max(1, room.width), Math.max(1, room.height));
    if (width > widest) [columns, widest] = [tried, width];
  }
  return columns;
}
