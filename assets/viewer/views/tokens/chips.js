// @ts-check
/**
 * The chips that are on the page: made part by part, unfolded and folded, found by their token, scrolled to.
 *
 * They stand in blocks, of which the browser leaves out those far from view; `near` are those beside it, and only their chips are
 * dressed. How a chip is dressed is not known here.
 */
import { create } from '../dom.js';
import { baseOf } from './chip_dress.js';
import { createTokenCells } from './token_cells.js';
import { blocksOf, gridName, inked, placeOf, segments, stops } from '../../data/token_text.js';

const TRIES = 6; // frames in which to bring a token into view
const NEAR = '50% 0px'; // half a screen above and below
const LINE = { height: 24, signs: 80 }; // about, for blocks that were never in view
const INSET_PX = 12; // of unfolded cells
const HINTS = { system: 'system prompt', prompt: 'prompt', thinking: 'thinking, written by the model', answer: 'answer, written by the model' };

/**
 * @typedef {import('../../data/token_text.js').Chip} Chip
 * @typedef {import('../../data/run_info.js').RunInfo} RunInfo
 *
 * @typedef {object} Entry  a chip on the page
 * @property {Chip} chip
 * @property {HTMLElement} element
 * @property {string} dressed          what it looks like: nothing is written twice
 * @property {Entry | null} image      the one whose inside it is in
 * @property {Block} block
 * @property {Unfolded | null} unfolded
 *
 * @typedef {{element: HTMLElement, entries: Entry[]}} Block
 * @typedef {{box: HTMLElement, cells: import('./token_cells.js').TokenCells}} Unfolded
 */

/**
 * @param {HTMLElement} strip
 * @param {(entry: Entry) => void} dressOne
 */
