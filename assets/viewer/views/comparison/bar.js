// @ts-check
/**
 * The colour bar of the difference: less on one side, more on the other, none in the middle. Where no head of one member stands for a head of
 * another, that of the second map, which has a range of its own then.
 */
import { createBar, hoveredCell } from '../bar.js';
import { differenceLabels } from '../../text/pair.js';
import { isDark } from '../dom.js';
import { memberName } from '../../data/comparison_info.js';
import { ownLabels } from '../colour_bar.js';
import { isSigned, placeIn, signedPosition } from '../../numbers/colour_range.js';
import { divergingPixels, solidPixels } from '../../paint/palette.js';

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ComparisonState} state
 */
export function createDifferenceBar(root, state) {
  const bar = createBar(root, 'av-difference-bar');

  function label() {
    const { maps, pair, comparison } = state.get;
    paint();
    if (maps && comparison && pair?.isSideBySide) {
      const labels = ownLabels(maps.after.range);
      return bar.label({ ...labels, unit: `${memberName(comparison.members, pair.right)} · ${labels.unit}` });
    }
    bar.label(maps && pair ? { unit: 'difference', ...differenceLabels(pair, maps.difference) } : null);
  }

  function point() {
    const { maps } = state.get;
    const cell = hoveredCell(state.get);
    if (maps && state.get.pair?.isSideBySide) return bar.point(cell >= 0 && !maps.after.hidden?.[cell] ? placeIn(maps.after.range, maps.after.values[cell]) : null);
    bar.point(maps && cell >= 0 && !maps.difference.hidden?.[cell] ? signedPosition(maps.difference.range, maps.difference.values[cell]) : null);
  }

  const paint = () => bar.paint(state.get.pair?.isSideBySide && !(state.get.maps && isSigned(state.get.maps.after.range)) ? solidPixels(state.get.palette) : divergingPixels(isDark(), false));
  const undo = [
    state.on(['theme', 'palette', 'maps'], paint),
    state.on(['maps', 'pair'], label),
    state.on(['hover', 'maps', 'pair'], point),
  ];
  paint();
  label();
  return { dispose: () => { undo.forEach((end) => end()); bar.dispose(); } };
}
