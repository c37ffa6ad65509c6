// @ts-check
/** What the atlas says of itself: which maps these are, in which order and on which scale; or why there are none. Knows no document. */
import { isOfReaders, orderOf, wordsOfOrder } from '../numbers/head_order.js';
import { isRatio } from '../numbers/ratios.js';
import { isOfRegion, regionOf } from '../numbers/regions.js';
import { headCount, layersOf, skippedLayers } from '../data/run_info.js';
import { kindsOf } from './layers.js';

/**
 * @typedef {import('../views/atlas/atlas_maps.js').Held} Held
 * @typedef {import('../state/fields.js').Fields} Fields
 */

/**
 * Which of how many heads is on screen, and that it is one of many.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {import('../data/selection.js').Selection} selection
 * @param {boolean} [isEffect]
 */
export function headsLine(info, { tower, layer, head }, isEffect = false) {
  const count = layersOf(info, tower).length * headCount(info, tower);
  const isOne = typeof layer === 'number' && typeof head === 'number';
  if (count < 2) return '';
  if (isEffect) return isOne ? `Forecast of one of ${count.toLocaleString('en')} heads. Click one.` : `Forecast of ${count.toLocaleString('en')} heads: ${layer === head && layer === 'mean' ? 'their sum' : 'a sum, or the largest,'} on screen. Click one.`;
  return isOne ? `One of ${count.toLocaleString('en')} heads; others look elsewhere. Click one.` : `${count.toLocaleString('en')} heads, not one but their ${layer === head ? layer : 'mean or max'} on screen. Click one.`;
}

/**
 * What is shown.
 * @param {Held} held
 * @param {number} count  maps on screen
 * @param {Pick<Fields, 'scale' | 'selection' | 'clip'>} fields
 * @returns {{text: string, hint: string}}  `hint`: the same with what does not fit in a line
 */
export function atlasTitle(held, count, { scale, selection, clip }) {
  const isColumn = selection?.direction === 'read by';
  const isEffect = Boolean(held.shown?.effect);
  const how = scale === 'map' || (scale === 'uniform' && (isColumn || isEffect)) ? 'each on its own scale'
    : scale === 'atlas' ? 'all on one scale' : 'multiples of even attention, each on its picture';
  const { text, unit, isLowFirst } = wordsOfOrder(held.order, isRatio(held.shown?.effect));
  const first = isLowFirst ? 'lowest' : isEffect ? 'largest' : 'highest';
  const by = held.ranks ? `${text}, ${first} first` : '';
  const inUnit = unit && ` (${unit})`;
  const all = held.layers.length * headCount(held.info, held.tower);
  const readers = isOfReaders(held.order) ? ' among the half with most image mass' : '';
  const what = held.view === 'all' ? `layers → ${by ? `heads by ${by}` : 'heads'} ↓`
    : held.view === 'best' ? `${count ? `${count} of ${all} · ` : ''}${first} ${text}${inUnit}${readers}`
      : `heads of ${layerName(held.shown?.layer)}${by ? ` by ${by}${inUnit}` : ''}, cell by cell`;
  const without = held.view === 'all' ? skippedLayers(held.info, held.tower).flat() : [];
  const title = `${isRatio(held.shown?.effect) ? 'ratio to the general question · ' : isEffect ? 'forecast, nats · ' : ''}${what} · ${how}${without.length ? ` · grey: ${kindsOf(without)}, no map` : ''}`;
  const bars = isEffect ? `; the bar on its lower edge: how ${isRatio(held.shown?.effect) ? 'far from ×1 it is beside the farthest' : 'large its effects are beside those of the largest'} head` : isColumn ? '' : '; the bar on its lower edge: how much of the row is on the picture';
  return { text: title, hint: `${title}${bars}${clip < 100 && (scale !== 'uniform' || isEffect) ? `; the top ${100 - clip} % share the last colour` : ''}` };
}

/** @param {import('../data/run_info.js').Choice | undefined} layer */
function layerName(layer) {
  return typeof layer === 'number' ? `layer ${layer}` : `the ${layer} over layers`;
}

/**
 * What stands in the place of maps.
 * @param {Held | null} held
 * @param {Pick<Fields, 'order' | 'pinned' | 'region' | 'found'>} fields  as they are wished
 */
export function whyNoMaps(held, fields) {
  if (!held) return 'Every layer and head appears here as a small map.';
  const { view, grid, shown, order } = held;
  if (grid === null) return held.info.images.length ? 'No token of this tower has a place on the picture, so there are no maps.' : 'No picture in this run, so there are no maps.';
  if (!shown) return '';
  if (!shown.cells.length) return 'Cells of this tower read nothing: there are no maps of who reads.';
  if (view === 'layer') return 'Choose a layer: its heads are then shown here, cell by cell.';
  if (shown.direction !== 'reads' && !shown.effect) return 'Scores are of rows: choose “reads from” to see the best heads.';
  if (isOfRegion(order) && !regionOf(held.info, fields.region)) return 'The answer names no place: mark one (m), or choose another order.';
  if (order === 'found' && !fields.found) return 'Load the heads that “score” found, from their file, or choose another order.';
  if (orderOf(fields.order, shown.effect?.kind ?? false) !== 'number' && (order !== 'value' || fields.pinned)) return 'The heads’ scores are not here yet.';
  return order === 'value' ? 'Pin a cell of the picture: the heads that read most of it are then shown here.' : 'Choose an order: the heads that come first in it are then shown here.';
}