export function createChips(strip, dressOne) {
  /** @type {RunInfo | null} */
  let info = null;
  /** @type {import('../../data/token_text.js').Segment[]} */
  let parts = [];
  /** @type {Entry[]} all chips on the page, from the first to the last */
  let entries = [];
  /** @type {Int32Array} the first token of each */
  let starts = new Int32Array();
  /** @type {number[]} */
  let steps = [];
  /** @type {Set<number>} grids */
  const unfolded = new Set();
  /** @type {Map<Element, Block>} */
  const blocks = new Map();
  /** @type {Set<Block>} */
  const near = new Set();
  let revealing = 0;

  const watcher = new IntersectionObserver((changes) => {
    for (const { target, isIntersecting } of changes) {
      const block = blocks.get(target);
      if (!block) continue;
      if (isIntersecting) near.add(block);
      else near.delete(block);
    }
    dress();
  }, { root: strip, rootMargin: NEAR });

  function dress() {
    for (const block of near) block.entries.forEach(dressOne);
  }

  /** @param {Chip[]} chips */
  function makeBlock(chips) {
    /** @type {Block} */
    const block = { element: create('div', { class: 'av-block' }), entries: [] };
    let signs = 0;
    for (const chip of chips) {
      const entry = makeEntry(chip, block, null);
      block.entries.push(entry);
      block.element.append(entry.element, ...(chip.breaks ? [document.createElement('br')] : []));
      signs += chip.text.length;
    }
    block.element.style.containIntrinsicBlockSize = `auto ${LINE.height * Math.ceil(signs / LINE.signs)}px`;
    blocks.set(block.element, block);
    watcher.observe(block.element);
    return block.element;
  }

  /** @param {Chip} chip @param {Block} block @param {Entry | null} image @returns {Entry} */
  function makeEntry(chip, block, image) {
    const isImage = chip.kind === 'image';
    const element = create('span', { class: baseOf(chip), role: 'button', tabindex: isImage ? 0 : -1, 'data-token': chip.token });
    if (isImage) {
      element.textContent = chip.text;
      element.dataset.grid = String(chip.grid);
      element.setAttribute('aria-expanded', 'false');
    } else {
      const { text } = /** @type {RunInfo} */ (info).tokens[chip.token];
      element.append(...inked(text).map((piece) => (piece.isSpace && text.trim() ? create('span', { class: 'av-space', text: piece.text }) : piece.text)));
      if (!text) element.textContent = '∅';
      element.setAttribute('aria-pressed', 'false');
    }
    return { chip, element, dressed: '', image, block, unfolded: null };
  }

  /** What is on the page has changed. */
  function list() {
    entries = [...blocks.values()].flatMap((block) => block.entries);
    starts = Int32Array.from(entries, ({ chip }) => chip.token);
    steps = stops(parts, unfolded);
  }

  /** The chip that a token is in. @param {number} token @returns {Entry | undefined} */
  function entryOf(token) {
    const found = entries[placeOf(starts, token + 1) - 1];
    return found?.image && token >= found.chip.token + found.chip.count ? found.image : found;
  }

  /** @param {Entry} entry */
  const widthFor = ({ element }) => /** @type {HTMLElement} */ (element.parentElement).clientWidth - INSET_PX;

  /** @param {Entry} entry @param {RunInfo} of */
  function unfold(entry, of) {
    const grid = /** @type {number} */ (entry.chip.grid);
    const cells = createTokenCells(of.grids[grid], gridName(of, grid));
    const inside = (entry.chip.inside ?? []).map((chip) => makeEntry(chip, entry.block, entry));
    const box = create('div', { class: 'av-unfolded' }, [create('div', { class: 'av-cells-place' }, [cells.element])]);
    if (inside.length) box.append(create('div', { class: 'av-inside' }, ['between its cells: ', ...inside.map(({ element }) => element)]));
    cells.fit(widthFor(entry));
    entry.element.after(box);
    entry.unfolded = { box, cells };
    unfolded.add(grid);
    entry.block.entries = entry.block.entries.flatMap((other) => (other === entry ? [other, ...inside] : [other]));
  }

  /** @param {Entry} entry */
  function fold(entry) {
    entry.unfolded?.box.remove();
    entry.unfolded = null;
    unfolded.delete(/** @type {number} */ (entry.chip.grid));
    entry.block.entries = entry.block.entries.filter((other) => other.image !== entry);
  }

  /** Where a token lies on the page: its chip, or its cell where that is unfolded. @param {Entry} entry @param {number} token */
  function boxOf(entry, token) {
    const place = info?.tokens[token];
    const isCell = place && entry.unfolded && place.grid === entry.chip.grid && place.row !== null && place.col !== null;
    return isCell ? /** @type {Unfolded} */ (entry.unfolded).cells.boxOf(/** @type {number} */ (place.row), /** @type {number} */ (place.col)) : entry.element.getBoundingClientRect();
  }

  /**
   * Scroll the strip, and nothing else, until a token is in it: at the start of the next frame, when nothing is laid out twice. What
   * comes into view there may be larger than was thought, so it is looked at again.
   * @param {number} token
   * @param {number} [tries]
   */
  function reveal(token, tries = TRIES) {
    window.cancelAnimationFrame(revealing);
    revealing = window.requestAnimationFrame(() => {
      const entry = entryOf(token);
      if (!entry || !info?.tokens[token]) return;
      const corner = strip.getBoundingClientRect();
      const box = boxOf(entry, token);
      const top = box.y - corner.y;
      const height = strip.clientHeight;
      const isIn = top >= 0 && top + box.height <= height;
      if (isIn && tries === TRIES) return;
      if (tries > 1) reveal(token, tries - 1);
      if (isIn) return;
      const isFar = top < -height || top > 2 * height;
      strip.scrollTop += isFar ? top - (height - box.height) / 2 : top < 0 ? top - box.height / 2 : top + 1.5 * box.height - height;
      near.add(entry.block);
      dress();
    });
  }

  return {
    /** Chips of a run's tokens, all folded. @param {RunInfo | null} next */
    show(next) {
      info = next;
      parts = info ? segments(info) : [];
      unfolded.clear();
      blocks.clear();
      near.clear();
      watcher.disconnect();
      strip.replaceChildren(...parts.map(({ role, chips }) => create('div', { class: `av-segment av-${role}`, role: 'group', 'aria-label': HINTS[role] }, [
        create('span', { class: 'av-role', 'aria-hidden': 'true', text: role }),
        create('div', { class: 'av-text' }, blocksOf(chips).map(makeBlock)),
      ])));
      list();
      strip.scrollTop = 0;
    },

    entryOf,
    first: () => entries[0],
    /** Those whose cells are seen. @returns {(Entry & {unfolded: Unfolded})[]} */
    unfolded: () => /** @type {any} */ (entries.filter((entry) => entry.unfolded)),
    /** Tokens that steps go through, ascending. */
    steps: () => steps,

    /** Unfold an image's chip, or fold it. @param {Entry} entry @returns {boolean} whether it is unfolded now */
    toggle(entry) {
      if (entry.unfolded) fold(entry);
      else unfold(entry, /** @type {RunInfo} */ (info));
      list();
      const isOpen = entry.unfolded !== null;
      entry.element.setAttribute('aria-expanded', String(isOpen));
      return isOpen;
    },

    /** The strip has another width. */
    refit() {
      for (const entry of entries) entry.unfolded?.cells.fit(widthFor(entry));
    },

    dress,
    reveal,

    dispose() {
      watcher.disconnect();
      window.cancelAnimationFrame(revealing);
    },
  };
}
