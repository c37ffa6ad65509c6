// @ts-check
/** What a map says, in one sentence: where this head read from, never why. Knows no document. */
import { formatPercent, formatTimes, formatValue } from '../data/format.js';
import { areShares } from '../data/selection.js';
import { cellsOfHalf } from '../numbers/reduce.js';

/**
 * Where the row on screen reads from, or who reads what is selected.
 * @param {import('../state/fields.js').Shown} shown
 * @param {import('../data/run_info.js').RunInfo} info
 */
export function sentenceOf({ direction, layer, head, cells, mass, imageMass, masses, argmax, grid }, info) {
  const { cols } = info.grids[/** @type {number} */ (grid)];
  const who = `${typeof layer === 'number' ? `Layer ${layer}` : `The ${layer} over layers`}, ${typeof head === 'number' ? `head ${head}` : `${head} over heads`}`;
  if (!(mass > 0)) return `${who}: nothing on this picture.`;
  const peak = `row ${Math.floor(argmax / cols)}, col ${argmax % cols}`;
  const half = `half of that on ${cellsOfHalf(cells)} of ${cells.length} cells`;
  const even = formatTimes((cells[argmax] * cells.length) / mass);
  if (direction === 'read by') return `${who}: of the cells here ${peak} reads it most, ${formatValue(cells[argmax])} of its row.`;
  if (direction === 'received') return `${who}: over all patches, ${peak} receives most (${even} even).`;
  if (!areShares({ direction, layer, head })) return `${who}: half of what is drawn on ${cellsOfHalf(cells)} of ${cells.length} cells; the most on ${peak}, ${formatValue(cells[argmax])}.`;
  const where = masses.size > 1 ? `${formatPercent(mass)} of the row is on this picture (${formatPercent(imageMass)} on all)` : `${formatPercent(mass)} of the row is on the picture`;
  return `${who}: ${where}, ${half}; the most on ${peak} (${even} even).`;
}
