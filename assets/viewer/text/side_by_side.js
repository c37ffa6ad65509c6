// @ts-check
/** What is said of members whose towers have other layers or heads: why each is shown by itself, and of which head each map is. Knows no document. */
import { headCount, layersOf, skippedLayers } from '../data/run_info.js';
import { headName } from './map.js';

/**
 * As `Comparison.why_side_by_side` says it.
 * @param {import('../data/run_info.js').RunInfo[]} infos  by member
 */
export function whySideBySide(infos) {
  const rest = 'each is shown by itself; region numbers and log-probabilities are compared.';
  for (const [i, tower] of Object.keys(infos[0]?.towers ?? {}).entries()) {
    const shapes = [...new Set(infos.map((info) => `${layersOf(info, tower).length} × ${headCount(info, tower)}`))];
    const layers = infos.some((info) => skippedLayers(info, tower).flat().length) ? 'layers with maps' : 'layers';
    if (shapes.length > 1) return `${i ? `The models' ${tower} towers` : 'The models'} have ${shapes.join(' and ')} ${layers} and heads: ${rest}`;
  }
  return `The models have attention in different layers: ${rest}`;
}

/**
 * A member's name with the layer and head of its map: "base, layer 3 head 1".
 * @param {string} name
 * @param {Pick<import('../state/fields.js').Shown, 'layer' | 'head'>} shown
 */
export function nameAt(name, { layer, head }) {
  return `${name}, ${headName(layer, head)}`;
}
