// @ts-check
/**
 * Items of scores: found by words, put in an order, cut into pages. Knows no document.
 *
 * @typedef {import('../data/scores_source.js').ScoredItem} ScoredItem
 * @typedef {{of: 'set' | 'words' | 'place', model?: undefined} | {of: 'share' | 'outcome' | 'change', model: number}} Column
 * @typedef {{search: string, isBad: boolean, column: Column, isReversed: boolean}} ItemWish  `isBad`: only those that were not scored
 */

export const PAGE = 50;
const OUTCOMES = ['miss', 'nothing', 'uncertain', 'hit']; // the worst first

/** Whether a model, or every one, has a reason instead of numbers. @param {ScoredItem} item */
export const isBad = ({ models }) => models.some(({ error }) => error !== undefined);

/**
 * The numbers of the items that are wished, in their order: worst first by a model, the largest change first, whatever its sign. What has no
 * value comes last, also where the order is reversed.
 * @param {ScoredItem[]} items
 * @param {ItemWish} wish
 * @returns {number[]}
 */
export function orderedItems(items, { search, isBad: onlyBad, column, isReversed }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = items.flatMap((item, i) => {
    if (onlyBad && !isBad(item)) return [];
    const text = words.length ? searched(item) : '';
    return words.every((word) => text.includes(word)) ? [i] : [];
  });
  const values = new Map(wanted.map((i) => [i, valueOf(items[i], i, column)]));
  const sign = isReversed ? -1 : 1;
  return wanted.sort((a, b) => {
    const [one, other] = [values.get(a) ?? null, values.get(b) ?? null];
    if (one === null || other === null) return (one === null ? 1 : 0) - (other === null ? 1 : 0) || a - b;
    const by = typeof one === 'string' ? one.localeCompare(String(other)) : one - Number(other);
    return sign * by || a - b;
  });
}

/** @param {ScoredItem} item */
function searched({ name, prompt, image, models }) {
  return [name, prompt, image, ...models.flatMap(({ answer, outcome, error }) => [answer, outcome, error])].filter(Boolean).join('\n').toLowerCase();
}

/**
 * What an item is ordered by, the first the smallest; null where there is nothing.
 * @param {ScoredItem} item @param {number} number @param {Column} column
 * @returns {string | number | null}
 */
function valueOf(item, number, column) {
  if (column.of === 'set') return number;
  if (column.of === 'words') return item.prompt;
  if (column.of === 'place') return item.place && areaOf(item.place);
  const own = item.models[/** @type {number} */ (column.model)];
  if (column.of === 'share') return own.share ?? null;
  if (column.of === 'outcome') return own.outcome ? OUTCOMES.indexOf(own.outcome) : null;
  return own.change === undefined || own.change === null ? null : -Math.abs(own.change);
}

/** Pixels of a place; of a click none. @param {number[]} place */
const areaOf = ([x0, y0, x1 = x0, y1 = y0]) => (x1 - x0) * (y1 - y0);

/** The part of an axis from 0 on that has every value: up to 0.01, 0.02, 0.05, ... 1. @param {(number | null | undefined)[]} values */
export function axisEnd(values) {
  const most = Math.max(0, ...values.map((value) => Math.abs(value ?? 0)));
  return [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].find((end) => end >= most) ?? 1;
}
