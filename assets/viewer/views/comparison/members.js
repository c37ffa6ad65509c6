// @ts-check
/**
 * Everyone who is compared: name, strength, the answer of its own, and where there are several adapters the same head's map of each. A
 * click sets that one against the first; on the base, the base is the first again.
 */
import { answersOf, memberName, memberNames, strengthOf } from '../../data/comparison_info.js';
import { isOf } from '../../data/selection.js';
import { selectionOf } from '../../state/own_heads.js';
import { create, isDark, part, surfaceColour } from '../dom.js';
import { formatPercent } from '../../data/format.js';
import { fitInside } from '../../paint/geometry.js';
import { paintMaps } from '../../paint/small_maps.js';
import { blend, divergingPixels, pixel, solidPixels } from '../../paint/palette.js';
import { areShares } from '../../data/selection.js';
import { isSigned } from '../../numbers/colour_range.js';
import { withoutSinks } from '../../numbers/sinks.js';

/** CSS pixels, at most. */
const THUMB = { width: 84, height: 52 };
const STRIPE_PX = 2;
const LONG_START = 12; // signs that are left out where a longer start is the same as the base's
const ENDING = 5; // signs of a name that are always seen, or its last word: steps differ in their last
const LONGEST_ENDING = 10;

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ComparisonState} state
 * @param {{compare: (two: {left?: number, right?: number}) => void}} actions
 */
