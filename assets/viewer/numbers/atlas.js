// @ts-check
/**
 * The atlas as data: every layer's and head's map of one row, the mean and the maximum over heads, the mean over layers, their
 * masses, and the cells that are sinks.
 *
 * On both axes the layers and heads of the model come first: places 0, 1, 2 ... After the heads lie the mean and the maximum over
 * them, after the layers their mean. Heads are reduced first, then layers. Of effects the means are sums: together heads and layers make the
 * whole effect; and the maximum is the one of the largest size. Knows no document.
 */
import { keysOfGrid, layersOf } from '../data/run_info.js';
import { CLIP_FLOOR, highOf } from './colour_range.js';
import { rowCount } from './effects.js';
import { partsOf } from './ratios.js';
import { REDUCED_PLACES, sum } from './reduce.js';
import { sinkKeys } from './sinks.js';
import { atlasPath, massesPath } from '../data/source.js';

/**
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 * @typedef {import('../data/run_info.js').Choice} Choice
 * @typedef {import('../state/look.js').Look} Look
 *
 * @typedef {object} Atlas
 * @property {string} name     of the wish that it answers
 * @property {string} tower
 * @property {import('../data/selection.js').Direction} direction
 * @property {number} query
 * @property {number | null} until
 * @property {number} grid
 * @property {number} layers   of the model
 * @property {number} heads
 * @property {number} rows     of a map, which may be fewer than the grid's
 * @property {number} cols
 * @property {number} share    how many cells of the grid a cell of a map stands for
 * @property {Float32Array} maps     [layers, heads, rows * cols], as they came
 * @property {Float32Array} reduced  [the mean and the maximum over heads in each layer, then all means over layers, rows * cols]
 * @property {Float32Array} masses   [layers + 1, heads + 2], the sum of each map over all cells of the grid
 * @property {Float32Array} sizes    the same of the sizes of its values; of attention the same numbers
 * @property {boolean} isEffect      values are effects, of either sign
 * @property {(Uint8Array | null)[]} sinks  [layers + 1] of [rows * cols]: 1 for a cell that holds a sink; of the mean, one of any layer
 */

/** How many places come after the heads, and after the layers. */
export const REDUCED = REDUCED_PLACES;

/**
 * @param {Pick<import('../data/source.js').Numbers, 'values' | 'shape'>} numbers  [layers, heads, rows, cols]
 * @param {import('../data/source.js').AtlasWish} wish
 * @param {RunInfo} info
 * @returns {Atlas}
 */
export function makeAtlas(numbers, wish, info) {
  if (wish.isRatio) return atlasOfRatios(numbers, wish, info);
  const [layers, heads, rows, cols] = numbers.shape;
  const { tower, direction = 'reads', query, until = null, grid, effect = null } = wish;
  const isEffect = effect !== null;
  const times = isEffect ? rowCount(wish) : 1; // effects of several rows are a sum, and their mean was sent
  const maps = times === 1 ? numbers.values : numbers.values.map((value) => value * times);
  const cells = rows * cols;
  const share = (info.grids[grid].rows * info.grids[grid].cols) / cells;
  const reduced = new Float32Array((layers * REDUCED.heads + heads + REDUCED.heads) * cells);
  const masses = new Float32Array((layers + 1) * (heads + REDUCED.heads));
  const [ofHeads, ofLayers] = isEffect ? [1, 1] : [heads, layers];
  const overLayers = new Float64Array((heads + REDUCED.heads) * cells);
  const mean = new Float64Array(cells);
  const maximum = new Float32Array(cells);
  for (let layer = 0; layer < layers; layer++) {
    mean.fill(0);
    maximum.fill(0);
    const first = layer * (heads + REDUCED.heads);
    for (let head = 0; head < heads; head++) {
      const from = (layer * heads + head) * cells;
      const sums = head * cells;
      let total = 0;
      for (let cell = 0; cell < cells; cell++) {
        const value = maps[from + cell];
        mean[cell] += value;
        overLayers[sums + cell] += value;
        if (Math.abs(value) > Math.abs(maximum[cell])) maximum[cell] = value;
        total += value;
      }
      masses[first + head] = total * share;
      masses[first + heads] += (total * share) / ofHeads;
    }
    const into = layer * REDUCED.heads * cells;
    const sums = heads * cells;
    for (let cell = 0; cell < cells; cell++) {
      reduced[into + cell] = mean[cell] / ofHeads;
      reduced[into + cells + cell] = maximum[cell];
      overLayers[sums + cell] += mean[cell] / ofHeads;
      overLayers[sums + cells + cell] += maximum[cell];
      masses[first + heads + 1] += maximum[cell] * share;
    }
    for (let head = 0; head < heads + REDUCED.heads; head++) masses[layers * (heads + REDUCED.heads) + head] += masses[first + head] / ofLayers;
  }
  const last = layers * REDUCED.heads * cells;
  for (let i = 0; i < overLayers.length; i++) reduced[last + i] = overLayers[i] / ofLayers;
  const sinks = direction === 'read by' || isEffect ? Array(layers + 1).fill(null) : sinksOfMaps(info, tower, grid, rows, cols);
  const atlas = { name: atlasPath(wish), tower, direction, query, until, grid, layers, heads, rows, cols, share, maps, reduced, masses, sizes: masses, sinks, isEffect };
  return isEffect ? { ...atlas, sizes: sizesOf(atlas) } : atlas;
}

