// @ts-check
/**
 * The matrix of change, layers to the right and heads down, and below it, column under column, how much the adapter changes the weights
 * of each layer: what every cell is, and where it lies. Whole pixels; knows no document.
 *
 * @typedef {object} Weights
 * @property {string[]} parts       names of modules, those of attention first
 * @property {Float32Array} values  [parts, layers], relative to the base's weight; NaN where the module is not touched
 * @property {number} maximum
 * @property {string[]} elsewhere   what is touched outside of the tower's layers, in words
 *
 * @typedef {object} Layout
 * @property {number} left     where columns begin
 * @property {number} cell     width of a column, with its gap
 * @property {number} row      height of a head, with its gap
 * @property {number} weightRow
 * @property {number} gap
 * @property {number} weightsTop  where the weights begin
 * @property {number} bottom   where they end
 * @property {number} width
 *
 * @typedef {{layer: number, head: number} | {layer: number, part: number}} Place  by their places on the axes
 * @typedef {{layers: number, heads: number, parts: number}} Counts
 * @typedef {{x: number, y: number, width: number, height: number}} Box
 */
import { layersOf } from '../data/run_info.js';

/** Less image mass than that in one of the two, and what is said of the picture says little. */
export const NEGLIGIBLE = 0.01;
/** In the order in which they act; others come after them. */
const PARTS = ['qkv', 'q_proj', 'k_proj', 'v_proj', 'o_proj', 'proj', 'gate_proj', 'up_proj', 'down_proj', 'linear_fc1', 'linear_fc2', 'fc1', 'fc2'];
/** What decides where a layer's own heads look. */
const LOOKING = ['q_proj', 'k_proj', 'qkv', 'q_norm', 'k_norm', 'qkv_proj', 'query_key_value', 'query', 'key'];

/**
 * How far from no change the colours go: the largest size.
 * @param {Float32Array} values
 */
export function highestOf(values) {
  let high = 0;
  for (const value of values) if (Math.abs(value) > high) high = Math.abs(value);
  return high;
}

/**
 * Which heads read next to nothing of the picture in one of the two, so that a measure of the picture says little.
 * @param {Float32Array | null} masses  the smaller one of both, [layers x heads]
 * @param {number} count
 */
export function negligible(masses, count) {
  return Uint8Array.from({ length: count }, (_, i) => (masses && masses[i] < NEGLIGIBLE ? 1 : 0));
}

/**
 * The groups of heads that share their keys and values: [first, last] each. None where every head has its own.
 * @param {number} heads
 * @param {number | undefined} kvHeads
 * @returns {number[][]}
 */
export function groupsOfHeads(heads, kvHeads) {
  if (!kvHeads || kvHeads >= heads || heads % kvHeads) return [];
  const each = heads / kvHeads;
  return Array.from({ length: kvHeads }, (_, group) => [group * each, group * each + each - 1]);
}

/**
 * How many key-value heads the layers of a tower have; undefined where they differ or it is not said.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {string} tower
 */
export function kvHeadsOf(info, tower) {
  const counts = new Set(info.towers[tower].layers.filter(({ file }) => file).map(({ kv_heads }) => kv_heads));
  return counts.size === 1 ? [...counts][0] : undefined;
}

/**
 * The heads by how far they moved, the farthest first; those without a value, and those that read next to nothing of the picture, left out.
 * @param {Float32Array} values  [layers x heads]
 * @param {Uint8Array} faint
 * @param {number} count
 */
export function movedMost(values, faint, count) {
  return Array.from(values, (_, i) => i)
    .filter((i) => !Number.isNaN(values[i]) && !faint[i])
    .sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b)
    .slice(0, count);
}

/**
 * How much an adapter changes each layer's weights. Null where nobody looked.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {string} tower
 * @param {import('../data/comparison_info.js').WeightChange[] | null | undefined} changes
 * @returns {Weights | null}
 */
export function weightsOf(info, tower, changes) {
  if (!changes) return null;
  const layers = layersOf(info, tower);
  const here = changes.filter((change) => change.tower === tower && change.layer !== null && layers.includes(change.layer));
  const place = (/** @type {string} */ part) => (PARTS.includes(part) ? PARTS.indexOf(part) : PARTS.length);
  const parts = [...new Set(here.map(({ part }) => part))].sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
  const values = new Float32Array(parts.length * layers.length).fill(NaN);
  for (const change of here) {
    const at = parts.indexOf(change.part) * layers.length + layers.indexOf(/** @type {number} */ (change.layer));
    // Modules of one name in one layer, as those of experts: the one that changes most stands for them.
    values[at] = Math.max(Number.isNaN(values[at]) ? 0 : values[at], relativeOf(change) ?? 0);
  }
  return { parts, values, maximum: highestOf(values), elsewhere: wordsElsewhere(changes.filter((change) => !here.includes(change)), tower) };
}

