// @ts-check
/**
 * How far every head moved, layers to the right and heads down, and below it the adapter's weights, column under column. A click or Enter
 * opens a head in all maps; what is pointed at is said beside it.
 */
import { highestOf, groupsOfHeads, kvHeadsOf, layOutMatrix, negligible, placeAt, weightsOf } from '../../numbers/change_matrix.js';
import { changeWish, massesName } from '../../state/comparison_follow.js';
import { formatMeasure, isSigned } from '../../numbers/change_measures.js';
import { headWords } from '../../text/pair.js';
import { create, isDark, listen, part, surfaceColour } from '../dom.js';
import { createFloating } from '../floating.js';
import { formatPercent } from '../../data/format.js';
import { labelled } from '../../paint/map_layout.js';
import { blend, divergingPixels, entry, pixel, solidPixels } from '../../paint/palette.js';
import { headCount, layersOf } from '../../data/run_info.js';
import { changePath } from '../../data/source.js';

/** CSS pixels. */
const LABEL = { left: 42, row: 10, apart: 10, bottom: 16, bracket: 5 };
const CELL = { width: 46, height: 26, narrowest: 7, thumb: 15 };
const NARROW = 860; // as in comparison.css: there it is as high as thumbs need
const THUMB_ROW = { head: 20, part: 14 };
const FAINT = 0.25; // of the colour that is left

