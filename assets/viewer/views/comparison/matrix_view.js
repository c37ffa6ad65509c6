// @ts-check
/**
 * How far every head moved, layers to the right and heads down, and below it the adapter's weights, column under column. A click or Enter
 * opens a head in all maps; what is pointed at is said beside it.
 */
import { boxAt, kvHeadsOf, layOutMatrix, placeOfMost, weightsOf } from '../../numbers/change_matrix.js';
import { floorWords } from '../../text/noise.js';
import { headWords, weightWords } from '../../text/pair.js';
import { create, isDark, part, setBox, surfaceColour } from '../dom.js';
import { blend, css, pixel } from '../../paint/palette.js';
import { headCount, layersOf } from '../../data/run_info.js';
import { isOfEffect } from '../../numbers/change_measures.js';
import { whyNoChange } from '../../state/effect_change.js';
import { matrixNow } from '../../state/matrix.js';
import { legendOf } from './matrix_legend.js';
import { coloursOf, LABEL, paintMatrix } from './matrix_paint.js';
import { createMatrixPointer } from './matrix_pointer.js';

/** CSS pixels. */
const CELL = { width: 46, height: 26, narrowest: 7, thumb: 15 };
const NARROW = 860; // as in comparison.css: there it is as high as thumbs need
const THUMB_ROW = { head: 20, part: 14 };

/**
 * @typedef {import('../../numbers/change_matrix.js').Place} Place
 *
 * @param {Element} root
 * @param {import('../../state/fields.js').ComparisonState} state
 * @param {Pick<import('../../state/actions.js').Actions, 'choose'>} actions
 */
