// @ts-check
/**
 * Many small maps into the pixels of one canvas: all of one shape and one size, each with its own range, and a bar on its lower edge that
 * says how much of the row is on it.
 *
 * A map that has fewer pixels than cells is averaged by area; otherwise cells are squares with sharp borders. Hidden cells are left
 * out of the averages and drawn as stripes of two tones that no palette has. Knows no document.
 *
 * @typedef {object} SmallMap
 * @property {Float32Array} values  attention, or effects of either sign
 * @property {number} offset        where its cells begin
 * @property {number} high          what gets the last colour, 0 when there is nothing to show
 * @property {number | null} share  0 to 1, of the row: the bar's length; null for no bar
 * @property {Uint8Array | null} hidden  [cells], 1 for a cell without a colour
 * @property {number} x             its corner, in pixels
 * @property {number} y
 *
 * @typedef {object} Colours
 * @property {Uint32Array} palette  256 pixels
 * @property {import('../numbers/colour_range.js').Curve} curve
 * @property {boolean} [isSigned]    0 is in the middle of the palette
 * @property {number[]} stripes      two pixels
 * @property {number} stripe         how wide a stripe is, in pixels
 * @property {{height: number, filled: number, empty: number} | null} bar  lines, and two pixels
 */
import { edges, resampler } from './geometry.js';
import { DECADES, signedPosition } from '../numbers/colour_range.js';
import { entry } from './palette.js';

/**
 * The palette's entry of each value in a range that ends at `high`: as `entry(position(range, value))`, all at once.
 * @param {Float32Array} values
 * @param {number} from
 * @param {number} count
 * @param {number} high
 * @param {import('../numbers/colour_range.js').Curve} curve
 * @param {Uint8Array} into
 */
export function entriesOf(values, from, count, high, curve, into) {
  if (!(high > 0)) into.fill(0, 0, count);
  else if (curve === 'linear') {
    const steps = 256 / high;
    for (let i = 0; i < count; i++) {
      const place = values[from + i] * steps;
      into[i] = place < 255 ? place : 255;
    }
  } else if (curve === 'sqrt') {
    const steps = 256 ** 2 / high;
    for (let i = 0; i < count; i++) {
      const place = Math.sqrt(values[from + i] * steps);
      into[i] = place < 255 ? place : 255;
    }
  } else {
    const scale = 1 / high;
    const steps = 256 / (DECADES * Math.LN10);
    for (let i = 0; i < count; i++) {
      const place = 256 + Math.log(values[from + i] * scale) * steps;
      into[i] = place > 0 ? (place < 255 ? place : 255) : 0;
    }
  }
}

/**
 * The same of values of either sign: as `entry(signedPosition(range, value))`.
 * @type {typeof entriesOf}
 */
export function signedEntriesOf(values, from, count, high, curve, into) {
  const range = /** @type {import('../numbers/colour_range.js').Range} */ ({ low: curve === 'log' ? high / 10 ** DECADES : 0, high, curve, factor: 1 });
  for (let i = 0; i < count; i++) into[i] = entry(signedPosition(range, values[from + i]));
}

/**
 * @param {SmallMap[]} maps
 * @param {{rows: number, cols: number, width: number, height: number}} shape  cells of a map, and pixels
 * @param {Colours} colours
 * @param {Uint32Array} pixels
 * @param {number} stride  pixels of a line
 */
