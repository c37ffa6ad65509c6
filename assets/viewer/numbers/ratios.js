// @ts-check
/**
 * Ratios of relative attention, as they are drawn: by their logarithm to the base 2, so that twice and half are as far from 0, which is where
 * both questions read alike. The server divides what it has reduced; nothing is averaged here. Knows no document.
 *
 * @typedef {{kind?: string} | null | undefined} Effect
 */
import { REDUCED_PLACES } from './reduce.js';

/** Whether what is shown are ratios. @param {Effect} effect */
export const isRatio = (effect) => effect?.kind === 'relative';

/** Whether several heads, layers or rows of what is shown are added up: effects of a forecast are. @param {Effect} effect */
export const areSummed = (effect) => Boolean(effect) && !isRatio(effect);

/** @param {Float32Array} ratios */
export const octavesOf = (ratios) => ratios.map(Math.log2);

/** "×2.3", "÷4.0": a ratio by its logarithm. @param {number} octaves */
export function formatRatio(octaves) {
  if (!Number.isFinite(octaves)) return '–';
  const times = 2 ** Math.abs(octaves);
  const text = times >= 999_999.5 ? times.toExponential(1).replace('e+', 'e') : times >= 9.95 ? times.toFixed(0) : times.toPrecision(2);
  return Number(text) === 1 ? '×1' : `${octaves < 0 ? '÷' : '×'}${text}`;
}

/**
 * An atlas [layers + 1, heads + 2, rows, cols] taken apart: maps of heads, and what the server has reduced, as an atlas holds the two.
 * @param {Pick<import('../data/source.js').Numbers, 'values' | 'shape'>} numbers  with the means and maxima at the ends
 */
export function partsOf({ values, shape }) {
  const [layers, heads] = [shape[0] - REDUCED_PLACES.layers, shape[1] - REDUCED_PLACES.heads];
  const cells = shape[2] * shape[3];
  const octaves = octavesOf(values);
  const at = (/** @type {number} */ layer, /** @type {number} */ head) => octaves.subarray((layer * shape[1] + head) * cells, (layer * shape[1] + head + 1) * cells);
  const maps = new Float32Array(layers * heads * cells);
  const reduced = new Float32Array((layers * REDUCED_PLACES.heads + heads + REDUCED_PLACES.heads) * cells);
  let place = 0;
  for (let layer = 0; layer <= layers; layer++) {
    for (let head = 0; head < shape[1]; head++) {
      if (layer < layers && head < heads) maps.set(at(layer, head), (layer * heads + head) * cells);
      else reduced.set(at(layer, head), place++ * cells);
    }
  }
  return { layers, heads, rows: shape[2], cols: shape[3], maps, reduced };
}