export function createMatrixView(root, state, { choose }) {
  const place = part(root, 'matrix');
  const canvas = create('canvas', { class: 'av-matrix-canvas', tabindex: 0, role: 'application', 'aria-roledescription': 'matrix of layers and heads' });
  const selectedBox = create('div', { class: 'av-matrix-selected', hidden: '' });
  const cursorBox = create('div', { class: 'av-matrix-cursor', hidden: '' });
  const said = create('p', { class: 'av-live', 'aria-live': 'polite' });
  const frame = create('div', { class: 'av-matrix-frame' }, [canvas, selectedBox, cursorBox]);
  const nothing = create('p', { class: 'av-matrix-nothing', text: 'Which heads moved, and how much of each weight was changed, appears here.' });
  const legend = create('div', { class: 'av-matrix-legend' });
  const scroller = create('div', { class: 'av-matrix-place' }, [frame, nothing]);
  place.replaceChildren(scroller, legend, said);
  const pointer = createMatrixPointer({ place, scroller, canvas, frame: cursorBox, said }, { layout: () => layout, counts, boxOf, wordsAt, start, open });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));

  let density = 1;
  /** @type {import('../../numbers/change_matrix.js').Layout | null} */
  let layout = null;
  /** @type {import('../../numbers/change_matrix.js').Weights | null} */
  let weights = null;
  /** @type {import('../../state/matrix.js').HeldMatrix | null} */
  let held = null;
  /** Read when they change, so that painting asks nothing of the layout. @type {import('./matrix_paint.js').Inks} */
  let inks = { surface: 0, ink: 0, text: '', line: '', quiet: '', font: '' };

  const pixels = (/** @type {number} */ length) => Math.round(length * density);

  function counts() {
    const { info, selection } = state.get;
    if (!info || !selection) return { layers: 0, heads: 0, parts: 0 };
    return { layers: layersOf(info, selection.tower).length, heads: headCount(info, selection.tower), parts: weights?.parts.length ?? 0 };
  }

  // What is painted

  function fit() {
    const { info, selection, comparison, right } = state.get;
    density = window.devicePixelRatio || 1;
    nothing.hidden = Boolean(info);
    if (!info || !selection || !comparison || !scroller.clientWidth) {
      layout = null;
      canvas.hidden = true;
      return;
    }
    canvas.hidden = false;
    weights = weightsOf(info, selection.tower, comparison.members[right]?.changes);
    const { layers, heads, parts } = counts();
    const isNarrow = root.clientWidth <= NARROW;
    if (isNarrow) scroller.style.setProperty('--av-matrix-height', `${THUMB_ROW.head * heads + THUMB_ROW.part * parts + LABEL.apart + LABEL.bottom}px`);
    layout = layOutMatrix({
      layers, heads, parts, width: pixels(scroller.clientWidth), height: pixels(scroller.clientHeight - LABEL.bottom), left: pixels(LABEL.left),
      apart: pixels(LABEL.apart), label: pixels(LABEL.row), most: { width: pixels(CELL.width), height: pixels(CELL.height) },
      narrowest: pixels(isNarrow ? CELL.thumb : CELL.narrowest), gap: Math.max(1, Math.floor(density)),
    });
    Object.assign(canvas, { width: layout.width, height: layout.bottom + pixels(LABEL.bottom) });
    Object.assign(canvas.style, { width: `${canvas.width / density}px`, height: `${canvas.height / density}px` });
  }

  /** Another token of the same matrix moves nothing but what is outlined. */
  function update() {
    const before = held;
    const now = matrixNow(held, state.get);
    held = now.held;
    place.classList.toggle('av-stale', now.isStale);
    if (held !== before) paint();
    follow();
  }

  /** Also where its cells lie: of others, or on a page of another size. */
  function redraw() {
    fit();
    paint();
    follow();
  }

  function follow() {
    outline();
    const { selection } = state.get;
    canvas.setAttribute('aria-label', selection
      ? `How far each head moved. Selected: layer ${selection.layer}, head ${selection.head}. Arrow keys point at a head, Enter opens it.` : 'How far each head moved');
    pointer.follow();
  }

  /** The cells, and what their colours mean. */
  function paint() {
    const { info, selection, comparison, palette, hidesNoise, reading } = state.get;
    const colours = coloursOf(held?.measure, palette, isDark());
    legend.replaceChildren(...(comparison && (held || whyNoChange(reading)) ? legendOf(held, weights, held ? comparison.measures[held.measure]?.unit ?? '' : '', colours, { isHidden: hidesNoise, hide: (is) => state.set({ hidesNoise: is }) }) : []));
    if (!layout) return;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!info || !selection) return;
    const { tower } = selection;
    paintMatrix(context, { layout, density, layers: layersOf(info, tower), heads: headCount(info, tower), kvHeads: kvHeadsOf(info, tower), held, weights, colours, inks, hidesNoise });
  }

  /** @param {Place} at  in CSS pixels from the canvas's corner */
  function boxOf(at) {
    const { x, y, width, height } = layout ? boxAt(layout, at) : { x: 0, y: 0, width: 0, height: 0 };
    return { left: x / density, top: y / density, width: width / density, height: height / density };
  }

  /** The selected head; of all heads of a layer, or of all layers, the whole line. */
  function outline() {
    const { info, selection } = state.get;
    const layer = info && selection ? layersOf(info, selection.tower).indexOf(/** @type {number} */ (selection.layer)) : -1;
    const head = typeof selection?.head === 'number' ? selection.head : -1;
    selectedBox.hidden = !info || !layout || (layer < 0 && head < 0);
    if (selectedBox.hidden) return;
    const { layers, heads } = counts();
    const first = boxOf({ layer: Math.max(0, layer), head: Math.max(0, head) });
    const last = boxOf({ layer: layer < 0 ? layers - 1 : layer, head: head < 0 ? heads - 1 : head });
    setBox(selectedBox, { left: first.left, top: first.top, width: last.left + last.width - first.left, height: last.top + last.height - first.top });
  }

  // What is pointed at

  /** @param {Place} at */
  function wordsAt(at) {
    const { info, selection, comparison } = state.get;
    if (!info || !selection || !comparison) return null;
    const layer = layersOf(info, selection.tower)[at.layer];
    if ('part' in at) return weights && weightWords({ layer, part: weights.parts[at.part], value: weights.values[at.part * counts().layers + at.layer] });
    if (!held) return null;
    const i = at.layer * counts().heads + at.head;
    const unit = comparison.measures[held.measure]?.unit ?? '';
    return headWords({ measure: held.measure, unit, layer, place: at.layer, head: at.head, value: held.values[i], mass: held.masses ? held.masses[i] : null, weights: isOfEffect(held.measure) ? null : weights, floored: held.floors ? floorWords(held.floors, i, held.values[i]) : '', isBelow: Boolean(held.below?.[i]) });
  }

  /** The selected head, or the one that moved most. @returns {Place} */
  function start() {
    const { info, selection } = state.get;
    const layer = info && selection ? layersOf(info, selection.tower).indexOf(/** @type {number} */ (selection.layer)) : -1;
    if (layer >= 0 && typeof selection?.head === 'number') return { layer, head: selection.head };
    return held ? placeOfMost(held.values, counts().heads) : { layer: 0, head: 0 };
  }

  /** @param {Place} at */
  function open(at) {
    const { info, selection } = state.get;
    if (!info || !selection) return;
    const layer = layersOf(info, selection.tower)[at.layer];
    choose('head' in at ? { layer, head: at.head } : { layer });
  }

  function mix() {
    const style = getComputedStyle(place);
    const [red, green, blue] = surfaceColour(place);
    const surface = pixel(red, green, blue, 255);
    const ink = red + green + blue > 384 ? pixel(20, 22, 26, 255) : pixel(240, 242, 246, 255);
    inks = { surface, ink, text: style.color, line: style.getPropertyValue('--av-line'), quiet: css(blend(surface, ink, 0.62)), font: style.fontFamily };
    redraw();
  }

  const undo = [
    state.on(['info', 'selection', 'right', 'measure', 'of', 'part', 'change', 'imageMasses', 'region', 'floors', 'reading'], update),
    state.on(['info', 'comparison', 'tower', 'right', 'palette', 'size', 'hidesNoise'], redraw),
    state.on(['theme'], mix),
  ];
  mix();

  return {
    /** What is on screen, and where each head lies, in CSS pixels from the canvas's corner. For tests. */
    get held() {
      return held;
    },
    boxOf(/** @type {number} */ layer, /** @type {number} */ head) {
      const { left, top, width, height } = boxOf({ layer, head });
      return { x: left, y: top, width, height };
    },
    dispose: () => {
      undo.forEach((end) => end());
      pointer.dispose();
      place.replaceChildren();
    },
  };
}
