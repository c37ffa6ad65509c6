// @ts-check
/**
 * The tokens as chips, part by part: tinted by the numbers on screen, searched, unfolded, selected one by one, as a range, as a word.
 *
 * There may be thousands of them. They stand in blocks, of which the browser leaves out those far from view; only the chips of the
 * blocks near it are dressed (tint, frame, marks), others when they come near. While something is selected nothing is measured.
 */
import { create, listen, part, placeTip } from '../dom.js';
import { keysOfGrid } from '../../data/run_info.js';
import { findAll, matchFrom, searchable } from '../../data/search.js';
import { pointsAtTokens, queryOf } from '../../data/selection.js';
import { createTokenCells, readInks } from './token_cells.js';
import { attentionReading } from '../../text/token.js';
import { createTokenSearch } from './token_search.js';
import { blocksOf, gridName, inked, placeOf, segments, stopBeside, stops, visible } from '../../data/token_text.js';
import { strengthOf, tintEnd } from '../../numbers/token_tint.js';
import { wordAt } from '../../data/word_bounds.js';

const PAGE = 10;
const TRIES = 6; // frames in which to bring a token into view
const NEAR = '50% 0px'; // half a screen above and below
const LINE = { height: 24, signs: 80 }; // about, for blocks that were never in view
const STRONG = 35; // per cent of tint from which quiet text would be hard to read
const LONG = 60;
const HINTS = { system: 'system prompt', prompt: 'prompt', thinking: 'thinking, written by the model', answer: 'answer, written by the model' };

let strips = 0;

/**
 * @typedef {import('../../data/token_text.js').Chip} Chip
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
 * @typedef {{box: HTMLElement, cells: import('./token_cells.js').TokenCells, inside: Entry[]}} Unfolded
 */

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 * @param {Pick<import('../../state/actions.js').Actions, 'selectToken' | 'extendTo' | 'focusGrid'>} actions
 * @param {import('../../text/token.js').Reading} [reading]
 */
