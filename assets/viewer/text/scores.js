// @ts-check
/**
 * What is said of scores: estimates, changes, chance, places, how many items. Knows no document.
 *
 * @typedef {import('../data/scores_source.js').Estimate} Estimate
 * @typedef {import('../data/scores_source.js').ScoredModel} ScoredModel
 * @typedef {import('../data/scores_source.js').ScoreTable} ScoreTable
 */
import { formatPercent } from '../data/format.js';

export const MEASURES = { region_share: 'share', region_peak: 'peak', region_touch: 'touch' };
/** Outcomes of answers. @type {Record<string, string>} */
export const OUTCOMES = { hit: 'hit', miss: 'miss', nothing: 'names no place', uncertain: 'uncertain' };
export const ALARM = 0.05; // up to which a head is said to have moved
const MINUS = '\u2212';
const count = (/** @type {number} */ number) => number.toLocaleString('en');

/** A share or a rate: 63.0 %, – where there is none. @param {number | null | undefined} value */
export const percent = (value) => (value === null || value === undefined ? '–' : formatPercent(value));

/** Its 95 % interval, '' where there is none. @param {Estimate} estimate */
export function interval({ low, high }) {
  return low === null || high === null ? '' : `[${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
}

/** Percentage points with their sign: +1.2, −43.9. @param {number | null | undefined} value */
export function points(value) {
  if (value === null || value === undefined) return '–';
  const text = Math.abs(100 * value).toFixed(1);
  return text === '0.0' ? '0.0' : `${value < 0 ? MINUS : '+'}${text}`;
}

/** A difference: −43.9 points [−57.4, −19.8], p = 0.031. @param {Estimate | null | undefined} change */
export function changeWords(change) {
  if (!change || change.mean === null) return '–';
  const { mean, low, high, p } = change;
  const bounds = low === null || high === null ? '' : ` [${points(low)}, ${points(high)}]`;
  const said = p === null || p === undefined ? 'too few pictures for a p' : `p = ${Number(p.toPrecision(2))}`;
  return `${points(mean)} points${bounds}, ${said}`;
}

/** The heads that were found, as layer.head. @param {ScoredModel} model */
export const headNames = ({ found }) => [...new Set(found?.heads.map(({ layer, head }) => `${layer}.${head}`))].join(', ') || '–';

/**
 * What chance would give of a measure: in words, and the values by their names.
 * @param {ScoredModel} model @param {import('../data/scores_source.js').MeasureName} measure
 * @returns {{name: string, value: number | null}[]}
 */
export function chances({ found, chance }, measure) {
  const elsewhere = { name: 'another item’s place', value: found?.elsewhere[measure].mean ?? null };
  if (measure !== 'region_share') return [elsewhere];
  return [
    elsewhere, { name: 'all cells alike', value: chance?.uniform ?? null }, { name: 'the middle', value: chance?.central ?? null },
    { name: 'other heads', value: found?.random ?? null },
  ];
}

/** Hits of the answers, of those that could. @param {ScoredModel} model @param {ScoreTable} table */
export function answerWords({ answers }, { settings }) {
  if (!answers) return settings.mode === 'prefill' ? '–' : 'name no place';
  const of = answers.hit + answers.miss + answers.nothing;
  return `${count(answers.hit)} of ${count(of)} hit${answers.uncertain ? `, ${count(answers.uncertain)} uncertain` : ''}`;
}

/** A place in whole pixels: 302 459 431 589. @param {number[] | null} place */
export const placeWords = (place) => (place ? place.map((side) => Math.round(side)).join(' ') : '');

/** How many there are and are shown. @param {{all: number, bad: number, found: number, isSearched: boolean}} counts */
export function itemCount({ all, bad, found, isSearched }) {
  const many = `${count(all)} item${all === 1 ? '' : 's'}`;
  return [isSearched ? `${count(found)} of ${many}` : many, bad ? `${count(bad)} not scored` : ''].filter(Boolean).join(' · ');
}

/** @param {number} offset @param {number} length @param {number} total */
export const itemRange = (offset, length, total) => (length ? `${count(offset + 1)} to ${count(offset + length)} of ${count(total)}` : 'no item');

/** Which runs of an item were not kept. @param {import('../data/scores_source.js').ScoredItem} item */
export function keptWords({ models }) {
  const scored = models.filter(({ error }) => error === undefined);
  const kept = scored.filter(({ run }) => run).length;
  if (kept === scored.length) return '';
  return kept ? 'not every run kept' : 'run not kept';
}

/** How runs that were not kept can be had. @param {boolean} isAny  of some, not of all */
export const notKept = (isAny) => `${isAny ? 'Some runs were' : 'The runs of these items were'} not kept, and cannot be opened. Score the set into the same folder with --keep-runs: what is known already stays.`;
