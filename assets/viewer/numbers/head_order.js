// @ts-check
/**
 * Heads in the order of a score: within each layer, and the best of all layers. Knows no document.
 *
 * Masses and shares are best when high, entropies when low: one blob comes first. Effects come by their size, whatever their sign. Heads of equal score stay in the order of their
 * numbers, those without one come last.
 */
import { formatPercent, formatValue } from '../data/format.js';
import { formatSigned } from './change_measures.js';

/**
 * @typedef {import('../state/look.js').Look['order']} Order
 * @typedef {{text: string, unit: string, isLowFirst: boolean, write: (score: number) => string}} OrderWords
 */

const bits = (/** @type {number} */ score) => (Number.isFinite(score) ? Math.max(0, score).toFixed(2) : '–'); // no -0.00

/** @type {Record<Order, OrderWords>} */
export const ORDERS = {
  number: { text: 'number', unit: '', isLowFirst: true, write: String },
  image_mass: { text: 'image mass', unit: '', isLowFirst: false, write: formatPercent },
  entropy: { text: 'entropy', unit: 'bits', isLowFirst: true, write: bits },
  spatial_entropy: { text: 'spatial entropy', unit: 'bits', isLowFirst: true, write: bits },
  sink_share: { text: 'sink share', unit: '', isLowFirst: false, write: formatPercent },
  value: { text: 'value at the pinned cell', unit: '', isLowFirst: false, write: formatValue },
  region_share: { text: 'share in the place', unit: '', isLowFirst: false, write: formatPercent },
  region_mass: { text: 'mass in the place', unit: '', isLowFirst: false, write: formatPercent },
  region_rank: { text: "rank of the place's best cell", unit: '', isLowFirst: true, write: String },
  region_iou: { text: 'overlap of top cells and place (IoU)', unit: '', isLowFirst: false, write: formatValue },
  effect: { text: 'size of effect', unit: 'nats', isLowFirst: false, write: formatValue },
  silence: { text: 'forecast of silencing it', unit: 'nats', isLowFirst: false, write: formatSigned },
  found: { text: 'score over a set', unit: '', isLowFirst: false, write: (score) => (Number.isFinite(score) ? formatPercent(score) : '–') },
};

/** What an order is called: sizes of ratios are how far they are from 1. @param {Order} order @param {boolean} isRatio */
export const wordsOfOrder = (order, isRatio) => (isRatio && order === 'effect' ? { ...ORDERS.effect, text: 'distance from ×1', unit: '' } : ORDERS[order]);

/** Orders of heads by what is read, and by what a forecast says. */
const OF_EFFECTS = ['number', 'effect', 'silence', 'value', 'found'];
/** And by ratios, of which the server has no scores. */
const OF_RATIOS = ['number', 'effect', 'found'];

/**
 * The order of what is on screen: one of masses and entropies is none of effects, and one of effects none of attention.
 * @param {Order} order  as it is chosen
 * @param {boolean | string} isEffect  or the kind of a reading
 * @returns {Order}
 */
export function orderOf(order, isEffect) {
  if (isEffect) return (isEffect === 'relative' ? OF_RATIOS : OF_EFFECTS).includes(order) ? order : 'effect';
  return order === 'effect' || order === 'silence' ? 'number' : order;
}

/** How many of the best heads are shown, where there is room. */
export const BEST = 24;

/**
 * The places of some scores, the best first.
 * @param {Float32Array} scores
 * @param {boolean} isLowFirst
 */
function ordered(scores, isLowFirst) {
  const key = (/** @type {number} */ i) => (Number.isNaN(scores[i]) ? Infinity : isLowFirst ? scores[i] : -Math.abs(scores[i]));
  return Int32Array.from(Array.from(scores, (_, i) => i).sort((a, b) => (key(a) === key(b) ? a - b : key(a) - key(b))));
}

/**
 * The heads of each layer from the first rank to the last, and after the layers those of the mean over them, by their mean score.
 * @param {Float32Array} scores  [layers, heads]
 * @param {number} heads
 * @param {Order} order
 * @returns {Int32Array[]} [layers + 1] of [heads]
 */
export function ranksOf(scores, heads, order) {
  const { isLowFirst } = ORDERS[order];
  const layers = scores.length / heads;
  const mean = new Float32Array(heads);
  for (let i = 0; i < scores.length; i++) mean[i % heads] += scores[i] / layers;
  const each = Array.from({ length: layers }, (_, layer) => ordered(scores.subarray(layer * heads, (layer + 1) * heads), isLowFirst));
  return [...each, ordered(mean, isLowFirst)];
}

/**
 * The best heads of all layers, as places layer * heads + head. An entropy is that of a picture read: only heads count that read
 * at least as much of the picture as half of all heads do.
 * @param {Float32Array} scores  [layers, heads]
 * @param {ArrayLike<number>} masses  on the picture, [layers, heads]
 * @param {Order} order
 * @param {number} [count]
 * @returns {number[]}
 */
export function bestHeads(scores, masses, order, count = BEST) {
  const least = isOfReaders(order) ? medianOf(masses) : -Infinity;
  return [...ordered(scores, ORDERS[order].isLowFirst)].filter((place) => masses[place] >= least && !Number.isNaN(scores[place])).slice(0, count);
}

/** Whether an order counts only heads that read of the picture. @param {Order} order */
export function isOfReaders(order) {
  return order === 'entropy' || order === 'spatial_entropy';
}

/** The middle value, or the mean of the two in the middle. @param {ArrayLike<number>} values */
function medianOf(values) {
  const ordered = Float64Array.from(values).sort();
  const half = (ordered.length - 1) / 2;
  return (ordered[Math.floor(half)] + ordered[Math.ceil(half)]) / 2;
}
