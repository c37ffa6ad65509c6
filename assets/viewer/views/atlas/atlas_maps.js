// @ts-check
/**
 * Which small maps are painted: those of all layers and heads, of one layer's heads, or of the best heads; in which order, with what
 * captions, on which ranges. Where they lie is somebody else's business. Knows no document.
 */
import { areSummed, isRatio } from '../../numbers/ratios.js';
import { choiceAt, gainsOf, mapAtPlace, ownHigh, REDUCED } from '../../numbers/atlas.js';
import { atlasOf, wantedScores } from '../../state/follow.js';
import { formatPercent, formatValue } from '../../data/format.js';
import { foundScores } from '../../numbers/found_scores.js';
import { reducedBy } from '../../numbers/effects.js';
import { formatSigned } from '../../numbers/change_measures.js';
import { bestHeads, orderOf, ORDERS, ranksOf, wordsOfOrder } from '../../numbers/head_order.js';
import { chooseHead, sum, takeCells } from '../../numbers/reduce.js';
import { headCount, keysOfGrid, layersOf } from '../../data/run_info.js';
import { scoresPath } from '../../data/source.js';
import { UNIFORM_HIGH } from '../../numbers/colour_range.js';
import { areShares } from '../../data/selection.js';
import { findSinkCells, sinkKeys } from '../../numbers/sinks.js';

/**
 * @typedef {import('../../data/run_info.js').Choice} Choice
 * @typedef {import('../../state/look.js').Look} Look
 * @typedef {import('../../state/fields.js').Fields} Fields
 *
 * @typedef {object} Held  what belongs together: maps of one row, and that row's scores
 * @property {Look['atlasView']} view
 * @property {import('../../data/run_info.js').RunInfo} info
 * @property {string} tower
 * @property {number[]} layers
 * @property {number | null} grid
 * @property {import('../../numbers/atlas.js').Atlas | null} atlas
 * @property {import('../../state/fields.js').Shown | null} shown
 * @property {Look['order']} order
 * @property {Float32Array | null} scores  [layers, heads]
 * @property {Int32Array[] | null} ranks   heads by rank, in each layer
 *
 * @typedef {object} Item  a map that is painted
 * @property {Choice} layer
 * @property {Choice} head
 * @property {number} place        of the layer
 * @property {number | null} rank  of the head, from 0
 * @property {number} mass         the sum of its values
 * @property {number} size         the sum of their sizes
 * @property {number} gain         by what its values are multiplied
 * @property {string} caption
 * @property {{rows: number, cols: number}} shape
 * @property {import('../../paint/small_maps.js').SmallMap} map
 */

/**
 * Which maps are on screen. What patches receive is computed layer by layer: there are no others then.
 * @param {Pick<Fields, 'selection' | 'atlasView' | 'reading'>} fields
 */
export function viewOf({ selection, atlasView, reading }) {
  if (isRatio(reading)) return atlasView === 'layer' ? 'all' : atlasView; // rows come head by head then
  return selection?.direction === 'received' && !reading ? 'layer' : atlasView;
}

/**
 * The last whole that there is: until all of what is wished is there, what was held before stays, and is stale.
 * @param {Held | null} before
 * @param {Readonly<Fields>} fields
 * @returns {{held: Held | null, isStale: boolean}}  the same `held` where nothing of it has changed
 */
export function heldNow(before, fields) {
  const { info, tower, grid, shown, atlas, scores, pinned, region, found, reading } = fields;
  if (!info) return { held: null, isStale: false };
  const view = viewOf(fields);
  const order = orderOf(fields.order, reading?.kind ?? false);
  const here = shown && shown.tower === tower && shown.grid === grid && shown.effect === reading ? shown : null;
  const wish = here && wantedScores(info, here, order, pinned, region);
  // A run may have no such scores: then none arrive.
  const isOrdered = Boolean(here) && (!wish || !scores || scores.name === scoresPath(wish));
  const own = atlas && atlas.tower === tower && atlas.grid === grid && atlas.isEffect === (reading !== null) ? atlas : null;
  const isWhole = isOrdered && here !== null && (view === 'layer' || (own?.name ?? '') === atlasOf(info, here));
  const isSame = before && before.info === info && before.view === view && before.tower === tower && before.grid === grid && (before.atlas || before.shown);
  if (!isWhole && isSame) return { held: before, isStale: true };
  const foundHere = order === 'found' && (here?.effect || here?.direction === 'reads') ? foundScores(found, info, tower) : null;
  const sizes = order === 'effect' && own ? sizesOfHeads(own) : null;
  const values = foundHere ?? sizes ?? (isOrdered && wish && scores ? scores.values : null);
  const hasScores = before?.scores === values && before?.order === order;
  if (isSame && hasScores && before.atlas === own && before.shown === here) return { held: before, isStale: !isWhole };
  const ranks = values && (hasScores ? before.ranks : ranksOf(values, headCount(info, tower), order));
  // All maps of a row stay the same while another of them is selected.
  const held = { view, info, tower, layers: layersOf(info, tower), grid, atlas: view === 'layer' ? null : own, shown: here, order, scores: values, ranks };
  return { held, isStale: !isWhole };
}

