// @ts-check
/**
 * A map over cells, measured: asked for, shown while it comes in, found where it was made before, left as it is where it is stopped. The
 * tokens and the small maps beside it stay what they are: it is a map of the picture alone. Knows no document.
 *
 * @typedef {import('../numbers/cell_map.js').CellMap} CellMap
 * @typedef {import('../numbers/cell_map.js').Measure} Measure
 */
import { promptLength } from '../data/run_info.js';
import { measuresOf } from '../numbers/cell_map.js';
import { targetOf } from './reading.js';

const KIND = 'cells';

/**
 * @param {import('./fields.js').ViewerState} state
 * @param {import('./readings.js').Readings | null} asking  null where there is nobody to ask
 */
export function createCellMap(state, asking) {
  /** @type {unknown} */
  let heard = null; // the last that was taken over

  /** @param {CellMap | null} map */
  const isOfThese = (map) => map !== null && map.rows === null && String(map.target.tokens) === String(targetOf(state.get));

  /** @param {CellMap} map */
  function take(map) {
    const { cellsMeasure } = state.get;
    const measures = measuresOf(map);
    state.set({ cells: map, ...(!measures.includes(cellsMeasure) && { cellsMeasure: measures[0] }) });
  }

  /** @param {Error} error */
  const say = ({ message }) => state.set({ notice: message });

  /** @param {string} name */
  async function fetch(name) {
    const { source } = state.get;
    const found = await source?.reading(name).catch(say);
    if (!found || state.get.source !== source) return false;
    take({ ...found, name });
    return true;
  }

  function hear() {
    const asked = state.get.readings[KIND];
    if (!asked) return;
    const { cells, cellsShown } = state.get;
    if (!asked.working && !asked.made && !cells && cellsShown) return state.set({ cellsShown: false, notice: asked.text }); // there is nothing to show
    if (!asked.working && cells?.seconds_left) state.set({ cells: { ...cells, seconds_left: null } }); // it was stopped
    if (asked.made && asked.made !== heard) {
      heard = asked.made;
      void fetch(asked.made.name);
    } else if (!asked.made && asked.partial && asked.partial !== heard) {
      heard = asked.partial;
      take(asked.partial);
    }
  }

  const cellMap = {
    /** There is something to measure, and somebody who does. */
    canAsk() {
      const { info } = state.get;
      return asking !== null && info !== null && info.grids.length > 0 && promptLength(info) < info.tokens.length;
    },

    /** Measure it, or what is missing of it. @param {'none' | 'mean' | 'blur'} [paint] */
    ask(paint = 'none') {
      if (!asking || !cellMap.canAsk() || state.get.readings[KIND]?.working) return;
      const { reading, cells } = state.get;
      state.set({ cellsShown: true, ...(!isOfThese(cells) && { cells: null }), cellsMeasure: paint === 'none' ? 'hidden' : state.get.cellsMeasure });
      asking.ask(KIND, { ...(reading && !reading.isWhole && { tokens: reading.tokens }), paint });
    },

    stop: () => asking?.stop(KIND),

    /** Show it: what there is, else what was made before, else it is asked for. */
    async show() {
      const { cells, source } = state.get;
      if (isOfThese(cells)) return state.set({ cellsShown: true });
      const made = await source?.readings().catch(() => null);
      if (state.get.source !== source) return;
      const found = (made ?? []).find((each) => each.kind === KIND && isOfThese(/** @type {any} */ (each)));
      if (found && (await fetch(found.name))) return state.set({ cellsShown: true });
      cellMap.ask();
    },

    dispose: state.on(['readings'], hear),
  };
  return cellMap;
}

/** @typedef {ReturnType<typeof createCellMap>} CellMapState */
