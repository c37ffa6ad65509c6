// @ts-check
/** A colour bar: its colours, the numbers of the very range that is painted with them, and a mark at the value that is pointed at. */
import { create, part } from './dom.js';

const NATS = 'nats: a change of a natural logarithm. −0.69 is half as probable, −2.3 a tenth, +0.69 twice.';

/**
 * @typedef {{unit?: string, low: string, middle?: string, high: string, note: string}} Labels
 *
 * @param {Element} root
 * @param {string} name  a class of its own
 */
export function createBar(root, name) {
  const canvas = create('canvas', { class: 'av-bar-canvas', width: 256, height: 1, 'aria-hidden': 'true' });
  const [unit, low, middle, high, note] = ['unit', 'low', 'middle', 'high', 'note'].map((part_) => create('span', { class: `av-bar-${part_}` }));
  const mark = create('i', { class: 'av-bar-mark', hidden: '' });
  const bar = create('div', { class: `av-bar ${name}` }, [unit, low, create('span', { class: 'av-bar-colours' }, [canvas, middle, mark]), high, note]);
  part(root, 'bars').append(bar);

  return {
    /** @param {Uint32Array} pixels */
    paint(pixels) {
      const image = new ImageData(256, 1);
      new Uint32Array(image.data.buffer).set(pixels);
      canvas.getContext('2d').putImageData(image, 0, 0);
    },

    /** @param {Labels | null} labels  null where nothing is painted */
    label(labels) {
      bar.classList.toggle('av-off', !labels);
      unit.textContent = labels?.unit ?? '';
      unit.title = unit.textContent?.includes('nats') ? NATS : '';
      low.textContent = labels?.low ?? '';
      middle.textContent = labels?.middle ?? '';
      high.textContent = labels?.high ?? '';
      note.textContent = note.title = labels?.note ?? '';
    },

    /** @param {number | null} place  0 to 1 */
    point(place) {
      mark.hidden = place === null;
      if (place !== null) mark.style.left = `${100 * place}%`;
    },

    dispose: () => bar.remove(),
  };
}

/**
 * The cell that is pointed at, by its number; -1 for none.
 * @param {Readonly<import('../state/fields.js').Fields>} fields
 */
export function hoveredCell({ hover, info, shown }) {
  const grid = info && shown && shown.grid !== null ? info.grids[shown.grid] : null;
  return hover && grid ? hover.row * grid.cols + hover.col : -1;
}
