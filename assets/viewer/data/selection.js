// @ts-check
/**
 * What is chosen: a tower, a token or a patch, its row or its column, a layer, a head, a grid; and which row that is.
 *
 * The row of position p predicts token p + 1. A token that the model wrote therefore has two rows: the one that predicted it
 * (the default) and its own. A column is who reads a token or a patch. Several tokens stand for the mean of their rows or
 * columns. What patches receive, as a mean over all that read them, belongs to no patch. Knows no document.
 *
 * @typedef {import('./run_info.js').RunInfo} RunInfo
 * @typedef {import('./run_info.js').Choice} Choice
 *
 * @typedef {'reads' | 'read by' | 'received'} Direction  what it reads (a row), who reads it (a column), what all read of each
 *
 * @typedef {object} Selection
 * @property {string} tower
 * @property {Direction} direction
 * @property {number} token            what the person pointed at: a token, or a patch by its key (see `pointsAtTokens`)
 * @property {number | null} until     the last of several tokens, `token` is the first
 * @property {'predicting' | 'own'} reading  which row of a token that the model wrote
 * @property {Choice} layer
 * @property {Choice} head
 * @property {number | null} grid      the grid on screen, null when the tower sees no image
 *
 * @typedef {{layer?: Choice, head?: Choice, query?: number, image?: number, region?: {image: number, place: number[]}, show?: string}} View  where a manifest says to begin; `show` as an address has it
 */
import { cellsRead, firstTower, gridReadBy, gridsOf, headsOf, isTokenOf, keysAreTokens, keysOfGrid, layersOf, placeCount, promptLength, queriesAreTokens } from './run_info.js';

/**
 * The position of the row on screen, or of the column, never shifted.
 * @param {RunInfo} info
 * @param {Selection} selection
 */
export function queryOf(info, selection) {
  return selection.token - shiftOf(info, selection);
}

/**
 * The position of the last row or column where several are chosen, otherwise null.
 * @param {RunInfo} info
 * @param {Selection} selection
 */
export function untilOf(info, selection) {
  return selection.until === null ? null : selection.until - shiftOf(info, selection);
}

/** @param {RunInfo} info @param {Selection} selection */
function shiftOf(info, selection) {
  return selection.reading === 'predicting' && offersTwoRows(info, selection) ? 1 : 0;
}

/**
 * The cells on screen of what is pointed at: of a token or a patch, or of several.
 * @param {RunInfo} info
 * @param {Selection} selection
 * @returns {{row: number, col: number}[]}
 */
export function cellsOfSelection(info, selection) {
  const { tower, direction, token, until, grid } = selection;
  // What all patches receive belongs to none of them; and what reads in a cross tower is text.
  const isCell = cellsRead(info, tower) || direction === 'read by';
  if (grid === null || direction === 'received' || !isCell) return [];
  const owners = keysAreTokens(info, tower) ? info.tokens : info.towers[tower].keys;
  if (!Array.isArray(owners)) return [];
  return owners.slice(token, (until ?? token) + 1).flatMap((owner) => {
    const isHere = owner && owner.grid === grid && owner.row !== null && owner.col !== null;
    return isHere ? [{ row: /** @type {number} */ (owner.row), col: /** @type {number} */ (owner.col) }] : [];
  });
}

/**
 * The directions that a tower has, in turn. Effects of all rows together are there in every tower.
 * @param {RunInfo} info
 * @param {string} tower
 * @param {boolean | string} [isEffect]  a kind of reading, of which `relative` is of rows alone
 * @returns {Direction[]}
 */
export function directionsOf(info, tower, isEffect = false) {
  if (isEffect === 'relative') return ['reads'];
  return queriesAreTokens(info, tower) && !isEffect ? ['reads', 'read by'] : ['reads', 'read by', 'received'];
}

/**
 * Whether what a person points at is a token. In the vision tower it is a patch, and so it is where the readers of a cross
 * tower's key are asked for.
 * @param {RunInfo} info
 * @param {Pick<Selection, 'tower' | 'direction'>} selection
 */
export function pointsAtTokens(info, { tower, direction }) {
  return direction === 'reads' ? queriesAreTokens(info, tower) : keysAreTokens(info, tower);
}

/**
 * Whether the numbers are of tokens: the keys of a row, the readers of a column.
 * @param {RunInfo} info
 * @param {Pick<Selection, 'tower' | 'direction'>} selection
 */
export function numbersAreOfTokens(info, { tower, direction }) {
  return direction === 'read by' ? queriesAreTokens(info, tower) : keysAreTokens(info, tower);
}

/**
 * Whether the numbers are shares of one row, or of a mean of rows, which add up to 1. The largest of many rows are not, nor is what many
 * rows read of one key. An effect is none of anything.
 * @param {Pick<Selection, 'direction' | 'layer' | 'head'> & {effect?: object | null}} shown
 */