/**
 * Other towers by how much of them is touched, and single modules by their names; those of the tower's layers without a map apart, as
 * others of their names may be on the axis.
 * @param {import('../data/comparison_info.js').WeightChange[]} others
 * @param {string} tower
 */
function wordsElsewhere(others, tower) {
  const partsOf = (/** @type {typeof others} */ changes) => [...new Set(changes.map(({ part }) => part))];
  const without = partsOf(others.filter(({ tower: of, layer }) => of === tower && layer !== null));
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { tower: of, layer } of others) if (of !== tower && layer !== null) counts.set(of, (counts.get(of) ?? 0) + 1);
  return [
    ...(without.length ? [`layers without a map (${without.join(', ')})`] : []), ...partsOf(others.filter(({ layer }) => layer === null)),
    ...[...counts].map(([of, count]) => `${count} of the ${of} tower`),
  ];
}

/** @param {import('../data/comparison_info.js').WeightChange} change */
function relativeOf({ dora_relative, relative }) {
  return dora_relative ?? relative ?? null;
}

/**
 * Whether a layer's own queries or keys are changed; if not, what moved there is inherited from before it.
 * @param {Weights} weights
 * @param {number} place  of the layer on the axis
 */
export function isLookingChanged({ parts, values }, place) {
  const layers = values.length / parts.length;
  return parts.some((part, i) => LOOKING.includes(part) && !Number.isNaN(values[i * layers + place]));
}

/**
 * Lay out as large as it fits.
 * @param {object} room  in pixels
 * @param {number} room.layers
 * @param {number} room.heads
 * @param {number} room.parts   rows of weights
 * @param {number} room.width
 * @param {number} room.height  without the labels of layers
 * @param {number} room.left    gutter for labels
 * @param {number} room.apart   between matrix and weights
 * @param {number} room.label   height of the smallest label: rows of weights are named, so they are not lower
 * @param {{width: number, height: number}} room.most  of a cell: a few do not fill the page
 * @param {number} room.narrowest  of a column: then it is wider than its place, and scrolls
 * @param {number} room.gap
 * @returns {Layout}
 */
export function layOutMatrix({ layers, heads, parts, width, height, left, apart, label, most, narrowest, gap }) {
  const cell = Math.max(narrowest, Math.min(most.width, Math.floor((width - left) / layers)));
  const weights = parts ? Math.max(label, Math.min(most.height, Math.floor((height - apart) / (heads + parts)))) : 0;
  const free = height - (parts ? apart + parts * weights : 0);
  const row = Math.max(4, Math.min(most.height, Math.floor(free / heads)));
  const weightsTop = heads * row + (parts ? apart : 0);
  return { left, cell, row, weightRow: weights, gap, weightsTop, bottom: weightsTop + parts * weights, width: left + layers * cell };
}

/**
 * What lies at a place: a head of a layer, or a layer's module. Layers and heads by their places on the axes.
 * @param {Layout} layout
 * @param {Counts} counts
 * @param {number} x
 * @param {number} y
 * @returns {Place | null}
 */
export function placeAt({ left, cell, row, weightRow, weightsTop }, { layers, heads, parts }, x, y) {
  const layer = Math.floor((x - left) / cell);
  if (layer < 0 || layer >= layers || y < 0) return null;
  if (y < heads * row) return { layer, head: Math.floor(y / row) };
  const part = weightRow ? Math.floor((y - weightsTop) / weightRow) : -1;
  return y >= weightsTop && part < parts ? { layer, part } : null;
}

/** Where a place lies, `placeAt` turned around. @param {Layout} layout @param {Place} at @returns {Box} */
export function boxAt({ left, cell, row, weightRow, weightsTop, gap }, at) {
  const [y, height] = 'head' in at ? [at.head * row, row] : [weightsTop + at.part * weightRow, weightRow];
  return { x: left + at.layer * cell, y, width: cell - gap, height: height - gap };
}

/**
 * The place beside one, at the edges itself; below the last head lies the first of the weights.
 * @param {Place} at
 * @param {number} right
 * @param {number} down
 * @param {Counts} counts
 * @returns {Place}
 */
export function nextPlace(at, right, down, { layers, heads, parts }) {
  const line = ('head' in at ? at.head : heads + at.part) + down;
  const to = Math.min(heads + parts - 1, Math.max(0, line));
  const layer = Math.min(layers - 1, Math.max(0, at.layer + right));
  return to < heads ? { layer, head: to } : { layer, part: to - heads };
}

/** The head that moved most. @param {Float32Array} values  [layers x heads] @param {number} heads @returns {Place} */
export function placeOfMost(values, heads) {
  const most = values.reduce((best, value, i, all) => (Math.abs(value) > Math.abs(all[best]) || Number.isNaN(all[best]) ? i : best), 0);
  return { layer: Math.floor(most / heads), head: most % heads };
}
