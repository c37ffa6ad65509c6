// @ts-check
/** What lies on attention sinks, and what is done about it: of one map, or of two that are set against each other. Always said. Knows no document. */
import { formatPercent } from '../data/format.js';
import { areShares } from '../data/selection.js';

/**
 * @typedef {import('../state/fields.js').Shown} Shown
 * @typedef {import('../state/look.js').Look['sinks']} Mode
 *
 * @typedef {object} OnSinks  of one map
 * @property {number} count    of its cells that are sinks
 * @property {number} mass     on them
 * @property {number} total    on all of its cells
 * @property {number} rowMass  of the whole row that lies on sinks; 0 of numbers that are no shares of one row
 */

/**
 * The sentence, as exported files have it too (`attention.drawing.run_words.sinks_sentence`).
 * @param {{layer: import('../data/run_info.js').Choice, head: import('../data/run_info.js').Choice, areShares: boolean}} row
 * @param {OnSinks[]} maps  one, or two
 * @param {Mode} mode
 */
export function sinksSentence({ layer, head, areShares: isWhole }, maps, mode) {
  if (!maps.some(({ count }) => count)) return typeof layer === 'number' ? 'No sink cells in this layer.' : 'No sink cells in any layer.';
  const isDivided = mode === 'renormalised' && maps.some(({ rowMass }) => rowMass > 0);
  const done = mode === 'raw' ? 'drawn as they are' : isDivided ? 'hatched, the rest divided by what is left' : 'hatched, outside the colours';
  const [first, second] = maps.map(({ count, mass, total }) => ({ count, share: formatPercent(total > 0 ? mass / total : 0) }));
  if (second) {
    const whose = isWhole ? 'the image attention' : 'what is drawn';
    return `Of ${whose} ${first.share} on ${first.count} → ${second.share} on ${second.count} sink cells: ${done}. An object that every row looks at can be one.`;
  }
  const whose = !isWhole ? 'what is drawn' : `${typeof head === 'number' ? "this head's" : 'this'} image attention`;
  return `${first.share} of ${whose} is on ${first.count} sink cell${first.count === 1 ? '' : 's'}: ${done}.`;
}

/**
 * How much of a row, or of two that are set against each other, went to a sink that is learned and is no key (`attention.drawing.run_words.learned_sink_sentence`).
 * @param {(number | undefined)[]} masses  undefined where there is none
 */
export function learnedSinkSentence(masses) {
  const shares = masses.map((mass) => formatPercent(mass ?? 0));
  return masses.some((mass) => mass !== undefined) ? `${shares.join(' → ')} of the row is on a learned sink, which is no token.` : '';
}

/**
 * Of the map on screen, or of two; readers of a key are no sinks.
 * @param {Shown[]} shown
 * @param {Mode} mode
 */
export function sinksOf(shown, mode) {
  const [{ direction, layer, head, cells, effect }] = shown;
  if (direction === 'read by' || effect || !cells.length) return '';
  const found = sinksSentence({ layer, head, areShares: areShares({ direction, layer, head }) }, shown.map(({ sinks, mass }) => ({ ...sinks, total: mass })), mode);
  return [found, learnedSinkSentence(shown.map(({ sinks }) => sinks.learned))].filter(Boolean).join(' ');
}
