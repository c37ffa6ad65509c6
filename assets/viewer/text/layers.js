// @ts-check
/** Why layers have no map, in words. Knows no document. */
import { skippedLayers } from '../data/run_info.js';

/** Words for what a layer has instead of softmax attention, as in attention/words.py. @type {Record<string, string>} */
const KINDS = { linear: 'linear attention', convolution: 'a convolution', unmerged: 'patches that are merged later' };

/** The kinds of some layers. @param {import('../data/run_info.js').Layer[]} layers */
export function kindsOf(layers) {
  return [...new Set(layers.map(({ kind }) => KINDS[kind ?? ''] ?? 'no softmax attention'))].join(', ');
}

/** Of neighbouring layers, of one kind or of several. @param {import('../data/run_info.js').Layer[]} layers */
export function withoutMaps(layers) {
  const [first, last] = [layers[0].index, layers[layers.length - 1].index];
  return `${first === last ? `Layer ${first}` : `Layers ${first} to ${last}`}: ${kindsOf(layers)}, no map`;
}

/** Words for the layers before each that has a map, and after the last; empty where there are none. @param {import('../data/run_info.js').RunInfo} info @param {string} tower */
export function wordsBetween(info, tower) {
  return skippedLayers(info, tower).map((layers) => (layers.length ? withoutMaps(layers) : ''));
}
