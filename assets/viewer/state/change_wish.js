// @ts-check
/** Which change of heads is asked for, of which row and by which measure, and what image masses belong to it. Knows no document. */
import { isOnImage } from '../numbers/change_measures.js';
import { isOfRegion, regionIn } from '../numbers/regions.js';
import { cellsRead, gridsOf, keysAreTokens } from '../data/run_info.js';
import { queryOf } from '../data/selection.js';

/** @typedef {import('../data/selection.js').Selection} Selection */

/**
 * How far every head moved: of the selected token's row, or as a mean; by a measure of a place how far what lies there.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {Selection} selection
 * @param {{right: number, measure: string, of: 'mean' | 'token', region: import('../numbers/regions.js').Region | null}} what
 * @returns {import('../data/source.js').ChangeWish}
 */
export function changeWish(info, selection, { right, measure, of, region: chosen }) {
  const region = isOfRegion(measure) ? regionIn(info, chosen, selection.tower) : null;
  return { tower: selection.tower, measure, adapter: right - 1, query: rowOfMatrix(info, selection, of), ...(region && { region }) };
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
  if (!keysAreTokens(info, tower) || !isOnImage(measure) || !gridsOf(info, tower).length) return null;
  return `${right} ${rowOfMatrix(info, selection, of) ?? 'mean'}`;
}