/** @type {WeakMap<import('../../numbers/atlas.js').Atlas, Float32Array>} */
const sizes = new WeakMap();

/** How large the effects of each head's map are together, [layers, heads]: the same array for the same atlas. @param {import('../../numbers/atlas.js').Atlas} atlas */
function sizesOfHeads(atlas) {
  const { layers, heads, sizes: all } = atlas;
  const found = sizes.get(atlas) ?? Float32Array.from({ length: layers * heads }, (_, i) => all[Math.floor(i / heads) * (heads + REDUCED.heads) + (i % heads)]);
  sizes.set(atlas, found);
  return found;
}

/**
 * @param {Held} held
 * @param {Pick<Fields, 'info' | 'sinks' | 'masses'>} fields
 * @returns {Item[]} all of layer by layer, each from the top
 */
export function makeItems(held, fields) {
  if (held.grid === null) return [];
  return { all: itemsOfAll, layer: itemsOfLayer, best: itemsOfBest }[held.view](held, fields);
}

/**
 * Places on the axes to items of the atlas.
 * @param {Held} held
 * @param {Pick<Fields, 'info' | 'sinks' | 'masses'>} fields
 * @returns {(layer: number, head: number, rank?: number | null) => Item}
 */
function ofAtlas({ atlas, layers }, fields) {
  const of = /** @type {import('../../numbers/atlas.js').Atlas} */ (atlas);
  const gains = gainsOf(of, fields);
  return (layer, head, rank = null) => {
    const { values, offset } = mapAtPlace(of, layer, head);
    const index = layer * (of.heads + REDUCED.heads) + head;
    return {
      layer: choiceAt(layers, layer), head: head < of.heads ? head : head === of.heads ? 'mean' : 'max', place: layer, rank, mass: of.masses[index], size: of.sizes[index],
      gain: gains ? gains[index] : 1, caption: '', shape: of,
      map: { values, offset, high: 0, share: null, hidden: fields.sinks === 'raw' ? null : of.sinks[layer], x: 0, y: 0 },
    };
  };
}

/** @type {typeof makeItems} */
function itemsOfAll(held, fields) {
  const { atlas, ranks } = held;
  if (!atlas) return [];
  const item = ofAtlas(held, fields);
  const result = [];
  for (let layer = 0; layer <= atlas.layers; layer++) {
    for (let at = 0; at < atlas.heads + REDUCED.heads; at++) {
      result.push(ranks && at < atlas.heads ? item(layer, ranks[layer][at], at) : item(layer, at));
    }
  }
  return result;
}

/** @type {typeof makeItems} */
function itemsOfBest(held, fields) {
  const { atlas, scores, order } = held;
  if (!atlas || !scores) return [];
  const { heads, masses: sums } = atlas;
  const masses = scores.map((_, i) => sums[Math.floor(i / heads) * (heads + REDUCED.heads) + (i % heads)]);
  const item = ofAtlas(held, fields);
  return bestHeads(scores, masses, order).map((index, rank) => {
    const found = item(Math.floor(index / heads), index % heads, rank);
    return { ...found, caption: `L${found.layer} H${found.head} ${isRatio(held.shown?.effect) ? '' : atlas.isEffect ? formatSigned(order === 'effect' ? found.mass : scores[index]) : ORDERS[order].write(scores[index])}` };
  });
}

