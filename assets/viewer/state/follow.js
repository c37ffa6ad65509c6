// @ts-check
/**
 * From what is selected to what is on screen, in the order in which it is wanted: the row (painted at once), then the atlas and
 * the numbers about the row, then what may be wanted next. What arrives for something that is not wanted any more is dropped.
 * Knows the state and the source, and no document.
 */
import { isOfRegion, regionIn } from '../numbers/regions.js';
import { makeAtlas } from '../numbers/atlas.js';
import { orderOf } from '../numbers/head_order.js';
import { hasLine } from '../numbers/mass_line.js';
import { chooseHead, indexOfLargest, sum, takeCells } from '../numbers/reduce.js';
import { gridsOf, headCount, keysAreTokens, keysOfGrid, layersOf } from '../data/run_info.js';
import { isInTower, areShares, hasMap, pointsAtTokens, queryOf, untilOf } from '../data/selection.js';
import { areSummed, isRatio, octavesOf } from '../numbers/ratios.js';
import { summed } from '../numbers/effects.js';
import { cutRows } from '../numbers/pair.js';
import { findSinkCells, onLearnedSink, sinkKeys } from '../numbers/sinks.js';
import { atlasPath, linePath, massesPath, scoresPath } from '../data/source.js';

/** An atlas has about this many values; its maps are averaged down to what that leaves each. The map on the picture never is. */
const ATLAS_VALUES = 200_000;
const MAP_CELLS = { least: 256, most: 4096 };
const PREFETCH_MS = 120;

/**
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 * @typedef {import('../data/selection.js').Selection} Selection
 * @typedef {import('./fields.js').Shown} Shown
 */

/**
 * @param {import('./fields.js').ViewerState} state
 * @param {object} page
 * @param {(source: import('../data/source.js').Source, error: any) => void} page.fail
 * @param {() => Promise<unknown>} page.painted  resolves when the browser has shown what was drawn
 * @param {(token: number) => number[]} page.neighbours  tokens that are probably wanted next
 */
