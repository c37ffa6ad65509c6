// @ts-check
/**
 * Where small maps lie: all layers and heads on two axes, or a few larger ones with captions. Whole pixels; knows no document.
 *
 * @typedef {object} AxesLayout
 * @property {number} left     the gutter of the head labels
 * @property {number} mapWidth
 * @property {number} mapHeight
 * @property {Int32Array} x    where each column of maps begins
 * @property {Int32Array} y
 * @property {number} width
 * @property {number} height   of the maps, without the layer labels
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
 */

/**
 * Lay the maps out as large as they fit, with the proportions of the picture: layers to the right, heads down.
 * @param {AxesPlace} place
 * @returns {AxesLayout}
 */
export function layOutAxes({ layers, heads, reduced, aspect, width, height, left, gap, apart, narrowest }) {
  const slot = Math.min(
    Math.floor((width - left - apart) / (layers + reduced.layers)) - gap,
    Math.floor(aspect * (Math.floor((height - apart) / (heads + reduced.heads)) - gap)),
  );
  const mapWidth = Math.max(narrowest, slot);
  const mapHeight = Math.max(1, Math.round(mapWidth / aspect));
  const starts = (/** @type {number} */ from, /** @type {number} */ count, /** @type {number} */ more, /** @type {number} */ size) =>
    Int32Array.from({ length: count + more }, (_, i) => from + i * (size + gap) + (i >= count ? apart : 0));
  const x = starts(left, layers, reduced.layers, mapWidth);
  const y = starts(0, heads, reduced.heads, mapHeight);
  return { left, mapWidth, mapHeight, x, y, width: x[x.length - 1] + mapWidth, height: y[y.length - 1] + mapHeight };
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
 * The map at a place, gaps counted to the map before them; null outside.
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
  const layer = find(layout.x, x, layout.width);
  const head = find(layout.y, y, layout.height);
  return layer < 0 || head < 0 ? null : { layer, head };
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
