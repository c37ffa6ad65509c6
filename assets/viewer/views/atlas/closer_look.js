// @ts-check
/**
 * A closer look at one small map: what it is at once, after a moment the map itself, larger; first as the atlas has it, averaged down,
 * then cell by cell as soon as its layer's row is there.
 */
import { formatRatio, isRatio } from '../../numbers/ratios.js';
import { create } from '../dom.js';
import { makeDrawn } from '../../numbers/coloured_map.js';
import { createFloating } from '../floating.js';
import { makeShown } from '../../state/follow.js';
import { formatSigned } from '../../numbers/change_measures.js';
import { formatPercent, formatValue } from '../../data/format.js';
import { fitInside } from '../../paint/geometry.js';
import { paintMaps } from '../../paint/small_maps.js';

const SIZE_PX = 216;
const OPEN_MS = 140;
const ASK_MS = 90; // a pointer on its way asks the server for nothing

/**
 * @typedef {import('../../paint/small_maps.js').SmallMap} SmallMap
 *
 * @typedef {object} Item
 * @property {import('../../data/run_info.js').Choice} layer
 * @property {import('../../data/run_info.js').Choice} head
 * @property {string} name      what it is, in words
 * @property {string} about     the number by which it is ordered
 * @property {number} mass
 * @property {SmallMap} map     as it is painted
 * @property {{rows: number, cols: number}} shape
 */

/**
 * @param {HTMLElement} parent
 * @param {import('../../state/fields.js').ViewerState} state
 * @param {object} drawing
 * @param {() => import('../../paint/small_maps.js').Colours} drawing.colours
 * @param {() => number | null} drawing.shared  where the range of all maps ends
 */
