// @ts-check
/**
 * Where the atlas's maps and the ribbon of masses lie: maps on two axes, or in lines with captions; the ribbon below, where it goes on
 * where the columns of maps end, or beside them. In device pixels of a place; knows no document.
 *
 * @typedef {object} Room
 * @property {number} width    of the place, in CSS pixels
 * @property {number} height
 * @property {number} density  device pixels in one of CSS
 * @property {number} layers   that have maps
 * @property {boolean[]} [skips]  whether others come before each, and after the last
 * @property {number} heads
 * @property {{layers: number, heads: number}} reduced  how many reductions come after them
 * @property {'all' | 'layer' | 'best'} view
 * @property {number} items    maps that are shown
 * @property {number | null} aspect  of the picture, null where there are no maps
 * @property {boolean} hasRibbon
 *
 * @typedef {object} Columns  of the ribbon
 * @property {ArrayLike<number>} x  where the bar of each layer begins, that of their mean last
 * @property {number} barWidth
 * @property {number} width   of the canvas
 * @property {number} bars    height
 * @property {boolean} isLabelled  its layers are not written above it already
 *
 * @typedef {object} RibbonPlace
 * @property {Columns} columns
 * @property {{left: number, top: number} | undefined} beside  in CSS pixels, where it stands not below
 * @property {boolean} hasLegendAside
 *
 * @typedef {object} AtlasLayout
 * @property {import('./map_layout.js').AxesLayout | null} axes
 * @property {ReturnType<typeof layOutLines> | null} lines
 * @property {number} most     maps that there is room for
 * @property {{width: number, height: number}} size  of a map
 * @property {{width: number, height: number} | null} canvas  null where there are no maps
 * @property {RibbonPlace} ribbon
 */
import { countInLines, layOutAxes, layOutLines, layOutWithPanel } from './map_layout.js';

/** CSS pixels. */
export const LABEL_PX = { left: 34, bottom: 20 };
export const CAPTION_PX = 18;
/** `above` is between the ribbon and the maps, `beside` the width of a legend at its side. */
export const RIBBON_PX = { bars: 40, above: 6, legend: 18, labels: 18, beside: 136 };
const GAP_PX = 6;
const BAR_PX = 4; // of layers without a map
/** The ribbon beside the maps; `bar` is the most that a layer gets: few of them would drown the maps. */
const BESIDE_PX = { least: 170, most: 380, apart: 28, bars: 120, bar: 34 };
const THUMB_PX = 520; // on a narrower page maps are large enough for a thumb, and the atlas scrolls
const LINES_PX = { narrow: 300, narrowest: 60, thumb: 76, best: 76, fewest: 12 };

/** Whether maps are made for a thumb. @param {Pick<Room, 'width'>} room */
export function isNarrow({ width }) {
  return width < THUMB_PX;
}

/** @param {Room} room @returns {AtlasLayout} */
export function layOutAtlas(room) {
  const { aspect, view } = room;
  if (aspect === null) return { axes: null, lines: null, most: 0, size: { width: 0, height: 0 }, canvas: null, ribbon: below(room) };
  return view === 'all' ? onAxes(room, aspect) : inLines(room, aspect);
}

/** @param {Room} room @param {number} aspect @returns {AtlasLayout} */
function onAxes(room, aspect) {
  const { layers, skips, heads, reduced, hasRibbon, items } = room;
  const px = pixelsOf(room);
  const gap = px(layers > 12 ? 1 : 2);
  const place = {
    layers, skips, skip: px(BAR_PX) + gap, heads, reduced, aspect, width: px(room.width), height: px(room.height - LABEL_PX.bottom), left: px(LABEL_PX.left), gap, apart: px(6),
    narrowest: px(isNarrow(room) ? 20 : 8), below: hasRibbon || isNarrow(room) ? null : px(LABEL_PX.bottom), // the ribbon's bars stand below their layers
  };
  const under = px(RIBBON_PX.above + RIBBON_PX.bars);
  const whole = { height: under + px(RIBBON_PX.legend), width: 0 };
  const panels = isNarrow(room) ? [whole] : [whole, { height: under, width: px(RIBBON_PX.beside) }, { height: 0, width: px(BESIDE_PX.least + BESIDE_PX.apart) }];
  const { layout: axes, panel } = hasRibbon ? layOutWithPanel(place, panels) : { layout: layOutAxes(place), panel: 0 };
  const columns = { x: axes.x, barWidth: axes.mapWidth, width: axes.width, bars: px(RIBBON_PX.bars), isLabelled: false };
  const ribbon = panel < 2 ? { columns, beside: undefined, hasLegendAside: panel === 1 } : beside(room, axes.width, axes.height - px(3 * RIBBON_PX.legend));
  const size = { width: axes.mapWidth, height: axes.mapHeight };
  return { axes, lines: null, most: items, size, canvas: { width: axes.width, height: axes.height + px(LABEL_PX.bottom) }, ribbon };
}