export function createFollower(state, { fail, painted, neighbours }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;

  /** Bring on screen what is selected. */
  async function follow() {
    const { source, info, selection, reading } = state.get;
    if (!source || !info || !selection) return;
    const isWanted = () => state.get.source === source && state.get.selection === selection && state.get.reading === reading;
    const begun = performance.now();
    clearTimeout(waiting);
    source.drop('next');
    const wish = rowWish(info, selection, reading);
    const atlas = wantedAtlas(info, selection, reading);
    source.drop('atlas', atlas ? atlasPath(atlas) : undefined);
    source.drop('masses', massesPath(wish));
    source.drop('scores');
    source.drop('line', linePath({ ...wish, name: 'image_mass' }));
    state.set({ computing: null });
    const kept = source.keptRow(wish);
    if (kept) source.drop('row');
    const row = kept ?? (await source.row(wish));
    if (!row || !isWanted()) return;
    state.set({ shown: makeShown(info, selection, row, { effect: reading }), computing: null });
    state.get.perf.row_ms = performance.now() - begun;
    if (!atlas) state.set({ atlas: null });
    else if (state.get.atlas?.name !== atlasPath(atlas)) {
      const [numbers] = await Promise.all([source.keptAtlas(atlas) ?? source.atlas(atlas), painted()]);
      if (!numbers || !isWanted()) return;
      state.set({ atlas: makeAtlas(numbers, atlas, info), computing: null });
    }
    // Only now: it takes the server longer than the atlas, as it reads every layer exactly.
    followAbout().catch((error) => fail(source, error));
    waiting = setTimeout(() => prefetch(wish), PREFETCH_MS);
  }

  /** The numbers about the row on screen: masses of its parts, scores by which heads are ordered, a score along the answer. */
  async function followAbout() {
    const { source, info, selection, shown, order, pinned, region } = state.get;
    if (!source || !info || !selection || !shown) return;
    const isWanted = () => state.get.source === source && state.get.selection === selection && state.get.shown === shown;
    const { tower, query, until, layer, head, effect } = shown;
    const isRow = shown.direction === 'reads' && effect === null; // of effects there is neither mass nor score
    const groups = info.groups?.[tower] ?? [];
    const read = async (/** @type {'masses' | 'scores' | 'line'} */ name, /** @type {string | null} */ path, /** @type {() => Promise<any>} */ ask) => {
      if (state.get[name]?.name === path) return;
      let numbers = null;
      try {
        numbers = path === null ? null : await ask();
      } catch (/** @type {any} */ error) {
        // A run may lack a table; the map does not depend on it.
        if (error.status !== 404 || error.isExpired) throw error;
        if (isWanted()) state.set({ [name]: null, notice: error.message });
        return;
      }
      if (!isWanted() || (path !== null && !numbers)) return;
      state.set({ [name]: numbers && { name: path, values: numbers.values, positions: readPositions(numbers.positions) } });
    };
    const masses = isRow && groups.length ? { tower, query, until } : null;
    const scores = wantedScores(info, shown, orderOf(order, effect?.kind ?? false), pinned, region);
    const line = hasLine(info, tower) && effect === null ? { tower, name: 'image_mass', layer, head } : null;
    await Promise.all([
      read('masses', masses && massesPath(masses), () => source.masses(/** @type {any} */ (masses))),
      read('scores', scores && scoresPath(scores), () => source.scores(/** @type {any} */ (scores))),
      read('line', line && linePath(line), () => source.line(/** @type {any} */ (line))),
    ]);
  }

  /** @param {import('../data/source.js').RowWish} wish  of the row on screen */
  function prefetch(wish) {
    const { source, info, selection, tower, reading } = state.get;
    if (!source || !info || !selection || selection.until !== null) return;
    // Every layer's first column is slow, and so is what patches receive: nobody waits for what nobody asked for.
    if (selection.direction === 'received' || (selection.direction === 'read by' && typeof wish.layer === 'string')) return;
    const layers = layersOf(info, tower);
    const here = layers.indexOf(/** @type {number} */ (wish.layer));
    const near = pointsAtTokens(info, selection) ? neighbours(selection.token).map((token) => ({ ...selection, token })).filter((next) => isInTower(info, next)) : [];
    const rows = [
      ...near.map((next) => rowWish(info, next, reading)),
      ...(here < 0 ? [] : [here + 1, here - 1]).filter((i) => i in layers).map((i) => ({ ...wish, layer: layers[i] })),
    ];
    source.prefetch(rows, near.map((next) => wantedAtlas(info, next, reading)).filter((next) => next !== null));
  }

  return {
    /** @param {Selection} selection */
    select(selection) {
      const { tower, grid } = selection;
      state.set({ selection, tower, grid, failure: null, ...(grid === state.get.grid ? {} : { hover: null }) });
      const { source } = state.get;
      return follow().catch((error) => source && fail(source, error));
    },
    /** Other numbers of the same are wished: attention, or effects. */
    again() {
      const { source } = state.get;
      state.set({ failure: null });
      return follow().catch((error) => source && fail(source, error));
    },
    /** The order of heads has changed, or the pinned cell. */
    reorder() {
      const { source } = state.get;
      return followAbout().catch((error) => source && fail(source, error));
    },
    dispose: () => clearTimeout(waiting),
  };
}

/** The row or column of a selection, of a forecast where there is one. @param {RunInfo} info @param {Selection} selection @param {import('./reading.js').Reading | null} [effect] @returns {import('../data/source.js').RowWish} */
export function rowWish(info, selection, effect = null) {
  const { tower, direction, layer, head } = selection;
  return { tower, direction, layer, head, query: queryOf(info, selection), until: untilOf(info, selection), effect: effect?.name ?? null, ...(isRatio(effect) && { isRatio: true }) };
}

/**
 * The atlas of a selection, null where it has none: text alone, cells that read nothing, a mean over all that read.
 * @param {RunInfo} info
 * @param {Selection} selection
 * @param {import('./reading.js').Reading | null} [effect]  the forecast that it is of; it has one of all rows too
 * @returns {import('../data/source.js').AtlasWish | null}
 */
export function wantedAtlas(info, selection, effect = null) {
  const { tower, direction, grid } = selection;
  if (grid === null || !hasMap(info, selection) || (direction === 'received' && !effect)) return null;
  const each = Math.floor(ATLAS_VALUES / (layersOf(info, tower).length * headCount(info, tower)));
  const max_cells = Math.min(MAP_CELLS.most, Math.max(MAP_CELLS.least, each));
  return { tower, direction, query: queryOf(info, selection), until: untilOf(info, selection), grid, max_cells, effect: effect?.name ?? null, ...(isRatio(effect) && { isRatio: true }) };
}

/**
 * The name of the atlas that belongs to what is on screen, '' where there is none.
 * @param {RunInfo} info
 * @param {Shown} shown
 */
export function atlasOf(info, { tower, direction, query, until, grid, effect }) {
  const wish = wantedAtlas(info, { tower, direction, token: query, until, grid, reading: 'own', layer: 'mean', head: 'mean' }, effect);
  return wish ? atlasPath(wish) : '';
}