/**
 * @typedef {{layer: number, head: number} | {layer: number, part: number}} Place  by their places on the axes
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
  const name = create('p', { class: 'av-look-name' });
  const lines = create('div', { class: 'av-look-about' });
  const floating = createFloating(place, 'av-matrix-words', [name, lines]);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));

  let density = 1;
  /** @type {import('../../numbers/change_matrix.js').Layout | null} */
  let layout = null;
  /** @type {import('../../numbers/change_matrix.js').Weights | null} */
  let weights = null;
  /** @type {Place | null} what is pointed at */
  let cursor = null;
  /**
   * The matrix on screen; null before there is one.
   * @type {{values: Float32Array, masses: Float32Array | null, faint: Uint8Array, measure: string, tower: string, high: number} | null}
   */
  let held = null;
  let isStale = false;
  let colours = { surface: 0, ink: 0, text: '', line: '', quiet: '', font: '' }; // read when they change, so that painting asks nothing of the layout

  const pixels = (/** @type {number} */ css) => Math.round(css * density);

  // What is painted

  function take() {
    const { info, selection, change, imageMasses, right, measure, of } = state.get;
    if (!info || !selection) {
      held = null;
      isStale = false;
      return;
    }
    const isChange = change?.name === changePath(changeWish(info, selection, { right, measure, of }));
    const massName = massesName(info, selection, { right, measure, of });
    const isMass = massName === null || imageMasses === null || imageMasses.name === massName;
    const isNow = isChange && isMass;
    isStale = !isNow;
    if (!isNow || !change) {
      if (held && held.tower !== selection.tower) held = null;
      return;
    }
    const masses = massName === null ? null : imageMasses?.values ?? null;
    const isSame = held && held.values === change.values && held.masses === masses && held.measure === measure && held.tower === selection.tower;
    if (!isSame) held = { values: change.values, masses, faint: negligible(masses, change.values.length), measure, tower: selection.tower, high: highestOf(change.values) };
  }

  function counts() {
    const { info, selection } = state.get;
    if (!info || !selection) return { layers: 0, heads: 0, parts: 0 };
    return { layers: layersOf(info, selection.tower).length, heads: headCount(info, selection.tower), parts: weights?.parts.length ?? 0 };
  }

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
    take();
    place.classList.toggle('av-stale', isStale);
    if (held !== before) {
      paint();
      explain();
    }
    follow();
  }

  /** Also where its cells lie: of others, or on a page of another size. */
  function redraw() {
    fit();
    paint();
    explain();
    follow();
  }

  function follow() {
    outline();
    describe();
    if (cursor && floating.panel.matches(':popover-open')) say(cursor);
  }

  function paint() {
    if (!layout) return;
    const { info, selection, palette } = state.get;
    const { layers, heads } = counts();
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!info || !selection) return;
    const { left, cell, row, gap } = layout;
    const signed = held ? isSigned(held.measure) : false;
    const table = signed ? divergingPixels(isDark(), false) : solidPixels(palette);
    for (let i = 0; i < layers * heads; i++) {
      const [layer, head] = [Math.floor(i / heads), i % heads];
      const box = [left + layer * cell, head * row, cell - gap, row - gap];
      if (!held) {
        context.fillStyle = colours.line;
        context.globalAlpha = 0.35;
        context.fillRect(box[0], box[1], box[2], box[3]);
        context.globalAlpha = 1;
      } else if (Number.isNaN(held.values[i])) hatch(box);
      else {
        const share = held.high > 0 ? held.values[i] / held.high : 0;
        const colour = table[entry(signed ? 0.5 + share / 2 : share)];
        context.fillStyle = css(held.faint[i] ? blend(colours.surface, colour, FAINT) : colour);
        context.fillRect(box[0], box[1], box[2], box[3]);
      }
    }
    paintWeights(layers);
    paintLabels(layers, heads);
  }

  /** @param {number} layers */
  function paintWeights(layers) {
    if (!layout || !weights) return;
    const { left, cell, weightRow, weightsTop, gap } = layout;
    weights.values.forEach((value, i) => {
      const [at, layer] = [Math.floor(i / layers), i % layers];
      const [x, y] = [left + layer * cell, weightsTop + at * weightRow];
      if (Number.isNaN(value)) {
        const dot = Math.max(1, Math.round(density));
        context.fillStyle = colours.line;
        context.fillRect(Math.round(x + (cell - gap - dot) / 2), Math.round(y + (weightRow - gap - dot) / 2), dot, dot);
        return;
      }
      context.fillStyle = css(blend(colours.surface, colours.ink, 0.14 + 0.7 * Math.sqrt(weights && weights.maximum > 0 ? value / weights.maximum : 0)));
      context.fillRect(x, y, cell - gap, weightRow - gap);
    });
  }

  /** @param {number} layers @param {number} heads */
  function paintLabels(layers, heads) {
    const { info, selection } = state.get;
    if (!layout || !info || !selection) return;
    const { left, cell, row, weightRow, weightsTop, gap, bottom } = layout;
    context.fillStyle = colours.quiet;
    context.font = `${10.5 * density}px ${colours.font}`;
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    const groups = groupsOfHeads(heads, kvHeadsOf(info, selection.tower));
    const edge = left - pixels(groups.length ? LABEL.bracket + 6 : 5);
    for (const head of labelled(heads, row, 11 * density)) context.fillText(String(head), edge, head * row + (row - gap) / 2);
    context.strokeStyle = colours.quiet;
    context.lineWidth = Math.max(1, Math.round(density));
    const inset = context.lineWidth / 2;
    for (const [first, last] of groups) { // a bracket around the heads that share their keys and values
      const [x, top, end] = [left - pixels(LABEL.bracket) + inset, first * row + inset, (last + 1) * row - gap - inset];
      context.beginPath();
      context.moveTo(x + pixels(3), top);
      context.lineTo(x, top);
      context.lineTo(x, end);
      context.lineTo(x + pixels(3), end);
      context.stroke();
    }
    weights?.parts.forEach((name_, i) => {
      context.fillText(name_.replace(/_proj$/, '').replace('linear_', ''), left - pixels(5), weightsTop + i * weightRow + (weightRow - gap) / 2);
    });
    context.textAlign = 'center';
    context.textBaseline = 'top';
    const names = layersOf(info, selection.tower);
    for (const i of labelled(layers, cell, 20 * density)) context.fillText(String(names[i]), left + i * cell + (cell - gap) / 2, bottom + pixels(3));
  }

  /** No value: stripes, which no colour is. @param {number[]} box */
  function hatch([x, y, width, height]) {
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    context.strokeStyle = colours.quiet;
    context.globalAlpha = 0.55;
    context.lineWidth = Math.max(1, density * 0.8);
    context.beginPath();
    for (let start = -height; start < width; start += pixels(4)) {
      context.moveTo(x + start, y + height);
      context.lineTo(x + start + height, y);
    }
    context.stroke();
    context.restore();
  }

  /** @param {number} colour */
  function css(colour) {
    return `rgb(${colour & 255} ${(colour >>> 8) & 255} ${(colour >>> 16) & 255})`;
  }

  /** What colours mean, with numbers. */
  function explain() {
    const { comparison, palette } = state.get;
    legend.replaceChildren();
    if (!held || !comparison) return;
    const { measure, values, high, faint } = held;
    const unit = comparison.measures[measure]?.unit ?? '';
    const bar = create('canvas', { width: 64, height: 1, 'aria-hidden': 'true', class: 'av-matrix-bar' });
    const signed = isSigned(measure);
    const table = signed ? divergingPixels(isDark(), false) : solidPixels(palette);
    const image = new ImageData(64, 1);
    new Uint32Array(image.data.buffer).set(Uint32Array.from({ length: 64 }, (_, i) => table[Math.min(255, i * 4 + 2)]));
    bar.getContext('2d')?.putImageData(image, 0, 0);
    const end = formatMeasure(measure, unit, high);
    const none = values.reduce((count, value) => count + Number(Number.isNaN(value)), 0);
    const pale = faint.reduce((count, is, i) => count + Number(is && !Number.isNaN(values[i])), 0);
    const scale = [signed ? formatMeasure(measure, unit, -high) : '0', bar, end];
    legend.append(high > 0 ? create('span', { class: 'av-matrix-scale' }, scale) : create('span', { text: 'exactly 0 everywhere' }));
    if (none) legend.append(create('span', { text: `${none} hatched: no value` }));
    const little = 'in the row of one of the two: what is said of the picture says little there';
    if (pale) legend.append(create('span', { text: `${pale} faint: image mass under 1\u202f%`, title: little }));
    if (weights) {
      const more = weights.elsewhere.length ? `also changed: ${weights.elsewhere.join(', ')}` : '';
      const touched = weights.parts.length
        ? ['weights: 0', create('i', { class: 'av-weights-bar' }), `${formatPercent(weights.maximum)} changed`] : ['no weight of this tower is changed'];
      const title = 'how much of each weight is changed: Frobenius norm of the change over that of the base weight, at strength 1; a dot: not changed';
      legend.append(create('span', { class: 'av-matrix-scale', title }, touched));
      if (more) legend.append(create('span', { text: more }));
    } else legend.append(create('span', { class: 'av-weights-note', text: 'what it changes of the weights is not known here' }));
  }

  // What is pointed at

  /** @param {Place} at @returns {{x: number, y: number, width: number, height: number}} CSS pixels */
  function boxOf(at) {
    if (!layout) return { x: 0, y: 0, width: 0, height: 0 };
    const { left, cell, row, weightRow, weightsTop, gap } = layout;
    const [y, height] = 'head' in at ? [at.head * row, row] : [weightsTop + at.part * weightRow, weightRow];
    return { x: (left + at.layer * cell) / density, y: y / density, width: (cell - gap) / density, height: (height - gap) / density };
  }

  /** @param {HTMLElement} element @param {Place | null} at */
  function frameAt(element, at) {
    element.hidden = !at || !layout;
    if (!at || !layout) return;
    const { x, y, width, height } = boxOf(at);
    Object.assign(element.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
  }

  /** The selected head; of all heads of a layer, or of all layers, the whole line. */
  function outline() {
    const { info, selection } = state.get;
    frameAt(cursorBox, cursor);
    if (!info || !selection || !layout) return void (selectedBox.hidden = true);
    const { layers, heads } = counts();
    const layer = layersOf(info, selection.tower).indexOf(/** @type {number} */ (selection.layer));
    const at = { layer, head: typeof selection.head === 'number' ? selection.head : -1 };
    if (at.layer < 0 && at.head < 0) return void (selectedBox.hidden = true);
    const first = boxOf({ layer: Math.max(0, at.layer), head: Math.max(0, at.head) });
    const last = boxOf({ layer: at.layer < 0 ? layers - 1 : at.layer, head: at.head < 0 ? heads - 1 : at.head });
    selectedBox.hidden = false;
    const size = { width: `${last.x + last.width - first.x}px`, height: `${last.y + last.height - first.y}px` };
    Object.assign(selectedBox.style, { left: `${first.x}px`, top: `${first.y}px`, ...size });
  }

  function describe() {
    const { selection } = state.get;
    canvas.setAttribute('aria-label', selection
      ? `How far each head moved. Selected: layer ${selection.layer}, head ${selection.head}. Arrow keys point at a head, Enter opens it.` : 'How far each head moved');
  }

  /** @param {Place} at @returns {{name: string, lines: string[]} | null} */
  function wordsAt(at) {
    const { info, selection, comparison } = state.get;
    if (!info || !selection || !comparison) return null;
    const layer = layersOf(info, selection.tower)[at.layer];
    if ('part' in at) {
      if (!weights) return null;
      const value = weights.values[at.part * counts().layers + at.layer];
      const said = Number.isNaN(value) ? 'not changed by this adapter' : `changed by ${formatPercent(value)} of the weight's norm, at strength 1`;
      return { name: `layer ${layer} · ${weights.parts[at.part]}`, lines: [said] };
    }
    if (!held) return null;
    const i = at.layer * counts().heads + at.head;
    const unit = comparison.measures[held.measure]?.unit ?? '';
    return headWords({ measure: held.measure, unit, layer, place: at.layer, head: at.head, value: held.values[i], mass: held.masses ? held.masses[i] : null, weights });
  }

  /** @param {Place} at */
  function say(at) {
    const words = wordsAt(at);
    if (!words) return floating.hide();
    name.textContent = words.name;
    lines.replaceChildren(...words.lines.map((text) => create('p', { text })));
    const { left, top } = canvas.getBoundingClientRect();
    const { x, y, width, height } = boxOf(at);
    floating.show({ left: left + x, top: top + y, width, height });
  }

  /** @param {Place | null} at */
  function point(at) {
    cursor = at;
    frameAt(cursorBox, at);
    if (at) say(at);
    else floating.hide();
  }

  /** @param {Place | null} at */
  function open(at) {
    const { info, selection } = state.get;
    if (!at || !info || !selection) return;
    const layer = layersOf(info, selection.tower)[at.layer];
    choose('head' in at ? { layer, head: at.head } : { layer });
  }

  /** @param {PointerEvent | MouseEvent} event */
  function under(event) {
    const box = canvas.getBoundingClientRect();
    return layout && placeAt(layout, counts(), (event.clientX - box.left) * density, (event.clientY - box.top) * density);
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const move = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (event.key === 'Enter' && cursor) open(cursor);
    else if (event.key === 'Escape' && cursor) point(null);
    else if (move && layout) step(move[0], move[1]);
    else return;
    event.preventDefault();
  }

  /** To begin with, the selected head, or the one that moved most. @param {number} right @param {number} down */
  function step(right, down) {
    const { info, selection } = state.get;
    const { layers, heads, parts } = counts();
    if (!info || !selection || !layers) return;
    let next = cursor;
    if (next) {
      const line = ('head' in next ? next.head : heads + next.part) + down;
      const to = Math.min(heads + parts - 1, Math.max(0, line));
      const layer = Math.min(layers - 1, Math.max(0, next.layer + right));
      next = to < heads ? { layer, head: to } : { layer, part: to - heads };
    } else {
      const here = layersOf(info, selection.tower).indexOf(/** @type {number} */ (selection.layer));
      const most = held ? held.values.reduce((best, value, i, all) => (Math.abs(value) > Math.abs(all[best]) || Number.isNaN(all[best]) ? i : best), 0) : 0;
      next = here >= 0 && typeof selection.head === 'number' ? { layer: here, head: selection.head } : { layer: Math.floor(most / heads), head: most % heads };
    }
    point(next);
    const words = wordsAt(next);
    said.textContent = words ? `${words.name}: ${words.lines.join('; ')}` : '';
    const { x, width } = boxOf(next);
    if (x < scroller.scrollLeft || x + width > scroller.scrollLeft + scroller.clientWidth) scroller.scrollLeft = x - scroller.clientWidth / 2;
  }

  function mix() {
    const style = getComputedStyle(place);
    const [red, green, blue] = surfaceColour(place);
    const surface = pixel(red, green, blue, 255);
    const ink = red + green + blue > 384 ? pixel(20, 22, 26, 255) : pixel(240, 242, 246, 255);
    colours = { surface, ink, text: style.color, line: style.getPropertyValue('--av-line'), quiet: css(blend(surface, ink, 0.62)), font: style.fontFamily };
    redraw();
  }

  const undo = [
    listen(canvas, {
      pointermove: (/** @type {PointerEvent} */ event) => {
        if (event.pointerType === 'touch') return;
        const at = under(event);
        if (JSON.stringify(at) !== JSON.stringify(cursor)) point(at);
      },
      pointerleave: (/** @type {PointerEvent} */ event) => { if (event.pointerType !== 'touch') point(null); },
      click: (/** @type {MouseEvent} */ event) => {
        const at = under(event);
        if (/** @type {PointerEvent} */ (event).pointerType === 'touch') point(at);
        open(at);
      },
      keydown: press,
      blur: () => point(null),
    }),
    listen(scroller, { scroll: () => point(null) }),
    state.on(['info', 'selection', 'right', 'measure', 'of', 'change', 'imageMasses'], update),
    state.on(['info', 'comparison', 'tower', 'right', 'palette', 'size'], redraw),
    state.on(['theme'], mix),
  ];
  mix();

  return {
    /** What is on screen, and where each head lies, in CSS pixels from the canvas's corner. For tests. */
    get held() {
      return held;
    },
    boxOf: (/** @type {number} */ layer, /** @type {number} */ head) => boxOf({ layer, head }),
    dispose: () => {
      undo.forEach((end) => end());
      floating.dispose();
      place.replaceChildren();
    },
  };
}
