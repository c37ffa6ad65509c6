// @ts-check
/** What a comparison says in words: of the two maps, of a cell, of a head in the matrix, of a token's probability. Knows no document. */
import { memberName } from '../data/comparison_info.js';
import { formatMeasure, formatPoints, formatSigned, measureText } from '../numbers/change_measures.js';
import { isLookingChanged, NEGLIGIBLE } from '../numbers/change_matrix.js';
import { formatPercent, formatTimes, formatValue } from '../data/format.js';
import { cellBox } from '../paint/geometry.js';
import { barLabels } from '../numbers/colour_range.js';
import { areShares } from '../data/selection.js';
import { inRegion, inRegionEach } from './map.js';
import { cellEffectWords, pairEffectWords } from './pair_effect.js';
import { nameAt } from './side_by_side.js';

/**
 * @typedef {import('../data/comparison_info.js').Member[]} Members
 * @typedef {import('../numbers/pair.js').Pair} Pair
 * @typedef {import('../numbers/pair.js').Maps} Maps
 */

/**
 * What lies between the two rows on screen.
 * @param {Members} members
 * @param {Pair} pair
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {import('../numbers/regions.js').Region | null} [drawn]
 */
export function pairWords(members, pair, info, drawn = null) {
  const { left, right, before, after, isSame, apart, apartOnImage, stands, isSideBySide } = pair;
  if (before.effect) return pairEffectWords(namesOf(members, pair), pair, info);
  const what = before.direction === 'read by' ? 'column' : before.direction === 'received' ? 'numbers' : 'row';
  const names = `${memberName(members, left)} and ${memberName(members, right)}`;
  const pictures = members[left].own_pictures || members[right].own_pictures ? ' They read different pictures of one size.' : '';
  if (isSame) return `Exactly the same ${what} in ${names}: the difference is 0 everywhere.${pictures}`;
  const parts = stands ? [standsWords(stands)] : [];
  const points = isSideBySide ? '' : ` (${formatPoints(after.imageMass - before.imageMass)})`;
  if (before.direction === 'reads' && areShares(before) && areShares(after)) parts.push(`image mass ${formatPercent(before.imageMass)} → ${formatPercent(after.imageMass)}${points}`);
  if (!Number.isNaN(apartOnImage)) parts.push(`on the picture ${formatValue(apartOnImage)} bits apart`);
  if (!Number.isNaN(apart)) parts.push(`in the whole row ${formatValue(apart)} bits`);
  const grid = before.grid === null ? null : info.grids[before.grid];
  if (grid && before.cells.length) {
    const at = (/** @type {number} */ cell) => `row ${Math.floor(cell / grid.cols)}, col ${cell % grid.cols}`;
    parts.push(before.argmax === after.argmax ? `both most on ${at(before.argmax)}` : `most on ${at(before.argmax)} → ${at(after.argmax)}`);
  }
  const heads = [left, right].map((member, i) => nameAt(memberName(members, member), i ? after : before));
  const said = isSideBySide ? inRegionEach([before, after], heads, info, drawn) : inRegion([before, after], info, drawn);
  return `${said} ${parts.length ? `${capital(parts.join('; '))}.` : ''}${pictures}`.trim();
}

/** What two rows stand for where words differ. @param {import('../data/comparison_info.js').AlignedRows} stands */
function standsWords({ how, name, base, other }) {
  const count = Math.max(base[1] - base[0], other[1] - other[0]) + 1;
  if (how === 'field') return `the field ${name} of each answer${count > 1 ? ', the mean over its tokens' : ''}`;
  return how === 'start' ? 'the rows that predict each answer' : 'the same word in both';
}

/**
 * What is said of a cell that is pointed at: in each pane in few words, and under them in all.
 * @param {Members} members
 * @param {Pair} pair
 * @param {Maps | null} maps
 * @param {import('../paint/geometry.js').Cells} grid
 * @param {import('../paint/marks.js').Cell} at
 */
