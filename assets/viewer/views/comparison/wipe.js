// @ts-check
/** The line of the wipe: to its left one map, to its right the other. It is dragged, or moved by keys. */
import { create, listen } from '../dom.js';

const STEP = 0.02;
const PAGE = 0.1;

/**
 * @param {HTMLElement} frame  what is seen of the picture
 * @param {(split: number) => void} move  to a share of its width, 0 to 1
 */
export function createWipe(frame, move) {
  const line = create('div', {
    class: 'av-wipe', role: 'slider', tabindex: 0, 'aria-orientation': 'horizontal', 'aria-valuemin': 0, 'aria-valuemax': 100,
    title: 'drag, or arrow keys: what is left of the line is of the first, what is right of it of the second',
  }, [create('i', { 'aria-hidden': 'true', text: '‹›' })]);
  frame.append(line);
  let split = 0.5;

  const within = (/** @type {number} */ share) => Math.min(1, Math.max(0, share));

  /** @param {PointerEvent} event */
  function drag(event) {
    if (!line.hasPointerCapture(event.pointerId)) return;
    const { left, width } = frame.getBoundingClientRect();
    if (width > 0) move(within((event.clientX - left) / width));
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -PAGE, PageUp: PAGE, Home: -1, End: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    move(within(Math.round((split + by) * 1000) / 1000));
  }

  const undo = listen(line, {
    pointerdown: (/** @type {PointerEvent} */ event) => {
      if (event.button !== 0) return;
      line.setPointerCapture(event.pointerId);
      event.preventDefault(); // no text is selected; the focus is set by hand
      line.focus({ preventScroll: true });
    },
    pointermove: drag,
    keydown: press,
  });

  return {
    /** @param {number} next @param {string} left @param {string} right  names */
    show(next, left, right) {
      split = next;
      line.style.left = `${100 * split}%`;
      line.setAttribute('aria-valuenow', String(Math.round(100 * split)));
      line.setAttribute('aria-valuetext', `${Math.round(100 * split)} % ${left}, the rest ${right}`);
      line.setAttribute('aria-label', `Line between ${left} and ${right}`);
    },
    dispose: () => {
      undo();
      line.remove();
    },
  };
}
