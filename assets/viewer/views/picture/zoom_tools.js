// @ts-check
/** Smaller, larger, whole: for who has neither wheel nor two fingers. Quiet until it is wanted. */
import { create } from '../dom.js';
import { STEP } from './gestures.js';
import { MOST } from '../../paint/zoom.js';

/**
 * @param {Element} parent
 * @param {object} does
 * @param {(factor: number) => void} does.zoomBy
 * @param {() => void} does.fit
 */
export function createZoomTools(parent, { zoomBy, fit }) {
  const level = create('span', { class: 'av-zoom-level' });
  const button = (/** @type {string} */ text, /** @type {string} */ name, /** @type {() => void} */ press) => {
    const element = create('button', { type: 'button', text, 'aria-label': name, title: name });
    element.addEventListener('click', () => element.getAttribute('aria-disabled') !== 'true' && press());
    return element;
  };
  const out = button('−', 'zoom out', () => zoomBy(1 / STEP));
  const into = button('+', 'zoom in', () => zoomBy(STEP));
  const whole = button('fit', 'show the whole picture', fit);
  const element = create('div', { class: 'av-zoom', role: 'group', 'aria-label': 'Zoom', hidden: '' }, [level, whole, out, into]);
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
    dispose: () => element.remove(),
  };
}
