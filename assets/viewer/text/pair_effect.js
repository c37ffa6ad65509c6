// @ts-check
/** What a comparison says of a forecast, or of ratios to a general question: of two maps, a cell, tokens. Knows no document. */
import { formatSigned } from '../numbers/change_measures.js';
import { formatRatio, isRatio } from '../numbers/ratios.js';
import { GUESS, ifReadLess, inNats, isNearCertain, targetName } from './effect.js';

/**
 * @typedef {import('../state/fields.js').Shown} Shown
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 * @typedef {import('../state/reading.js').Reading} Reading
 */

/** An effect, or a ratio by its logarithm, and the difference of two: which of ratios is one ratio over the other. @param {Reading | null} effect */
export const writerOf = (effect) => (isRatio(effect) ? formatRatio : formatSigned);

/**
 * What lies between two rows of effects.
 * @param {string[]} names
 * @param {Pick<import('../numbers/pair.js').Pair, 'before' | 'after' | 'isSame' | 'isSideBySide'>} pair
 * @param {RunInfo} info
 */
export function pairEffectWords(names, { before, after, isSame, isSideBySide }, info) {
  const reading = /** @type {Reading} */ (before.effect);
  const ratio = isRatio(reading);
  if (isSame) return `Exactly the same ${ratio ? 'ratios' : 'effects'} in ${names.join(' and ')}: the difference is 0 everywhere.${ratio ? '' : ` ${GUESS}`}`;
  const parts = [];
  const grid = before.grid === null ? null : info.grids[before.grid];
  const at = (/** @type {number} */ cell, cols = grid?.cols ?? 1) => `row ${Math.floor(cell / cols)}, col ${cell % cols}`;
  if (grid && before.cells.length && ratio) {
    const [there, here] = [before, after].map(({ cells, argmax }) => `${formatRatio(cells[argmax])} at ${at(argmax)}`);
    parts.push(`farthest from ×1: ${there} → ${here}`);
  } else if (grid && before.cells.length) {
    parts.push(`on the picture ${formatSigned(before.mass)} → ${inNats(after.mass)} in all${isSideBySide ? '' : ` (${formatSigned(after.mass - before.mass)})`}`);
    const [there, here] = [before, after].map(({ cells }) => at(cells.indexOf(Math.min(...cells))));
    parts.push(there === here ? `both would lose most by ${there}` : `would lose most by ${there} → ${here}`);
  }
  if (ratio) return `${capital(parts.join('; '))}.`;
  return `${parts.length ? `${capital(parts.join('; '))}. ` : ''}${GUESS}`;
}

/**
 * What to beware of in the forecasts of two members, '' where there is nothing.
 * @param {string[]} names
 * @param {Pick<import('../numbers/pair.js').Pair, 'left' | 'right' | 'before'>} pair
 * @param {RunInfo} info
 */
export function pairCaution(names, { left, right, before: { effect } }, info) {
  if (!effect || isRatio(effect)) return '';
  const near = [left, right].flatMap((member, i) => (isNearCertain(effect.members?.[member]?.value ?? NaN) ? [names[i]] : []));
  return near.length ? `${capital(targetName(info, effect))} is near-certain in ${near.join(' and ')}: a first-order forecast is nearly flat there, and says little.` : '';
}

/**
 * A cell that is pointed at: in each pane, and in all.
 * @param {string[]} names
 * @param {Pick<import('../numbers/pair.js').Pair, 'before' | 'after' | 'isSideBySide'>} pair
 * @param {number} cell
 * @param {{place: string, box: string}} where
 */
export function cellEffectWords(names, { before, after, isSideBySide }, cell, { place, box }) {
  const write = writerOf(before.effect);
  const [there, here] = [before.cells[cell], after.cells[cell]];
  const [first, second] = [write(there), write(here)];
  const change = here === there ? 'exactly the same' : write(here - there);
  const unit = isRatio(before.effect) ? 'what the general question reads' : `nats ${ifReadLess(before, 'this cell')}`;
  const both = `${names[0]} ${first} · ${names[1]} ${second} ${unit}`;
  if (isSideBySide) return { before: first, after: second, difference: '', readout: `${place} · ${both} · ${box}` };
  return { before: first, after: second, difference: change, readout: `${place} · ${both} · ${isRatio(before.effect) ? `${names[1]} over ${names[0]}` : 'difference'} ${change} · ${box}` };
}

/** What the tint of tokens means. @param {string[]} names @param {Shown} shown */
export function tintEffectWords(names, shown) {
  if (isRatio(shown.effect)) return 'cells alone: tokens of text have no ratio, as the general question has other words';
  return `how much more ${names[1]} would lose (−) or gain than ${names[0]} if each ${shown.direction === 'read by' ? 'token read it' : 'were read'} less`;
}

/**
 * What is said of tokens, '' where they have no number.
 * @param {number} there
 * @param {number} here
 * @param {Shown} shown
 * @param {number} count
 */
export function tokenEffectWords(there, here, shown, count) {
  if (Number.isNaN(there) || Number.isNaN(here)) return '';
  const write = writerOf(shown.effect);
  const said = `${write(there)} → ${write(here)}`;
  const change = there === here ? 'exactly the same' : write(here - there);
  return isRatio(shown.effect) ? ` · ${said} what the general question reads (${change})` : ` · ${said} nats (${change}) ${ifReadLess(shown, count > 1 ? 'these' : 'this')}`;
}

/** @param {string} text */
function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
