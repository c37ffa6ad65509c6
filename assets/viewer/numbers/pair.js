// @ts-check
/**
 * Two rows of the same tokens set against each other: what lies between them, both maps on one scale, and their difference with no
 * difference in the middle of its colours. Knows no document.
 *
 * @typedef {import('../state/fields.js').Shown} Shown
 *
 * @typedef {object} Pair
 * @property {number} left     members
 * @property {number} right
 * @property {Shown} before    the left one's row
 * @property {Shown} after     the right one's
 * @property {boolean} isSideBySide  they are of heads that do not stand for each other: nothing is measured between them
 * @property {boolean} isSame  not one number of the rows differs
 * @property {number} apart    Jensen-Shannon divergence of the rows in bits; NaN where they are no shares of one whole
 * @property {import('../data/comparison_info.js').AlignedRows | null} [stands]  what the rows stand for where words differ
 * @property {number} apartOnImage  of what lies on the pictures, each divided by its mass; NaN where one has none
 *
 * @typedef {object} Maps
 * @property {import('./coloured_map.js').Drawn} before
 * @property {import('./coloured_map.js').Drawn} after   with the same range; with its own where heads do not stand for each other
 * @property {Difference} difference
 *
 * @typedef {object} Difference
 * @property {Float32Array} values   after less before, [cells]
 * @property {Uint8Array | null} hidden  what is hidden in one of the two
 * @property {import('./colour_range.js').Range} range  of the size of a difference; it goes as far below 0
 * @property {boolean} isOwn         the range is its own, not that of the maps
 */
import { gridsOf, keysOfGrid } from '../data/run_info.js';
import { areShares, numbersAreOfTokens } from '../data/selection.js';
import { isRatio } from './ratios.js';
import { withoutSinks } from './sinks.js';
import { rangeOf } from './colour_range.js';

/**
 * Rows less what lies after the shared tokens: [heads, keys] -> [heads, shared]. Cells of a picture are shared by all.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {import('../data/source.js').Numbers} numbers
 * @param {Pick<import('../data/selection.js').Selection, 'tower' | 'direction'>} selection
 * @param {number} shared
 * @returns {import('../data/source.js').Numbers}
 */
export function cutRows(info, numbers, selection, shared) {
  const [heads, keys] = numbers.shape;
  if (!numbersAreOfTokens(info, selection) || keys <= shared) return numbers;
  const values = new Float32Array(heads * shared);
  for (let head = 0; head < heads; head++) values.set(numbers.values.subarray(head * keys, head * keys + shared), head * shared);
  return { ...numbers, values, shape: [heads, shared] };
}

/**
 * Rows on the keys in common, and what they read of anything else as one key more each: what is on a learned sink, and of rows that may read
 * words of one answer what is on these. As `attention.comparisons.measuring.on_common_keys`.
 * @param {Shown[]} shown
 * @param {boolean} hasOthers
 */
function withRest(shown, hasOthers) {
  const hasLearned = shown.some(({ sinks }) => sinks.learned !== undefined);
  return shown.map(({ row, sinks: { learned = 0 } }) => {
    const others = hasOthers ? [Math.max(0, 1 - learned - row.reduce((sum, value) => sum + value, 0))] : [];
    return Float32Array.from([...row, ...(hasLearned ? [learned] : []), ...others]);
  });
}

/**
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {{left: number, right: number, before: Shown, after: Shown, stands?: import('../data/comparison_info.js').AlignedRows | null, isSideBySide?: boolean}} two
 * @returns {Pair}
 */
export function makePair(info, { left, right, before, after, stands = null, isSideBySide = false }) {
  if (isSideBySide) return { left, right, before, after, stands, isSideBySide, isSame: false, apart: NaN, apartOnImage: NaN };
  const isSame = before.row.length === after.row.length && before.row.every((value, key) => value === after.row[key] || (Number.isNaN(value) && Number.isNaN(after.row[key])));
  const isRow = before.direction === 'reads' && areShares(before);
  const keys = isRow ? gridsOf(info, before.tower).flatMap((grid) => [...keysOfGrid(info, grid)]) : [];
  const [there, here] = [before, after].map(({ row, imageMass }) => keys.map((key) => row[key] / imageMass));
  const isOnImage = keys.length > 0 && before.imageMass > 0 && after.imageMass > 0;
  return {
    left, right, before, after, isSame, stands, isSideBySide,
    apart: !isRow ? NaN : isSame ? 0 : jensenShannon(...(/** @type {[Float32Array, Float32Array]} */ (withRest([before, after], stands !== null)))),
    apartOnImage: !isOnImage ? NaN : isSame ? 0 : jensenShannon(there, here),
  };
}

