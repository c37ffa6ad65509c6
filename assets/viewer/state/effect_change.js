// @ts-check
/**
 * How far the forecasts of heads are apart: a score of each head by the forecast of one member, less that by the base's. Knows the sources,
 * and no document.
 *
 * @typedef {import('../data/source.js').Source} Source
 * @typedef {import('../data/source.js').ChangeWish} ChangeWish
 * @typedef {import('../data/comparison_info.js').ComparisonInfo} ComparisonInfo
 */
import { rowsOf } from '../data/comparison_info.js';
import { EFFECT_SCORES } from '../numbers/change_measures.js';
import { rowCount } from '../numbers/effects.js';

const RATIOS = 'How far heads moved is measured of what is read, and of a forecast: choose Read or Forecast.';

/**
 * Why no change of heads is known of what is shown, '' where it is.
 * @param {import('./reading.js').Reading | null} reading
 */
export function whyNoChange(reading) {
  if (!reading) return '';
  if (reading.kind === 'relative') return RATIOS;
  return reading.members?.[0]?.why ? 'The base has no forecast, so no change of a head from it is known: choose Read.' : '';
}

/**
 * The change of every head's forecast: [layers x heads], nats; null for what is not wanted any more.
 * @param {Source[]} sources  by member
 * @param {ComparisonInfo} comparison
 * @param {ChangeWish} wish   of a forecast
 * @returns {Promise<Float32Array | null>}
 */
export async function changeOfEffects(sources, comparison, wish) {
  const right = wish.adapter + 1;
  const [base, other] = await Promise.all([0, right].map((member) => effectsOf(sources[member], comparison, wish, member, right)));
  return base && other && other.map((effect, i) => effect - base[i]);
}

/** @param {Source} source @param {ComparisonInfo} comparison @param {ChangeWish} wish @param {number} member @param {number} beside */
async function effectsOf(source, comparison, { tower, measure, query, effect }, member, beside) {
  const name = EFFECT_SCORES[measure];
  if (query === null) return (await source.scores({ tower, name, direction: 'received', query: 0, effect }))?.values ?? null;
  const rows = rowsOf(comparison, member, beside, { query });
  const found = rows && await source.scores({ tower, name, direction: 'reads', ...rows, effect });
  const times = rows ? rowCount({ direction: 'reads', ...rows }) : 1; // effects of several rows add up, and the server sends their mean
  return found && (times === 1 ? found.values : found.values.map((value) => value * times));
}

/**
 * The same over the steps of a series, one after the other; of a member that has no forecast NaN.
 * @param {Source[]} sources
 * @param {ComparisonInfo} comparison
 * @param {ChangeWish[]} wishes
 */
export async function effectSteps(sources, comparison, wishes) {
  /** @type {{values: Float32Array}[]} */
  const found = [];
  for (const wish of wishes) {
    const values = await changeOfEffects(sources, comparison, wish).catch((error) => {
      if (error.status !== 404 || error.isExpired) throw error;
      return new Float32Array([NaN]);
    });
    if (!values) return null;
    found.push({ values });
  }
  return found;
}
