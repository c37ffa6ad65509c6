// @ts-check
/** A mean with its interval, drawn: a dot on a line, and thin marks where chance would be. */
const SPACE = 'http://www.w3.org/2000/svg';
const WIDTH = 132;
const HEIGHT = 18;
const EDGE = 5;

/** @param {string} name @param {Record<string, string | number>} attributes */
function shape(name, attributes) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/**
 * @param {import('../../data/scores_source.js').Estimate} estimate
 * @param {object} axis
 * @param {number} axis.from
 * @param {number} axis.to
 * @param {{name: string, value: number | null}[]} [axis.marks]  of chance
 * @returns {SVGElement}  says nothing to readers of screens: its numbers stand beside it
 */
export function drawInterval({ mean, low, high }, { from, to, marks = [] }) {
  const drawing = shape('svg', { width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'av-sc-interval', 'aria-hidden': 'true' });
  const at = (/** @type {number} */ value) => EDGE + ((WIDTH - 2 * EDGE) * (Math.min(to, Math.max(from, value)) - from)) / (to - from);
  const middle = HEIGHT / 2;
  drawing.append(shape('line', { x1: EDGE, x2: WIDTH - EDGE, y1: middle, y2: middle, class: 'av-sc-axis' }));
  if (from < 0) drawing.append(shape('line', { x1: at(0), x2: at(0), y1: 2, y2: HEIGHT - 2, class: 'av-sc-zero' }));
  for (const { value } of marks) {
    if (value !== null) drawing.append(shape('line', { x1: at(value), x2: at(value), y1: 3, y2: HEIGHT - 3, class: 'av-sc-chance' }));
  }
  if (low !== null && high !== null) drawing.append(shape('line', { x1: at(low), x2: at(high), y1: middle, y2: middle, class: 'av-sc-range-line' }));
  if (mean !== null) drawing.append(shape('circle', { cx: at(mean), cy: middle, r: 4, class: 'av-sc-mean' }));
  return /** @type {SVGElement} */ (drawing);
}