export function cellWords(members, pair, maps, grid, { row, col }) {
  const { left, right, before, after, isSideBySide } = pair;
  const cell = row * grid.cols + col;
  const place = `row ${row}, col ${col}`;
  const [x0, y0, x1, y1] = cellBox(grid, row, col).map((edge) => Math.round(10 * edge) / 10);
  const box = `x ${x0}–${x1}, y ${y0}–${y1} px`;
  if (!before.cells.length) return { before: '', after: '', difference: '', readout: `${place} · ${box}` };
  if (before.effect) return cellEffectWords(namesOf(members, pair), pair, cell, { place, box });
  const [there, here] = [before.cells[cell], after.cells[cell]];
  const hatched = (/** @type {import('../state/fields.js').Shown} */ shown) => (shown.sinks.cells?.[cell] ? ' · sink' : '');
  const change = here === there ? 'exactly the same' : formatSigned(here - there);
  const times = there > 0 && here !== there ? ` (${formatTimes(here / there)})` : '';
  const drawn = maps && maps.before.values !== before.cells && !maps.difference.hidden?.[cell] ? `, renormalised ${formatSigned(maps.difference.values[cell])}` : '';
  const [first, second] = [formatValue(there) + hatched(before), formatValue(here) + hatched(after)];
  const both = `${memberName(members, left)} ${first} · ${memberName(members, right)} ${second}`;
  if (isSideBySide) return { before: first, after: second, difference: '', readout: `${place} · ${both} · ${box}` };
  return { before: first, after: second, difference: change, readout: `${place} · ${both} · ${change}${times}${drawn} · ${box}` };
}

/**
 * What the colour bar of a difference says.
 * @param {Pair} pair
 * @param {import('../numbers/pair.js').Difference} difference
 * @returns {import('../views/bar.js').Labels}
 */
export function differenceLabels({ isSame }, { range, isOwn }) {
  if (range.unit === 'ratio') return { ...barLabels(range), unit: 'one ratio over the other' };
  const { high } = barLabels({ ...range, unit: range.unit === 'effect' ? 'attention' : range.unit, clipped: 0 });
  const [least, most] = range.clipped > 0 ? ['≤\u202f', '≥\u202f'] : ['', ''];
  const curve = { linear: '', sqrt: ', square root', log: ', log' }[range.curve];
  const scale = isSame ? 'no difference anywhere' : `${isOwn ? 'on a scale of its own' : 'same scale as the maps'}${curve}`;
  return {
    low: range.high > 0 ? `${least}−${high}` : '0', high: range.high > 0 ? `${most}+${high}` : '0', note: [scale, range.unit === 'effect' ? cellsBeyond(range) : barLabels(range).note].filter(Boolean).join('; '),
    ...(range.unit === 'effect' ? { unit: 'difference, nats' } : {}),
  };
}

/**
 * A head of the matrix in words.
 * @param {object} what
 * @param {string} what.measure
 * @param {string} what.unit
 * @param {number} what.layer  its index in the model
 * @param {number} what.place  on the axis
 * @param {number} what.head
 * @param {number} what.value
 * @param {number | null} what.mass   the smaller image mass of the two; null where it does not count
 * @param {import('../numbers/change_matrix.js').Weights | null} what.weights
 * @param {string} [what.floored]   beside noise floors
 * @param {boolean} [what.isBelow]  it is no more than noise
 */
export function headWords({ measure, unit, layer, place, head, value, mass, weights, floored = '', isBelow = false }) {
  const lines = [`${measureText(measure)}: ${formatMeasure(measure, unit, value)}`];
  if (Number.isNaN(value)) lines[0] = 'no value: of the two rows one has no attention on the picture, or their peaks are on different pictures';
  else if (value === 0) lines[0] += ', exactly';
  if (floored && value !== 0) lines.push(isBelow ? `${floored}: no more than noise` : floored);
  if (mass !== null && mass < NEGLIGIBLE) lines.push(`faint: only ${formatPercent(mass)} of the row is on the picture in one of the two`);
  if (weights && value !== 0 && !Number.isNaN(value)) {
    lines.push(isLookingChanged(weights, place) ? "this layer's own queries or keys are changed" : "this layer's queries and keys are not changed: it is inherited from before it");
  }
  return { name: `layer ${layer} · head ${head}`, lines };
}

/**
 * A layer's weight below the matrix, in words.
 * @param {{layer: number, part: string, value: number}} what  `layer`: its index in the model; `value`: NaN where it is not touched
 */
export function weightWords({ layer, part, value }) {
  const said = Number.isNaN(value) ? 'not changed by this adapter' : `changed by ${formatPercent(value)} of the weight's norm, at strength 1`;
  return { name: `layer ${layer} · ${part}`, lines: [said] };
}

/**
 * A token's probability in both.
 * @param {number} before  logarithm
 * @param {number} after
 */
export function probabilityWords(before, after) {
  return `${formatPercent(Math.exp(before))} → ${formatPercent(Math.exp(after))}`;
}

/** @param {Members} members @param {Pair} pair */
function namesOf(members, { left, right }) {
  return [left, right].map((member) => memberName(members, member));
}

/** How many differences have no colour of their own. @param {import('../numbers/colour_range.js').Range} range */
function cellsBeyond({ clipped, maximum }) {
  return clipped ? `${clipped === 1 ? '1 cell' : `${clipped} cells`} beyond, up to ±${formatValue(maximum)}` : '';
}

/** @param {string} text */
function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
