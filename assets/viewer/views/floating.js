// @ts-check
/** A panel that floats beside what is pointed at: above everything of the page, never off it, and never in the pointer's way. */
import { create } from './dom.js';

const APART_PX = 10;

/**
 * @param {HTMLElement} parent
 * @param {string} name  a class
 * @param {HTMLElement[]} children
 */
export function createFloating(parent, name, children) {
  const panel = create('div', { class: `av-floating ${name}`, popover: 'manual', 'aria-hidden': true }, children);
  parent.append(panel);
  return {
    panel,

    /** @param {{left: number, top: number, width: number, height: number}} box  what it stands beside, in the window @param {boolean} [isAbove] */
    show(box, isAbove = false) {
      if (!panel.matches(':popover-open')) panel.showPopover();
      const { left, top } = placeBeside(box, { width: panel.offsetWidth, height: panel.offsetHeight }, { width: window.innerWidth, height: window.innerHeight }, isAbove);
      panel.style.translate = `${left}px ${top}px`;
    },

    hide() {
      if (panel.matches(':popover-open')) panel.hidePopover();
    },

    dispose: () => panel.remove(),
  };
}

/**
 * Where a panel stands beside a box: to the right, else to the left, else above or below it, whole in the window.
 * @param {{left: number, top: number, width: number, height: number}} box
 * @param {{width: number, height: number}} size
 * @param {{width: number, height: number}} page
 * @param {boolean} [isAbove]  above or below it in any case
 */
export function placeBeside(box, size, page, isAbove = false) {
  const within = (/** @type {number} */ at, /** @type {number} */ length, /** @type {number} */ room) => Math.round(Math.max(APART_PX, Math.min(at, room - length - APART_PX)));
  const middle = (/** @type {number} */ at, /** @type {number} */ length, /** @type {number} */ own) => at + length / 2 - own / 2;
  const right = box.left + box.width + APART_PX;
  const left = box.left - APART_PX - size.width;
  const fitsRight = right + size.width + APART_PX <= page.width;
  if (!isAbove && (fitsRight || left >= APART_PX)) {
    const at = fitsRight ? right : left;
    return { left: Math.round(at), top: within(middle(box.top, box.height, size.height), size.height, page.height) };
  }
  const above = box.top - APART_PX - size.height;
  const top = above >= APART_PX ? above : box.top + box.height + APART_PX;
  return { left: within(middle(box.left, box.width, size.width), size.width, page.width), top: within(top, size.height, page.height) };
}
