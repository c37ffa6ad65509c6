// @ts-check
/**
 * What is chosen in a comparison beside token, layer and head: who is compared, by which measure, and how it is looked at. As texts of
 * the page's address, and back, where nothing is taken that the comparison does not have. Knows no document.
 *
 * @typedef {import('./fields.js').ComparisonFields} Fields
 */
import { seriesOf } from '../data/comparison_info.js';
import { offeredMeasures } from '../numbers/change_measures.js';
import { writeOwn } from './own_heads.js';

export const PANES = /** @type {const} */ (['before', 'after', 'difference', 'wipe']);
export const LISTS = /** @type {const} */ (['heads', 'tokens', 'answers', 'steps']);
/** Those that are there where no head stands for another. @type {readonly string[]} */
export const OWN_PANES = PANES.slice(0, 2);
/** @type {readonly ListName[]} */
export const OWN_LISTS = ['tokens', 'answers'];

/**
 * @typedef {typeof PANES[number]} PaneName
 * @typedef {typeof LISTS[number]} ListName
 */

/**
 * What differs from where a comparison begins, beside the pair and its measure.
 * @param {Pick<Fields, 'left' | 'right' | 'measure' | 'of' | 'list' | 'alone' | 'split' | 'magnified'> & Partial<Pick<Fields, 'own' | 'part' | 'hidesNoise'>>} fields
 * @returns {Record<string, string>}
 */
export function writeView({ left, right, measure, of, list, alone, split, magnified, own = [], part = '', hidesNoise = false }) {
  return {
    left: String(left), right: String(right), measure, of,
    ...(list === 'heads' ? {} : { list }), ...(alone === null ? {} : { alone }), ...(split === 0.5 ? {} : { split: String(Math.round(100 * split)) }),
    ...(part ? { part } : {}), ...(hidesNoise ? { noise: 'hidden' } : {}), ...(magnified ? { magnified: 'true' } : {}), ...(own.length ? { heads: writeOwn(own) } : {}),
  };
}

/**
 * Who is compared, by which measure, and how: what texts say, else what the manifest says, else the first.
 * @param {import('../data/comparison_info.js').ComparisonInfo} comparison
 * @param {boolean} hasPicture
 * @param {{adapter?: number, measure?: string}} view  of the manifest
 * @param {Record<string, string>} texts
 * @param {boolean} [hasPlace]  that is measured
 * @param {boolean} [isForecast]  a forecast is shown
 */
export function readView({ members, measures, parts, floors }, hasPicture, view, texts, hasPlace = false, isForecast = false) {
  const isOwn = members.some(({ own_towers: hasOwn }) => hasOwn); // then only each map by itself is there
  const offered = offeredMeasures({ measures }, hasPlace, isForecast ? { kind: 'forecast' } : null);
  const right = number(texts.right, 1, members.length - 1) ?? number(String((view.adapter ?? -1) + 1), 1, members.length - 1) ?? 1;
  const left = (isOwn ? null : number(texts.left, 0, members.length - 1)) ?? 0;
  const split = number(texts.split, 0, 100);
  return {
    right, left: left === right ? 0 : left,
    measure: [texts.measure, view.measure, hasPicture ? 'js_image' : 'js_row'].find((name) => name && offered.includes(name)) ?? offered[0] ?? 'js_image',
    of: /** @type {Fields['of']} */ (texts.of === 'token' ? 'token' : 'mean'),
    part: /** @type {Fields['part']} */ (parts?.includes(members[right].folder) && ['direct', 'inherited'].includes(texts.part) ? texts.part : ''),
    hidesNoise: texts.noise === 'hidden' && Boolean(floors?.length),
    list: LISTS.find((name) => name === texts.list && (name !== 'steps' || seriesOf(members)) && (!isOwn || OWN_LISTS.includes(name))) ?? (isOwn ? OWN_LISTS[0] : 'heads'),
    alone: PANES.find((name) => name === texts.alone && (!isOwn || OWN_PANES.includes(name))) ?? null,
    ...(split === null ? {} : { split: split / 100 }),
    ...(texts.magnified === 'true' ? { magnified: true } : {}),
  };
}

/** @param {string | undefined} text @param {number} least @param {number} most */
function number(text, least, most) {
  const found = /^\d{1,3}$/.test(text ?? '') ? Number(text) : -1;
  return found >= least && found <= most ? found : null;
}
