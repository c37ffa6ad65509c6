// @ts-check
/** The address of a file that shows two members' maps, below the comparison's. Knows no document. */
import { exportPath, keptView } from './export_paths.js';

/**
 * @typedef {object} Wanted
 * @property {number} scale     of a PNG
 * @property {boolean} caption
 * @property {readonly ('left' | 'right' | 'difference' | 'wipe')[]} show
 * @property {number} split     of the picture's width, where the line of the wipe is
 */

/**
 * @param {Readonly<import('../state/fields.js').ComparisonFields>} fields  with maps
 * @param {import('./export_paths.js').Format} format
 * @param {Wanted} wanted
 */
export function comparedPath({ comparison, pair, maps, palette, opacity, sinks, smooth, places, unplacedOn, coordinates, beside, info, region }, format, { scale, caption, show, split }) {
  if (!comparison || !pair || !maps) return '';
  const view = keptView(/** @type {any} */ ({ shown: pair.before, drawn: maps.before, palette, opacity, sinks, smooth, places, unplacedOn, coordinates, info, region }));
  const [left, right] = [pair.left, pair.right].map((member) => comparison.members[member].folder);
  const { isOwn, range } = maps.difference;
  const more = new URLSearchParams({
    left, right, show: show.join(','), ...(show.includes('wipe') ? { split: split.toFixed(4) } : {}),
    ...(pair.isSideBySide ? { right_layer: String(pair.after.layer), right_head: String(pair.after.head), right_high: maps.after.range.high.toPrecision(9) } : {}),
    ...(isOwn && range.high > 0 && !pair.isSideBySide ? { difference_high: range.high.toPrecision(9) } : {}), ...(beside ? { plain: '1' } : {}),
  });
  return `${exportPath(/** @type {import('./export_paths.js').View} */ (view), format, { scale, caption })}&${more}`;
}