export function areShares({ direction, layer, head, effect }) {
  return !effect && direction !== 'read by' && layer !== 'max' && head !== 'max';
}

/**
 * Whether the numbers make a map. In a cross tower cells are read and read nothing.
 * @param {RunInfo} info
 * @param {Pick<Selection, 'tower' | 'direction'>} selection
 */
export function hasMap(info, { tower, direction }) {
  return direction !== 'read by' || cellsRead(info, tower);
}

/**
 * Whether a choice between the predicting row and the own row is offered.
 * @param {RunInfo} info
 * @param {Selection} selection
 */
export function offersTwoRows(info, selection) {
  return selection.direction === 'reads' && pointsAtTokens(info, selection) && hasTwoRows(info, selection.token);
}

/**
 * Whether the model wrote this token, so that its row and the one that predicted it differ.
 * @param {RunInfo} info
 * @param {number} token
 */
export function hasTwoRows(info, token) {
  return token > 0 && token >= promptLength(info);
}

/**
 * The selection for a row: as the one that predicts the next token where the model wrote that, as the token's own otherwise.
 * @param {RunInfo} info
 * @param {number} query
 * @returns {Pick<Selection, 'token' | 'reading'>}
 */
export function selectionOfQuery(info, query) {
  const predicts = query + 1 < info.tokens.length && hasTwoRows(info, query + 1);
  return predicts ? { token: query + 1, reading: 'predicting' } : { token: query, reading: 'own' };
}

/**
 * Where a run is opened: the row that predicts the first token of the answer (where that names a point or a box, the first
 * digit of it), or without an answer the last token's; in the vision tower the middle of the picture; the mean over layers
 * and heads; the first picture. Parts of `view` that the run does not have are left out.
 * @param {RunInfo} info
 * @param {string} tower
 * @param {View} [view]
 * @returns {Selection}
 */
export function startingSelection(info, tower, view = {}) {
  const last = info.tokens.length - 1;
  const query = isIndex(view.query, info.tokens.length) ? view.query : Math.min(last, Math.max(0, answeringRow(info)));
  const layers = choices(layersOf(info, tower));
  const heads = choices(headsOf(info, tower));
  const grids = gridsOf(info, tower);
  const grid = grids.find((index) => info.grids[index].image === view.image) ?? grids[0] ?? null;
  return {
    tower,
    direction: 'reads',
    until: null,
    ...startOf(info, tower, grid, query),
    layer: view.layer !== undefined && layers.includes(view.layer) ? view.layer : 'mean',
    head: view.head !== undefined && heads.includes(view.head) ? view.head : 'mean',
    grid,
  };
}

/**
 * What is pointed at where a tower is entered: the row that is asked for where it has it, else its last words or the middle of its tokens;
 * of patches the middle.
 * @param {RunInfo} info
 * @param {string} tower
 * @param {number | null} grid
 * @param {number} query
 * @returns {Pick<Selection, 'token' | 'reading'>}
 */
function startOf(info, tower, grid, query) {
  if (!queriesAreTokens(info, tower)) return { token: middleOf(info, grid), reading: 'own' };
  if (isTokenOf(info, tower, 'reads', query)) return selectionOfQuery(info, query);
  const own = info.tokens.filter(({ index }) => isTokenOf(info, tower, 'reads', index));
  const word = own.findLast(({ role }) => role === 'prompt') ?? own[Math.floor(own.length / 2)];
  return { token: word.index, reading: 'own' };
}

/**
 * The row that predicts what the answer begins with: its first token, or the first digit of the place it names.
 * @param {RunInfo} info
 */