export function createMembers(root, state, { compare }) {
  const place = part(root, 'members');
  /** @type {{card: HTMLElement, choose: HTMLElement, role: HTMLElement, thumb: HTMLCanvasElement | null, painted: any[]}[]} */
  let cards = [];
  let stripes = [0, 0];

  function build() {
    const { comparison } = state.get;
    const members = comparison?.members ?? [];
    const isMany = members.length > 2;
    place.classList.toggle('av-many', isMany);
    const names = memberNames(members);
    const answers = comparison ? answersOf(comparison) : [];
    const areSame = answers.length > 1 && answers.slice(1).every(({ isSame }) => isSame);
    cards = members.map((member, i) => {
      const { text, isSame, note, common } = answers[i];
      const role = create('span', { class: 'av-member-role' });
      const thumb = isMany ? create('canvas', { class: 'av-member-map', 'aria-hidden': 'true' }) : null;
      const strength = create('span', { class: 'av-strength', text: strengthOf(member) });
      const name = create('span', { class: 'av-member-name' }, [create('b', {}, ends(names[i])), strength, ...(thumb ? [] : [role])]);
      const top = thumb ? [create('span', { class: 'av-member-top' }, [thumb, role])] : [];
      const choose = create('button', { type: 'button', class: 'av-member-choose', title: titleOf(member) }, [...top, name]);
      choose.addEventListener('click', () => choosing(i));
      const says = create('p', { class: 'av-member-answer' });
      if (isSame) says.append(create('i', { text: 'same answer' }), ...(areSame && !isMany ? [` “${text}”`] : []));
      else says.append(text ? `“${common > LONG_START ? '…' : ''}${common > LONG_START ? text.slice(common) : text}”` : create('i', { text: 'no answer' }));
      if (note) says.append(create('i', { class: 'av-member-note', text: note }));
      says.title = [text, isSame && 'the same as that of the base', note].filter(Boolean).join('\n');
      const card = create('div', { class: 'av-member', 'data-member': i }, [choose, says]);
      return { card, choose, role, thumb, painted: [] };
    });
    place.replaceChildren(...cards.map(({ card }) => card));
    mark();
    paint();
  }

  /** @param {import('../../data/comparison_info.js').Member} member */
  function titleOf({ name, adapter, model }) {
    if (name) return [model && `${model.id}${model.revision ? ` @ ${model.revision.slice(0, 12)}` : ''}, ${model.dtype}`, adapter?.id, 'set it against the first'].filter(Boolean).join(': ');
    if (!adapter) return 'the base, without an adapter: set the other against it';
    return `${adapter.id}${adapter.revision ? ` @ ${adapter.revision.slice(0, 12)}` : ''}, strength ${adapter.scale}: set it against the first`;
  }

  /** @param {number} member */
  function choosing(member) {
    const { left, right } = state.get;
    if (member === 0) compare({ left: 0 });
    else if (member === left) compare({ left: right, right: left });
    else compare({ right: member });
  }

  function mark() {
    const { left, right, comparison, reading } = state.get;
    cards.forEach(({ card, choose, role }, i) => {
      const of = i === left ? 'first' : i === right ? 'second' : '';
      card.dataset.role = of;
      const why = reading?.members?.[i]?.why ?? '';
      role.textContent = why ? (reading?.kind === 'forecast' ? 'no forecast' : 'no ratios') : of;
      role.title = why;
      choose.setAttribute('aria-pressed', String(Boolean(of)));
      if (comparison) choose.setAttribute('aria-label', `${memberName(comparison.members, i)}${of ? `, the ${of} of the pair` : ''}`);
    });
  }

  function mix() {
    const [red, green, blue] = surfaceColour(root);
    const surface = pixel(red, green, blue, 255);
    const ink = red + green + blue > 384 ? pixel(0, 0, 0, 255) : pixel(255, 255, 255, 255);
    stripes = [blend(surface, ink, 0.16), blend(surface, ink, 0.4)];
    paint();
  }

  /** Each map on the scale of the pair on screen; one that is not here yet is pale. */
  function paint() {
    const { info, maps, rows, right, selection, own, palette, sinks, curve, theme, size, reading } = state.get;
    const density = window.devicePixelRatio || 1;
    cards.forEach((card, i) => {
      const { thumb } = card;
      const shown = rows[i] ?? null;
      if (!thumb || !info || !selection) return;
      const isNow = isOf(info, selectionOf(selection, own, i), shown, reading);
      thumb.classList.toggle('av-stale', !isNow);
      if (!isNow || !shown || shown.grid === null || !maps || !shown.cells.length) {
        if (isNow) thumb.getContext('2d')?.clearRect(0, 0, thumb.width, thumb.height);
        return;
      }
      const { range } = i === right ? maps.after : maps.before;
      const now = [shown, range, palette, sinks, curve, theme, size];
      if (now.every((value, k) => value === card.painted[k])) return;
      card.painted = now;
      const grid = info.grids[shown.grid];
      const [x0, y0, x1, y1] = grid.box_px;
      const room = { width: Math.round(THUMB.width * density), height: Math.round(THUMB.height * density) };
      const fitted = fitInside(x1 - x0, y1 - y0, room.width, room.height);
      Object.assign(thumb, fitted);
      Object.assign(thumb.style, { width: `${fitted.width / density}px`, height: `${fitted.height / density}px` });
      const { values, hidden } = withoutSinks(shown.cells, shown.sinks, shown.direction === 'read by' || shown.effect ? 'raw' : sinks);
      const image = new ImageData(fitted.width, fitted.height);
      const map = { values, offset: 0, high: range.factor > 0 ? range.high / range.factor : 0, share: null, hidden, x: 0, y: 0 };
      const isEffect = isSigned(range);
      const colours = { palette: isEffect ? divergingPixels(isDark(), false) : solidPixels(palette), isSigned: isEffect, curve, stripes, stripe: Math.max(1, Math.round(STRIPE_PX * density)), bar: null };
      paintMaps([map], { rows: grid.rows, cols: grid.cols, ...fitted }, colours, new Uint32Array(image.data.buffer), fitted.width);
      /** @type {CanvasRenderingContext2D} */ (thumb.getContext('2d')).putImageData(image, 0, 0);
      card.card.title = shown.direction === 'reads' && areShares(shown) ? `image mass ${formatPercent(shown.imageMass)}; its map on the scale of the pair` : 'its map on the scale of the pair';
    });
  }

  const undo = [
    state.on(['comparison'], build),
    state.on(['left', 'right', 'comparison', 'reading'], mark),
    state.on(['rows', 'maps', 'selection', 'own', 'palette', 'sinks', 'curve', 'size', 'reading'], paint),
    state.on(['theme'], mix),
  ];
  mix();
  build();
  return { dispose: () => { undo.forEach((end) => end()); place.replaceChildren(); } };
}

/** A name in two parts, of which the first may be cut short. @param {string} name */
function ends(name) {
  const word = Math.max(name.lastIndexOf('-'), name.lastIndexOf('/'), name.lastIndexOf('_'));
  const at = word > 0 && name.length - word <= LONGEST_ENDING ? word : Math.max(0, name.length - ENDING);
  return [create('span', { text: name.slice(0, at) }), create('span', { class: 'av-ending', text: name.slice(at) })];
}