/**
 * The Jensen-Shannon divergence in bits, 0 (equal) to 1 (nothing in common).
 * @param {ArrayLike<number>} p
 * @param {ArrayLike<number>} q
 */
export function jensenShannon(p, q) {
  let total = 0;
  for (let i = 0; i < p.length; i++) {
    const middle = (p[i] + q[i]) / 2;
    if (p[i] > 0) total += p[i] * Math.log2(p[i] / middle);
    if (q[i] > 0) total += q[i] * Math.log2(q[i] / middle);
  }
  return Math.min(1, Math.max(0, total / 2));
}

/**
 * How both maps and their difference are painted: null where there is no map.
 * @param {Pair} pair
 * @param {Pick<import('../state/look.js').Look, 'scale' | 'curve' | 'clip' | 'sinks'> & {magnified: boolean}} look  `magnified`: the difference on a range of its own
 * @param {number | null} sharedHigh  where the range of all heads' maps of both ends, null while that is not known
 * @returns {Maps | null}
 */
export function makeMaps({ before, after, isSideBySide }, look, sharedHigh) {
  if (!before.cells.length || before.cells.length !== after.cells.length) return null;
  const { curve, clip, scale } = look;
  // Of effects, and of ratios, every cell counts, and 0 is in the middle of the colours.
  const signs = { isEffect: before.effect !== null, isRatio: isRatio(before.effect) };
  const isColumn = before.direction === 'read by' || signs.isEffect;
  const mode = isColumn ? 'raw' : look.sinks;
  const [there, here] = [before, after].map((shown) => withoutSinks(shown.cells, shown.sinks, mode));
  const evenOf = (/** @type {Shown} */ shown) => (scale === 'uniform' && !isColumn ? shown.mass / shown.cells.length : undefined);
  const even = evenOf(before); // one unit for both: the left one's
  const high = scale === 'atlas' && sharedHigh !== null ? sharedHigh : undefined;
  const hidden = there.hidden || here.hidden ? both(there.hidden, here.hidden) : null;
  const range = rangeOf(joined(there.values, here.values), { curve, clip, even, high, hidden: hidden && joined(there.hidden, here.hidden, before.cells.length), ...signs });
  // Where each is shown by itself each has a range of its own.
  const [first, second] = isSideBySide ? [rangeOf(there.values, { curve, clip, even, high, hidden: there.hidden, ...signs }), rangeOf(here.values, { curve, clip, even: evenOf(after), high, hidden: here.hidden, ...signs })] : [range, range];
  const values = here.values.map((value, cell) => value - there.values[cell]);
  const sizes = values.map(Math.abs);
  const own = look.magnified ? inUnit(rangeOf(sizes, { curve, clip, hidden }), range) : null;
  const unit = range.factor === 1 ? {} : { even: 1 / range.factor };
  const shared = own ?? { ...rangeOf(sizes, { ...unit, curve, clip: 100, hidden }), unit: range.unit, high: range.high, low: range.low, clipped: above(sizes, hidden, range) };
  return { before: { ...there, range: first }, after: { ...here, range: second }, difference: { values, hidden, range: shared, isOwn: own !== null } };
}

/** A range of attention in the unit of another. @param {import('./colour_range.js').Range} own @param {import('./colour_range.js').Range} range */
function inUnit(own, { unit, factor }) {
  return { ...own, unit, factor, low: own.low * factor, high: own.high * factor, maximum: own.maximum * factor };
}

/** @param {Uint8Array | null} a @param {Uint8Array | null} b */
function both(a, b) {
  const length = (a ?? b)?.length ?? 0;
  return Uint8Array.from({ length }, (_, i) => (a?.[i] || b?.[i] ? 1 : 0));
}

/**
 * Two arrays as one; of none the zeros.
 * @template {Float32Array | Uint8Array} T
 * @param {T | null} a
 * @param {T | null} b
 * @param {number} [length]  of each
 * @returns {T}
 */
function joined(a, b, length = a?.length ?? 0) {
  const Kind = /** @type {any} */ ((a ?? b)?.constructor ?? Uint8Array);
  const result = new Kind(2 * length);
  if (a) result.set(a);
  if (b) result.set(b, length);
  return result;
}

/** How many lie above the end of a range. @param {Float32Array} sizes @param {Uint8Array | null} hidden @param {import('./colour_range.js').Range} range */
function above(sizes, hidden, { factor, high }) {
  let count = 0;
  sizes.forEach((size, cell) => { if (!hidden?.[cell] && size * factor > high) count++; });
  return count;
}
