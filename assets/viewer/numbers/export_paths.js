// @ts-check
/**
 * What can be kept of what is on screen: which files there are, their addresses below the run's, and why one is not to be had.
 * Knows no document.
 *
 * @typedef {import('./python_code.js').View & {look: Look | null, clip?: number, region?: Region}} View  look is null where there is no map; clip is of the atlas
 * @typedef {import('./regions.js').Region} Region  the place that is measured
 *
 * @typedef {object} Look  as `attention.drawing.look.Look`
 * @property {string} palette
 * @property {number} opacity
 * @property {number} low
 * @property {number} high
 * @property {string} [unit]  none of effects, which have their own
 * @property {string} curve
 * @property {string} sinks
 * @property {boolean} smooth
 * @property {boolean} places
 * @property {number} [places_on]  a picture for places that are on none, from 1
 * @property {string} [coordinates]  in which the answer's numbers are read anew
 *
 * @typedef {'png' | 'svg' | 'pdf' | 'card' | 'npz' | 'csv' | 'safetensors' | 'html' | 'zip' | 'region'} Format  region: all heads at the place, as a table
 * @typedef {{scale: number, caption: boolean}} Size  of a PNG
 */

import { isRatio } from './ratios.js';
import { sidesOf } from '../data/source.js';
import { regionIn } from './regions.js';

/** Formats that show the map, formats that hold its numbers, and those that are too large to pass through a page's memory. */
const FIGURES = ['png', 'svg', 'pdf', 'card'];
export const LARGE = ['safetensors', 'zip'];
const LABEL_SIGNS = 200;

/**
 * The view on screen, null where there is none.
 * @param {Readonly<import('../state/fields.js').Fields>} fields
 * @returns {View | null}
 */
export function keptView({ shown, drawn, palette, opacity, sinks, smooth, places, unplacedOn, coordinates, clip, info, region: chosen }) {
  if (!shown) return null;
  const { tower, direction, query, until, layer, head, effect = null } = shown;
  const look = drawn && {
    palette, opacity, low: drawn.range.low, high: drawn.range.high, ...(effect ? {} : { unit: drawn.range.unit }), curve: drawn.range.curve, sinks, smooth, places,
    ...(places && unplacedOn != null ? { places_on: unplacedOn + 1 } : {}), ...(places && coordinates && coordinates !== 'run' ? { coordinates } : {}),
  };
  // The answer's own place is not drawn where a person does not want to see it.
  const region = info && (chosen || places) ? regionIn(info, chosen, tower) : null;
  return { tower, direction, query, until, layer, head, grid: shown.cells.length ? shown.grid : null, look, clip, ...(region && { region }), ...(effect && { effect }), ...(drawn?.measured && { measured: measuredView(drawn.measured) }) };
}

/** @param {NonNullable<import('./coloured_map.js').Drawn['measured']>} measured */
function measuredView({ map: { name, target, block }, measure }) {
  return { name, tokens: target.tokens, block, measure };
}

/**
 * The address of a file, below the run's.
 * @param {View} view
 * @param {Format} format
 * @param {Size} [size]
 */
export function exportPath(view, format, size = { scale: 1, caption: false }) {
  if (format === 'zip') return 'export?format=zip';
  if (format === 'html') return `export?${new URLSearchParams({ format, ...opening(view), ...(view.effect ? { reading: view.effect.name } : {}), ...placeFields(view.region) })}`;
  if (format === 'region') return `export?${new URLSearchParams({ format: 'csv', ...rowOf(view), ...placeFields(view.region) })}`;
  if (format === 'safetensors') return `layer/${encodeURIComponent(view.tower)}/${view.layer}`;
  /** @type {Record<string, string | number>} */
  const fields = { format, tower: view.tower, layer: view.layer, head: view.head };
  if (view.effect) fields.reading = view.effect.name;
  if (view.direction === 'received' && !view.effect) fields.received = 1;
  else if (view.direction !== 'received') fields[view.direction === 'reads' ? 'query' : 'key'] = view.query;
  if (view.direction !== 'received' && view.until !== null) fields.until = view.until;
  if (view.grid !== null) fields.grid = view.grid;
  if (FIGURES.includes(format)) {
    for (const [name, value] of Object.entries(view.look ?? {})) fields[name] = typeof value === 'boolean' ? Number(value) : value;
    Object.assign(fields, placeFields(view.region), view.region?.label ? { label: view.region.label.slice(0, LABEL_SIGNS) } : {});
    if (format === 'card') fields.clip = view.clip ?? 100;
    if (format === 'png') Object.assign(fields, { scale: size.scale, caption: Number(size.caption) });
  }
  return `export?${new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)]))}`;
}

/** A place as fields of an export. @param {Region} [region] @returns {Record<string, string>} */
export function placeFields(region) {
  return region ? { [region.place.length === 4 ? 'box' : 'point']: sidesOf(region.place), image: String(region.image) } : {};
}

/** The row on screen as fields of an export. @param {Omit<View, 'look'>} view @returns {Record<string, string>} */
export function rowOf({ tower, query, until }) {
  return { tower, query: String(query), ...(until === null ? {} : { until: String(until) }) };
}

/**
 * Where a page in a file opens: a row of text, or where something else is on screen the same layer and head.
 * @param {Omit<View, 'look'>} view
 * @returns {Record<string, string>}
 */
export function opening({ tower, direction, layer, head, query }) {
  if (tower === 'vision') return {};
  return { layer: String(layer), head: String(head), ...(direction === 'reads' ? { query: String(query) } : {}) };
}

/**
 * Why a file is not to be had of this view, null where it is.
 * @param {View} view
 * @param {Format} format
 */
export function reasonAgainst(view, format) {
  if (view.measured && [...FIGURES, 'npz', 'csv'].includes(format)) return `What is shown was measured, and files hold what is read: choose Read or Forecast. Its numbers: reading/${view.measured.name}.`;
  if (format === 'region' && !view.region) return 'Mark a place first: ▭ beside the zoom, or the key m.';
  if (format === 'region' && view.effect) return 'A table of a place is of what is read: choose Read.';
  if (format === 'region' && view.direction !== 'reads') return 'A place is measured in what a row reads: choose “reads from”.';
  if (format === 'html' && isRatio(view.effect)) return 'A file of its own holds what was read, and a forecast: choose Read.';
  if (FIGURES.includes(format) && isRatio(view.effect)) return 'No figure is made of ratios: NPZ and CSV hold their numbers.';
  if (FIGURES.includes(format) && view.grid === null) return 'There is no picture to draw on: NPZ and CSV hold the row.';
  if (format === 'card' && view.direction === 'received' && !view.effect) return 'A card shows the maps of all layers and heads, and there are none of what patches receive.';
  if (format === 'safetensors' && typeof view.layer !== 'number') return `The ${view.layer} over layers is no layer: choose one.`;
  return null;
}

/**
 * The name that a server gives a file, from its header.
 * @param {string | null} header  Content-Disposition
 */
export function fileName(header) {
  return /filename="([^"/\\]+)"/.exec(header ?? '')?.[1] ?? 'attention';
}