export function paintMaps(maps, shape, { palette, curve, isSigned = false, stripes, stripe, bar }, pixels, stride) {
  const write = isSigned ? signedEntriesOf : entriesOf;
  const { rows, cols, width, height } = shape;
  const cells = rows * cols;
  const resample = width >= cols && height >= rows ? null : resampler(rows, cols, height, width);
  const values = new Float32Array(width * height);
  const visible = new Float32Array(cells);
  const entries = new Uint8Array(resample ? width * height : cells);
  const [down, across] = [edges(0, height, rows), edges(0, width, cols)];
  /** @type {Map<Uint8Array, {pixels: Uint8Array, coverage: Float32Array}>} */
  const masks = new Map();
  for (const map of maps) {
    const corner = map.y * stride + map.x;
    const mask = map.hidden && (masks.get(map.hidden) ?? makeMask(map.hidden, shape, resample));
    if (map.hidden && mask) masks.set(map.hidden, mask);
    if (!resample) {
      write(map.values, map.offset, cells, map.high, curve, entries);
      for (let row = 0; row < rows; row++) {
        const first = corner + down[row] * stride;
        for (let col = 0; col < cols; col++) {
          const colour = palette[entries[row * cols + col]];
          const end = first + across[col + 1];
          for (let at = first + across[col]; at < end; at++) pixels[at] = colour;
        }
        for (let y = down[row] + 1; y < down[row + 1]; y++) pixels.copyWithin(corner + y * stride, first, first + width);
      }
    } else {
      if (mask && map.hidden) {
        for (let cell = 0; cell < cells; cell++) visible[cell] = map.hidden[cell] ? 0 : map.values[map.offset + cell];
        resample(visible, 0, values);
        for (let i = 0; i < values.length; i++) values[i] *= mask.coverage[i];
      } else resample(map.values, map.offset, values);
      write(values, 0, values.length, map.high, curve, entries);
      for (let y = 0, i = 0; y < height; y++) {
        const at = corner + y * stride;
        for (let x = 0; x < width; x++, i++) pixels[at + x] = palette[entries[i]];
      }
    }
    if (mask) {
      for (let y = 0, i = 0; y < height; y++) {
        for (let x = 0; x < width; x++, i++) {
          if (mask.pixels[i]) pixels[corner + y * stride + x] = stripes[Math.floor((x + y) / stripe) % 2];
        }
      }
    }
    if (map.share === null || !bar) continue;
    const length = map.share > 0 ? Math.max(1, Math.round(width * Math.min(1, map.share))) : 0;
    for (let y = height - bar.height; y < height; y++) {
      const first = corner + y * stride;
      pixels.fill(bar.filled, first, first + length);
      pixels.fill(bar.empty, first + length, first + width);
    }
  }
}

/**
 * Which pixels of a map are hidden, and by what the others are multiplied that hold a part of a hidden cell. Of a cell that is
 * smaller than a pixel the one with its middle is hidden.
 * @param {Uint8Array} hidden  [cells]
 * @param {{rows: number, cols: number, width: number, height: number}} shape
 * @param {ReturnType<typeof resampler> | null} resample
 */
function makeMask(hidden, { rows, cols, width, height }, resample) {
  const pixels = new Uint8Array(width * height);
  const coverage = new Float32Array(width * height).fill(1);
  const [down, across] = [spansOf(rows, height), spansOf(cols, width)];
  for (let cell = 0; cell < hidden.length; cell++) {
    if (!hidden[cell]) continue;
    const [top, bottom] = down(Math.floor(cell / cols));
    const [left, right] = across(cell % cols);
    for (let y = top; y < bottom; y++) pixels.fill(1, y * width + left, y * width + right);
  }
  if (!resample) return { pixels, coverage };
  resample(Float32Array.from(hidden, (is) => 1 - is), 0, coverage);
  for (let i = 0; i < coverage.length; i++) coverage[i] = coverage[i] > 1e-6 ? 1 / coverage[i] : 0;
  return { pixels, coverage };
}

/** Which pixels stand for a cell of an axis. @param {number} count @param {number} size @returns {(cell: number) => [number, number]} */
function spansOf(count, size) {
  const borders = edges(0, size, count);
  if (size >= count) return (cell) => [borders[cell], borders[cell + 1]];
  return (cell) => {
    const middle = Math.floor(((cell + 0.5) * size) / count);
    return [middle, middle + 1];
  };
}
