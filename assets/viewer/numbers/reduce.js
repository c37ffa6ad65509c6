// @ts-check
/**
 * Rows of attention, or of effects, to the one map on screen: choosing a head or reducing over heads, taking a grid's cells. Where effects
 * are below 0 the largest is that of the largest size, with its sign. Knows no document.
 */

/** @typedef {import('../data/run_info.js').Choice} Choice */

/** How many places of an atlas come after the heads, their mean and maximum, and after the layers, their mean. */
export const REDUCED_PLACES = { heads: 2, layers: 1 };

/**
 * One head of a row, or the mean or maximum over its heads, of effects the sum for the mean. It is summed in double precision.
 * @param {Float32Array} row  [heads, keys]
 * @param {number} heads
 * @param {Choice} head
 * @param {boolean} [isEffect]
 * @returns {Float32Array} [keys]
 */
export function chooseHead(row, heads, head, isEffect = false) {
  const keys = row.length / heads;
  if (heads === 1) return row;
  if (typeof head === 'number') return row.subarray(head * keys, (head + 1) * keys);
  const result = new Float32Array(keys);
  for (let key = 0; key < keys; key++) {
    let sum = 0;
    let maximum = 0;
    for (let i = key; i < row.length; i += keys) {
      sum += row[i];
      if (Math.abs(row[i]) > Math.abs(maximum)) maximum = row[i];
    }
    result[key] = head === 'mean' ? sum / (isEffect ? 1 : heads) : maximum;
  }
  return result;
}

/**
 * The values of a grid's cells.
 * @param {Float32Array} row  [keys]
 * @param {Int32Array} keys   the key of each cell
 */
export function takeCells(row, keys) {
  return Float32Array.from(keys, (key) => row[key]);
}

/** @param {ArrayLike<number>} values */
export function sum(values) {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i];
  return total;
}

/** The place of the largest, of whichever sign. @param {ArrayLike<number>} values */
export function indexOfLargest(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (Math.abs(values[i]) > Math.abs(values[best])) best = i;
  return best;
}

/**
 * The places of the largest values, of whichever sign, the largest first.
 * @param {ArrayLike<number>} values
 * @param {number} count
 */
export function topCells(values, count) {
  return Array.from(values, (_, place) => place).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a])).slice(0, count);
}

/**
 * How many cells, the largest first, together hold half of the sum.
 * @param {ArrayLike<number>} values
 */
export function cellsOfHalf(values) {
  const ordered = Float32Array.from(values).sort();
  const half = sum(ordered) / 2;
  let [held, count] = [0, 0];
  for (let i = ordered.length - 1; i >= 0 && held < half; i--, count++) held += ordered[i];
  return count;
}
