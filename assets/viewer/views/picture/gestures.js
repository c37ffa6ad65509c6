// @ts-check
/**
 * What a mouse, a finger or two and a wheel do on a picture: point, choose, drag, pinch, zoom, draw.
 *
 * A press that has moved is a drag and chooses nothing; with Shift, or while places are marked, it draws. The wheel zooms with Ctrl or Command, as a pinch on a touchpad does, and
 * alone where the picture has the focus; otherwise it scrolls the page, as it does when there is nothing left to zoom out of.
 * Knows neither cells nor pictures.
 */
import { listen } from '../dom.js';

/** How far a press may wander: a finger more than a mouse. */
const SLOP_PX = { mouse: 4, touch: 10, pen: 6 };
const LINE_PX = 16;
/** One notch of a wheel, 100 px or so, zooms by about a fifth; a pinch on a touchpad sends few pixels. */
const WHEEL = 0.0018;
const PINCH = 0.011;
export const STEP = 2;

/**
 * @param {HTMLElement} target  that takes the focus
 * @param {object} does
 * @param {(event: MouseEvent | null) => void} does.point   null when the pointer has left
 * @param {(event: MouseEvent) => void} does.choose
 * @param {(factor: number, event: {clientX: number, clientY: number}) => boolean} does.zoom  whether anything changed
 * @param {(dx: number, dy: number) => void} does.move       in CSS pixels
 * @param {(from: {clientX: number, clientY: number}, to: {clientX: number, clientY: number}) => void} does.draw  again and again, as the pointer moves
 * @param {() => boolean} does.isMarking
 * @returns {() => void} dispose
 */
export function listenToGestures(target, { point, choose, zoom, move, draw, isMarking }) {
  /** @type {Map<number, {clientX: number, clientY: number}>} */
  const pressed = new Map();
  let begun = { clientX: 0, clientY: 0 };
  let isDrag = false;
  let isDrawing = false;

  /** @param {PointerEvent} event */
  function press(event) {
    if (event.button !== 0) return;
    if (!pressed.size) {
      begun = event;
      isDrag = false;
      isDrawing = event.shiftKey || isMarking();
    } else isDrag = true;
    pressed.set(event.pointerId, event);
  }

  /** @param {PointerEvent} event */
  function wander(event) {
    if (event.pointerType !== 'touch') point(event);
    const before = pressed.get(event.pointerId);
    if (!before) return;
    pressed.set(event.pointerId, event);
    if (pressed.size > 1) {
      const other = [...pressed].find(([id]) => id !== event.pointerId)?.[1] ?? event;
      const was = distance(before, other);
      if (was > 0) zoom(distance(event, other) / was, middle(event, other));
      move((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
      return;
    }
    if (!isDrag && distance(begun, event) > (SLOP_PX[/** @type {'mouse'} */ (event.pointerType)] ?? SLOP_PX.pen)) {
      isDrag = true;
      target.setPointerCapture(event.pointerId);
      if (isDrawing) draw(begun, event);
      else move(event.clientX - begun.clientX, event.clientY - begun.clientY);
    } else if (isDrag && isDrawing) draw(begun, event);
    else if (isDrag) move(event.clientX - before.clientX, event.clientY - before.clientY);
  }

  /** @param {PointerEvent} event */
  function release(event) {
    pressed.delete(event.pointerId);
  }

  /** @param {WheelEvent} event */
  function turn(event) {
    const isPinch = event.ctrlKey || event.metaKey;
    if (!isPinch && document.activeElement !== target) return;
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE_PX);
    const isWheel = Math.abs(pixels) >= 40; // of a mouse, also where Ctrl is held
    const changed = zoom(Math.exp(-pixels * (isPinch && !isWheel ? PINCH : WHEEL)), event);
    if (changed || isPinch) event.preventDefault(); // a pinch over the picture never zooms the page
  }

  return listen(target, {
    pointerdown: press,
    pointermove: wander,
    pointerup: release,
    pointercancel: release,
    pointerleave: (/** @type {PointerEvent} */ event) => { if (event.pointerType === 'mouse') point(null); },
    click: (/** @type {MouseEvent} */ event) => { if (!isDrag) choose(event); },
    dblclick: (/** @type {MouseEvent} */ event) => { if (!isDrag && !event.shiftKey && !isMarking()) zoom(STEP, event); },
    wheel: turn,
  });
}

/** @typedef {{clientX: number, clientY: number}} At */
/** @param {At} a @param {At} b */
const distance = (a, b) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
/** @param {At} a @param {At} b */
const middle = (a, b) => ({ clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 });