function answeringRow(info) {
  const before = promptLength(info) - 1;
  if (!placeCount(info)) return before;
  const written = info.tokens.filter(({ role }) => role === 'answer');
  const digit = written.map(({ text }) => text).join('').match(/[[(]\s*(?=\d)/);
  if (!digit) return before;
  let left = /** @type {number} */ (digit.index) + digit[0].length;
  const token = written.find(({ text }) => (left -= text.length) < 0);
  return token ? token.index - 1 : before;
}

/**
 * Whether what is pointed at has the row or the column that is asked for, in the tower that is chosen: of tokens that only a part of a model
 * reads each has those of its part.
 * @param {RunInfo} info
 * @param {Selection} selection
 */
export function isInTower(info, selection) {
  const { tower, direction } = selection;
  const first = queryOf(info, selection);
  if (direction === 'received' || !pointsAtTokens(info, selection)) return true;
  for (let token = first; token <= (untilOf(info, selection) ?? first); token++) if (!isTokenOf(info, tower, direction, token)) return false;
  return true;
}

/**
 * The same selection, or where its tokens have no such row (or column) there, in the first tower where they have; of several else the first.
 * @param {RunInfo} info
 * @param {Selection} selection
 * @returns {Selection}
 */
export function inItsTower(info, selection) {
  if (isInTower(info, selection)) return onItsGrid(info, selection);
  const { direction, token, until, reading } = selection;
  for (const end of until === null ? [null] : [until, null]) {
    for (const tower of [selection.tower, firstTower(info), ...Object.keys(info.towers)]) {
      if (!layersOf(info, tower).length) continue;
      const there = tower === selection.tower ? selection : inTower(info, selection, tower);
      const next = { ...there, direction, token, until: end, reading };
      if (pointsAtTokens(info, next) && isInTower(info, next)) return onItsGrid(info, next);
    }
  }
  return startingSelection(info, selection.tower);
}

/** On the picture that its token reads, where it reads no other. @param {RunInfo} info @param {Selection} selection @returns {Selection} */
function onItsGrid(info, selection) {
  const grid = selection.direction === 'reads' ? gridReadBy(info, selection.tower, queryOf(info, selection)) : null;
  return grid === null || grid === selection.grid ? selection : { ...selection, grid };
}

/**
 * The same selection in another tower: layer and head where it has them, the picture that was on screen.
 * @param {RunInfo} info
 * @param {Selection} selection
 * @param {string} tower
 * @returns {Selection}
 */
export function inTower(info, selection, tower) {
  const { layer, head } = selection;
  const next = startingSelection(info, tower, { layer, head });
  const grid = selection.grid === null ? next.grid : sameGrid(info, selection.grid, tower);
  return { ...next, grid, ...(queriesAreTokens(info, tower) ? {} : { token: middleOf(info, grid) }) };
}

/**
 * The grid of a tower that shows what another tower's grid shows: the same picture, and if there is one the same kind.
 * @param {RunInfo} info
 * @param {number} grid
 * @param {string} tower
 * @returns {number | null}
 */
export function sameGrid(info, grid, tower) {
  const { image, kind } = info.grids[grid];
  const own = gridsOf(info, tower).filter((index) => info.grids[index].image === image);
  return own.find((index) => info.grids[index].kind === kind) ?? own[0] ?? gridsOf(info, tower)[0] ?? null;
}

/**
 * A selection from what somebody else wrote down, as an address: what this run does not have is left out.
 * @param {RunInfo} info
 * @param {Partial<Record<keyof Selection, any>>} wish
 * @param {boolean | string} [isEffect]
 * @returns {Selection}
 */
export function checkedSelection(info, wish, isEffect = false) {
  const tower = info.towers[wish.tower] && layersOf(info, wish.tower).length ? wish.tower : firstTower(info);
  const start = startingSelection(info, tower, { layer: wish.layer, head: wish.head });
  const direction = directionsOf(info, tower, isEffect).includes(wish.direction) ? wish.direction : start.direction;
  const keys = pointsAtTokens(info, { tower, direction }) ? info.tokens.length : keyCount(info, tower);
  const token = isIndex(wish.token, keys) ? wish.token : start.token;
  const until = isIndex(wish.until, keys) && wish.until > token ? wish.until : null;
  const reading = ['predicting', 'own'].includes(wish.reading) ? wish.reading : start.reading;
  const grid = gridsOf(info, tower).includes(wish.grid) ? wish.grid : start.grid;
  return inItsTower(info, { ...start, direction, token, until, reading, grid });
}

/** @param {RunInfo} info @param {string} tower */
function keyCount(info, tower) {
  const { keys } = info.towers[tower];
  return typeof keys === 'number' ? keys : keys.length;
}

/** @param {RunInfo} info @param {number | null} grid */
function middleOf(info, grid) {
  if (grid === null) return 0;
  const { rows, cols } = info.grids[grid];
  return keysOfGrid(info, grid)[Math.floor(rows / 2) * cols + Math.floor(cols / 2)];
}

/**
 * What can be chosen on an axis, in the order in which steps go through it.
 * @param {number[]} indices
 * @returns {Choice[]}
 */
export function choices(indices) {
  return ['mean', 'max', ...indices];
}

/** @param {unknown} value @param {number} count @returns {value is number} */
function isIndex(value, count) {
  return Number.isInteger(value) && /** @type {number} */ (value) >= 0 && /** @type {number} */ (value) < count;
}

/**
 * Whether a row is of what is selected.
 * @param {RunInfo} info
 * @param {Selection} selection
 * @param {import('../state/fields.js').Shown | null} shown
 * @param {import('../state/reading.js').Reading | null} [effect]  the forecast whose effects are wished, null for the attention
 * @returns {shown is import('../state/fields.js').Shown}
 */
export function isOf(info, selection, shown, effect = null) {
  return shown !== null && shown.effect === effect && shown.query === queryOf(info, selection) && shown.until === untilOf(info, selection)
    && /** @type {const} */ (['token', 'layer', 'head', 'grid', 'tower', 'direction']).every((name) => shown[name] === selection[name]);
}
