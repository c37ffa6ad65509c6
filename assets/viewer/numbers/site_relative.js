// @ts-check
/**
 * Relative attention of a published run: its own rows over those of a general question, both reduced before, as attention/readings/relative.py
 * has it. Knows no document.
 *
 * @typedef {import('./site_answers.js').Fields} Fields
 * @typedef {import('./site_answers.js').Found} Found
 * @typedef {(asked: Fields, signal: AbortSignal | null) => Promise<Found>} Answer
 */
import { gridsOf, keysOfGrid, layersOf } from '../data/run_info.js';
import { chosenHead, reduced, split } from './factor_rows.js';
import { pooled } from './pooling.js';

const FLOOR = 1e-6; // weights below it count as it

/**
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {object} own  of the run
 * @param {Answer} own.reading  a row
 * @param {Answer} own.atlas
 * @param {(name: string, tower: string, signal: AbortSignal | null) => Promise<Float32Array>} own.general  rows [layers, heads, cells of all grids]
 * @returns {Record<string, (asked: Fields, name: string, signal: AbortSignal | null) => Promise<Found>>}
 */
export function createRelative(info, { reading, atlas, general }) {
  return {
    /** A row: NaN for what is no cell. */
    async row(asked, name, signal) {
      const { tower, layer, head } = asked;
      const rows = await general(name, tower, signal);
      const { values, shape: [count, keys] } = await reading({ ...asked, isExact: true }, signal);
      const cells = gridsOf(info, tower).flatMap((grid) => [...keysOfGrid(info, grid)]);
      const { heads } = info.towers[tower];
      const ofLayers = split(rows, heads * cells.length).map((each) => chosenHead(each, heads, head, reduced));
      const other = typeof layer === 'string' ? reduced(ofLayers, layer) : ofLayers[layersOf(info, tower).indexOf(/** @type {number} */ (layer))];
      const result = new Float32Array(count * keys).fill(NaN);
      for (let row = 0; row < count; row++) {
        const over = ratios(cells.map((key) => values[row * keys + key]), other.subarray(row * cells.length, (row + 1) * cells.length));
        cells.forEach((key, i) => { result[row * keys + key] = over[i]; });
      }
      return { values: result, shape: [count, keys], source: 'relative' };
    },

    /** Maps, with the means and maxima at the ends where these are asked for. */
    async atlas(asked, name, signal) {
      const { tower, grid } = asked;
      const rows = await general(name, tower, signal);
      const own = await atlas({ ...asked, isExact: true }, signal);
      const { heads } = info.towers[tower];
      const [layers, , height, width] = own.shape;
      const size = height * width;
      const before = gridsOf(info, tower).filter((each) => each < grid).reduce((count, each) => count + keysOfGrid(info, each).length, 0);
      const cells = keysOfGrid(info, grid).length;
      const from = /** @type {[number, number]} */ ([info.grids[grid].rows, info.grids[grid].cols]);
      const others = split(rows, rows.length / (layers * heads)).map((each) => pooled(each.subarray(before, before + cells), from, [height, width]));
      const maps = (/** @type {Float32Array[]} */ each) => (asked.withReduced ? withReduced(each, heads) : each);
      const [ours, theirs] = [maps(split(own.values, size)), maps(others)];
      const values = new Float32Array(ours.length * size);
      ours.forEach((map, i) => values.set(ratios(map, theirs[i]), i * size));
      return { values, shape: asked.withReduced ? [layers + 1, heads + 2, height, width] : own.shape, source: 'relative' };
    },
  };
}

/** Weights over weights, both at least the floor. @param {ArrayLike<number>} own @param {ArrayLike<number>} general */
function ratios(own, general) {
  return Float32Array.from(own, (weight, i) => Math.max(weight, FLOOR) / Math.max(general[i], FLOOR));
}

/** Maps of heads, layer after layer, with those that they are reduced to: after the heads their mean and maximum, after the layers their mean. @param {Float32Array[]} maps @param {number} heads */
function withReduced(maps, heads) {
  const layers = Array.from({ length: maps.length / heads }, (_, i) => {
    const own = maps.slice(i * heads, (i + 1) * heads);
    return [...own, reduced(own, 'mean'), reduced(own, 'max')];
  });
  return [...layers.flat(), ...layers[0].map((_, head) => reduced(layers.map((layer) => layer[head]), 'mean'))];
}
