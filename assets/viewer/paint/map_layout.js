// @ts-check
/**
 * Where small maps lie: all layers and heads on two axes, or a few larger ones with captions. Whole pixels; knows no document.
 *
 * @typedef {object} AxesLayout
 * @property {number} left     the gutter of the head labels, of each band
 * @property {number} mapWidth
 * @property {number} mapHeight
 * @property {Int32Array} x    where each column of maps begins, in its shelf and in the first band
 * @property {Int32Array} y    where each head begins, in its band and in the first shelf
 * @property {number} bands    side by side, each with some of the heads: more than one where pictures are tall
 * @property {number} perBand  heads, and what is reduced over them, in a band
 * @property {number} bandStep from a band to the next
 * @property {number} shelves  below each other, each with some of the layers: more than one where that makes the maps larger
 * @property {number} perShelf layers, and what is reduced over them, on a shelf
 * @property {number} shelfStep from a shelf to the next
 * @property {number} shelfHeight of its maps, without the layer labels
 * @property {{x: number, width: number, column: number}[]} bars  that stand before a column for layers without a map, in its shelf and in the first band
 * @property {number} width
 * @property {number} height   of the maps, without the layer labels of the last shelf
 *
 * @typedef {object} AxesPlace
 * @property {number} layers   places on the axis that are layers
 * @property {number} heads
 * @property {{layers: number, heads: number}} reduced  how many places come after them, a little apart
 * @property {number} aspect   width of a map by its height
 * @property {number} width    pixels to fill
 * @property {number} height
 * @property {number} left     gutter for labels
 * @property {number} gap      between maps
 * @property {number} apart    before the reductions
 * @property {number} narrowest  a map is never narrower: then the canvas is wider than the place, and scrolls
 * @property {boolean[]} [skips]  whether layers without a map come before each place on the axis of layers
 * @property {number} [skip]   what a bar that stands for them takes
 * @property {number | null} [below]  room for labels below a shelf; null: the layers stay on one
 */

const LARGER = 1.15; // another shelf must make the maps so much larger: axes are read best in one piece

/**
 * Lay the maps out as large as they fit, with the proportions of the picture: layers to the right, heads down; where pictures are so tall
 * that few heads would fit below each other, the heads go on in a band beside; where there are so many layers that room is left below, the
 * layers go on on a shelf there.
 * @param {AxesPlace} place
 * @returns {AxesLayout}
 */
export function layOutAxes({ layers, heads, reduced, aspect, width, height, left, gap, apart, narrowest, skips = [], skip = 0, below = null }) {
  const places = heads + reduced.heads;
  const columns = layers + reduced.layers;
  const skipped = (/** @type {number} */ from, /** @type {number} */ to) => skip * skips.slice(from, to).filter(Boolean).length;
  const mostSkipped = (/** @type {number} */ each) => Math.max(...Array.from({ length: Math.ceil(columns / each) }, (_, i) => skipped(i * each, (i + 1) * each)));
  const slotIn = (/** @type {number} */ count) => Math.min(
    Math.floor((Math.floor(width / count) - left - apart - skipped(0, columns)) / (layers + reduced.layers)) - gap,
    Math.floor(aspect * (Math.floor((height - apart) / Math.ceil(places / count)) - gap)),
  );
  let bands = 1;
  if (slotIn(1) < narrowest) for (let count = 2; count <= places; count++) if (slotIn(count) > slotIn(bands)) bands = count;
  const perBand = Math.ceil(places / bands);
  bands = Math.ceil(places / perBand);
  const slotOn = (/** @type {number} */ count) => Math.min(
    Math.floor((width - left - apart - mostSkipped(Math.ceil(columns / count))) / Math.ceil(columns / count)) - gap,
    Math.floor(aspect * (Math.floor((Math.floor((height - (count - 1) * (below ?? 0)) / count) - apart) / places) - gap)),
  );
  let shelves = 1;
  if (bands === 1 && below !== null) for (let count = 2; count <= columns; count++) if (slotOn(count) > LARGER * slotOn(shelves)) shelves = count;
  const perShelf = Math.ceil(columns / shelves);
  shelves = Math.ceil(columns / perShelf);
  const mapWidth = Math.max(bands > 1 ? Math.min(4, narrowest) : narrowest, shelves > 1 ? slotOn(shelves) : slotIn(bands));
  const mapHeight = Math.max(1, Math.round(mapWidth / aspect));
  const x = new Int32Array(columns);
  /** @type {AxesLayout['bars']} */
  const bars = [];
  for (let i = 0, at = left; i < columns; i++) {
    if (i % perShelf === 0) at = left;
    if (skips[i] && skip) bars.push({ x: at, width: skip - gap, column: i });
    x[i] = at + (skips[i] ? skip : 0) + (i >= layers && i % perShelf > 0 ? apart : 0);
    at = x[i] + mapWidth + gap;
  }
  // what is reduced stands apart, unless a band begins with it
  const y = Int32Array.from({ length: places }, (_, i) => (i % perBand) * (mapHeight + gap) + (i >= heads && i - (i % perBand) < heads ? apart : 0));
  const end = Math.max(...x) + mapWidth;
  const bandStep = end + 2 * apart;
  const shelfHeight = Math.max(...y) + mapHeight;
  const shelfStep = shelfHeight + (below ?? 0);
  return {
    left, mapWidth, mapHeight, x, y, bands, perBand, bandStep, shelves, perShelf, shelfStep, shelfHeight, bars,
    width: (bands - 1) * bandStep + end, height: (shelves - 1) * shelfStep + shelfHeight,
  };
}

