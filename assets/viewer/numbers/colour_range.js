// @ts-check
/**
 * From values to the range of the colours.
 *
 * One object, a Range, is read by the overlay, the atlas and the colour bar alike; so the numbers on the bar are those of the
 * overlay. Ranges begin at 0, as attention has a true zero and a map of equal values should look like one; on a logarithmic
 * scale they begin DECADES below their end. A range of effects is one of sizes: it goes as far below 0, and 0 is in the middle of the colours.
 */
import { formatTimes, formatValue } from '../data/format.js';
import { formatRatio } from './ratios.js';

/**
 * @typedef {'linear' | 'sqrt' | 'log'} Curve
 *
 * @typedef {object} Range
 * @property {number} low      in the unit: what gets the first colour, and all below it
 * @property {number} high     in the unit: what gets the last colour; 0 when there is nothing to show
 * @property {Curve} curve
 * @property {'attention' | 'uniform' | 'effect' | 'ratio'} unit  `uniform`: multiples of even attention over the picture; `effect`: nats of either sign; `ratio`: logarithms, to the base 2, of either sign
 * @property {number} factor   from a value to the unit
 * @property {number} maximum  the largest value, in the unit; of effects the largest size
 * @property {number} clipped  how many of the map's values lie above `high`; of effects also below -`high`
 */

/** Clipping never cuts below this share of the maximum: a map of one peak keeps its peak apart from the rest. */
export const CLIP_FLOOR = 0.1;
export const DECADES = 3;
/** The absolute scale: multiples of even attention. */
export const UNIFORM_HIGH = 100;

/**
 * The range of one map.
 * @param {ArrayLike<number>} values  not negative, unless they are effects
 * @param {object} how
 * @param {Curve} [how.curve]
 * @param {number} [how.clip]    per cent of the values that keep a colour of their own (see CLIP_FLOOR)
 * @param {number} [how.high]    an end given from outside, as by the whole atlas
 * @param {number} [how.even]    what each value would be if attention were even: the range is then absolute
 * @param {Uint8Array | null} [how.hidden]  1 where a value has no colour and does not count
 * @param {boolean} [how.isEffect]  values have either sign
 * @param {boolean} [how.isRatio]   and are logarithms of ratios
 * @returns {Range}
 */
export function rangeOf(values, { curve = 'linear', clip = 100, high, even, hidden = null, isEffect = false, isRatio = false } = {}) {
  const sizes = isEffect ? Float32Array.from(values, Math.abs) : values;
  const counted = hidden ? Float32Array.from(sizes).filter((_, i) => !hidden[i]) : sizes;
  const isAbsolute = even !== undefined;
  const factor = isAbsolute ? (even > 0 ? 1 / even : 0) : 1;
  const end = isAbsolute ? UNIFORM_HIGH : high ?? highOf(counted, clip);
  let clipped = 0;
  for (let i = 0; i < counted.length; i++) if (counted[i] * factor > end) clipped++;
  return {
    low: curve === 'log' ? end / 10 ** DECADES : 0, high: end, curve, unit: isRatio ? 'ratio' : isEffect ? 'effect' : isAbsolute ? 'uniform' : 'attention', factor,
    maximum: largest(counted) * factor, clipped,
  };
}

/**
 * Where the range of one map ends.
 * @param {ArrayLike<number>} values
 * @param {number} clip  per cent that stay within
 */
export function highOf(values, clip) {
  const maximum = largest(values);
  const spared = Math.floor((values.length * (100 - clip)) / 100 + 1e-9);
  return spared ? Math.max(nthLargest(values, spared), CLIP_FLOOR * maximum) : maximum;
}

/**
 * Where a value lies in a range, 0 to 1.
 * @param {Range} range
 * @param {number} value
 */
export function position({ low, high, curve, factor }, value) {
  const x = value * factor;
  if (!(high > 0) || !(x > low)) return 0;
  if (x >= high) return 1;
  if (curve === 'log') return Math.log(x / low) / Math.log(high / low);
  const share = (x - low) / (high - low);
  return curve === 'sqrt' ? Math.sqrt(share) : share;
}

