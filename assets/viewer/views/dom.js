// @ts-check
/** The few DOM helpers that the views share. Text goes in as text, never as HTML. */

/**
 * @param {string} tag
 * @param {{class?: string, text?: string, [attribute: string]: any}} [attributes]
 * @param {(Node | string)[]} [children]
 * @returns {any}
 */
export function create(tag, { class: className, text, ...attributes } = {}, children = []) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * The part of the template with a class.
 * @param {Element} root
 * @param {string} name  without the prefix
 * @returns {any}
 */
export function part(root, name) {
  const found = root.querySelector(`.av-${name}`);
  if (!found) throw new Error(`the template has no .av-${name}`);
  return found;
}

/**
 * Add listeners; the function that comes back removes them all.
 * @param {EventTarget} target
 * @param {Record<string, (event: any) => void>} listeners
 */
export function listen(target, listeners) {
  for (const [name, listener] of Object.entries(listeners)) target.addEventListener(name, listener);
  return () => {
    for (const [name, listener] of Object.entries(listeners)) target.removeEventListener(name, listener);
  };
}

/**
 * Place a tooltip beside a rectangle of its frame: above it where there is room, and never outside the frame's sides.
 * @param {HTMLElement} tip
 * @param {{x: number, y: number, width: number, height: number}} box  in the frame's pixels
 * @param {number} frameWidth
 */
export function placeTip(tip, box, frameWidth) {
  tip.hidden = false;
  const { offsetWidth: width, offsetHeight: height } = tip;
  const above = box.y - height - 6;
  const left = Math.min(Math.max(0, box.x + box.width / 2 - width / 2), Math.max(0, frameWidth - width));
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(above >= 0 ? above : box.y + box.height + 6)}px)`;
}

/** Place an element. @param {HTMLElement} element  positioned @param {{left: number, top: number, width: number, height: number}} box  CSS pixels */
export function setBox(element, box) {
  for (const [side, length] of Object.entries(box)) element.style.setProperty(side, `${length}px`);
}

/**
 * Move an element by less than a pixel, so that its corner lies on a whole device pixel and its canvas is not smeared.
 * @param {HTMLElement} element  positioned
 * @param {number} density
 */
export function snap(element, density) {
  element.style.left = element.style.top = '0px';
  const { left, top } = element.getBoundingClientRect();
  element.style.left = `${Math.round(left * density) / density - left}px`;
  element.style.top = `${Math.round(top * density) / density - top}px`;
}

/**
 * The colour that an element is seen on, as [red, green, blue].
 * @param {Element} element
 * @returns {number[]}
 */
export function surfaceColour(element) {
  const context = /** @type {CanvasRenderingContext2D} */ (
    Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true })
  );
  for (let place = /** @type {Element | null} */ (element); place; place = place.parentElement) {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = getComputedStyle(place).backgroundColor;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
    if (alpha > 250) return [red, green, blue];
  }
  return [255, 255, 255];
}

/** Whether the page is dark. */
export const isDark = () => document.body.classList.contains('dark');

/** Let the browser show what was drawn before more is done; in a page that is not seen it shows nothing, and nobody waits. */
export function painted() {
  return new Promise((resolve) => {
    if (document.hidden) resolve(undefined);
    else window.requestAnimationFrame(() => window.setTimeout(resolve));
  });
}
