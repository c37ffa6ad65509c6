// @ts-check
/**
 * How maps are drawn: every setting, what it may be, and where it begins. Pure data, shared by the controls, the address of the
 * page and the exports.
 *
 * @typedef {object} Look
 * @property {import('../paint/palette.js').PaletteName} palette
 * @property {number} opacity  0 to 1
 * @property {'map' | 'atlas' | 'uniform'} scale  what ends the range: the map's own values, all maps of the row, or 100 times even attention
 * @property {import('../numbers/colour_range.js').Curve} curve
 * @property {100 | 99 | 95} clip  per cent of the values that keep colours of their own
 * @property {'masked' | 'raw' | 'renormalised'} sinks
 * @property {boolean} smooth      between the cells' centres, for looks
 * @property {boolean} beside      the map beside the picture, without it
 * @property {boolean} toned       the picture in quiet colours, so that those of the map are seen
 * @property {boolean} places      points and boxes that the answer names
 * @property {'run' | '0-1' | '0-1000' | 'read' | 'original'} coordinates  how the numbers of these count; `run`: as the run has them
 * @property {'all' | 'layer' | 'best'} atlasView  every layer and head, one layer's heads, or the heads with the highest score
 * @property {'number' | 'image_mass' | 'entropy' | 'spatial_entropy' | 'sink_share' | 'value' | 'region_share' | 'region_mass' | 'region_rank' | 'region_iou' | 'effect' | 'silence' | 'found'} order  of heads
 */
import { PALETTES } from '../paint/palette.js';

/** @type {{[name in keyof Look]: readonly any[]}} what each may be, the first is where it begins; opacity is a number */
export const OFFERED = {
  palette: PALETTES,
  opacity: [0.8],
  scale: ['map', 'atlas', 'uniform'],
  curve: ['linear', 'sqrt', 'log'],
  clip: [99, 95, 100],
  sinks: ['masked', 'raw', 'renormalised'],
  smooth: [false, true],
  beside: [false, true],
  toned: [true, false],
  places: [true, false],
  coordinates: ['run', '0-1', '0-1000', 'read', 'original'],
  atlasView: ['all', 'layer', 'best'],
  order: ['number', 'image_mass', 'entropy', 'spatial_entropy', 'sink_share', 'value', 'region_share', 'region_mass', 'region_rank', 'region_iou', 'effect', 'silence', 'found'],
};

export const LOOK_NAMES = /** @type {(keyof Look)[]} */ (Object.keys(OFFERED));

/** @returns {Look} */
export function startingLook() {
  return /** @type {Look} */ (Object.fromEntries(LOOK_NAMES.map((name) => [name, OFFERED[name][0]])));
}

/**
 * A setting from a text, as `writeSetting` wrote it; undefined for what it may not be.
 * @param {keyof Look} name
 * @param {string} text
 */
export function readSetting(name, text) {
  if (name === 'opacity') {
    const value = Number(text);
    return text.trim() && value >= 0 && value <= 1 ? value : undefined;
  }
  return OFFERED[name].find((value) => String(value) === text);
}

/**
 * The other settings of one that has a few, in turn.
 * @param {keyof Look} name
 * @param {any} value
 */
export function nextSetting(name, value) {
  const offered = OFFERED[name];
  return offered[(offered.indexOf(value) + 1) % offered.length];
}
