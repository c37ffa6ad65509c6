// @ts-check
/**
 * The atlas as data: every layer's and head's map of one row, their means and masses, and where each lies on the canvas.
 *
 * Layers run to the right, heads down; the means over all layers and over all heads come last on both. Knows no document.
 */
import { resampler } from './geometry.js';
import { sum, withMeans } from './reduce.js';
import { CLIP_FLOOR, highOf, largest } from './scale.js';

/**
 * @typedef {object} Atlas
 * @property {string} name     of the wish that it answers
 * @property {string} tower
 * @property {number} query
 * @property {number} grid
 * @property {number} layers   without the mean
 * @property {number} heads    without the mean
 * @property {number} rows     of a map, which may be fewer than the grid's
 * @property {number} cols
 * @property {Float32Array} maps    [layers + 1, heads + 1, rows * cols]
 * @property {Float32Array} masses  [layers + 1, heads + 1], the sum of each map over all cells of the grid
 * @property {number} highestMass
 *
 * @typedef {object} AtlasLayout  in device pixels
 * @property {number} left     the gutter of the head labels
 * @property {number} mapWidth
 * @property {number} mapHeight
 * @property {Int32Array} x    where each column of maps begins
 * @property {Int32Array} y
 * @property {number} width
 * @property {number} height   of the maps, without the layer labels
 */

/**
 * @param {{values: Float32Array, shape: number[]}} numbers  [layers, heads, rows, cols]
 * @param {{name: string, tower: string, query: number, grid: number}} wish
 * @param {{rows: number, cols: number}} record  the grid; a pooled cell stands for several of its cells
 * @returns {Atlas}
 */
export function makeAtlas({ values, shape }, { name, tower, query, grid }, record) {
  const [layers, heads, rows, cols] = shape;
  const maps = withMeans(values, layers, heads);
  const cells = rows * cols;
  const share = (record.rows * record.cols) / cells;
  const masses = Float32Array.from({ length: maps.length / cells }, (_, i) => share * sum(maps.subarray(i * cells, (i + 1) * cells)));
  return { name, tower, query, grid, layers, heads, rows, cols, maps, masses, highestMass: largest(masses) };
}

/**
 * Where the shared range ends: the largest value of all maps, or what a hundredth of all values lie above.
 * @param {Atlas} atlas
 * @param {number} clip  per cent that stay within
 */
export function sharedHigh({ maps }, clip) {
  const maximum = largest(maps);
  if (clip >= 100) return maximum;
  // Positive floats are ordered as their bits are: count by the upper half of them, to within 0.8 %.
  const counts = new Uint32Array(0x8000);
  const bits = new Uint16Array(maps.buffer, maps.byteOffset, 2 * maps.length);
  for (let i = 1; i < bits.length; i += 2) counts[bits[i]]++;
  let spared = Math.floor((maps.length * (100 - clip)) / 100);
  let bin = counts.length - 1;
  while (bin > 0 && spared >= counts[bin]) spared -= counts[bin--];
  const edge = new Float32Array(new Uint32Array([(bin + 1) << 16]).buffer)[0];
  return Math.min(maximum, Math.max(edge, CLIP_FLOOR * maximum));
}

/**
 * How strongly a map is drawn, 0 to 1: by its mass against the largest, so that a map that holds little attention looks faint
 * however its few values are spread.
 * @param {number} mass
 * @param {number} highestMass
 */
export function strength(mass, highestMass) {
  return highestMass > 0 ? 0.15 + 0.85 * Math.sqrt(mass / highestMass) : 0;
}

/**
 * Paint all maps at their places, each on its own range or all on a shared one.
 * @param {Atlas} atlas
 * @param {AtlasLayout} layout
 * @param {{shades: Uint32Array[], shared: number | null, clip: number}} colours  palettes from faint to full; where the
 *   shared range ends, null for a range of each map's own
 * @param {Uint32Array} pixels  the maps' part of the canvas, without the gutter
 */
export function paintMaps(atlas, layout, { shades, shared, clip }, pixels) {
  const { maps, rows, cols, heads } = atlas;
  const { mapWidth, mapHeight, left } = layout;
  const cells = rows * cols;
  const stride = layout.width - left;
  const resample = resampler(rows, cols, mapHeight, mapWidth);
  const values = new Float32Array(mapWidth * mapHeight);
  const full = shades.length - 1;
  for (let index = 0; index < atlas.masses.length; index++) {
    const high = shared ?? highOf(maps.subarray(index * cells, (index + 1) * cells), clip);
    // On a shared scale a map with little attention is dark by itself.
    const shade = shades[shared === null ? Math.round(full * strength(atlas.masses[index], atlas.highestMass)) : full];
    const steps = high > 0 ? 256 / high : 0;
    resample(maps, index * cells, values);
    const corner = layout.y[index % (heads + 1)] * stride + layout.x[Math.floor(index / (heads + 1))] - left;
    for (let y = 0; y < mapHeight; y++) {
      const at = corner + y * stride;
      for (let x = 0; x < mapWidth; x++) pixels[at + x] = shade[Math.min(255, Math.floor(values[y * mapWidth + x] * steps))];
    }
  }
}

/**
 * Lay the maps out as large as they fit, with the proportions of the picture. They get no narrower than `narrowest`: then the
 * canvas is wider than the place, and scrolls.
 * @param {object} place
 * @param {number} place.layers
 * @param {number} place.heads
 * @param {number} place.aspect   width of a map by its height
 * @param {number} place.width    device pixels to fill
 * @param {number} place.height
 * @param {number} place.left     gutter for labels
 * @param {number} place.gap      between maps
 * @param {number} place.apart    before the means
 * @param {number} place.narrowest
 * @returns {AtlasLayout}
 */
export function layOut({ layers, heads, aspect, width, height, left, gap, apart, narrowest }) {
  const slot = Math.min(
    Math.floor((width - left - apart) / (layers + 1)) - gap,
    Math.floor(aspect * (Math.floor((height - apart) / (heads + 1)) - gap)),
  );
  const mapWidth = Math.max(narrowest, slot);
  const mapHeight = Math.max(1, Math.round(mapWidth / aspect));
  const starts = (/** @type {number} */ from, /** @type {number} */ count, /** @type {number} */ size) =>
    Int32Array.from({ length: count + 1 }, (_, i) => from + i * (size + gap) + (i === count ? apart : 0));
  const x = starts(left, layers, mapWidth);
  const y = starts(0, heads, mapHeight);
  return { left, mapWidth, mapHeight, x, y, width: x[layers] + mapWidth, height: y[heads] + mapHeight };
}

/**
 * The map at a place, gaps counted to the map before them; null outside.
 * @param {AtlasLayout} layout
 * @param {number} x
 * @param {number} y
 */
export function mapAt(layout, x, y) {
  const find = (/** @type {Int32Array} */ starts, /** @type {number} */ place, /** @type {number} */ end) => {
    if (place < starts[0] || place >= end) return -1;
    let index = starts.length - 1;
    while (starts[index] > place) index--;
    return index;
  };
  const layer = find(layout.x, x, layout.width);
  const head = find(layout.y, y, layout.height);
  return layer < 0 || head < 0 ? null : { layer, head };
}

/**
 * Which of `count` labels are written when each needs `room` of the `step` that it has: every one, every 2nd, 5th, 10th ...
 * @param {number} count
 * @param {number} step
 * @param {number} room
 */
export function labelled(count, step, room) {
  const every = [1, 2, 5, 10, 20, 50].find((n) => n * step >= room) ?? 100;
  return Array.from({ length: count }, (_, i) => i).filter((i) => i % every === 0);
}

