// @ts-check
/** Scores of found heads, as heads are ordered by them. Knows no document. */
import { whyNotIn } from '../data/found_heads.js';
import { headCount, layersOf } from '../data/run_info.js';

/** The last that was made: who asks twice gets the same. @type {{of: any[], values: Float32Array | null}} */
let last = { of: [], values: null };

/**
 * The score of each found head, NaN of every other; null where none is loaded, or the run has other heads.
 * @param {import('../data/found_heads.js').FoundHeads | null} found
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {string} tower
 * @returns {Float32Array | null} [layers, heads]
 */
export function foundScores(found, info, tower) {
  if (!found || found.tower !== tower || whyNotIn(found, info)) return null;
  if ([found, info, tower].every((each, i) => each === last.of[i])) return last.values;
  const layers = layersOf(info, tower);
  const heads = headCount(info, tower);
  const values = new Float32Array(layers.length * heads).fill(NaN);
  for (const { layer, head, score } of found.heads) values[layers.indexOf(layer) * heads + head] = score;
  last = { of: [found, info, tower], values };
  return values;
}
