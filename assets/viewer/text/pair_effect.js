// @ts-check
/** What a comparison says of a forecast, or of ratios to a general question: of two maps, a cell, tokens, and of who refuses. Knows no document. */
import { formatSigned } from '../numbers/change_measures.js';
import { formatRatio, isRatio } from '../numbers/ratios.js';
import { layersOf } from '../data/run_info.js';
import { GUESS, ifReadLess, inNats, isNearCertain, targetName } from './effect.js';

/**
 * @typedef {import('../state/fields.js').Shown} Shown
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 * @typedef {import('../state/reading.js').Reading} Reading
 */

const WIDE = 4; // bytes of a number, where the model's are not of 16 bits

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
  return { before: first, after: second, difference: change, readout: `${place} · ${both} · difference ${change} · ${box}` };
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

/**
 * Who of them has none, and why; those with one reason together.
 * @param {'forecast' | 'relative'} kind
 * @param {string[]} names
 * @param {{made?: object | null, why: string}[]} answers
 */
export function refusalsOf(kind, names, answers) {
  const what = kind === 'forecast' ? 'No forecast' : 'No relative attention';
  const whys = [...new Set(answers.map(({ why }) => why).filter(Boolean))];
  return whys.map((why) => `${what} of ${names.filter((_, i) => answers[i].why === why).join(', ')}: ${why}`).join(' ');
}

/**
 * The cost of a forecast of members: passes, and the bytes that come to lie beside them, as `attention.readings.cost` counts them.
 * @param {RunInfo[]} infos  whole
 * @param {string[]} towers
 */
export function forecastCost(infos, towers) {
  const n_bytes = infos.reduce((total, info) => total + towers.reduce((sum, name) => sum + bytesOf(info, name), 0), 0);
  const size = (n_bytes / 1e6).toLocaleString('en', { maximumSignificantDigits: 2 });
  return {
    short: `Forecast: ${infos.length} × a pass forward and one back, ${size}\u202fMB`,
    long: `A forecast takes one pass forward and one back by the model of each of the ${infos.length} members, one after the other, and ${size}\u202fMB beside the runs in all. Members that have it already are not asked again.`,
  };
}

/** @param {RunInfo} info @param {string} name  of a tower */
function bytesOf(info, name) {
  const tower = info.towers[name];
  if (!tower) return 0;
  const item = info.model.dtype === 'bfloat16' ? WIDE / 2 : WIDE;
  const keys = typeof tower.keys === 'number' ? tower.keys : tower.keys.length;
  const queries = tower.queries ?? keys;
  const read = new Set(layersOf(info, name));
  return tower.layers.reduce((sum, { index, kv_heads: groups, head_dim: width }) => {
    if (!read.has(index)) return sum;
    return sum + (groups ?? tower.heads) * keys * (width ?? 0) * item + tower.heads * queries * ((width ?? 0) * item + WIDE);
  }, 0);
}

/** @param {string} text */
function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