/**
 * The scores by which heads are ordered, null where there are none: scores are of rows, a value is that at a pinned cell,
 * and what is measured of a place is that in the one that is drawn or chosen, or else in the one that the answer names.
 * @param {RunInfo} info
 * @param {Pick<Shown, 'tower' | 'direction' | 'query' | 'until' | 'effect'>} shown
 * @param {import('./look.js').Look['order']} order
 * @param {import('./fields.js').Pinned | null} pinned
 * @param {import('../numbers/regions.js').Region | null} [drawn]
 * @returns {import('../data/source.js').ScoresWish | null}
 */
export function wantedScores(info, { tower, direction, query, until, effect }, order, pinned, drawn = null) {
  if (['number', 'found', 'effect'].includes(order)) return null; // the found ones, and effects, are here
  if (effect && order === 'silence') return { tower, name: 'silence_zero', direction: 'received', query, effect: effect.name }; // of a head, and of no row
  if (direction !== 'reads' && !(effect && direction === 'received')) return null;
  if (isOfRegion(order)) {
    const region = regionIn(info, drawn, tower);
    return region ? { tower, name: order, query, until, region } : null;
  }
  if (order !== 'value') return effect ? null : { tower, name: order, query, until };
  const record = pinned && info.grids[pinned.grid];
  if (!pinned || !record || !gridsOf(info, tower).includes(pinned.grid)) return null;
  const of = effect ? { direction, effect: effect.name } : {};
  return { tower, name: order, query, until, ...of, key: keysOfGrid(info, pinned.grid)[pinned.row * record.cols + pinned.col] };
}

/**
 * What a row has on tokens of pictures that have no place on them.
 * @param {RunInfo} info
 * @param {Selection} selection
 * @param {Float32Array} row
 */
function unplacedMass(info, selection, row) {
  if (selection.direction !== 'reads' || !keysAreTokens(info, selection.tower)) return 0;
  return sum(row.filter((_, key) => info.tokens[key].role === 'image' && info.tokens[key].grid === null));
}

/**
 * What is on screen: the row that was asked for, after choosing or reducing heads and layers, and the map made of it.
 * @param {RunInfo} info
 * @param {Selection} selection
 * @param {import('../data/source.js').Numbers} numbers
 * @param {object} [of]
 * @param {number} [of.shared]  of its tokens, that are in common with another run: there the row ends
 * @param {import('./reading.js').Reading | null} [of.effect]  the forecast that the numbers are of
 * @param {{query: number, until?: number | null}} [of.asked]  the rows that they are of, where they are others than the selected ones
 * @returns {Shown}
 */
export function makeShown(info, selection, numbers, { shared = Infinity, effect = null, asked } = {}) {
  const { tower, direction, token, layer, head, grid } = selection;
  const [query, until] = [queryOf(info, selection), untilOf(info, selection)];
  const all = isRatio(effect) ? { ...numbers, values: octavesOf(numbers.values) } : effect ? summed(info, { ...selection, query, until, ...asked }, numbers) : numbers;
  const { values, shape, dtype, source } = cutRows(info, all, selection, shared);
  const row = chooseHead(values, shape[0], head, areSummed(effect));
  const whole = values === all.values ? row : chooseHead(all.values, shape[0], head);
  const grids = hasMap(info, selection) ? gridsOf(info, tower) : [];
  const masses = new Map(grids.map((index) => [index, sum(takeCells(row, keysOfGrid(info, index)))]));
  const keys = grid !== null && grids.includes(grid) ? keysOfGrid(info, grid) : undefined;
  const cells = keys ? takeCells(row, keys) : new Float32Array();
  const shares = areShares({ ...selection, effect });
  return {
    effect, tower, direction, query, until, token, layer, head, grid, row, cells, masses, dtype, source,
    heads: { values, count: shape[0] },
    mass: grid === null ? 0 : masses.get(grid) ?? 0, imageMass: grids.length ? sum([...masses.values()]) : unplacedMass(info, selection, row), argmax: indexOfLargest(cells),
    sinks: {
      ...findSinkCells(row, keys, direction === 'read by' || effect ? [] : sinkKeys(info, tower, layer), shares),
      learned: shares ? onLearnedSink(info, selection, whole) : undefined,
    },
  };
}

/**
 * "0-12,40" as the positions that it names.
 * @param {string | undefined} text
 */
export function readPositions(text) {
  return (text ?? '').split(',').filter(Boolean).flatMap((span) => {
    const [first, last = first] = span.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
