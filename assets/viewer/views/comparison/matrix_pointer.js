// @ts-check
/** Pointing at a head or a weight of the matrix, with a pointer or with arrow keys: it is framed, and said beside it; a click or Enter opens it. */
import { create, listen, setBox } from '../dom.js';
import { createFloating } from '../floating.js';
import { nextPlace, placeAt } from '../../numbers/change_matrix.js';

/**
 * @typedef {import('../../numbers/change_matrix.js').Place} Place
 *
 * @param {object} on
 * @param {HTMLElement} on.place
 * @param {HTMLElement} on.scroller
 * @param {HTMLCanvasElement} on.canvas
 * @param {HTMLElement} on.frame  that is set around what is pointed at
 * @param {HTMLElement} on.said   a live line
 * @param {object} matrix
 * @param {() => import('../../numbers/change_matrix.js').Layout | null} matrix.layout
 * @param {() => import('../../numbers/change_matrix.js').Counts} matrix.counts
 * @param {(at: Place) => {left: number, top: number, width: number, height: number}} matrix.boxOf  CSS pixels from the canvas's corner
 * @param {(at: Place) => {name: string, lines: string[]} | null} matrix.wordsAt
 * @param {() => Place} matrix.start  where arrow keys begin
 * @param {(at: Place) => void} matrix.open
 */
export function createMatrixPointer({ place, scroller, canvas, frame, said }, { layout, counts, boxOf, wordsAt, start, open }) {
  /** @type {Place | null} */
  let cursor = null;
  const name = create('p', { class: 'av-look-name' });
  const lines = create('div', { class: 'av-look-about' });
  const floating = createFloating(place, 'av-matrix-words', [name, lines]);

  function outline() {
    frame.hidden = !cursor || !layout();
    if (cursor && layout()) setBox(frame, boxOf(cursor));
  }

  /** @param {Place} at */
  function say(at) {
    const words = wordsAt(at);
    if (!words) return floating.hide();
    name.textContent = words.name;
    lines.replaceChildren(...words.lines.map((text) => create('p', { text })));
    const corner = canvas.getBoundingClientRect();
    const { left, top, width, height } = boxOf(at);
    floating.show({ left: corner.left + left, top: corner.top + top, width, height });
  }

  /** @param {Place | null} at */
  function point(at) {
    cursor = at;
    outline();
    if (at) say(at);
    else floating.hide();
  }

  /** @param {PointerEvent | MouseEvent} event */
  function under(event) {
    const now = layout();
    const { left, top, width } = canvas.getBoundingClientRect();
    const density = canvas.width / width;
    return now && placeAt(now, counts(), (event.clientX - left) * density, (event.clientY - top) * density);
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const move = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (event.key === 'Enter' && cursor) open(cursor);
    else if (event.key === 'Escape' && cursor) point(null);
    else if (move && layout()) step(move[0], move[1]);
    else return;
    event.preventDefault();
  }

  /** @param {number} right @param {number} down */
  function step(right, down) {
    if (!counts().layers) return;
    const next = cursor ? nextPlace(cursor, right, down, counts()) : start();
    point(next);
    const words = wordsAt(next);
    said.textContent = words ? `${words.name}: ${words.lines.join('; ')}` : '';
    const { left, width } = boxOf(next);
    if (left < scroller.scrollLeft || left + width > scroller.scrollLeft + scroller.clientWidth) scroller.scrollLeft = left - scroller.clientWidth / 2;
  }

  const undo = [
    listen(canvas, {
      pointermove: (/** @type {PointerEvent} */ event) => {
        if (event.pointerType === 'touch') return;
        const at = under(event);
        if (JSON.stringify(at) !== JSON.stringify(cursor)) point(at);
      },
      pointerleave: (/** @type {PointerEvent} */ event) => { if (event.pointerType !== 'touch') point(null); },
      click: (/** @type {MouseEvent} */ event) => {
        const at = under(event);
        if (/** @type {PointerEvent} */ (event).pointerType === 'touch') point(at);
        if (at) open(at);
      },
      keydown: press,
      blur: () => point(null),
    }),
    listen(scroller, { scroll: () => point(null) }),
  ];

  return {
    /** The matrix has changed: what is pointed at lies elsewhere, or is another. */
    follow() {
      outline();
      if (cursor && floating.panel.matches(':popover-open')) say(cursor);
    },
    dispose() {
      undo.forEach((end) => end());
      floating.dispose();
    },
  };
}
