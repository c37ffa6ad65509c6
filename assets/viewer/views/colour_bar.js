// @ts-check
/** The colour bar of the map: the palette, and the numbers of the very range that the overlay is painted with. */
import { createBar, hoveredCell } from './bar.js';
import { divergingPixels, solidPixels } from '../paint/palette.js';
import { BAR } from '../text/cell_map.js';
import { isDark } from './dom.js';
import { barLabels, isSigned, placeIn } from '../numbers/colour_range.js';

/** What the bar of a map says. @param {import('../numbers/colour_range.js').Range} range */
export function ownLabels(range) {
  const labels = barLabels(range);
  return { ...labels, middle: range.curve === 'linear' && !isSigned(range) ? '' : labels.middle };
}

/**
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 * @param {() => string} [whose]  map it is of, where there are several bars
 */
export function createColourBar(root, state, whose = () => '') {
  const bar = createBar(root, 'av-map-bar');

  function label() {
    const { drawn, shown, scale } = state.get;
    if (!drawn) return bar.label(null);
    const labels = { ...ownLabels(drawn.range), ...(drawn.measured && BAR) };
    const isRelative = scale === 'uniform' && shown?.direction === 'read by' && !shown.effect;
    bar.label({
      ...labels, unit: [whose(), labels.unit].filter(Boolean).join(' · '),
      note: [isRelative ? 'a column has no absolute scale: its own' : '', labels.note].filter(Boolean).join('; '),
    });
  }

  function point() {
    const { drawn } = state.get;
    const cell = hoveredCell(state.get);
    bar.point(drawn && cell >= 0 && !drawn.hidden?.[cell] ? placeIn(drawn.range, drawn.values[cell]) : null);
  }

  const paint = () => bar.paint(state.get.drawn && isSigned(state.get.drawn.range) ? divergingPixels(isDark(), false) : solidPixels(state.get.palette));
  const undo = [
    state.on(['palette', 'drawn', 'theme'], paint),
    state.on(['drawn', 'shown', 'scale'], label),
    state.on(['hover', 'shown', 'drawn'], point),
  ];
  paint();
  label();
  return { dispose: () => { undo.forEach((end) => end()); bar.dispose(); } };
}