/**
 * The place of a value of either sign: 0.5 for 0.
 * @param {Range} range  of sizes
 * @param {number} value
 */
export function signedPosition(range, value) {
  return 0.5 + (Math.sign(value) * position(range, Math.abs(value))) / 2;
}

/** Whether 0 is in the middle of its colours. @param {Range} range */
export const isSigned = ({ unit }) => unit === 'effect' || unit === 'ratio';

/** Where a value lies among the colours of its range, 0 to 1. @param {Range} range @param {number} value */
export function placeIn(range, value) {
  return isSigned(range) ? signedPosition(range, value) : position(range, value);
}

/**
 * The value, in the unit, whose place in the range this is: `position` turned around.
 * @param {Range} range
 * @param {number} place  0 to 1
 */
export function valueAt({ low, high, curve }, place) {
  if (curve === 'log') return low * (high / low) ** place;
  return low + (high - low) * (curve === 'sqrt' ? place ** 2 : place);
}

/**
 * What the colour bar says: its ends and its middle in the unit, and what the colours do not show.
 * @param {Range} range
 */
export function barLabels(range) {
  if (range.unit === 'effect') return effectLabels(range);
  if (range.unit === 'ratio') return ratioLabels(range);
  const write = range.unit === 'uniform' ? formatTimes : formatValue;
  const cells = range.clipped === 1 ? '1 cell' : `${range.clipped} cells`;
  return {
    unit: range.unit === 'uniform' ? 'times even attention' : 'attention',
    low: range.low > 0 ? `≤\u202f${write(range.low)}` : write(0),
    middle: range.high > 0 ? write(valueAt(range, 0.5)) : '',
    high: (range.clipped ? '≥\u202f' : '') + write(range.high),
    note: range.clipped ? `${cells} above, up to ${write(range.maximum)}` : '',
  };
}

/** The same of effects: what the answer would lose on one side, and gain on the other. @param {Range} range */
function effectLabels({ high, clipped, maximum }) {
  const [least, most] = clipped ? ['≤\u202f', '≥\u202f'] : ['', ''];
  const cells = clipped === 1 ? '1 cell' : `${clipped} cells`;
  return {
    unit: 'forecast, nats', low: high > 0 ? `${least}−${formatValue(high)}` : '0', middle: high > 0 ? '0' : '', high: high > 0 ? `${most}+${formatValue(high)}` : '0',
    note: ['− loses, + gains', clipped ? `${cells} beyond, up to ±${formatValue(maximum)}` : ''].filter(Boolean).join('; '),
  };
}

/** The same of ratios: less than the general question reads on one side, more on the other. @param {Range} range */
function ratioLabels({ high, clipped, maximum }) {
  const [least, most] = clipped ? ['≤\u202f', '≥\u202f'] : ['', ''];
  const cells = clipped === 1 ? '1 cell' : `${clipped} cells`;
  return {
    unit: 'ratio to the general question', low: high > 0 ? `${least}${formatRatio(-high)}` : '×1', middle: high > 0 ? '×1' : '', high: high > 0 ? `${most}${formatRatio(high)}` : '×1',
    note: clipped ? `${cells} beyond, up to ${formatRatio(maximum)} or ${formatRatio(-maximum)}` : '',
  };
}

/** @param {ArrayLike<number>} values */
export function largest(values) {
  let result = 0;
  for (let i = 0; i < values.length; i++) if (values[i] > result) result = values[i];
  return result;
}

/**
 * The value that exactly n others are not below: n = 0 gives the largest.
 * @param {ArrayLike<number>} values
 * @param {number} n
 */
export function nthLargest(values, n) {
  if (n > 40) return Math.max(0, Float32Array.from(values).sort()[values.length - 1 - n]);
  const top = new Float64Array(n + 1).fill(-Infinity); // ascending
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!(value > top[0])) continue;
    let place = 0;
    while (place < n && top[place + 1] < value) {
      top[place] = top[place + 1];
      place++;
    }
    top[place] = value;
  }
  return Math.max(0, top[0]);
}
