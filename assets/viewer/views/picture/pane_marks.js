// @ts-check
/** What is drawn on a pane's map as lines: the selected cells, the pinned one, points and boxes with their labels. An SVG above the canvas. */
import { boxOfCell, cornersOf, framesOf, marksOf } from '../../paint/marks.js';

const SVG = 'http://www.w3.org/2000/svg';

/** @typedef {import('../../paint/marks.js').Cell} Cell */

export function createPaneMarks() {
  const element = draw('svg', 'av-marks');
  element.setAttribute('aria-hidden', 'true');
  const places = draw('g', 'av-places', element);
  const [inner, casing, here, pinned] = ['av-here-inner', 'av-here-casing', 'av-here', 'av-pinned'].map((name) => draw('path', name, element));

  return {
    element,

    /**
     * @param {{here: Cell[], pinned: Cell | null}} cells
     * @param {import('../../paint/cells.js').Borders} borders  in device pixels
     * @param {number} density
     */
    showCells({ here: chosen, pinned: pin }, borders, density) {
      const frames = framesOf(chosen, borders, density);
      setPath(casing, frames.outer);
      setPath(here, frames.outer);
      setPath(inner, frames.inner);
      setPath(pinned, pin ? cornersOf(boxOfCell(borders, density, pin)) : '');
    },

    /** @param {ReturnType<typeof marksOf>} marks */
    showPlaces(marks) {
      places.replaceChildren(...marks.map(({ path, label, x, y, isRight, isGuess, isChosen }) => {
        const group = draw('g', `av-place${isGuess ? ' av-guess' : ''}${isChosen ? ' av-chosen' : ''}`);
        setPath(draw('path', 'av-casing', group), path);
        setPath(draw('path', 'av-line', group), path);
        const text = draw('text', isRight ? 'av-right' : '', group);
        text.textContent = label;
        text.setAttribute('x', String(x));
        text.setAttribute('y', String(y));
        return group;
      }));
    },
  };
}

/** @param {string} tag @param {string} name @param {Element} [parent] */
function draw(tag, name, parent) {
  const element = document.createElementNS(SVG, tag);
  if (name) element.setAttribute('class', name);
  parent?.append(element);
  return element;
}

/** @param {Element} path @param {string} d */
function setPath(path, d) {
  path.setAttribute('d', d);
  path.toggleAttribute('hidden', !d);
}
