// @ts-check
/** What is said of ratios: of a map, a cell, a token. Knows no document. */
import { quoted, quotedSpan } from '../data/token_text.js';
import { formatRatio } from '../numbers/ratios.js';
import { headName } from './map.js';

/**
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 * @typedef {import('../state/reading.js').Reading} Reading
 * @typedef {import('../state/fields.js').Shown & {effect: Reading}} Ratios
 */

/** What it answers, in a sentence. */
export const RELATIVE_ANSWERS = 'Where this question makes the model read more, or less, than a general one about the same picture: the row over the general one.';

/** A cell that is pointed at. @param {import('../state/fields.js').Shown} shown @param {number} cell */
export const cellRatio = (shown, cell) => `${formatRatio(shown.cells[cell])} what the general question reads`;

/** @param {RunInfo} info @param {Ratios} shown */
export function relativeTitle(info, { token, until, query, effect }) {
  const what = until === null ? quoted(info, token) : quotedSpan(info, token, token + until - query);
  const row = until === null ? `row ${query}` : `rows ${query} to ${until}`;
  return `${token === query ? `what ${what} reads (${row}, its own)` : `what is read before ${what} (${row})`} over “${effect.prompt}”`;
}

/**
 * What the map says.
 * @param {Ratios} shown
 * @param {RunInfo} info
 */
export function relativeSentence({ effect, layer, head, cells, grid }, info) {
  const { cols } = info.grids[/** @type {number} */ (grid)];
  const name = headName(layer, head);
  const who = name[0].toUpperCase() + name.slice(1);
  if (!cells.some((octaves) => octaves !== 0)) return `${who}: every cell is read as “${effect.prompt}” reads it.`;
  const [most, least] = [Math.max(...cells), Math.min(...cells)];
  const at = (/** @type {number} */ octaves) => `row ${Math.floor(cells.indexOf(octaves) / cols)}, col ${cells.indexOf(octaves) % cols}`;
  const more = most > 0 ? `reads ${at(most)} ${formatRatio(most)} as much as “${effect.prompt}” does, the most` : `reads no cell more than “${effect.prompt}” does`;
  return `${who} ${more}; ${least < 0 ? `the least ${formatRatio(least)} at ${at(least)}` : 'none less'}. Weights below ${effect.floor} count as that.`;
}
