// @ts-check
/**
 * A map over cells, measured: asked for, shown while it comes in, found where it was made before, left as it is where it is stopped. The
 * tokens and the small maps beside it stay what they are: it is a map of the picture alone. Knows no document.
 *
 * @typedef {import('../numbers/cell_map.js').CellMap} CellMap
 * @typedef {import('../numbers/cell_map.js').Measure} Measure
 */
import { answerTokens, promptLength } from '../data/run_info.js';
import { isTarget, targetAsked, targetOf } from './reading.js';
import { howOf, paintOf } from './trials.js';

const KIND = 'cells';
const NOT_MADE = 'The address shows every cell tried, which has not been measured of this run: choose Tried without to measure it.';
const NOT_HELD = 'This page does not hold that measurement.';

/**
 * @param {import('./fields.js').ViewerState} state
 * @param {import('./readings.js').Readings | null} asking  null where there is nobody to ask
 */
export function createCellMap(state, asking) {
  /** @type {unknown} */
  let heard = null; // the last that was taken over

  /** @param {CellMap | null} map */
  const isOfThese = (map) => isOf(map, targetOf(state.get));

  /** @param {{rows?: unknown, target: import('./reading.js').Target | null} | null} map @param {import('./reading.js').Target} target */
  const isOf = (map, target) => map !== null && map.rows === null && isTarget(map.target, target);

  /** With the text of the token that the one is set against, as the forecast on screen has it. @param {CellMap} map */
  function named(map) {
    const { reading } = state.get;
    return reading?.other && isTarget(map.target, targetOf(state.get)) ? { ...map, other: reading.other } : map;
  }

  /** Something of it was measured in the way that is chosen. @param {{measured?: CellMap['measured']} | null} map */
  const isMeasured = (map) => Boolean(map?.measured?.[howOf(state.get)]);

  /** @param {Error} error */
  const say = ({ message }) => state.set({ notice: message });

  /** @param {string} name */
  async function fetch(name) {
    const { source } = state.get;
    const found = await source?.reading(name).catch(say);
    if (!found || state.get.source !== source) return false;
    state.set({ cells: named({ ...found, name }) });
    return true;
  }

  /** One that was made before, with something in the way that is chosen. @param {import('./reading.js').Target} target */
  async function find(target) {
    const { source } = state.get;
    const made = await source?.readings().catch(() => null);
    if (state.get.source !== source) return false;
    const found = (made ?? []).find((each) => each.kind === KIND && isOf(each, target) && isMeasured(each));
    return Boolean(found) && fetch(/** @type {import('./readings.js').MadeReading} */ (found).name);
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
      state.set({ cells: named(asked.partial) });
    }
  }

  const cellMap = {
    /** There is something to measure, and somebody who does. */
    canAsk() {
      const { info } = state.get;
      return asking !== null && info !== null && info.grids.length > 0 && promptLength(info) < info.tokens.length;
    },

    /** Measure it in the way that is chosen, or what is missing of it. */
    ask() {
      if (!asking || !cellMap.canAsk() || state.get.readings[KIND]?.working) return;
      const { cells } = state.get;
      state.set({ cellsShown: true, ...(!isOfThese(cells) && { cells: null }) });
      asking.ask(KIND, { ...targetAsked(state.get), paint: paintOf(state.get) });
    },

    stop: () => asking?.stop(KIND),

    /** Show it: what there is, else what was made before, else it is asked for. */
    async show() {
      const { cells, source } = state.get;
      if (isOfThese(cells) && isMeasured(cells)) return state.set({ cellsShown: true });
      if (await find(targetOf(state.get))) return state.set({ cellsShown: true });
      if (state.get.source === source) cellMap.ask();
    },

    /** Leave places out in another way; a map on screen follows, and is measured where it lacks that. @param {Measure} how */
    choose(how) {
      state.set({ how });
      if (!state.get.cellsShown || isMeasured(state.get.cells)) return;
      cellMap.stop(); // what was measured so far is kept
      void cellMap.show();
    },

    /** What an address says is shown, if it was measured: it is not asked for again. @param {{how: Measure, tokens: number[] | null, against: number | null}} wish */
    async restore({ how, tokens, against }) {
      const { info, source } = state.get;
      if (!info) return;
      state.set({ how });
      const isFound = await find({ tokens: tokens ?? answerTokens(info), against });
      if (state.get.source === source) state.set(isFound ? { cellsShown: true } : { notice: asking ? NOT_MADE : NOT_HELD });
    },

    dispose: state.on(['readings'], hear),
  };
  return cellMap;
}

/** @typedef {ReturnType<typeof createCellMap>} CellMapState */
