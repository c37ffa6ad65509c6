// @ts-check
/** Which change of heads is asked for, of which row and by which measure, and what image masses belong to it. Knows no document. */
import { answeringRows, floorKinds, hasParts } from '../data/comparison_info.js';
import { isOfEffect, isOnImage } from '../numbers/change_measures.js';
import { isOfRegion, regionIn } from '../numbers/regions.js';
import { cellsRead, gridsOf, keysAreTokens } from '../data/run_info.js';
import { queryOf } from '../data/selection.js';

/** @typedef {import('../data/selection.js').Selection} Selection */

const OF_HEADS = 'effect_of_silence'; // as a whole, and of no row
const FLOORS_OF_MEANS = ['region_mass', 'region_share', 'region_lift']; // of a place, where the floors' rows are not kept

/**
 * How far every head moved: of the selected token's row, or as a mean; by a measure of a place how far what lies there.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {Selection} selection
 * @param {{right: number, measure: string, of: 'mean' | 'token', region: import('../numbers/regions.js').Region | null, part: import('./fields.js').Part, comparison: import('../data/comparison_info.js').ComparisonInfo | null, reading?: import('./reading.js').Reading | null}} what
 * @returns {import('../data/source.js').ChangeWish}
 */
export function changeWish(info, selection, { right, measure, of, region: chosen, part, comparison, reading = null }) {
  if (reading) return { tower: selection.tower, measure, adapter: right - 1, query: measure === OF_HEADS ? null : rowOfMatrix(info, selection, of), effect: reading.name };
  const region = isOfRegion(measure) ? regionIn(info, chosen, selection.tower) : null;
  const own = part && !region && hasParts(comparison, right) ? { part } : {}; // what lies in a place is not told apart
  return { tower: selection.tower, measure, adapter: right - 1, query: rowOfMatrix(info, selection, of), ...(region && { region }), ...own };
}

/**
 * The noise floors of a change, one for each kind: of rows that were compared beforehand, and of a place those of the answer.
 * @param {import('../data/comparison_info.js').ComparisonInfo} comparison
 * @param {import('../data/source.js').ChangeWish} wish
 * @returns {import('../data/source.js').ChangeWish[]}
 */
export function floorWishes(comparison, { tower, measure, query, region, effect }) {
  if (effect) return []; // they are of what is read
  const isKnown = region ? isKnownOfPlace(comparison, tower, measure, query) : query === null || comparison.queries[tower]?.includes(query);
  return isKnown ? floorKinds(comparison).map((floor) => ({ tower, measure, adapter: 0, query, ...(region && { region }), floor })) : [];
}

/** @param {import('../data/comparison_info.js').ComparisonInfo} comparison @param {string} tower @param {string} measure @param {number | null} query */
function isKnownOfPlace(comparison, tower, measure, query) {
  if (!comparison.floor_regions?.includes(tower)) return query === null && FLOORS_OF_MEANS.includes(measure);
  return query === null || answeringRows(comparison, tower).includes(query);
}

/**
 * The row that a matrix is of; null for the mean over the rows that were compared. Where cells of a cross tower are pointed at, or what all
 * patches receive, there is no one row.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {Selection} selection
 * @param {'mean' | 'token'} of
 */
export function rowOfMatrix(info, selection, of) {
  const isRow = selection.direction === 'reads' || (selection.direction === 'read by' && cellsRead(info, selection.tower));
  return of === 'token' && isRow ? queryOf(info, selection) : null;
}

/**
 * What image masses belong to a matrix, null where none are needed: the measure is not of the picture, or the tower reads nothing else.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {Selection} selection
 * @param {{right: number, measure: string, of: 'mean' | 'token'}} what
 */
export function massesName(info, selection, { right, measure, of }) {
  const { tower } = selection;
  if (!keysAreTokens(info, tower) || isOfEffect(measure) || !isOnImage(measure) || !gridsOf(info, tower).length) return null;
  return `${right} ${rowOfMatrix(info, selection, of) ?? 'mean'}`;
}
