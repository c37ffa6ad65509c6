// @ts-check
/**
 * Noise floors: how far the base moves by itself, in each head, by kind; and changes set against them. Knows no document.
 *
 * @typedef {object} Floors
 * @property {string} name           of the change that they are of
 * @property {string[]} kinds
 * @property {Float32Array[]} tables  one for each kind, 0 and more; NaN where it is not known
 */

/**
 * A change as a multiple of each floor, by its kind: Infinity of a floor of 0, NaN where both are 0 or one is not known.
 * @param {Floors} floors
 * @param {number} at
 * @param {number} value  the change there
 * @returns {{kind: string, times: number}[]}
 */
export function timesOf({ kinds, tables }, at, value) {
  return kinds.map((kind, i) => ({ kind, times: Math.abs(value) / tables[i][at] }));
}

/**
 * A change as a multiple of its largest floor: 1 and less is no more than noise. NaN where that is not known.
 * @param {Floors} floors
 * @param {number} at
 * @param {number} value
 */
export function timesNoise({ tables }, at, value) {
  const known = tables.map((table) => table[at]).filter((floor) => !Number.isNaN(floor));
  return known.length ? Math.abs(value) / Math.max(...known) : NaN;
}

/**
 * Which changes are no more than the largest floor, one for each head; null without floors.
 * @param {Floors | null} floors
 * @param {Float32Array} values
 * @returns {Uint8Array | null}
 */
export function belowNoise(floors, values) {
  if (!floors?.kinds.length) return null;
  return Uint8Array.from(values, (value, i) => (value === 0 || timesNoise(floors, i, value) <= 1 ? 1 : 0));
}
