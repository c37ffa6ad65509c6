// @ts-check
/**
 * The strip of tokens: tinted by the numbers on screen, searched, unfolded, selected one by one, as a range, as a word.
 *
 * There may be thousands of tokens, so their chips (`chips.js`) are dressed when they are near the view. While something is selected
 * nothing is measured.
 */
import { create, listen, part } from '../dom.js';
import { keysOfGrid } from '../../data/run_info.js';
import { pointsAtTokens, queryOf } from '../../data/selection.js';
import { stopBeside } from '../../data/token_text.js';
import { wordAt } from '../../data/word_bounds.js';
import { valueOf } from '../../numbers/token_tint.js';
import { createFinding } from '../../state/finding.js';
import { attentionReading, chipWords } from '../../text/token.js';
import { dressOf } from './chip_dress.js';
import { createChips } from './chips.js';
import { createTintNote } from './tint_note.js';
import { readInks } from './token_cells.js';
import { createTokenSearch } from './token_search.js';
import { createTokenTip } from './token_tip.js';

const PAGE = 10;

/**
 * @typedef {import('./chips.js').Entry} Entry
 *
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 * @param {Pick<import('../../state/actions.js').Actions, 'selectToken' | 'extendTo' | 'focusGrid'>} actions
 * @param {import('../../text/token.js').Reading} [reading]
 */
