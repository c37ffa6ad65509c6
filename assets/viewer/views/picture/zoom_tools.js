// @ts-check
/** Smaller, larger, whole, and a place marked: for who has neither wheel nor two fingers, nor a Shift key. Quiet until it is wanted. */
import { create } from '../dom.js';
import { STEP } from './gestures.js';
import { MOST } from '../../paint/zoom.js';

/**
 * @param {Element} parent
 * @param {object} does
 * @param {(factor: number) => void} does.zoomBy
 * @param {() => void} does.fit
 * @param {() => void} does.mark
 */
export function createZoomTools(parent, { zoomBy, fit, mark }) {
  const level = create('span', { class: 'av-zoom-level' });
  const button = (/** @type {string} */ text, /** @type {string} */ name, /** @type {() => void} */ press) => {
    const element = create('button', { type: 'button', text, 'aria-label': name, title: name });
    element.addEventListener('click', () => element.getAttribute('aria-disabled') !== 'true' && press());
    return element;
  };
  const out = button('−', 'zoom out', () => zoomBy(1 / STEP));
  const into = button('+', 'zoom in', () => zoomBy(STEP));
  const whole = button('fit', 'show the whole picture', fit);
  const place = button('▭', 'mark a place: draw, type or load one (m)', mark);
  place.setAttribute('aria-label', 'mark a place');
  const element = create('div', { class: 'av-zoom', role: 'group', 'aria-label': 'Zoom, and a place', hidden: '' }, [level, whole, out, into, place]);
  parent.append(element);

  return {
    element,
    /** @param {number | null} scale  null where there is no picture */
    show(scale) {
      element.hidden = scale === null;
      const now = scale ?? 1;
      level.textContent = now > 1 ? `${now >= 9.95 ? now.toFixed(0) : now.toPrecision(2)}×` : '';
      // Not `disabled`: a button that takes itself away would take the focus with it. What does nothing is only shown to who is there.
      for (const [tool, isOff] of /** @type {const} */ ([[out, now <= 1], [whole, now <= 1], [into, now >= MOST]])) tool.setAttribute('aria-disabled', String(isOff));
    },
    /** @param {boolean} isMarking */
    showMarking: (isMarking) => place.setAttribute('aria-pressed', String(isMarking)),
    dispose: () => element.remove(),
  };
}