/** What is added to the places of a head's maps, by the band that it is in. @param {AxesLayout} layout @param {number} head  place on the axis */
export function bandOf({ perBand, bandStep }, head) {
  return Math.floor(head / perBand) * bandStep;
}

/** What is added to the places of a layer's maps, by the shelf that it is on. @param {AxesLayout} layout @param {number} layer  place on the axis */
export function shelfOf({ perShelf, shelfStep }, layer) {
  return Math.floor(layer / perShelf) * shelfStep;
}

/**
 * The same with a panel that takes height or width: where it stands so that the maps come out largest, or of much the same size where
 * it is offered first.
 * @param {AxesPlace} place
 * @param {{height: number, width: number}[]} panels  what it needs at each side, with the distance to the maps
 * @returns {{layout: AxesLayout, panel: number}}
 */
export function layOutWithPanel(place, panels) {
  const around = panels.map(({ height, width }) => ({ ...place, height: place.height - height, width: place.width - width }));
  const sizes = around.map((room) => layOutAxes({ ...room, narrowest: 1 }).mapWidth);
  let panel = 0;
  sizes.forEach((size, i) => {
    if (size > 1.1 * sizes[panel]) panel = i;
  });
  return { layout: layOutAxes(around[panel]), panel };
}

/**
 * The bar at a place, as the place on the axis before which it stands; -1 outside.
 * @param {AxesLayout} layout
 * @param {number} x
 * @param {number} y
 */
export function barAt({ bars, bands, bandStep, perShelf, shelves, shelfStep, shelfHeight }, x, y) {
  const across = x - Math.min(bands - 1, Math.max(0, Math.floor(x / bandStep))) * bandStep;
  const shelf = Math.floor(y / shelfStep);
  if (y < 0 || shelf >= shelves || y - shelf * shelfStep >= shelfHeight) return -1;
  return bars.find((bar) => Math.floor(bar.column / perShelf) === shelf && across >= bar.x && across < bar.x + bar.width)?.column ?? -1;
}

/**
 * The map at a place, gaps counted to the map before them; null outside, and where a bar stands.
 * @param {AxesLayout} layout
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
  const { bands, perBand, bandStep, mapWidth, shelves, perShelf, shelfStep, shelfHeight } = layout;
  const band = Math.min(bands - 1, Math.max(0, Math.floor(x / bandStep)));
  const shelf = Math.min(shelves - 1, Math.max(0, Math.floor(y / shelfStep)));
  const starts = layout.x.slice(shelf * perShelf, (shelf + 1) * perShelf);
  const layer = find(starts, x - band * bandStep, starts[starts.length - 1] + mapWidth);
  const head = find(layout.y.slice(band * perBand, (band + 1) * perBand), y - shelf * shelfStep, shelfHeight);
  return layer < 0 || head < 0 || barAt(layout, x, y) >= 0 ? null : { layer: shelf * perShelf + layer, head: band * perBand + head };
}

/**
 * Lay out maps in lines, as large as all of them fit, each with room for a caption below.
 * @param {object} place
 * @param {number} place.count
 * @param {number} place.aspect
 * @param {number} place.width
 * @param {number} place.height
 * @param {number} place.gap
 * @param {number} place.caption
 * @param {number} place.narrowest  a map is never narrower: then the canvas is higher than the place, and scrolls
 * @returns {{mapWidth: number, mapHeight: number, x: Int32Array, y: Int32Array, width: number, height: number}}
 */
export function layOutLines({ count, aspect, width, height, gap, caption, narrowest }) {
  const widthOf = (/** @type {number} */ columns) => Math.floor((width + gap) / columns) - gap;
  let [columns, mapWidth] = [1, 0];
  for (let tried = 1; tried <= count; tried++) {
    const lines = Math.ceil(count / tried);
    const fits = Math.min(widthOf(tried), Math.floor(aspect * (Math.floor((height + gap) / lines) - gap - caption)));
    if (fits > mapWidth) [columns, mapWidth] = [tried, fits];
  }
  if (mapWidth < narrowest) {
    columns = Math.max(1, Math.min(count, Math.floor((width + gap) / (narrowest + gap))));
    mapWidth = Math.max(1, widthOf(columns));
  }
  const mapHeight = Math.max(1, Math.round(mapWidth / aspect));
  const x = Int32Array.from({ length: count }, (_, i) => (i % columns) * (mapWidth + gap));
  const y = Int32Array.from({ length: count }, (_, i) => Math.floor(i / columns) * (mapHeight + caption + gap));
  return { mapWidth, mapHeight, x, y, width: columns * (mapWidth + gap) - gap, height: y[count - 1] + mapHeight + caption };
}

/**
 * How many maps fit in lines without getting smaller than `least`, the most of some.
 * @param {Omit<Parameters<typeof layOutLines>[0], 'narrowest'>} place  with the most in `count`
 * @param {{fewest: number, least: number}} wish
 */
export function countInLines(place, { fewest, least }) {
  let { count } = place;
  while (count > fewest && layOutLines({ ...place, count, narrowest: 1 }).mapWidth < least) count--;
  return count;
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