export function createTokenStrip(root, state, { selectToken, extendTo, focusGrid }, reading = attentionReading(state)) {
  const strip = part(root, 'tokens');
  const chips = createChips(strip, dress);
  const tip = createTokenTip(part(root, 'strip'), part(root, 'token-tip'), wordsOf);
  const finding = createFinding();
  /** @type {import('../../numbers/token_tint.js').Tint | null} */
  let tint = null;
  let [from, to, query] = [-1, -1, -1]; // the selected tokens, and the row that is read
  /** @type {Entry | undefined} the one that Tab comes to */
  let tabbed;
  /** @type {import('./token_cells.js').Inks | null} */
  let inks = null;
  let isSigned = false;
  let isRanging = false;
  let isHovering = false;

  const note = createTintNote(reading);
  const ranging = create('button', { type: 'button', class: 'av-toggle av-ranging', text: 'range', title: 'the next token that is clicked ends a range; so does a click with shift' });
  const place = create('span', { class: 'av-finding', role: 'search' });
  part(root, 'tint-note').replaceChildren(...note.elements, ranging, place);
  const search = createTokenSearch(place, {
    search(wanted) {
      const count = finding.find(wanted, from);
      showMatches();
      return count;
    },
    go(by) {
      const { first, last } = finding.go(by);
      showMatches();
      selectToken(first, last > first ? last : null);
      return finding.at();
    },
    at: finding.at,
    leave: () => tabbed?.element.focus({ preventScroll: true }),
  });

  // What the state says

  function build() {
    const { info } = state.get;
    finding.searchIn(info);
    chips.show(info);
    tabbed = undefined;
    search.clear();
    point(null);
  }

  /** @param {Entry} entry */
  function dress(entry) {
    const { chip, element } = entry;
    const { name, strength, isSelected } = dressOf(chip, {
      from, to, query, tint, shown: state.get.shown, isUnfolded: entry.unfolded !== null, match: finding.markOf(chip), mark: reading.mark(chip),
    });
    const dressed = `${name} ${strength}`;
    if (entry.dressed === dressed) return;
    entry.dressed = dressed;
    element.className = name;
    element.style.setProperty('--av-tint', `${strength}%`);
    if (chip.kind === 'token') element.setAttribute('aria-pressed', String(isSelected));
  }

  function mark() {
    const { info, selection } = state.get;
    const isToken = info && selection && pointsAtTokens(info, selection) && selection.direction !== 'received'; // of all rows none is chosen
    const isNew = !isToken || selection.token !== from || (selection.until ?? selection.token) !== to;
    [from, to, query] = isToken ? [selection.token, selection.until ?? selection.token, queryOf(info, selection)] : [-1, -1, -1];
    const next = isToken ? chips.entryOf(from) : tabbed ?? chips.first();
    if (next !== tabbed) {
      const isHere = strip.contains(document.activeElement) && document.activeElement === tabbed?.element;
      if (tabbed?.chip.kind === 'token') tabbed.element.setAttribute('tabindex', '-1');
      next?.element.setAttribute('tabindex', '0');
      tabbed = next;
      if (isHere) next?.element.focus({ preventScroll: true });
    }
    if (isNew) chips.reveal(from);
    chips.dress();
    paintCells();
  }

  function retint() {
    tint = state.get.info && reading.tint(chips.steps());
    if (strip.toggleAttribute('data-signed', reading.isSigned()) !== isSigned) inks = null;
    isSigned = reading.isSigned();
    note.show(tint);
    chips.dress();
    paintCells();
    tip.show();
  }

  function paintCells() {
    const { info, grid, hover } = state.get;
    const unfolded = chips.unfolded();
    if (!info || !unfolded.length) return;
    inks ??= readInks(strip);
    for (const entry of unfolded) {
      const own = /** @type {number} */ (entry.chip.grid);
      const under = tip.cellOf(entry);
      const isSelected = (/** @type {number} */ token) => token >= from && token <= to;
      entry.unfolded.cells.paint({ keys: keysOfGrid(info, own), tint, inks, isSelected, hover: grid === own ? hover ?? under : under });
    }
  }

  function refit() {
    chips.refit();
    paintCells();
  }

  function showMatches() {
    const next = finding.next();
    if (next) chips.reveal(next.first);
    chips.dress();
  }

  // What is said

  /** @param {Entry} entry @param {{row: number, col: number} | null} cell */
  function wordsOf({ chip, unfolded }, cell) {
    const info = /** @type {import('../../data/run_info.js').RunInfo} */ (state.get.info);
    if (!cell || !unfolded) return chipWords(info, chip, reading, { read: readOf(chip), isUnfolded: unfolded !== null });
    const token = tokenOf(info, /** @type {number} */ (chip.grid), cell);
    return `token ${token} · row ${cell.row}, col ${cell.col}${readOf({ token, count: 1 })}${reading.near?.(token) ?? ''}`;
  }

  /** What is read of tokens, in words. @param {{token: number, count: number}} tokens */
  function readOf(tokens) {
    return tint ? reading.said(tokens, valueOf(tint, tokens, state.get.shown), tint) : reading.untinted?.(tokens) ?? '';
  }

  /** @param {Parameters<typeof tip.point>[0]} at */
  function point(at) {
    if (tip.point(at)) paintCells();
  }

  // What a person does

  /** The entry that an event is about. @param {Event} event @returns {Entry | undefined} */
  function under(event) {
    const target = /** @type {Element} */ (event.target);
    const element = target.closest('.av-token') ?? target.closest('.av-unfolded')?.previousElementSibling;
    return element ? chips.entryOf(Number(/** @type {HTMLElement} */ (element).dataset.token)) : undefined;
  }

  /** @param {Entry} entry */
  function toggle(entry) {
    point(null);
    if (chips.toggle(entry)) focusGrid(/** @type {number} */ (entry.chip.grid));
    retint();
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
      const token = tokenOf(info, grid, cell);
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
    if (entry && tip.isAt(entry, cell)) return;
    point(isOn ? { entry, cell } : null);
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
    const steps = chips.steps();
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

  /** What is pointed at moves on under a pointer; a tip stays with what has the focus. */
  function scroll() {
    const entry = tip.entry();
    if (entry && entry.element === document.activeElement) tip.show();
    else if (entry) point(null);
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
      scroll,
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
    neighbours: (token) => [1, -1].map((by) => stopBeside(chips.steps(), token, by)).filter((next) => next !== token),
    /** The token some steps beside one, of those that are not folded away. @param {number} token @param {number} by */
    beside: (token, by) => stopBeside(chips.steps(), token, by),
    dispose: () => {
      chips.dispose();
      undo.forEach((end) => end());
    },
  };
}

/** The token of a cell. @param {import('../../data/run_info.js').RunInfo} info @param {number} grid @param {{row: number, col: number}} cell */
function tokenOf(info, grid, { row, col }) {
  return keysOfGrid(info, grid)[row * info.grids[grid].cols + col];
}