/** @type {typeof makeItems} */
function itemsOfLayer(held, { sinks }) {
  const { info, tower, shown, ranks, layers } = held;
  // Of a reduction over layers and heads the server sends nothing else.
  if (!shown || !shown.cells.length || shown.grid === null || (shown.heads.count === 1 && headCount(info, tower) > 1)) return [];
  const { layer, direction, grid, effect, heads: { values, count } } = shown;
  const keys = keysOfGrid(info, grid);
  const hidden = sinks === 'raw' ? null : shown.sinks.cells;
  const onSinks = direction === 'read by' ? [] : sinkKeys(info, tower, layer);
  const place = typeof layer === 'number' ? layers.indexOf(layer) : layer === 'mean' ? layers.length : -1;
  const order = ranks && place >= 0 ? ranks[place] : null;
  return Array.from({ length: count + REDUCED.heads }, (_, i) => {
    const head = /** @type {import('../../data/run_info.js').Choice} */ (i < count ? (order ? order[i] : i) : i === count ? 'mean' : 'max');
    const row = chooseHead(values, count, head, effect !== null);
    const cells = takeCells(row, keys);
    const mass = sum(cells);
    const rest = sinks === 'renormalised' && !effect ? 1 - findSinkCells(row, keys, onSinks, areShares({ direction, layer, head, effect })).rowMass : 1;
    const item = {
      layer, head, place, rank: order && i < count ? i : null, mass, size: effect ? sum(cells.map(Math.abs)) : mass, gain: rest > 0 ? 1 / rest : 0, caption: '', shape: info.grids[grid],
      map: { values: cells, offset: 0, high: 0, share: null, hidden, x: 0, y: 0 },
    };
    const said = head === 'max' ? '' : effect ? formatSigned(mass) : direction === 'reads' ? formatPercent(mass) : formatValue(mass);
    return { ...item, caption: [typeof head === 'number' ? `H${head}` : reducedBy(head, effect !== null), said, scoreOf(held, item)].filter(Boolean).join(' ') };
  });
}

/**
 * The score by which heads are ordered, where it is not the mass that is said anyway; means and maxima have none.
 * @param {Held} held
 * @param {Pick<Item, 'place' | 'head'>} item
 */
function scoreOf({ scores, order, info, tower, shown }, { place, head }) {
  const heads = headCount(info, tower);
  if (!scores || order === 'image_mass' || order === 'effect' || typeof head === 'string' || place < 0 || place * heads >= scores.length) return '';
  const score = scores[place * heads + head];
  return shown?.effect && order === 'value' ? formatSigned(score) : ORDERS[order].write(score);
}

/**
 * An item in words, for who looks closer.
 * @param {Held} held
 * @param {Item} item
 */
export function described(held, item) {
  const { layer, head, rank } = item;
  const { text, unit } = wordsOfOrder(held.order, isRatio(held.shown?.effect));
  const score = scoreOf(held, item);
  const isEffect = areSummed(held.shown?.effect);
  return {
    ...item,
    name: `${typeof layer === 'string' ? `${reducedBy(layer, isEffect)} over layers` : `layer ${layer}`} · ${typeof head === 'string' ? `${reducedBy(head, isEffect)} over heads` : `head ${head}`}`,
    about: [rank === null ? '' : `rank ${rank + 1}`, score && `${text} ${score} ${unit}`.trim()].filter(Boolean).join(' · '),
  };
}

/**
 * Where the range of each map ends, and how long its bar is.
 * @param {Item[]} items
 * @param {Held} held
 * @param {Pick<Fields, 'scale' | 'clip'>} fields
 * @param {number | null} shared  where the range of all maps of the row ends, null for that of each map
 */
export function setRanges(items, { info, grid, shown }, { scale, clip }, shared) {
  if (grid === null || !items.length) return;
  const isEffect = Boolean(shown?.effect);
  const isEven = scale === 'uniform' && shown?.direction !== 'read by' && !isEffect; // of a column, and of effects, there is no even spread
  // Of effects the bar says how large they are beside those of the largest head: each map may be on a scale of its own.
  const largest = isEffect ? Math.max(...items.map(({ size, head, layer }) => (typeof head === 'number' && typeof layer === 'number' ? size : 0))) : 0;
  const cells = info.grids[grid].rows * info.grids[grid].cols;
  const scratch = new Float32Array(items[0].shape.rows * items[0].shape.cols);
  for (const { map, layer, head, mass, size, gain } of items) {
    const isOfOne = typeof head === 'number' && typeof layer === 'number';
    if (isEffect) map.share = isOfOne && largest > 0 ? size / largest : null;
    else map.share = shown?.direction === 'reads' && head !== 'max' ? Math.min(1, mass) : null; // a maximum over heads is of many rows
    if (isEven || shared !== null) {
      const high = isEven ? (UNIFORM_HIGH * mass) / cells : /** @type {number} */ (shared);
      map.high = gain > 0 ? high / gain : 0;
    } else {
      map.high = ownHigh(map.values, map.offset, clip, map.hidden, scratch);
    }
  }
}
