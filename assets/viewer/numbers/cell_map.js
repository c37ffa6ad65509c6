// @ts-check
/**
 * A map over cells that was measured, block by block, as it is painted: a block's change in each of its cells, and no colour where nothing
 * was measured. Knows no document.
 *
 * @typedef {'hidden' | 'mean' | 'blur'} Measure  hidden from all others, or painted over in one of two ways
 * @typedef {{grid: number, rows: number, cols: number} & Partial<Record<Measure, (number | null)[][]>>} MeasuredGrid  [rows][cols] of blocks, null where none was measured
 *
 * @typedef {object} CellMap  as the server sends it, in nats
 * @property {string} name
 * @property {{tokens: number[], against: number | null}} target
 * @property {string} [other]  the text of the token that the one is set against, where it is known
 * @property {number[] | null} rows   from which alone cells were hidden
 * @property {[number, number]} block  rows and columns of cells that were hidden together
 * @property {number} value           of the target with nothing changed
 * @property {string} paths           that other paths stay open, '' where none do
 * @property {number} total           blocks
 * @property {Partial<Record<Measure, number>>} measured  how many of them were
 * @property {MeasuredGrid[]} grids
 * @property {number | null} [seconds_left]  while it is being measured
 *
 * @typedef {import('./coloured_map.js').Drawn & {measured: {map: CellMap, measure: Measure}}} Measured
 */
import { highOf, rangeOf } from './colour_range.js';

/** @param {CellMap} map @returns {Measure[]} */
export const measuresOf = (map) => /** @type {Measure[]} */ (Object.keys(map.measured));

/**
 * What is painted of a grid; null of one that the map does not have.
 * @param {CellMap} map
 * @param {Measure} measure
 * @param {number | null} number  of the grid
 * @param {{rows: number, cols: number}} grid  its cells
 * @param {Pick<import('../state/look.js').Look, 'curve' | 'clip'>} look
 * @returns {Measured | null}
 */
export function drawnCells(map, measure, number, { rows, cols }, { curve, clip }) {
  const own = map.grids.find(({ grid }) => grid === number);
  if (!own) return null;
  const blocks = own[measure]; // undefined where nothing was measured in this way
  const [down, right] = map.block;
  const values = new Float32Array(rows * cols);
  const hidden = new Uint8Array(rows * cols);
  for (let cell = 0; cell < values.length; cell++) {
    const change = blocks?.[Math.floor(Math.floor(cell / cols) / down)][Math.floor((cell % cols) / right)] ?? null;
    values[cell] = change ?? 0;
    hidden[cell] = Number(change === null);
  }
  const all = map.grids.flatMap((each) => (each[measure] ?? []).flat()).filter((change) => change !== null);
  const high = highOf(Float32Array.from(all, Math.abs), clip); // one range for all pictures and tiles
  const anyHidden = hidden.some(Boolean) ? hidden : null;
  return { values, hidden: anyHidden, range: rangeOf(values, { curve, clip, high, hidden: anyHidden, isEffect: true }), measured: { map, measure } };
}

/**
 * The block that loses most, and what all that lose and all that gain come to, over all grids.
 * @param {CellMap} map
 * @param {Measure} measure
 */
export function summaryOf(map, measure) {
  let [lost, gained] = [0, 0];
  /** @type {{grid: number, row: number, col: number, change: number} | null} */
  let worst = null;
  for (const { grid, [measure]: blocks } of map.grids) {
    for (const [row, changes] of (blocks ?? []).entries()) {
      for (const [col, change] of changes.entries()) {
        if (change === null) continue;
        if (change < 0) lost += change;
        else gained += change;
        if (!worst || change < worst.change) worst = { grid, row, col, change };
      }
    }
  }
  return { worst, lost, gained };
}
