// @ts-check
/**
 * The tint of tokens: what the selected token reads of each, or reads it with, on a scale of its own. Knows no document.
 *
 * The scale begins at 0 and follows the square root. It ends at the largest value of the tokens that are seen one by one, and not
 * below TINT_END: what holds next to nothing looks pale. Sinks are outside it, as on the picture. Effects have no such end, and no sinks.
 *
 * @typedef {object} Tint
 * @property {Float32Array} values      of every token; divided by what is not on sinks where that is asked for; of a difference some are below 0
 * @property {Uint8Array | null} hidden 1 for a sink that has no colour
 * @property {number} end               what gets the last colour
 * @property {number} sinks             how many of those that are seen have no colour
 * @property {boolean} [isRatio]        values are logarithms of ratios; those of text are NaN
 */
import { sinkKeys, withoutSinks } from './sinks.js';
import { isRatio } from './ratios.js';
import { numbersAreOfTokens } from '../data/selection.js';
import { formatValue } from '../data/format.js';

export const TINT_END = 0.05;
/** So much of the full colour gets what lies at the end, in per cent: text stays readable on it. */
export const STRONGEST = 90;

/**
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {import('../state/fields.js').Shown | null} shown
 * @param {import('../state/look.js').Look['sinks']} mode
 * @param {number[]} seen  the tokens that are seen one by one
 * @returns {Tint | null} null where the numbers are not of tokens
 */
export function makeTint(info, shown, mode, seen) {
  if (!shown || !numbersAreOfTokens(info, shown)) return null;
  if (shown.effect) return { values: shown.row, hidden: null, ...endOf(shown.row, null, seen, 0), ...(isRatio(shown.effect) && { isRatio: true }) };
  const keys = shown.direction === 'reads' ? sinkKeys(info, shown.tower, shown.layer) : [];
  const cells = keys.length ? new Uint8Array(shown.row.length) : null;
  for (const key of keys) /** @type {Uint8Array} */ (cells)[key] = 1;
  const { values, hidden } = withoutSinks(shown.row, { ...shown.sinks, cells }, keys.length ? mode : 'raw');
  return { values, hidden, ...endOf(values, hidden, seen) };
}

/**
 * Where the scale of some values ends, and how many of the tokens that are seen have no colour.
 * @param {Float32Array} values
 * @param {Uint8Array | null} hidden
 * @param {number[]} seen
 * @param {number} [least]  where it ends at least
 */
export function endOf(values, hidden, seen, least = TINT_END) {
  let [end, sinks] = [least, 0];
  for (const token of seen) {
    if (hidden?.[token]) sinks++;
    else if (Math.abs(values[token]) > end) end = Math.abs(values[token]);
  }
  return { end, sinks };
}

/**
 * What is read of tokens, of a sign in several pieces of all of them; or by them, on average. Effects add up.
 * @param {Pick<Tint, 'values'> | null} tint
 * @param {{token: number, count: number}} tokens  the first, and how many
 * @param {Pick<import('../state/fields.js').Shown, 'direction' | 'effect'> | null} [shown]
 */
export function valueOf(tint, { token, count }, shown) {
  let sum = 0;
  for (let i = token; i < token + count; i++) sum += tint?.values[i] ?? 0;
  return shown?.direction === 'read by' && !shown.effect ? sum / count : sum;
}

/**
 * How much of the full colour a value gets, in whole per cent.
 * @param {Tint} tint
 * @param {number} value
 */
export function strengthOf({ end }, value) {
  return end > 0 && Number.isFinite(value) ? Math.round(STRONGEST * Math.sqrt(Math.min(1, Math.abs(value) / end))) : 0;
}

/**
 * What the tint means, in words; why there is none.
 * @param {import('../state/fields.js').Shown | null} shown
 * @param {Tint | null} tint
 */
export function tintWords(shown, tint) {
  if (!shown) return '';
  if (!tint) return shown.tower === 'vision' ? 'no tint: these numbers are of patches, not of tokens' : 'no tint: what it reads are cells of the picture, not tokens';
  if (isRatio(shown.effect)) return 'cells alone: tokens of text have no ratio, as the general question has other words';
  if (shown.effect) return `what the answer would lose (−) or gain if each ${shown.direction === 'read by' ? 'token read it' : 'were read'} less, by the square root`;
  const what = shown.direction === 'read by' ? 'how much each token reads it' : 'what it reads of each token';
  const count = tint.sinks === 1 ? '1 sink' : `${tint.sinks} sinks`;
  return `${what}, by the square root${tint.sinks ? `; ${count} hatched` : ''}`;
}

/** The end of the scale, as it is written. @param {Tint} tint */
export function tintEnd({ end }) {
  return formatValue(end);
}
