// @ts-check
/** The measure over the steps of a training, or over strengths of one adapter: a line for the selected head, one for the mean of all heads. */
import { whyNoChange } from '../../state/effect_change.js';
import { memberName, seriesOf } from '../../data/comparison_info.js';
import { formatMeasure, isSigned, measureText } from '../../numbers/change_measures.js';
import { headCount, layersOf } from '../../data/run_info.js';
import { create, listen } from '../dom.js';

const SVG = 'http://www.w3.org/2000/svg';
const PX = { left: 8, right: 12, top: 12, bottom: 20 };

/**
 * @typedef {{at: number, member: number, head: number | null, mean: number}} Step  values; NaN for none, `head` is null while none is selected
 *
 * What the lines go through: the selected head, and the mean of all that have a value. The base is 0 by definition.
 * @param {{member: number, at: number}[]} points
 * @param {Float32Array[]} tables   [layers x heads] of each point but the base
 * @param {number | null} place     of the head in a table
 * @returns {Step[]}
 */
export function stepsOf(points, tables, place) {
  let next = 0;
  return points.map(({ member, at }) => {
    if (member === 0) return { at, member, head: place === null ? null : 0, mean: 0 };
    const values = tables[next++];
    const known = values.filter((value) => !Number.isNaN(value));
    return { at, member, head: place === null ? null : values[place], mean: known.length ? known.reduce((total, value) => total + value, 0) / known.length : NaN };
  });
}

/**
 * @param {HTMLElement} place
 * @param {import('../../state/fields.js').ComparisonState} state
 * @param {{compare: (two: {right?: number}) => void}} actions
 */
export function createSteps(place, state, { compare }) {
  const svg = document.createElementNS(SVG, 'svg');
  const key = create('p', { class: 'av-steps-key' });
  const tip = create('p', { class: 'av-steps-tip' });
  svg.setAttribute('role', 'img');
  place.replaceChildren(key, svg, tip);

  /** @param {string} tag @param {Record<string, string | number>} attributes @param {string} [text] */
  function draw(tag, attributes, text) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
    if (text !== undefined) element.textContent = text;
    svg.append(element);
    return element;
  }

  function paint() {
    const { comparison, info, selection, steps, list, measure, right, reading } = state.get;
    if (list !== 'steps') return;
    svg.replaceChildren();
    key.replaceChildren();
    tip.textContent = whyNoChange(reading);
    const series = comparison && seriesOf(comparison.members);
    if (!comparison || !info || !selection || !series || !steps || whyNoChange(reading)) return;
    const heads = headCount(info, selection.tower);
    const layer = layersOf(info, selection.tower).indexOf(/** @type {number} */ (selection.layer));
    const at = layer >= 0 && typeof selection.head === 'number' ? layer * heads + selection.head : null;
    const all = stepsOf(series.points, steps.tables, at);
    const unit = comparison.measures[measure]?.unit ?? '';
    // First what is written around the lines: it decides how much room they have.
    const head = at === null ? null : `layer ${selection.layer} · head ${selection.head}`;
    key.append(
      create('span', { text: measureText(measure) }),
      create('span', head ? { class: 'av-key av-key-head', text: head } : { text: 'choose a head for its own line' }),
      create('span', { class: 'av-key av-key-mean', text: 'mean of all heads' }),
    );
    const now = all.find(({ member }) => member === right);
    tip.textContent = now ? wordsOf(now, unit) : '';
    const [width, height] = [Math.max(120, svg.clientWidth), Math.max(80, svg.clientHeight)];
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const known = all.flatMap(({ head, mean }) => [head ?? NaN, mean]).filter((value) => !Number.isNaN(value));
    const [low, high] = [Math.min(0, ...known), Math.max(0, ...known)];
    const last = all[all.length - 1].at;
    const first = all[0].at;
    const x = (/** @type {number} */ value) => PX.left + ((value - first) / (last - first || 1)) * (width - PX.left - PX.right);
    const y = (/** @type {number} */ value) => height - PX.bottom - ((value - low) / (high - low || 1)) * (height - PX.top - PX.bottom);
    draw('line', { class: 'av-steps-zero', x1: PX.left, x2: width - PX.right, y1: y(0), y2: y(0) });
    draw('text', { class: 'av-steps-text', x: PX.left, y: PX.top - 3 }, formatMeasure(measure, unit, high));
    if (isSigned(measure) && low < 0) draw('text', { class: 'av-steps-text', x: PX.left, y: height - PX.bottom + 9 }, formatMeasure(measure, unit, low));
    let written = -Infinity;
    all.forEach((step, i) => {
      const middle = x(step.at);
      if (middle - written < 34 && i) return;
      written = middle;
      draw('text', { class: 'av-steps-text', x: middle, y: height - 4, 'text-anchor': i === 0 ? 'start' : i === all.length - 1 ? 'end' : 'middle' }, String(step.at));
    });
    for (const name of /** @type {const} */ (['mean', 'head'])) {
      const there = all.filter((step) => step[name] !== null && !Number.isNaN(step[name]));
      if (there.length < 2) continue;
      draw('polyline', { class: `av-steps-line av-steps-${name}`, points: there.map((step) => `${x(step.at)},${y(/** @type {number} */ (step[name]))}`).join(' ') });
      for (const step of there) {
        const isNow = step.member === right;
        draw('circle', { class: `av-steps-dot av-steps-${name}${isNow ? ' av-now' : ''}`, cx: x(step.at), cy: y(/** @type {number} */ (step[name])), r: isNow ? 4 : 2.5 });
      }
    }
    all.forEach((step) => {
      if (!step.member) return;
      const half = Math.max(8, (width - PX.left - PX.right) / all.length / 2);
      const hit = draw('rect', {
        class: 'av-steps-hit', x: x(step.at) - half, y: 0, width: 2 * half, height, 'data-member': step.member, tabindex: 0, role: 'button', 'aria-label': wordsOf(step, unit),
      });
      hit.addEventListener('pointerenter', () => { tip.textContent = wordsOf(step, unit); });
      hit.addEventListener('focus', () => { tip.textContent = wordsOf(step, unit); });
    });
    svg.setAttribute('aria-label', `${measureText(measure)} over ${series.axis}s: ${all.map((step) => wordsOf(step, unit)).join('; ')}`);
  }

  /** @param {Step} step @param {string} unit */
  function wordsOf({ at, member, head, mean }, unit) {
    const { comparison, measure } = state.get;
    const name = comparison ? memberName(comparison.members, member) : '';
    return `${at} (${name}): ${head === null ? '' : `head ${formatMeasure(measure, unit, head)}, `}mean ${formatMeasure(measure, unit, mean)}`;
  }

  /** @param {Event} event */
  function choose(event) {
    const member = Number(/** @type {Element} */ (event.target).getAttribute('data-member'));
    if (member) compare({ right: member });
  }

  const undo = [
    listen(svg, {
      click: choose,
      keydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        choose(event);
      },
    }),
    state.on(['comparison', 'info', 'selection', 'steps', 'list', 'measure', 'right', 'size', 'reading'], paint),
  ];
  paint();
  return { dispose: () => undo.forEach((end) => end()) };
}
