// @ts-check
/** A finger that goes across the lines under the picture: the next head, or the one before. Up and down scrolls the page. */
import { listen, part } from './dom.js';

const FAR = 40; // CSS pixels: less is a tap

/**
 * @param {Element} root
 * @param {Pick<import('../state/actions.js').Actions, 'step'>} actions
 * @param {string[]} names  of the parts that are swiped
 */
export function createSwipe(root, actions, names) {
  /** @type {{x: number, y: number} | null} */
  let start = null;

  /** @param {TouchEvent} event */
  function begin({ touches }) {
    start = touches.length === 1 ? { x: touches[0].clientX, y: touches[0].clientY } : null;
  }

  /** @param {TouchEvent} event */
  function end({ changedTouches: [finger] }) {
    if (!start || !finger) return;
    const [across, down] = [finger.clientX - start.x, finger.clientY - start.y];
    start = null;
    if (Math.abs(across) >= FAR && Math.abs(across) > 2 * Math.abs(down)) actions.step('head', across < 0 ? 1 : -1);
  }

  const undo = names.map((name) => {
    const line = part(root, name);
    line.classList.add('av-swiped');
    return listen(line, { touchstart: begin, touchend: end, touchcancel: () => { start = null; } });
  });
  return { dispose: () => undo.forEach((each) => each()) };
}
