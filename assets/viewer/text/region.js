// @ts-check
/** What is measured of a place, in words: of one head, and beside it what chance would put there. Knows no document. */
import { formatPercent, formatTimes } from '../data/format.js';

/** The order of what the server sends of each head. */
const [MASS, SHARE, LIFT, PEAK, RANK, IOU, MEAN, SPREAD, COUNT] = Array.from({ length: 9 }, (_, i) => i);

/**
 * One head's measures, '' where it reads nothing of the pictures.
 * @param {import('../state/region_follow.js').Measured['members'][number]} member
 * @param {number} layer  its place on the axis
 * @param {number} head
 * @returns {{said: string, chance: string}}
 */
export function measuredWords({ values, shape, chance: [alike, middle] }, layer, head) {
  const start = (layer * shape[1] + head) * shape[2];
  const of = (/** @type {number} */ measure) => values[start + measure];
  const random = of(COUNT) > 0 ? [`${of(COUNT)} random heads ${formatPercent(of(MEAN))} ± ${formatPercent(of(SPREAD))}`] : [];
  const chance = `by chance: every cell alike ${formatPercent(alike)}, the middle ${formatPercent(middle)}`;
  if (Number.isNaN(of(SHARE))) return { said: 'nothing is read of the pictures', chance };
  const said = [
    `${formatPercent(of(SHARE))} of what is read of pictures`, `lift ${formatTimes(of(LIFT))}`, `${formatPercent(of(MASS))} of the row`,
    `peak ${of(PEAK) ? 'inside' : 'outside'}`, `best cell ranks ${of(RANK)}`, `IoU of the top cells ${of(IOU).toFixed(2)}`, ...random,
  ].join(' · ');
  return { said, chance };
}
