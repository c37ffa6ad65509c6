// @ts-check
/** The colour bar: the palette, and the numbers of the very range that the overlay is painted with. */
import { part } from './dom.js';
import { solidPixels } from './palette.js';
import { barLabels, position } from './scale.js';

/**
 * @param {Element} root
 * @param {import('./viewer.js').ViewerState} state
 */
export function createColourBar(root, state) {
  const bar = part(root, 'bar');
  const canvas = part(bar, 'bar-canvas');
  const mark = part(bar, 'bar-mark');
  const [unit, low, middle, high, note] = ['unit', 'low', 'middle', 'high', 'note'].map((name) => part(bar, `bar-${name}`));

  function paint() {
    const image = new ImageData(256, 1);
    new Uint32Array(image.data.buffer).set(solidPixels(state.get.palette));
    canvas.getContext('2d').putImageData(image, 0, 0);
  }

  function label() {
    const { drawn, shown, scale } = state.get;
    bar.classList.toggle('av-off', !drawn);
    const labels = drawn ? barLabels(drawn.range) : { unit: '', low: '', middle: '', high: '', note: '' };
    unit.textContent = labels.unit;
    low.textContent = labels.low;
    middle.textContent = drawn && drawn.range.curve !== 'linear' ? labels.middle : '';
    high.textContent = labels.high;
    const isRelative = scale === 'uniform' && shown?.direction === 'read by';
    note.textContent = note.title = [isRelative ? 'a column has no absolute scale: its own' : '', labels.note].filter(Boolean).join('; ');
  }

  function point() {
    const { hover, shown, drawn, info } = state.get;
    const grid = info && shown && shown.grid !== null ? info.grids[shown.grid] : null;
    const cell = hover && grid ? hover.row * grid.cols + hover.col : -1;
    mark.hidden = !(drawn && grid && cell >= 0 && !drawn.hidden?.[cell]);
    if (!mark.hidden && drawn) mark.style.left = `${100 * position(drawn.range, drawn.values[cell])}%`;
  }

  const undo = [
    state.on(['palette'], paint),
    state.on(['drawn', 'shown', 'scale'], label),
    state.on(['hover', 'shown', 'drawn'], point),
  ];
  paint();
  label();
  return { dispose: () => undo.forEach((end) => end()) };
}