export function createTokenStrip(root, state, { selectToken, extendTo, focusGrid }, reading = attentionReading(state)) {
  const frame = part(root, 'strip');
  const strip = part(root, 'tokens');
  const tip = part(root, 'token-tip');
  const note = part(root, 'tint-note');
  tip.id = `av-token-tip-${strips++}`;

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
  /** @type {import('../../numbers/token_tint.js').Tint | null} */
  let tint = null;
  let [from, to, query] = [-1, -1, -1]; // the selected tokens, and the row that is read
  /** @type {Entry | undefined} the one that Tab comes to */
  let tabbed;
  /** @type {import('./token_cells.js').Inks | null} */
  let inks = null;
  let isRanging = false;
  let revealing = 0;
  let isHovering = false;
  /** @type {{entry: Entry, cell: {row: number, col: number} | null} | null} what is pointed at */
  let pointed = null;

  /** @type {Map<Element, Block>} */
  const blocks = new Map();
  /** @type {Set<Block>} */
  const near = new Set();

  // Search
  let all = searchable({ tokens: [] });
  /** @type {import('../../data/search.js').Match[]} */
  let matches = [];
  let [now, isChosen] = [0, false];
  let marks = new Uint8Array(); // of each token: 1 in a match, 2 in the one that is next

  const words = create('span', { class: 'av-tint-words' });
  const low = create('span', { text: '0' });
  const high = create('span', { class: 'av-tint-high' });
  const scale = create('span', { class: reading.isSigned ? 'av-tint-scale av-signed' : 'av-tint-scale' }, ['tint ', low, create('i', { class: 'av-tint-colours' }), high]);
  const ranging = create('button', { type: 'button', class: 'av-toggle av-ranging', text: 'range', title: 'the next token that is clicked ends a range; so does a click with shift' });
  const place = create('span', { class: 'av-finding', role: 'search' });
  note.replaceChildren(scale, words, ranging, place);
  const search = createTokenSearch(place, {
    search(wanted) {
      matches = findAll(all, wanted);
      [now, isChosen] = [matchFrom(matches, from), false];
      markMatches();
      return matches.length;
    },
    go(by) {
      if (isChosen || by < 0) now = (now + by + matches.length) % matches.length;
      isChosen = true;
      markMatches();
      const { first, last } = matches[now];
      selectToken(first, last > first ? last : null);
      return now;
    },
    at: () => now,
    leave: () => tabbed?.element.focus({ preventScroll: true }),
  });

  // Chips

  function build() {
    const { info } = state.get;
    parts = info ? segments(info) : [];
    all = searchable(info ?? { tokens: [] });
    unfolded.clear();
    blocks.clear();
    near.clear();
    watcher.disconnect();
    strip.replaceChildren(...parts.map(({ role, chips }) => create('div', { class: `av-segment av-${role}`, role: 'group', 'aria-label': HINTS[role] }, [
      create('span', { class: 'av-role', 'aria-hidden': 'true', text: role }),
      create('div', { class: 'av-text' }, blocksOf(chips).map(makeBlock)),
    ])));
    list();
    tabbed = undefined;
    strip.scrollTop = 0;
    search.clear();
    point(null);
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
      const text = /** @type {import('../../data/run_info.js').RunInfo} */ (state.get.info).tokens[chip.token].text;
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
  function toggle(entry) {
    const { info } = state.get;
    const grid = /** @type {number} */ (entry.chip.grid);
    if (!info) return;
    const isOpen = !entry.unfolded;
    point(null);
    if (entry.unfolded) {
      entry.unfolded.box.remove();
      entry.unfolded = null;
      unfolded.delete(grid);
      entry.block.entries = entry.block.entries.filter((other) => other.image !== entry);
    } else {
      const cells = createTokenCells(info.grids[grid], gridName(info, grid));
      const inside = (entry.chip.inside ?? []).map((chip) => makeEntry(chip, entry.block, entry));
      const box = create('div', { class: 'av-unfolded' }, [create('div', { class: 'av-cells-place' }, [cells.element])]);
      if (inside.length) box.append(create('div', { class: 'av-inside' }, ['between its cells: ', ...inside.map(({ element }) => element)]));
      cells.fit(/** @type {HTMLElement} */ (entry.element.parentElement).clientWidth - 12);
      entry.element.after(box);
      entry.unfolded = { box, cells, inside };
      unfolded.add(grid);
      entry.block.entries = entry.block.entries.flatMap((other) => (other === entry ? [other, ...inside] : [other]));
    }
    list();
    entry.element.setAttribute('aria-expanded', String(isOpen));
    if (isOpen) focusGrid(grid);
    retint();
  }

  // What is in view

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

  /** @param {Entry} entry */
  function dressOne(entry) {
    const { chip, element } = entry;
    const last = chip.token + chip.count - 1;
    const isSelected = to >= chip.token && from <= last && !entry.unfolded;
    let name = baseOf(chip);
    if (isSelected) {
      name += ' av-selected';
      if (from < chip.token || to > last) name += ` av-range${from >= chip.token ? ' av-first' : ''}${to <= last ? ' av-last' : ''}`;
    } else if (query >= chip.token && query <= last) name += ' av-reading';
    let strength = 0;
    if (tint && chip.kind === 'token') {
      if (tint.hidden?.[chip.token]) name += ' av-sink';
      else {
        const value = valueOf(chip);
        strength = strengthOf(tint, value);
        if (value < 0) name += ' av-less';
      }
      if (strength >= STRONG) name += ' av-strong';
    }
    name += reading.mark(chip);
    let mark = 0;
    for (let token = chip.token; token <= last && matches.length; token++) mark = Math.max(mark, marks[token]);
    if (mark) name += mark > 1 ? ' av-match av-match-now' : ' av-match';
    const dressed = `${name} ${strength}`;
    if (entry.dressed === dressed) return;
    entry.dressed = dressed;
    element.className = name;
    element.style.setProperty('--av-tint', `${strength}%`);
    if (chip.kind === 'token') element.setAttribute('aria-pressed', String(isSelected));
  }

  /** What is read of a chip; of a sign in several pieces of all of them, or by them on average. @param {Pick<Chip, 'token' | 'count'>} chip */
  function valueOf({ token, count }) {
    let sum = 0;
    for (let i = token; i < token + count; i++) sum += tint?.values[i] ?? 0;
    return state.get.shown?.direction === 'read by' ? sum / count : sum;
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
      const place = state.get.info?.tokens[token];
      if (!entry || !place) return;
      const corner = strip.getBoundingClientRect();
      const isCell = entry.unfolded && place.grid === entry.chip.grid;
      const box = isCell && entry.unfolded && place.row !== null && place.col !== null ? entry.unfolded.cells.boxOf(place.row, place.col) : entry.element.getBoundingClientRect();
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

  // What the state says

  function mark() {
    const { info, selection } = state.get;
    const isToken = info && selection && pointsAtTokens(selection);
    const isNew = !isToken || selection.token !== from || (selection.until ?? selection.token) !== to;
    [from, to, query] = isToken ? [selection.token, selection.until ?? selection.token, queryOf(info, selection)] : [-1, -1, -1];
    const next = isToken ? entryOf(from) : tabbed ?? entries[0];
    if (next !== tabbed) {
      const isHere = strip.contains(document.activeElement) && document.activeElement === tabbed?.element;
      if (tabbed?.chip.kind === 'token') tabbed.element.setAttribute('tabindex', '-1');
      next?.element.setAttribute('tabindex', '0');
      tabbed = next;
      if (isHere) next?.element.focus({ preventScroll: true });
    }
    if (isNew) reveal(from);
    dress();
    paintCells();
  }

  function retint() {
    tint = state.get.info && reading.tint(steps);
    scale.hidden = !tint;
    if (tint) {
      high.textContent = `${reading.isSigned ? '+' : ''}${tintEnd(tint)}`;
      low.textContent = reading.isSigned ? `−${tintEnd(tint)}` : '0';
    }
    words.textContent = reading.words(tint);
    words.title = words.textContent;
    dress();
    paintCells();
    if (pointed) showTip();
  }

  function paintCells() {
    const { info, grid, hover } = state.get;
    if (!info || !unfolded.size) return;
    inks ??= readInks(strip);
    for (const entry of entries) {
      if (!entry.unfolded) continue;
      const own = /** @type {number} */ (entry.chip.grid);
      const under = pointed?.entry === entry ? pointed.cell : null;
      const isSelected = (/** @type {number} */ token) => token >= from && token <= to;
      entry.unfolded.cells.paint({ keys: keysOfGrid(info, own), tint, inks, isSelected, hover: grid === own ? hover ?? under : under });
    }
  }

  function refit() {
    for (const { element, unfolded: open } of entries) open?.cells.fit(/** @type {HTMLElement} */ (element.parentElement).clientWidth - 12);
    paintCells();
  }

  function markMatches() {
    marks = new Uint8Array(all.starts.length);
    matches.forEach(({ first, last }, i) => marks.fill(i === now ? 2 : 1, first, last + 1));
    if (matches.length) reveal(matches[now].first);
    dress();
  }

  // What is pointed at

  /** @param {{entry: Entry, cell: {row: number, col: number} | null} | null} at */
  function point(at) {
    const hadCell = pointed?.cell;
    pointed = at;
    if (at) showTip();
    else tip.hidden = true;
    if (hadCell || at?.cell) paintCells();
  }

  function showTip() {
    const { info } = state.get;
    if (!info || !pointed) return;
    const { entry, cell } = pointed;
    const corner = frame.getBoundingClientRect();
    let box = entry.element.getBoundingClientRect();
    if (cell && entry.unfolded) {
      const grid = /** @type {number} */ (entry.chip.grid);
      const token = keysOfGrid(info, grid)[cell.row * info.grids[grid].cols + cell.col];
      box = /** @type {any} */ (entry.unfolded.cells.boxOf(cell.row, cell.col));
      tip.textContent = `token ${token} · row ${cell.row}, col ${cell.col}${saidOf({ token, count: 1 })}`;
    } else tip.textContent = describe(entry.chip);
    placeTip(tip, { x: box.x - corner.x, y: box.y - corner.y, width: box.width, height: box.height }, frame.clientWidth);
  }

  /** A chip in words: index, text, role, what is read of it, how probable it was. @param {Chip} chip */
  function describe(chip) {
    const info = /** @type {import('../../data/run_info.js').RunInfo} */ (state.get.info);
    const { token, count } = chip;
    const which = count > 1 ? `tokens ${token}–${token + count - 1}` : `token ${token}`;
    if (chip.kind === 'image') {
      const grid = /** @type {number} */ (chip.grid);
      return `${which} · ${gridName(info, grid)}, a token for each cell${reading.saidOfGrid(grid)} · ${entryOf(token)?.unfolded ? 'click: fold' : 'click: unfold'}`;
    }
    const { text, role } = info.tokens[token];
    const seen = visible(text);
    return `${which} · “${seen.length > LONG ? `${seen.slice(0, LONG)}…` : seen}” · ${role}${saidOf(chip)}${reading.odds(chip)}`;
  }

  /** What is read of tokens. @param {Pick<Chip, 'token' | 'count'>} chip */
  function saidOf(chip) {
    return tint ? reading.said(chip, valueOf(chip), tint) : '';
  }

  // What a person does

  /** The entry that an event is about. @param {Event} event @returns {Entry | undefined} */
  function under(event) {
    const target = /** @type {Element} */ (event.target);
    const element = target.closest('.av-token') ?? target.closest('.av-unfolded')?.previousElementSibling;
    return element ? entryOf(Number(/** @type {HTMLElement} */ (element).dataset.token)) : undefined;
  }

  /** @param {number} token @param {boolean} isRange */
  function choose(token, isRange) {
    if (isRange || isRanging) extendTo(token);
    else selectToken(token);
    setRanging(false);
  }

  /** @param {boolean} is */
  function setRanging(is) {
    isRanging = is;
    ranging.setAttribute('aria-pressed', String(is));
  }

  /** @param {MouseEvent} event */
  function click(event) {
    const entry = under(event);
    const { info } = state.get;
    if (!entry || !info) return;
    const cell = cellUnder(entry, event);
    if (cell) {
      const grid = /** @type {number} */ (entry.chip.grid);
      const token = keysOfGrid(info, grid)[cell.row * info.grids[grid].cols + cell.col];
      if (state.get.grid !== grid && !event.shiftKey && !isRanging) focusGrid(grid);
      choose(token, event.shiftKey);
    } else if (/** @type {Element} */ (event.target).closest('.av-token')) {
      entry.element.focus({ preventScroll: true });
      if (entry.chip.kind === 'image') toggle(entry);
      else choose(entry.chip.token, event.shiftKey);
    }
    // A finger does not hover: what it tapped is said until it taps elsewhere.
    if (/** @type {PointerEvent} */ (event).pointerType === 'touch') point({ entry, cell });
  }

  /** @param {MouseEvent} event */
  function chooseWord(event) {
    const entry = under(event);
    const { info } = state.get;
    if (!entry || !info || entry.chip.kind === 'image' || event.shiftKey) return;
    const { first, last } = wordAt(info, entry.chip.token);
    selectToken(first, last > first ? last : null);
  }

  /** @param {Entry} entry @param {MouseEvent | PointerEvent} event */
  function cellUnder(entry, event) {
    return entry.unfolded && event.target === entry.unfolded.cells.element ? entry.unfolded.cells.under(event) : null;
  }

  /** @param {PointerEvent} event */
  function move(event) {
    const entry = under(event);
    const cell = entry ? cellUnder(entry, event) : null;
    const isOn = entry && (cell || /** @type {Element} */ (event.target).closest('.av-token'));
    if (entry && pointed?.entry === entry && pointed.cell?.row === cell?.row && pointed.cell?.col === cell?.col) return;
    point(isOn ? { entry: /** @type {Entry} */ (entry), cell } : null);
    hover(cell && state.get.grid === entry?.chip.grid ? cell : null);
  }

  /** The cell that is pointed at here is pointed at in every view; another view's cell is not ours to take away. @param {{row: number, col: number} | null} cell */
  function hover(cell) {
    if (cell || isHovering) state.set({ hover: cell });
    isHovering = cell !== null;
  }

  function leave() {
    point(null);
    hover(null);
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const entry = under(event);
    if ((event.key === 'Enter' || event.key === ' ') && entry && /** @type {Element} */ (event.target).closest('.av-token')) {
      event.preventDefault();
      if (entry.chip.kind === 'image') toggle(entry);
      else choose(entry.chip.token, event.shiftKey);
      return;
    }
    const by = { PageUp: -PAGE, PageDown: PAGE, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined || !steps.length) return;
    event.preventDefault();
    const end = by > 0 ? to : from;
    choose(Number.isFinite(by) ? stopBeside(steps, end, by) : by < 0 ? steps[0] : steps[steps.length - 1], event.shiftKey);
    tabbed?.element.focus({ preventScroll: true });
  }

  /** @param {FocusEvent} event */
  function focus(event) {
    const entry = under(event);
    const target = /** @type {Element} */ (event.target);
    if (!entry || !target.matches('.av-token:focus-visible')) return;
    target.setAttribute('aria-describedby', tip.id);
    point({ entry, cell: null });
  }

  const undo = [
    listen(strip, {
      click,
      dblclick: chooseWord,
      // What is selected is tokens, not a text to be copied.
      mousedown: (/** @type {MouseEvent} */ event) => { if (event.shiftKey || event.detail > 1) event.preventDefault(); },
      pointermove: move,
      pointerover: move,
      pointerleave: leave,
      keydown: press,
      focusin: focus,
      focusout: () => point(null),
      scroll: () => {
        if (pointed?.entry.element === document.activeElement) showTip();
        else if (pointed) point(null);
      },
    }),
    listen(ranging, { click: () => setRanging(!isRanging) }),
    state.on(['info'], build),
    state.on(['info', 'selection'], mark),
    state.on(['info', ...reading.fields], retint),
    state.on(['theme'], () => { inks = null; }),
    state.on(['grid', 'hover', 'theme'], paintCells),
    state.on(['size'], refit),
    state.on(['cleared'], () => { setRanging(false); search.clear(); }),
  ];
  build();
  retint();
  setRanging(false);

  return {
    /**
     * The tokens that are probably wanted after one: the next and the one before.
     * @param {number} token
     */
    neighbours: (token) => [1, -1].map((by) => stopBeside(steps, token, by)).filter((next) => next !== token),
    /** The token some steps beside one, of those that are not folded away. @param {number} token @param {number} by */
    beside: (token, by) => stopBeside(steps, token, by),
    dispose: () => {
      watcher.disconnect();
      window.cancelAnimationFrame(revealing);
      undo.forEach((end) => end());
    },
  };
}

/** @param {Chip} chip */
function baseOf({ kind, special }) {
  return `av-token${special ? ' av-special' : ''}${kind === 'image' ? ' av-image' : ''}`;
}
