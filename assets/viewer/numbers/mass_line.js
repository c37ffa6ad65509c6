// @ts-check
/**
 * The line of image mass along the answer: for each token that the model wrote, how much of the row that predicts it lies on the
 * images. The row of position p predicts token p + 1. Knows no document.
 *
 * @typedef {object} MassLine
 * @property {number} first           the answer's first token
 * @property {Float32Array} values    one for each of its tokens; NaN where no row was kept
 * @property {number} maximum
 * @property {number} mean            of those that are known
 * @property {number} peak            the token with the largest
 */
import { gridsOf, isTokenOf, promptLength } from '../data/run_info.js';
import { formatPercent } from '../data/format.js';
import { quoted } from '../data/token_text.js';

/**
 * Whether a tower of a run has such a line: text that it wrote, and images that text reads.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {string} tower
 */
export function hasLine(info, tower) {
  return isTokenOf(info, tower, 'reads', promptLength(info)) && gridsOf(info, tower).length > 0 && promptLength(info) < info.tokens.length;
}

/**
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {{positions: number[], values: Float32Array}} line  of every row that was kept
 * @returns {MassLine}
 */
export function makeLine(info, { positions, values: known }) {
  const first = promptLength(info);
  const values = new Float32Array(info.tokens.length - first).fill(NaN);
  positions.forEach((position, i) => {
    const place = position + 1 - first;
    if (place >= 0 && place < values.length) values[place] = known[i];
  });
  let [total, count, peak] = [0, 0, -1];
  values.forEach((value, place) => {
    if (Number.isNaN(value)) return;
    total += value;
    count++;
    if (peak < 0 || value > values[peak]) peak = place;
  });
  return { first, values, maximum: peak < 0 ? 0 : values[peak], mean: count ? total / count : 0, peak: first + Math.max(0, peak) };
}

/**
 * The token at a place of the line, null beside it.
 * @param {MassLine} line
 * @param {number} share  0 to 1 of its width
 */
export function tokenAt({ first, values }, share) {
  return share >= 0 && share < 1 ? first + Math.floor(share * values.length) : null;
}

/**
 * A token's value and what it is of, in words.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {MassLine} line
 * @param {number} token
 */
export function wordsAt(info, { first, values }, token) {
  const value = values[token - first];
  const said = Number.isNaN(value) ? 'no row was kept' : `${formatPercent(value)} on images`;
  return `${quoted(info, token)} (token ${token}) · predicted by row ${token - 1}: ${said}`;
}

/**
 * The line for who cannot see it.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {MassLine} line
 */
export function lineWords(info, { values, mean, maximum, peak }) {
  return `Image mass of the rows that predict the ${values.length} tokens of the answer: mean ${formatPercent(mean)}, `
    + `maximum ${formatPercent(maximum)} at ${quoted(info, peak)}, token ${peak}`;
}
