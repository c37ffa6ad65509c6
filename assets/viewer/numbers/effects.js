// @ts-check
/**
 * Effects of a forecast: what the answer's log-probability would change by, in nats. Those of several heads, layers or rows are added up: the
 * forecast of all of them together is their sum, and a mean of them would be of nothing. Knows no document.
 */
import { headCount, layersOf } from '../data/run_info.js';

/**
 * Numbers of effects as sums, where a server has sent means.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {{tower: string, direction?: import('../data/selection.js').Direction, layer?: import('../data/run_info.js').Choice, head?: import('../data/run_info.js').Choice, query: number, until?: number | null}} wish
 * @param {import('../data/source.js').Numbers} numbers  [heads or 1, ...]
 * @returns {import('../data/source.js').Numbers}
 */
export function summed(info, { tower, direction, layer, head, query, until }, numbers) {
  const heads = headCount(info, tower);
  const isReduced = head === 'mean' && heads > 1 && numbers.shape[0] === 1;
  const rows = rowCount({ direction, query, until });
  const times = (layer === 'mean' ? layersOf(info, tower).length : 1) * (isReduced ? heads : 1) * rows;
  return times === 1 ? numbers : { ...numbers, values: numbers.values.map((value) => value * times) };
}

/** How many rows, or columns, a wish is the mean of. @param {{direction?: import('../data/selection.js').Direction, query: number, until?: number | null}} wish */
export function rowCount({ direction, query, until }) {
  return direction === 'received' || until == null ? 1 : until - query + 1;
}

/** What heads or layers are reduced by, in a word: effects are summed, and of their sizes the largest is taken. @param {import('../data/run_info.js').Choice} choice @param {boolean} isEffect */
export function reducedBy(choice, isEffect) {
  return isEffect && choice === 'mean' ? 'sum' : isEffect && choice === 'max' ? 'largest' : String(choice);
}
