// @ts-check
/**
 * The view in the fragment of the page's address: which run by its public id, what is selected, how it looks. The ticket, which
 * gives access to the run, is never in it. A run and a comparison stand in one address, each by fields of its own. Knows no document.
 *
 * @typedef {import('../data/selection.js').Selection} Selection
 * @typedef {import('./look.js').Look} Look
 * @typedef {import('./reading.js').Reading} Reading
 * @typedef {{scale: number, x: number, y: number}} Zoom
 * @typedef {{image: number, place: number[]}} Place  that is measured
 * @typedef {{tokens: number[] | null, kind?: string}} Shows  a forecast, and of which tokens; null for the whole answer; or relative attention
 * @typedef {{id: string, selection: Partial<Selection>, look: Partial<Look>, zoom?: Zoom, region?: Place, shows?: Shows}} Wish  what it does not say, or says wrongly, is left out
 */
import { MOST } from '../paint/zoom.js';
import { LOOK_NAMES, readSetting, startingLook } from './look.js';

const WORDS = /** @type {const} */ (['tower', 'direction', 'reading']);
const NUMBERS = /** @type {const} */ (['token', 'until', 'grid']);
const CHOICES = /** @type {const} */ (['layer', 'head']);
const RUN = 'run';
const COMPARED = 'compare';
const FORECAST = 'forecast';
const RELATIVE = 'relative';

/**
 * @param {string} run
 * @param {Selection} selection
 * @param {Look & {zoom?: Zoom, region?: Place | null, reading?: Reading | null}} look
 * @param {string} [old]  the fragment of which what is said of a comparison stays
 */
export function writeFragment(run, selection, look, old = '') {
  return joined([[RUN, run], ...viewFields(selection, look), ...fieldsOf(old).filter(([name]) => isOfComparison(name))]);
}

/**
 * The same of a comparison, beside what is said of a run.
 * @param {string} id
 * @param {Selection} selection
 * @param {Look & {zoom?: Zoom, region?: Place | null, reading?: Reading | null}} look
 * @param {Record<string, string>} more  what else is chosen
 * @param {string} [old]
 */
export function writeComparison(id, selection, look, more, old = '') {
  const own = [...viewFields(selection, look), ...Object.entries(more)].map(([name, text]) => [`${COMPARED}.${name}`, text]);
  return joined([...fieldsOf(old).filter(([name]) => !isOfComparison(name)), [COMPARED, id], ...own]);
}

/**
 * What a fragment says of a run, null when it names none.
 * @param {string} fragment
 * @returns {Wish | null}
 */
export function readFragment(fragment) {
  const fields = new Map(fieldsOf(fragment));
  const id = fields.get(RUN);
  return id ? { id, ...readView(fields) } : null;
}

/**
 * What a fragment says of a comparison, null when it names none. Of `more` only texts; they are checked by who knows the comparison.
 * @param {string} fragment
 * @returns {Wish & {more: Record<string, string>} | null}
 */
export function readComparison(fragment) {
  const all = fieldsOf(fragment);
  const id = new Map(all).get(COMPARED);
  if (!id) return null;
  const own = all.filter(([name]) => name.startsWith(`${COMPARED}.`)).map(([name, text]) => /** @type {[string, string]} */ ([name.slice(COMPARED.length + 1), text]));
  return { id, ...readView(new Map(own)), more: Object.fromEntries(own) };
}

/** @param {string} name  of a field */
function isOfComparison(name) {
  return name === COMPARED || name.startsWith(`${COMPARED}.`);
}

/** What is selected, where the look is not the one it begins with, and what part of the picture is seen. @param {Selection} selection @param {Look & {zoom?: Zoom, region?: Place | null, reading?: Reading | null}} look */
function viewFields(selection, look) {
  const start = startingLook();
  const { scale = 1, x = 0, y = 0 } = look.zoom ?? {};
  const zoom = scale > 1 ? [['zoom', [scale, x, y].map((number) => Number(number.toFixed(4))).join(' ')]] : [];
  const chosen = [...WORDS, ...CHOICES, ...NUMBERS].filter((name) => selection[name] !== null).map((name) => [name, String(selection[name])]);
  return [...chosen, ...LOOK_NAMES.filter((name) => look[name] !== start[name]).map((name) => [name, String(look[name])]), ...zoom, ...placeFields(look.region), ...readingFields(look.reading)];
}

/** What is shown instead of what was read: forecast, and where it is not of the whole answer its tokens: forecast 93 94. @param {Reading | null} [reading] */
function readingFields(reading) {
  if (reading?.kind === RELATIVE) return [['show', RELATIVE]];
  return reading ? [['show', [FORECAST, ...(reading.isWhole ? [] : reading.tokens)].join(' ')]] : [];
}

/** @param {string | undefined} text @returns {{shows?: Shows}} */
export function readShows(text) {
  const [kind, ...tokens] = (text ?? '').split(' ');
  if (kind === RELATIVE && !tokens.length) return { shows: { kind, tokens: null } };
  if (kind !== FORECAST || !tokens.every((token) => /^\d{1,9}$/.test(token))) return {};
  return { shows: { tokens: tokens.length ? tokens.map(Number) : null } };
}

/** The picture and the sides of a place: 0 200 80 400 200. @param {Place | null} [region] */
function placeFields(region) {
  return region ? [['place', [region.image, ...region.place.map((side) => Number(side.toFixed(6)))].join(' ')]] : [];
}

/** @param {string | undefined} text @returns {{region?: Place}} */
function readPlace(text) {
  const [image, ...place] = (text ?? '').split(' ').map((part) => (/^\d{1,6}(\.\d{1,6})?$/.test(part) ? Number(part) : NaN));
  const isPlace = Number.isInteger(image) && [2, 4].includes(place.length) && !place.some(Number.isNaN);
  return isPlace ? { region: { image, place } } : {};
}

/** @param {Map<string, string>} fields @returns {{selection: Partial<Selection>, look: Partial<Look>, zoom?: Zoom, region?: Place, shows?: Shows}} */
function readView(fields) {
  /** @type {any} */
  const selection = {};
  for (const name of WORDS) if (fields.has(name)) selection[name] = fields.get(name);
  for (const name of NUMBERS) if (/^\d{1,9}$/.test(fields.get(name) ?? '')) selection[name] = Number(fields.get(name));
  for (const name of CHOICES) {
    const text = fields.get(name) ?? '';
    if (/^\d{1,9}$/.test(text)) selection[name] = Number(text);
    else if (text === 'mean' || text === 'max') selection[name] = text;
  }
  /** @type {any} */
  const look = {};
  for (const name of LOOK_NAMES) {
    const value = fields.has(name) ? readSetting(name, /** @type {string} */ (fields.get(name))) : undefined;
    if (value !== undefined) look[name] = value;
  }
  const [scale, x, y] = (fields.get('zoom') ?? '').split(' ').map(Number);
  const isZoom = scale > 1 && scale <= MOST && x >= 0 && x <= 1 && y >= 0 && y <= 1;
  return { selection, look, ...(isZoom ? { zoom: { scale, x, y } } : {}), ...readPlace(fields.get('place')), ...readShows(fields.get('show')) };
}

/** @param {string} fragment */
function fieldsOf(fragment) {
  return [...new URLSearchParams(fragment.replace(/^#/, ''))];
}

/** @param {string[][]} fields */
function joined(fields) {
  return `#${new URLSearchParams(fields)}`;
}
