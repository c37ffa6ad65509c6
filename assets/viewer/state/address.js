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
 * @typedef {{tokens: number[] | null, against?: number, kind?: string}} Shows  a forecast, and of which tokens; null for the whole answer; or relative attention
 * @typedef {import('../numbers/cell_map.js').Measure} Measure
 * @typedef {{of: 'place', how: Measure} | {of: 'head', silence: import('./trials.js').Silence}} Tried  the place that is measured, or the head on screen
 * @typedef {{tried?: Tried, cells?: {how: Measure, tokens: number[] | null, against: number | null}}} TriedWish  and every cell, by its effect on tokens
 * @typedef {{id: string, selection: Partial<Selection>, look: Partial<Look>, zoom?: Zoom, region?: Place, shows?: Shows} & TriedWish} Wish  what it does not say, or says wrongly, is left out
 *
 * @typedef {object} Beside  what an address says beside selection and look
 * @property {import('../data/run_info.js').RunInfo | null} [info]
 * @property {Zoom} [zoom]
 * @property {Place | null} [region]
 * @property {Reading | null} [reading]
 * @property {boolean} [cellsShown]
 * @property {import('../numbers/cell_map.js').CellMap | null} [cells]
 * @property {Measure} [how]
 * @property {import('./trials.js').Trial | null} [trial]  on screen
 * @property {import('./trials.js').Silence} [silence]
 */
import { MOST } from '../paint/zoom.js';
import { LOOK_NAMES, readSetting, startingLook } from './look.js';
import { isTarget, targetOf } from './reading.js';
import { HOWS, SILENCES } from './trials.js';

const WORDS = /** @type {const} */ (['tower', 'direction', 'reading']);
const NUMBERS = /** @type {const} */ (['token', 'until', 'grid']);
const CHOICES = /** @type {const} */ (['layer', 'head']);
const RUN = 'run';
const COMPARED = 'compare';
const FORECAST = 'forecast';
const RELATIVE = 'relative';
const AGAINST = 'against';

/**
 * @param {string} run
 * @param {Selection} selection
 * @param {Look & Beside} look
 * @param {string} [old]  the fragment of which what is said of a comparison stays
 */
export function writeFragment(run, selection, look, old = '') {
  return joined([[RUN, run], ...viewFields(selection, look), ...fieldsOf(old).filter(([name]) => isOfComparison(name))]);
}

/**
 * The same of a comparison, beside what is said of a run.
 * @param {string} id
 * @param {Selection} selection
 * @param {Look & Beside} look
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

/** What is selected, where the look is not the one it begins with, and what part of the picture is seen. @param {Selection} selection @param {Look & Beside} look */
function viewFields(selection, look) {
  const start = startingLook();
  const { scale = 1, x = 0, y = 0 } = look.zoom ?? {};
  const zoom = scale > 1 ? [['zoom', [scale, x, y].map((number) => Number(number.toFixed(4))).join(' ')]] : [];
  const chosen = [...WORDS, ...CHOICES, ...NUMBERS].filter((name) => selection[name] !== null).map((name) => [name, String(selection[name])]);
  return [...chosen, ...LOOK_NAMES.filter((name) => look[name] !== start[name]).map((name) => [name, String(look[name])]), ...zoom, ...placeFields(look.region), ...readingFields(look.reading), ...triedFields(look)];
}

/** What is shown instead of what was read: forecast, and where it is not of the whole answer its target: forecast 93 94. @param {Reading | null} [reading] */
function readingFields(reading) {
  if (reading?.kind === RELATIVE) return [['show', RELATIVE]];
  return reading ? [['show', [FORECAST, ...(reading.isWhole ? [] : targetWords(reading))].join(' ')]] : [];
}

/** Tokens, and the one that one is set against: 93 against 1034. @param {{tokens: number[], against?: number | null}} target */
function targetWords({ tokens, against = null }) {
  return [...tokens, ...(against === null ? [] : [AGAINST, against])];
}

/** @param {string[]} words @returns {{tokens: number[] | null, against?: number} | null} null where they say nothing */
function readTarget(words) {
  const at = words.indexOf(AGAINST);
  const [tokens, others] = at < 0 ? [words, []] : [words.slice(0, at), words.slice(at + 1)];
  if (![...tokens, ...others].every((word) => /^\d{1,9}$/.test(word)) || (at >= 0 && (tokens.length !== 1 || others.length !== 1))) return null;
  return { tokens: tokens.length ? tokens.map(Number) : null, ...(at >= 0 && { against: Number(others[0]) }) };
}

/** @param {string | undefined} text @returns {{shows?: Shows}} */
export function readShows(text) {
  const [kind, ...words] = (text ?? '').split(' ');
  if (kind === RELATIVE && !words.length) return { shows: { kind, tokens: null } };
  const target = kind === FORECAST ? readTarget(words) : null;
  return target ? { shows: target } : {};
}

/** What the answer was tried without: place mean, head zero; and of every cell the target: cells hidden 93 94. @param {Beside} beside */
function triedFields({ info = null, reading = null, trial, how, silence, cellsShown, cells }) {
  const target = cells?.target ?? targetOf({ info, reading });
  const words = isTarget(target, targetOf({ info, reading: null })) ? [] : targetWords(target);
  return [
    ...(trial ? [['tried', `${trial.of} ${trial.of === 'place' ? how : silence}`]] : []),
    ...(cellsShown ? [['cells', [how, ...words].join(' ')]] : []),
  ];
}

/** @param {string | undefined} tried @param {string | undefined} cells @returns {TriedWish} */
function readTried(tried, cells) {
  const [of, way] = (tried ?? '').split(' ');
  const [how, ...words] = (cells ?? '').split(' ');
  const target = readTarget(words);
  return {
    ...(of === 'place' && isHow(way) && { tried: { of, how: way } }),
    ...(of === 'head' && isSilence(way) && { tried: { of, silence: way } }),
    ...(isHow(how) && target && { cells: { how, tokens: target.tokens, against: target.against ?? null } }),
  };
}

/** @param {any} word @returns {word is Measure} */
const isHow = (word) => HOWS.includes(word);
/** @param {any} word @returns {word is import('./trials.js').Silence} */
const isSilence = (word) => SILENCES.includes(word);

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

/** @param {Map<string, string>} fields @returns {{selection: Partial<Selection>, look: Partial<Look>, zoom?: Zoom, region?: Place, shows?: Shows} & TriedWish} */
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
  return { selection, look, ...(isZoom ? { zoom: { scale, x, y } } : {}), ...readPlace(fields.get('place')), ...readShows(fields.get('show')), ...readTried(fields.get('tried'), fields.get('cells')) };
}

/** @param {string} fragment */
function fieldsOf(fragment) {
  return [...new URLSearchParams(fragment.replace(/^#/, ''))];
}

/** @param {string[][]} fields */
function joined(fields) {
  return `#${new URLSearchParams(fields)}`;
}