export function createCloserLook(parent, state, { colours, shared }) {
  const canvas = create('canvas', { class: 'av-look-canvas' });
  const [name, about, peak] = ['name', 'about', 'peak'].map((line) => create('p', { class: `av-look-${line}` }));
  const floating = createFloating(parent, 'av-look', [canvas, name, about, peak]);
  const { panel } = floating;
  /** @type {Item | null} */
  let item = null;
  /** @type {{left: number, top: number, width: number, height: number}} */
  let box = { left: 0, top: 0, width: 0, height: 0 };
  /** @type {number | undefined} */
  let opening;
  /** @type {number | undefined} */
  let asking;
  let isOpen = false;

  /** @param {Item} next @param {typeof box} where  in the window */
  function show(next, where) {
    const isSame = item && item.map === next.map;
    box = where;
    if (isSame) return;
    item = next;
    window.clearTimeout(asking);
    panel.dataset.layer = String(next.layer);
    panel.dataset.head = String(next.head);
    const exact = kept(next);
    write(next, exact);
    // A map that is as large already gains nothing.
    const isWorthIt = Math.max(where.width, where.height) < 0.8 * SIZE_PX;
    canvas.hidden = peak.hidden = !isOpen || !isWorthIt;
    if (isWorthIt && !isOpen) {
      window.clearTimeout(opening);
      opening = window.setTimeout(open, OPEN_MS);
    } else paint(next, exact);
    floating.show(box);
    if (!exact) asking = window.setTimeout(() => ask(next), ASK_MS);
  }

  function open() {
    if (!item) return;
    isOpen = true;
    canvas.hidden = peak.hidden = false;
    paint(item, kept(item));
    floating.show(box);
  }

  function hide() {
    window.clearTimeout(opening);
    window.clearTimeout(asking);
    if (item) state.get.source?.drop('look');
    item = null;
    isOpen = false;
    floating.hide();
  }

  /** The row that holds it, of the token on screen. @param {Item} about @returns {import('../../data/source.js').RowWish | null} */
  function wishOf({ layer, head }) {
    const { shown } = state.get;
    // A column of every layer takes long, and a glance is not worth it.
    if (!shown || ((shown.direction !== 'reads' || shown.effect) && typeof layer === 'string')) return null;
    const { tower, direction, query, until, effect } = shown;
    return { tower, direction, layer, head, query, until, effect: effect?.name ?? null, ...(isRatio(effect) && { isRatio: true }) };
  }

  /** @param {Item} wanted @param {import('../../data/source.js').Numbers | null | undefined} numbers */
  function exactOf({ layer, head }, numbers) {
    const { info, selection, shown } = state.get;
    return info && selection && numbers ? makeShown(info, { ...selection, layer, head }, numbers, { effect: shown?.effect ?? null }) : null;
  }

  /** @param {Item} wanted */
  function kept(wanted) {
    const wish = wishOf(wanted);
    return exactOf(wanted, wish && state.get.source?.keptRow(wish));
  }

  /** @param {Item} wanted */
  async function ask(wanted) {
    const wish = wishOf(wanted);
    const numbers = wish && (await state.get.source?.look(wish).catch(() => null)); // the averaged map stays
    const exact = item === wanted ? exactOf(wanted, numbers) : null;
    if (!exact) return;
    write(wanted, exact);
    paint(wanted, exact);
    floating.show(box);
  }

  /** @param {Item} of @param {import('../../state/fields.js').Shown | null} exact */
  function write(of, exact) {
    const { info, shown, grid } = state.get;
    panel.dataset.exact = String(Boolean(exact));
    name.textContent = of.name;
    const isRow = shown?.direction === 'reads';
    const several = info && grid !== null && info.grids.filter(({ tower }) => tower === info.grids[grid].tower).length > 1;
    const mass = exact?.mass ?? of.mass;
    // A maximum over heads has no mass: its values are of many rows.
    const sum = of.head === 'max' || isRatio(shown?.effect) ? '' : shown?.effect ? `${formatSigned(mass)} nats in all` : isRow ? `${several ? 'on this picture' : 'image mass'} ${formatPercent(mass)}` : `sum ${formatValue(mass)}`;
    about.textContent = [sum, of.about].filter(Boolean).join(' · ');
    const cols = info && grid !== null ? info.grids[grid].cols : 1;
    peak.textContent = exact
      ? `${isRatio(exact.effect) ? `farthest ${formatRatio(exact.cells[exact.argmax])}` : exact.effect ? `largest ${formatSigned(exact.cells[exact.argmax])}` : `max ${formatValue(exact.cells[exact.argmax])}`} at row ${Math.floor(exact.argmax / cols)}, col ${exact.argmax % cols}`
      : `averaged to ${of.shape.rows}×${of.shape.cols}`;
  }

  /** @param {Item} of @param {import('../../state/fields.js').Shown | null} exact */
  function paint(of, exact) {
    const { info, grid } = state.get;
    if (canvas.hidden || !info || grid === null) return;
    const { rows, cols, box_px: [x0, y0, x1, y1] } = info.grids[grid];
    const density = window.devicePixelRatio || 1;
    const { width, height } = fitInside(x1 - x0, y1 - y0, SIZE_PX * density, SIZE_PX * density);
    Object.assign(canvas, { width, height });
    canvas.style.width = `${width / density}px`;
    canvas.style.height = `${height / density}px`;
    const drawn = exact && makeDrawn(exact, state.get, shared());
    const map = drawn
      ? { values: drawn.values, offset: 0, high: drawn.range.factor > 0 ? drawn.range.high / drawn.range.factor : 0, hidden: drawn.hidden, share: null, x: 0, y: 0 }
      : { ...of.map, share: null, x: 0, y: 0 };
    const image = new ImageData(width, height);
    paintMaps([map], { ...(drawn ? { rows, cols } : of.shape), width, height }, colours(), new Uint32Array(image.data.buffer), width);
    canvas.getContext('2d').putImageData(image, 0, 0);
  }

  return {
    show,
    hide,
    dispose() {
      hide();
      floating.dispose();
    },
  };
}
