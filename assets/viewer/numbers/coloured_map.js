// @ts-check
/**
 * From the map on screen and how it should look to what is painted: one set of values, which of them have no colour, one range.
 * The overlay, the colour bar and the exports read the same object. Knows no document.
 *
 * @typedef {object} Drawn
 * @property {Float32Array} values       [cells], attention, or effects; divided by what is not on sinks where that is asked for
 * @property {Uint8Array | null} hidden  1 for a cell that is hatched instead of coloured
 * @property {import('./colour_range.js').Range} range
 * @property {{map: import('./cell_map.js').CellMap, measure: import('./cell_map.js').Measure}} [measured]  what it is of, where it was measured cell by cell
 */
import { rangeOf } from './colour_range.js';
import { isRatio } from './ratios.js';
import { withoutSinks } from './sinks.js';

/**
 * @param {import('../state/fields.js').Shown} shown
 * @param {Pick<import('../state/look.js').Look, 'scale' | 'curve' | 'clip' | 'sinks'>} look
 * @param {number | null} sharedHigh  where the range of all maps of the row ends, null while that is not known
 * @returns {Drawn | null} null where there is no map
 */
export function makeDrawn(shown, look, sharedHigh) {
  if (!shown.cells.length) return null;
  // Of a column the cells are readers: there is no sink among them, and no even spread to compare them with. What a sink does counts as any effect.
  const isEffect = shown.effect !== null;
  const isOwn = isEffect || shown.direction === 'read by';
  const { values, hidden } = withoutSinks(shown.cells, shown.sinks, isOwn ? 'raw' : look.sinks);
  const even = look.scale === 'uniform' && !isOwn ? shown.mass / shown.cells.length : undefined;
  const high = look.scale === 'atlas' && sharedHigh !== null ? sharedHigh : undefined;
  return { values, hidden, range: rangeOf(values, { curve: look.curve, clip: look.clip, high, even, hidden, isEffect, isRatio: isRatio(shown.effect) }) };
}