/**
 * An atlas of ratios: the server has reduced them, as a mean of ratios is no ratio of means. Their sizes are how far from 1 they are on average.
 * @type {typeof makeAtlas}
 */
function atlasOfRatios(numbers, { tower, query, until = null, grid, ...wish }, info) {
  const { layers, heads, rows, cols, maps, reduced } = partsOf(numbers);
  const cells = rows * cols;
  const share = (info.grids[grid].rows * info.grids[grid].cols) / cells;
  const masses = new Float32Array((layers + 1) * (heads + REDUCED.heads));
  const atlas = /** @type {Atlas} */ ({
    name: atlasPath({ tower, query, until, grid, ...wish }), tower, direction: 'reads', query, until, grid, layers, heads, rows, cols, share, maps, reduced, masses,
    sizes: masses, sinks: Array(layers + 1).fill(null), isEffect: true,
  });
  for (let i = 0; i < masses.length; i++) {
    const { values, offset } = mapAtPlace(atlas, Math.floor(i / (heads + REDUCED.heads)), i % (heads + REDUCED.heads));
    masses[i] = sum(values.subarray(offset, offset + cells)) * share;
  }
  return { ...atlas, sizes: sizesOf(atlas) };
}

/** The sum of the sizes of each map's values. @param {Atlas} atlas */
function sizesOf(atlas) {
  const { layers, heads, rows, cols, share } = atlas;
  const across = heads + REDUCED.heads;
  return Float32Array.from({ length: (layers + 1) * across }, (_, i) => {
    const { values, offset } = mapAtPlace(atlas, Math.floor(i / across), i % across);
    let total = 0;
    for (let cell = 0; cell < rows * cols; cell++) total += Math.abs(values[offset + cell]);
    return total * share;
  });
}

/**
 * Where the map at two places of the axes lies: its values begin at an offset.
 * @param {Atlas} atlas
 * @param {number} layer
 * @param {number} head
 */
export function mapAtPlace({ layers, heads, rows, cols, maps, reduced }, layer, head) {
  if (layer < layers && head < heads) return { values: maps, offset: (layer * heads + head) * rows * cols };
  const place = layer < layers ? layer * REDUCED.heads + head - heads : layers * REDUCED.heads + head;
  return { values: reduced, offset: place * rows * cols };
}

/**
 * The choice at a place of an axis.
 * @param {number[]} indices  of the layers or heads
 * @param {number} place
 * @returns {Choice}
 */
export function choiceAt(indices, place) {
  return indices[place] ?? (place === indices.length ? 'mean' : 'max');
}

/** @type {WeakMap<RunInfo, Map<string, (Uint8Array | null)[]>>} */
const sinkMaps = new WeakMap();

/**
 * Which cells of the maps hold a sink, for each layer and for the mean over them; found once.
 * @param {RunInfo} info
 * @param {string} tower
 * @param {number} grid
 * @param {number} rows  of a map
 * @param {number} cols
 */
function sinksOfMaps(info, tower, grid, rows, cols) {
  const found = sinkMaps.get(info) ?? new Map();
  sinkMaps.set(info, found);
  const name = [tower, grid, rows, cols].join();
  if (!found.has(name)) {
    const choices = /** @type {Choice[]} */ ([...layersOf(info, tower), 'mean']);
    found.set(name, choices.map((layer) => sinksOfMap(info, grid, sinkKeys(info, tower, layer), rows, cols)));
  }
  return /** @type {(Uint8Array | null)[]} */ (found.get(name));
}

/**
 * @param {RunInfo} info
 * @param {number} grid
 * @param {number[]} sinks  keys
 * @param {number} rows
 * @param {number} cols
 * @returns {Uint8Array | null} null where there is none
 */
export function sinksOfMap(info, grid, sinks, rows, cols) {
  if (!sinks.length) return null;
  const record = info.grids[grid];
  const isSink = new Set(sinks);
  const result = new Uint8Array(rows * cols);
  let count = 0;
  keysOfGrid(info, grid).forEach((key, cell) => {
    if (!isSink.has(key)) return;
    count++;
    const [row, col] = [Math.floor(cell / record.cols), cell % record.cols];
    const [bottom, right] = [((row + 1) * rows) / record.rows, ((col + 1) * cols) / record.cols];
    for (let y = Math.floor((row * rows) / record.rows); y < bottom - 1e-9; y++) {
      for (let x = Math.floor((col * cols) / record.cols); x < right - 1e-9; x++) result[y * cols + x] = 1;
    }
  });
  return count ? result : null;
}

/**
 * By what each map is multiplied so that its row has nothing but what is not on sinks; null while that is not known or not
 * asked for. [layers + 1, heads + 2]: of a maximum over heads and of a mean over layers it is not known, those stay as they are.
 * @param {Atlas} atlas
 * @param {{info: RunInfo | null, sinks: Look['sinks'], masses: import('../state/fields.js').Table | null}} fields
 */
