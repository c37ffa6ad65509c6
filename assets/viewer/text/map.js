// @ts-check
/** What a map says, in one sentence: where this head read from, never why. Knows no document. */
import { formatPercent, formatTimes, formatValue } from '../data/format.js';
import { areShares, pointsAtTokens } from '../data/selection.js';
import { promptLength } from '../data/run_info.js';
import { quoted, quotedSpan } from '../data/token_text.js';
import { cellsOfHalf } from '../numbers/reduce.js';
import { regionCells, regionOf, shareIn } from '../numbers/regions.js';
import { readAs } from './places.js';

/**
 * Where the row on screen reads from, or who reads what is selected.
 * @param {import('../state/fields.js').Shown} shown
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {import('../numbers/regions.js').Region | null} [drawn]
 */
export function sentenceOf(shown, info, drawn = null) {
  const { direction, layer, head, cells, mass, imageMass, masses, argmax, grid } = shown;
  const { cols } = info.grids[/** @type {number} */ (grid)];
  const who = headName(layer, head);
  const Who = who[0].toUpperCase() + who.slice(1);
  const peak = `row ${Math.floor(argmax / cols)}, col ${argmax % cols}`;
  if (!(mass > 0)) return `${Who}: nothing on this picture.`;
  if (direction === 'read by') return `${Who}: of the cells here ${peak} reads it most, ${formatValue(cells[argmax])} of its row.`;
  if (direction === 'received') return `${Who}: over all patches, ${peak} receives most (${formatTimes((cells[argmax] * cells.length) / mass)} even).`;
  const half = `${cellsOfHalf(cells)} of ${cells.length} cells`;
  if (!areShares(shown)) return `${Who}: half of what is drawn on ${half}; the most on ${peak}, ${formatValue(cells[argmax])}.`;
  const where = masses.size > 1 ? `this picture (${formatPercent(imageMass)} on all)` : 'the picture';
  const begun = `${whenOf(shown, info)}, ${who} put ${formatPercent(mass)} of its attention on ${where}`;
  const named = shareInRegion([shown], info, drawn);
  return named && masses.size === 1 ? `${begun}, ${named.shares} of that ${named.where} (chance ${named.chance}).${named.numbers}` : `${begun}, half of it on ${half}.${named ? spokenApart(named) : ''}`;
}

/**
 * How much of what is read of the pictures lies in the box that is drawn or the place that the answer names, of one row or of two; empty
 * where there is none.
 * @param {import('../state/fields.js').Shown[]} rows
 * @param {import('../data/run_info.js').RunInfo} info  whose answer names it
 * @param {import('../numbers/regions.js').Region | null} [drawn]
 */
export function inRegion(rows, info, drawn = null) {
  const named = shareInRegion(rows, info, drawn);
  return named ? spokenApart(named) : '';
}

/**
 * The same of members whose heads do not stand for each other, each by its name.
 * @param {import('../state/fields.js').Shown[]} rows
 * @param {string[]} names
 * @param {import('../data/run_info.js').RunInfo} info  whose answer names it
 * @param {import('../numbers/regions.js').Region | null} [drawn]
 */
export function inRegionEach(rows, names, info, drawn = null) {
  const named = shareInRegion(rows, info, drawn);
  return named ? spokenApart({ ...named, shares: named.each.map((share, i) => `${names[i]}: ${share}`).join('; ') }) : '';
}

/** @param {{where: string, shares: string, chance: string, numbers: string}} named */
function spokenApart({ where, shares, chance, numbers }) {
  return ` ${where[0].toUpperCase()}${where.slice(1)}: ${shares} of what is read of pictures (chance ${chance}).${numbers}`;
}

/** @param {import('../state/fields.js').Shown[]} rows @param {import('../data/run_info.js').RunInfo} info @param {import('../numbers/regions.js').Region | null} drawn */
function shareInRegion(rows, info, drawn) {
  const region = regionOf(info, drawn);
  const cells = region && rows.every((shown) => shown.direction === 'reads' && areShares(shown)) ? regionCells(info, region, rows[0].tower) : null;
  if (!region || !cells) return null;
  const shares = rows.map((shown) => shareIn(shown.row, cells, shown.imageMass));
  if (shares.some(Number.isNaN)) return null;
  const where = regionWords(region);
  const each = shares.map(formatPercent);
  return { where, each, shares: each.join(' → '), chance: formatPercent(cells.uniform), numbers: numbersOf(info, region) };
}

/** Where a place is, in words. @param {import('../numbers/regions.js').Region} region */
export function regionWords(region) {
  const isBox = region.place.length === 4;
  const named = region.label ? `${isBox ? 'in' : 'at'} “${region.label}”` : isBox ? 'in the answer’s box' : 'at the answer’s point';
  return region.label || !region.isDrawn ? named : isBox ? 'in the drawn box' : 'at the drawn point';
}

/** In which space the answer's numbers were read, where that is another than its family's. @param {import('../data/run_info.js').RunInfo} info @param {import('../numbers/regions.js').Region} region */
function numbersOf(info, region) {
  const said = region.because === 'family' ? '' : readAs(info, region);
  return said ? ` Its numbers are ${said}.` : '';
}

/**
 * "layer 3 head 1", or which mean or largest value it is.
 * @param {import('../data/run_info.js').Choice} layer
 * @param {import('../data/run_info.js').Choice} head
 */
export function headName(layer, head) {
  if (typeof layer === 'number') return typeof head === 'number' ? `layer ${layer} head ${head}` : `the ${head} over heads of layer ${layer}`;
  if (typeof head === 'number') return `the ${layer} over layers of head ${head}`;
  return layer === head ? `the ${layer} over all heads` : `the ${layer} over layers of the ${head} over heads`;
}

/**
 * What the model was at when this row was read.
 * @param {import('../state/fields.js').Shown} shown
 * @param {import('../data/run_info.js').RunInfo} info
 */
function whenOf(shown, info) {
  const { token, query, until } = shown;
  if (!pointsAtTokens(info, shown)) return 'From the patch that is selected';
  const what = until === null ? quoted(info, token) : quotedSpan(info, token, token + until - query);
  if (token === query) return `At ${what}`;
  return `${token >= promptLength(info) ? 'While writing' : 'Before'} ${what}`;
}
