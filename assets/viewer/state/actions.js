// @ts-check
/** What a person can do with a run, as changes of the selection and the look. Every way in (pointer, keys, lists) ends here. */
import { nextSetting } from './look.js';
import { cellsRead, firstTower, gridReadBy, gridsOf, headsOf, keysOfGrid, layersOf, picturesOf, shownPicture, tokenReading } from '../data/run_info.js';
import { choices, directionsOf, inItsTower, inTower, pointsAtTokens, sameGrid, selectionOfQuery, startingSelection } from '../data/selection.js';

/**
 * @typedef {import('../data/selection.js').Selection} Selection
 *
 * @param {import('./fields.js').ViewerState} state
 * @param {object} page
 * @param {(selection: Selection) => void} page.select
 * @param {() => void} page.announce        a person chose something
 * @param {(token: number, by: number) => number} page.tokenBeside
 */
export function createActions(state, { select, announce, tokenBeside }) {
  /** The end of a range that stays when the other moves: always one of its ends. */
  let anchor = -1;

  const actions = {
    /** @param {Partial<Selection>} change */
    choose(change) {
      const { selection } = state.get;
      if (!selection || Object.entries(change).every(([name, value]) => selection[/** @type {keyof Selection} */ (name)] === value)) return;
      const { info } = state.get;
      state.set({ notice: '' }); // it was about what was there before
      select(info ? inItsTower(info, { ...selection, ...change }) : { ...selection, ...change });
      announce();
    },

    /** What a script asks for: a row by its position, another tower with what belongs to it. @param {Partial<Selection> & {query?: number}} change */
    ask({ query, ...change }) {
      const { info, selection } = state.get;
      if (info && selection && change.tower) actions.choose({ ...inTower(info, selection, change.tower), ...change });
      else if (info) actions.choose({ ...(query === undefined ? {} : selectionOfQuery(info, query)), ...change });
    },

    /** @param {number} token @param {number | null} [until]  the last of several */
    selectToken(token, until = null) {
      const { info, selection } = state.get;
      if (!info || !selection) return;
      const isHere = pointsAtTokens(info, selection);
      const there = isHere && selection.direction === 'received' ? { direction: /** @type {const} */ ('reads') } : isHere ? {} : { ...inTower(info, selection, firstTower(info)), direction: /** @type {const} */ ('reads') };
      actions.choose({ ...there, token, until: until !== null && until > token ? until : null, reading: 'predicting' });
    },

    /** From the token that was selected first to another, whichever comes first. @param {number} token */
    extendTo(token) {
      const { info, selection } = state.get;
      if (!info || !selection || !pointsAtTokens(info, selection)) return actions.selectToken(token);
      if (anchor !== selection.until) anchor = selection.token;
      actions.selectToken(Math.min(token, anchor), Math.max(token, anchor));
    },

    /** The end of the range that moves, some tokens on. @param {number} by */
    extendBy(by) {
      const { info, selection } = state.get;
      if (!info || !selection || !pointsAtTokens(info, selection)) return;
      const { token, until } = selection;
      actions.extendTo(tokenBeside(until === null || anchor === until ? token : until, by));
    },

    /** A cell of the grid on screen becomes what is pointed at. @param {number} row @param {number} col */
    selectCell(row, col) {
      const { info, selection } = state.get;
      if (!info || !selection || selection.grid === null) return;
      const token = keysOfGrid(info, selection.grid)[row * info.grids[selection.grid].cols + col];
      // In a cross tower cells are read and read nothing; what all patches receive belongs to none of them.
      const direction = !cellsRead(info, selection.tower) ? 'read by' : selection.direction === 'received' ? 'reads' : selection.direction;
      actions.choose({ token, until: null, reading: 'own', direction });
    },

    /** A cell to be remembered: heads can be ordered by what they read of it. @param {number} row @param {number} col */
    pinCell(row, col) {
      const { selection, pinned } = state.get;
      if (selection?.grid == null) return;
      const isSame = pinned && pinned.grid === selection.grid && pinned.row === row && pinned.col === col;
      state.set({ pinned: isSame ? null : { grid: selection.grid, row, col } });
    },

    /** @param {number} grid */
    focusGrid(grid) {
      const { info, selection } = state.get;
      if (!info || !selection) return;
      const next = gridsOf(info, selection.tower).includes(grid) ? grid : sameGrid(info, grid, selection.tower);
      const isOfOne = next !== null && selection.direction === 'reads' && gridReadBy(info, selection.tower, selection.token) !== null;
      actions.choose({ grid: next, ...(isOfOne ? { token: tokenReading(info, selection.tower, selection.token, next), until: null } : {}) });
    },

    /** @param {string} tower */
    enter(tower) {
      const { info, selection } = state.get;
      if (!info || !selection || tower === selection.tower) return;
      const { reading } = state.get;
      if (reading && !reading.towers.includes(tower)) return state.set({ notice: `This forecast is not of the ${tower} tower: choose Read first.` });
      const { direction } = selection;
      actions.choose({ ...inTower(info, selection, tower), ...(reading ? { direction } : {}) });
    },

    /** From what is read to who reads, and on. @param {import('../data/selection.js').Direction} [direction] */
    turn(direction) {
      const { info, selection } = state.get;
      if (!info || !selection) return;
      const offered = directionsOf(info, selection.tower, state.get.reading?.kind);
      const next = direction ?? offered[(offered.indexOf(selection.direction) + 1) % offered.length];
      if (next === selection.direction) return;
      if (cellsRead(info, selection.tower)) return actions.choose({ direction: next });
      // There keys are cells and queries tokens: the readers of the largest cell, or the row with which a run begins.
      const { token, reading } = startingSelection(info, selection.tower);
      actions.choose(next === 'reads' ? { direction: next, token, until: null, reading } : { direction: next, token: peakKey(), until: null, reading: 'own' });
    },

    /** @param {'layer' | 'head' | 'token'} what @param {number} by */
    step(what, by) {
      const { info, selection } = state.get;
      if (!info || !selection) return;
      if (what === 'token') {
        if (pointsAtTokens(info, selection)) actions.selectToken(tokenBeside(selection.until !== null && by > 0 ? selection.until : selection.token, by));
        return;
      }
      const offered = choices(what === 'layer' ? layersOf(info, selection.tower) : headsOf(info, selection.tower));
      const place = offered.indexOf(selection[what]) + by;
      if (place in offered) actions.choose({ [what]: offered[place] });
    },

    /** The next tower, in the order in which the run has them. */
    nextTower() {
      const { info, selection } = state.get;
      if (!info || !selection) return;
      const towers = Object.keys(info.towers).filter((name) => layersOf(info, name).length);
      actions.enter(towers[(towers.indexOf(selection.tower) + 1) % towers.length]);
    },

    nextSinks() {
      state.set({ sinks: nextSetting('sinks', state.get.sinks) });
    },

    /** The next picture, frame by frame of a video. @param {number} by @param {boolean} [isRound]  after the last comes the first */
    stepPicture(by, isRound = false) {
      const { info, tower, grid, frame } = state.get;
      if (!info || grid === null) return;
      const pictures = picturesOf(info, tower);
      const now = pictures.findIndex((each) => each.grid === grid && each.image === shownPicture(info, grid, frame));
      const next = pictures[isRound ? (now + by + pictures.length) % pictures.length : now + by];
      if (!next) return;
      state.set({ frame: next.image });
      actions.focusGrid(next.grid);
    },

    /** Play over layers, tokens or frames, or stop. @param {'layers' | 'tokens' | 'frames'} [what] */
    play(what = 'layers') {
      state.set({ playing: state.get.playing ? null : what });
    },

    /** Back to one token, no cell, the whole picture. */
    clear() {
      const { selection } = state.get;
      state.set({ hover: null, pinned: null, region: null, loaded: [], marking: false, playing: null, zoom: { scale: 1, x: 0.5, y: 0.5 }, cleared: state.get.cleared + 1 });
      if (selection && selection.until !== null) actions.choose({ until: null });
    },
  };

  /** The key with the largest value of the map on screen. */
  function peakKey() {
    const { shown, info } = state.get;
    return info && shown && shown.grid !== null && shown.cells.length ? keysOfGrid(info, shown.grid)[shown.argmax] : 0;
  }

  return actions;
}

/** @typedef {ReturnType<typeof createActions>} Actions */