/** @param {Room} room @param {number} aspect @returns {AtlasLayout} */
function inLines(room, aspect) {
  const { items, view, hasRibbon } = room;
  const px = pixelsOf(room);
  const isThumb = isNarrow(room);
  const [width, height] = [px(room.width), px(isThumb ? LINES_PX.narrow : room.height)];
  const free = { count: items, aspect, gap: px(GAP_PX), caption: px(CAPTION_PX), narrowest: 1 };
  const needed = hasRibbon ? px(RIBBON_PX.above + RIBBON_PX.bars + RIBBON_PX.labels) : 0;
  const above = { width, height: isThumb ? height : height - needed };
  const left = { width: width - px(BESIDE_PX.least + BESIDE_PX.apart), height };
  const isBeside = !isThumb && needed > 0 && layOutLines({ ...free, ...left }).mapWidth > 1.1 * layOutLines({ ...free, ...above }).mapWidth;
  const place = { ...free, ...(isBeside ? left : above) };
  const most = view === 'best' ? countInLines(place, { fewest: LINES_PX.fewest, least: px(LINES_PX.best) }) : items;
  const lines = layOutLines({ ...place, count: most, narrowest: px(isThumb || view === 'best' ? LINES_PX.thumb : LINES_PX.narrowest) });
  const ribbon = isBeside ? beside(room, lines.width, height - px(4 * RIBBON_PX.legend)) : below(room);
  return { axes: null, lines, most, size: { width: lines.mapWidth, height: lines.mapHeight }, canvas: { width: lines.width, height: lines.height }, ribbon };
}

/** With columns and labels of its own. @param {Room} room @returns {RibbonPlace} */
function below(room) {
  const px = pixelsOf(room);
  const width = px(room.width) - (isNarrow(room) ? 0 : px(RIBBON_PX.beside));
  return { columns: columnsIn(room, px(LABEL_PX.left), width, px(RIBBON_PX.bars)), beside: undefined, hasLegendAside: !isNarrow(room) };
}

/** @param {Room} room @param {number} right  end of the maps @param {number} height @returns {RibbonPlace} */
function beside(room, right, height) {
  const px = pixelsOf(room);
  const left = right + px(BESIDE_PX.apart);
  const bars = Math.min(px(BESIDE_PX.bars), Math.max(px(RIBBON_PX.bars), height));
  const most = Math.min(px(BESIDE_PX.most), px(BESIDE_PX.bar) * (room.layers + 1));
  const width = Math.min(px(room.width) - left, Math.max(most, px(BESIDE_PX.least)));
  return { columns: columnsIn(room, 0, width, bars), beside: { left: left / room.density, top: 0 }, hasLegendAside: false };
}

/** @param {Room} room @param {number} left @param {number} width @param {number} bars @returns {Columns} */
function columnsIn(room, left, width, bars) {
  const { layers } = room;
  const px = pixelsOf(room);
  const step = Math.floor((width - left - px(6)) / (layers + 1));
  const x = Array.from({ length: layers + 1 }, (_, i) => left + i * step + (i === layers ? px(6) : 0));
  return { x, barWidth: Math.max(1, step - px(layers > 12 ? 1 : 3)), width, bars, isLabelled: true };
}

/** @param {Pick<Room, 'density'>} room */
function pixelsOf({ density }) {
  return (/** @type {number} */ css) => Math.round(css * density);
}
