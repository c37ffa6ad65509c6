// @ts-check
/** The colour bar of the difference: less on one side, more on the other, none in the middle. */
import { createBar, hoveredCell } from '../bar.js';
import { signedPosition } from '../../numbers/pair.js';
import { differenceLabels } from '../../text/pair.js';
import { isDark } from '../dom.js';
import { divergingPixels } from '../../paint/palette.js';

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ComparisonState} state
 */
export function createDifferenceBar(root, state) {
  const bar = createBar(root, 'av-difference-bar');

  function label() {
    const { maps, pair } = state.get;
    bar.label(maps && pair ? { unit: 'difference', ...differenceLabels(pair, maps.difference) } : null);
  }

  function point() {
    const { maps } = state.get;
    const cell = hoveredCell(state.get);
    bar.point(maps && cell >= 0 && !maps.difference.hidden?.[cell] ? signedPosition(maps.difference.range, maps.difference.values[cell]) : null);
  }

  const paint = () => bar.paint(divergingPixels(isDark(), false));
  const undo = [
    state.on(['theme'], paint),
    state.on(['maps', 'pair'], label),
    state.on(['hover', 'maps', 'pair'], point),
  ];
  paint();
  label();
  return { dispose: () => { undo.forEach((end) => end()); bar.dispose(); } };
}
