// @ts-check
/**
 * Agreement of a map with what hiding and painting regions does: the rank correlation over the regions, and whether the most harmful one is
 * found. As `attention/readings/agreement.py` has it. Knows no document.
 *
 * @typedef {'hidden' | 'painted'} Truth
 * @typedef {{rank: number | null, hits: boolean}} Agreement  rank is null where either is the same everywhere
 *
 * @typedef {object} KeptAgreement  as the server sends it; of one input
 * @property {string} name
 * @property {string} tower  whose keys stand for the pictures
 * @property {{tokens: number[], against: number | null}} target
 * @property {number} value
 * @property {number} n_regions
 * @property {{image: number, box: number[], keys: number[]}[]} regions
 * @property {Partial<Record<Truth, number[]>>} measured  nats of each region
 * @property {Record<string, Partial<Record<Truth, Agreement>>>} agreement  by map
 * @property {Record<string, string>} names  of maps
 * @property {Partial<Record<Truth, {rank: number | null, hits: number}>>} chance  of a random order: below which its rank stays in 19 of 20 cases
 * @property {string} caution  on the forecast, '' where there is none
 * @property {string} note     on what was not measured
 * @property {string} paths    that other paths stay open
 */
import { isRatio } from './ratios.js';

/**
 * Spearman's rank correlation, equal values sharing their mean rank; null where one is the same everywhere.
 * @param {ArrayLike<number>} one
 * @param {ArrayLike<number>} other
 */
export function spearman(one, other) {
  const [a, b] = [spreadOfRanks(one), spreadOfRanks(other)];
  const product = (/** @type {number[]} */ x, /** @type {number[]} */ y) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  const norm = Math.sqrt(product(a, a) * product(b, b));
  return norm > 0 ? product(a, b) / norm : null;
}

/** Ranks less their mean. @param {ArrayLike<number>} values */
function spreadOfRanks(values) {
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b]);
  const ranks = new Array(values.length).fill(0);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let i = from; i < to; i++) ranks[order[i]] = (from + to - 1) / 2;
    from = to;
  }
  return ranks.map((rank) => rank - (order.length - 1) / 2);
}

/**
 * @param {number[]} expected  harm that a map expects of each region, negative is harm
 * @param {number[]} measured
 * @returns {Agreement}
 */
export function agreementOf(expected, measured) {
  const lowest = Math.min(...expected);
  const named = expected.flatMap((value, i) => (value === lowest ? [i] : [])); // several name no region
  return { rank: spearman(expected, measured), hits: named.length === 1 && named[0] === measured.indexOf(Math.min(...measured)) };
}

/**
 * Agreement of the map on screen, by truth; null where it is no order of places by harm: a column, a ratio, or of another tower.
 * @param {KeptAgreement} kept
 * @param {import('../state/fields.js').Shown | null} shown
 * @returns {Partial<Record<Truth, Agreement>> | null}
 */
export function agreementOnScreen({ tower, regions, measured }, shown) {
  if (!shown || shown.tower !== tower || isRatio(shown.effect) || shown.direction === 'read by' || (shown.direction === 'received' && !shown.effect)) return null;
  const sign = shown.effect ? 1 : -1; // what is read is expected to be missed
  const expected = regions.map(({ keys }) => sign * keys.reduce((sum, key) => sum + shown.row[key], 0));
  return Object.fromEntries(Object.entries(measured).map(([truth, values]) => [truth, agreementOf(expected, values)]));
}