export function gainsOf({ tower, direction, query, until, layers, heads }, { info, sinks, masses }) {
  if (sinks !== 'renormalised' || direction !== 'reads' || masses?.name !== massesPath({ tower, query, until })) return null;
  const groups = info?.groups?.[tower] ?? [];
  const group = groups.findIndex(({ name }) => name === 'sink');
  if (group < 0) return null;
  const result = new Float32Array((layers + 1) * (heads + REDUCED.heads)).fill(1);
  for (let layer = 0; layer < layers; layer++) {
    let total = 0;
    for (let head = 0; head <= heads; head++) {
      const mass = head < heads ? masses.values[(layer * heads + head) * groups.length + group] : total / heads;
      total += mass;
      result[layer * (heads + REDUCED.heads) + head] = mass < 1 ? 1 / (1 - mass) : 0;
    }
  }
  return result;
}

/** @type {WeakMap<Atlas, {key: string, masses: any, high: number}>} */
const sharedHighs = new WeakMap();

/**
 * Where the shared range ends: the largest size of all layers' and heads' maps, or what a hundredth of all values lie above.
 * @param {Atlas} atlas
 * @param {Pick<import('../state/fields.js').Fields, 'clip' | 'sinks' | 'info' | 'masses'>} fields
 */
export function sharedHigh(atlas, fields) {
  const key = `${fields.clip} ${fields.sinks}`;
  const masses = fields.sinks === 'renormalised' ? fields.masses : null;
  const found = sharedHighs.get(atlas);
  if (found?.key === key && found.masses === masses) return found.high;
  const high = findSharedHigh(atlas, fields.clip, fields.sinks !== 'raw', gainsOf(atlas, fields));
  sharedHighs.set(atlas, { key, masses, high });
  return high;
}

/**
 * @param {Atlas} atlas
 * @param {number} clip
 * @param {boolean} isMasked
 * @param {Float32Array | null} gains
 */
function findSharedHigh({ maps, layers, heads, rows, cols, sinks }, clip, isMasked, gains) {
  const cells = rows * cols;
  // Positive floats are ordered as their bits are: count by the upper half of them, to within 0.8 %.
  const counts = new Uint32Array(0x8000);
  const map = new Float32Array(cells);
  const bits = new Uint16Array(map.buffer);
  let [maximum, visible] = [0, 0];
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads; head++) {
      const from = (layer * heads + head) * cells;
      const count = takeVisible(maps, from, cells, isMasked ? sinks[layer] : null, map);
      const gain = gains ? gains[layer * (heads + REDUCED.heads) + head] : 1;
      for (let i = 0; i < count; i++) {
        map[i] = Math.abs(map[i]) * gain;
        if (map[i] > maximum) maximum = map[i];
        counts[bits[2 * i + 1]]++;
      }
      visible += count;
    }
  }
  if (clip >= 100) return maximum;
  let spared = Math.floor((visible * (100 - clip)) / 100);
  let bin = counts.length - 1;
  while (bin > 0 && spared >= counts[bin]) spared -= counts[bin--];
  const edge = new Float32Array(new Uint32Array([(bin + 1) << 16]).buffer)[0];
  return Math.min(maximum, Math.max(edge, CLIP_FLOOR * maximum));
}

/**
 * Copy a map's values without those of hidden cells.
 * @param {Float32Array} values
 * @param {number} offset
 * @param {number} cells
 * @param {Uint8Array | null} hidden
 * @param {Float32Array} into
 * @returns {number} how many
 */
function takeVisible(values, offset, cells, hidden, into) {
  let count = 0;
  if (!hidden) {
    for (; count < cells; count++) into[count] = values[offset + count];
    return count;
  }
  for (let cell = 0; cell < cells; cell++) if (!hidden[cell]) into[count++] = values[offset + cell];
  return count;
}

const MANY = 40; // more of the largest values than that are found by sorting

/**
 * Where a map's own range ends: as `highOf` of its visible values, in one pass.
 * @param {Float32Array} values
 * @param {number} offset
 * @param {number} clip
 * @param {Uint8Array | null} hidden
 * @param {Float32Array} scratch  [cells]
 */
export function ownHigh(values, offset, clip, hidden, scratch) {
  const cells = scratch.length;
  const count = hidden ? takeVisible(values, offset, cells, hidden, scratch) : cells;
  const [from, first] = hidden ? [scratch, 0] : [values, offset];
  const spared = Math.floor((count * (100 - clip)) / 100 + 1e-9);
  if (spared > MANY) return highOf(Float32Array.from(from.subarray(first, first + count), Math.abs), clip);
  top.fill(0, 0, spared + 1); // ascending
  let least = 0;
  for (let i = first; i < first + count; i++) {
    const value = Math.abs(from[i]);
    if (!(value > least)) continue;
    let place = 0;
    for (; place < spared && top[place + 1] < value; place++) top[place] = top[place + 1];
    top[place] = value;
    least = top[0];
  }
  return spared ? Math.max(top[0], CLIP_FLOOR * top[spared]) : top[0];
}

const top = new Float32Array(MANY + 1);
