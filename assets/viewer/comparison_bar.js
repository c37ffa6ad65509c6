// @ts-check
/** The colour bar of the difference: less on one side, more on the other, none in the middle; with the numbers of the very range that is painted. */
import { signedPosition } from './comparison_maps.js';
import { part } from './dom.js';
import { divergingPixels } from './palette.js';
import { barLabels } from './scale.js';

/**
 * @param {Element} root
 * @param {import('./comparison.js').ComparisonState} state
 */
export function createDifferenceBar(root, state) {
  const bar = part(root, 'difference-bar');
  const canvas = part(bar, 'bar-canvas');
  const mark = part(bar, 'bar-mark');
  const [low, high, note] = ['bar-low', 'bar-high', 'bar-note'].map((name) => part(bar, name));

  function paint() {
    const image = new ImageData(256, 1);
    new Uint32Array(image.data.buffer).set(divergingPixels(document.body.classList.contains('dark'), false));
    canvas.getContext('2d').putImageData(image, 0, 0);
  }

  function label() {
    const { maps, pair } = state.get;
    bar.classList.toggle('av-off', !maps);
    if (!maps) return;
    const { range, isOwn } = maps.difference;
    const labels = barLabels(range);
    const end = labels.high.replace('≥\u202f', '');
    const isClipped = range.clipped > 0;
    low.textContent = range.high > 0 ? `${isClipped ? '≤\u202f' : ''}−${end}` : '0';
    high.textContent = range.high > 0 ? `${isClipped ? '≥\u202f' : ''}+${end}` : '0';
    const curve = { linear: '', sqrt: ', square root', log: ', log' }[range.curve];
    const scale = pair?.isSame ? 'no difference anywhere' : `${isOwn ? 'on a scale of its own' : 'same scale as the maps'}${curve}`;
    note.textContent = [scale, labels.note].filter(Boolean).join('; ');
    note.title = note.textContent;
  }

  function point() {
    const { hover, maps, pair, info } = state.get;
    const grid = info && pair && pair.before.grid !== null ? info.grids[pair.before.grid] : null;
    const cell = hover && grid ? hover.row * grid.cols + hover.col : -1;
    mark.hidden = !(maps && cell >= 0 && !maps.difference.hidden?.[cell]);
    if (!mark.hidden && maps) mark.style.left = `${100 * signedPosition(maps.difference.range, maps.difference.values[cell])}%`;
  }

  const undo = [
    state.on(['theme'], paint),
    state.on(['maps', 'pair'], label),
    state.on(['hover', 'maps', 'pair'], point),
  ];
  paint();
  label();
  return { dispose: () => undo.forEach((end) => end()) };
}
