// @ts-check
/** What is said of a map over cells that was measured: of all of it, of a cell, of how far it is. Knows no document. */
import { answerTokens } from '../data/run_info.js';
import { formatSigned } from '../numbers/change_measures.js';
import { measuresOf, summaryOf } from '../numbers/cell_map.js';
import { asTimes, inNats, quantityOf, targetName } from './effect.js';
import { MEANING } from './tried.js';

/** @typedef {import('../numbers/cell_map.js').CellMap} CellMap @typedef {import('../numbers/cell_map.js').Measure} Measure */

export const TRIED_ANSWERS = 'What the answer does lose if nothing else may read a cell: measured cell by cell, a pass of the model for each; no explanation.';
const ONE_BY_ONE = 'Each is tried by itself: a place of several cells may lose little by one of them, and much by all.';
/** Beside the switch, where patches of another tower are on screen. */
export const OF_OTHERS = 'Not shown here: it is of the cells that text reads.';

/** @type {Record<Measure, string>} */
export const MEASURES = { hidden: 'hidden', mean: 'painted over', blur: 'blurred' };

/**
 * What the map says, the number first; how far it is before that.
 * @param {CellMap} map
 * @param {Measure} measure
 */
export function measuredSentence(map, measure) {
  const { worst, lost, gained } = summaryOf(map, measure);
  const n = map.measured[measure] ?? 0;
  const far = n < map.total ? `${n} of ${map.total} measured${leftWords(map)}; hatched are not. ` : '';
  if (!worst) return `${far}Nothing was ${measure === 'hidden' ? 'measured' : MEASURES[measure]} yet.`;
  const [down, right] = map.block;
  const times = map.target.against === null ? asTimes(worst.change) : '';
  const place = `row ${worst.row * down}, col ${worst.col * right}${map.grids.length > 1 ? ` of grid ${worst.grid}` : ''}`;
  const what = down * right === 1 ? 'cells' : `blocks of ${down} × ${right} cells`;
  return `${far}Measured: ${inNats(worst.change)}${times && ` (${times})`} with ${place} ${MEASURES[measure]}, the most of ${far ? 'those' : `all ${map.total} ${what}`} (losses ${formatSigned(lost)}, gains ${formatSigned(gained)} in sum).`;
}

/** What is on screen, as its title has it. @param {CellMap} map @param {Measure} measure @param {import('../data/run_info.js').RunInfo} info */
export function measuredTitle({ block: [down, right], ...map }, measure, info) {
  return `effect on ${targetName(info, targetOfMap(map, info))} of each ${down * right === 1 ? 'cell' : `block of ${down} × ${right} cells`} ${MEASURES[measure]}, measured`;
}

/** @param {Pick<CellMap, 'target' | 'other'>} map @param {import('../data/run_info.js').RunInfo} info */
const targetOfMap = ({ target, other }, info) => ({ ...target, other, isWhole: String(target.tokens) === String(answerTokens(info)) });

/** What belongs to it. @param {CellMap} map @param {import('../data/run_info.js').RunInfo} info */
export function measuredCaution({ paths, total, target, other, rows }, info) {
  const own = `Of ${quantityOf(info, targetOfMap({ target, other }, info))}, whatever row or head is chosen${rows === null ? '' : '; hidden from some rows alone'}.`;
  return [own, paths, total > 1 && ONE_BY_ONE, MEANING].filter(Boolean).join(' ');
}

/** A cell that is pointed at. @param {import('../numbers/cell_map.js').Measured} drawn @param {number} cell */
export function measuredCell({ values, hidden, measured: { map, measure } }, cell) {
  const [down, right] = map.block;
  if (hidden?.[cell]) return 'not measured';
  return `${inNats(values[cell])} with ${down * right === 1 ? 'this cell' : `these ${down} × ${right} cells`} ${MEASURES[measure]}`;
}

/** " , about 5 s left", as far as that is known. @param {CellMap} map */
function leftWords({ seconds_left: left }) {
  if (left == null || left <= 0) return '';
  return `, about ${left < 90 ? `${Math.max(1, Math.round(left))} s` : `${Math.round(left / 60)} min`} left`;
}

/** The same of one that is being measured or was stopped, for where it is asked for. @param {CellMap | null} map @param {{working: boolean, text: string} | undefined} asked */
export function askedWords(map, asked) {
  if (!asked) return '';
  if (!map || (!asked.working && !measuresOf(map).length)) return asked.text;
  const how = measuresOf(map).map((measure) => `${map.measured[measure]} of ${map.total} ${MEASURES[measure]}`).join(', ');
  const isWhole = measuresOf(map).every((measure) => map.measured[measure] === map.total);
  if (asked.working) return `${how}${leftWords(map)}.`;
  return isWhole ? '' : `${asked.text} ${how}: kept, and gone on with when it is asked for again.`.trim();
}

/** What the colour bar says beside its numbers. */
export const BAR = { unit: 'measured, nats', note: '− the answer loses, + it gains' };
