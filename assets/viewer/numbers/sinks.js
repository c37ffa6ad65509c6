// @ts-check
/**
 * Attention sinks, the keys that attract attention regardless of the prompt: which cells they are, what they hold, and how a map is drawn without them.
 * They are found when a run is made, layer by layer. Knows no document.
 *
 * @typedef {object} SinkCells
 * @property {Uint8Array | null} cells  1 for a sink, of the cells on screen; null where there is none
 * @property {number} count    on screen
 * @property {number} mass     of the map on screen that lies on them
 * @property {number} rowMass  of the whole row that lies on sinks, also of other pictures and of text; 0 of numbers that are no shares of one row
 * @property {number} [learned]  of the whole row, what lies on a learned sink, which is no key; left out where there is none
 */

/** How sinks are found, in short (`attention.measures.sinks.find_sinks`). */
export const SINK_RULE = 'A sink is a cell that stands out in nearly every row, before the question too, about as much whatever is asked, and where what is read is little. '
  + "It is found from what is read, not from what is there: an object's own cells can fall under it if every row looks at them. “Sinks: raw” draws all cells.";

/**
 * The sinks of a layer; of a reduction over layers those of any layer.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {string} tower
 * @param {import('../data/run_info.js').Choice} layer
 * @returns {number[]} keys, ascending
 */
export function sinkKeys(info, tower, layer) {
  const layers = info.sinks?.[tower] ?? {};
  if (typeof layer === 'number') return layers[layer] ?? [];
  return [...new Set(Object.values(layers).flat())].sort((a, b) => a - b);
}

/**
 * What of a row lies on the learned sink of its layer: what it lacks to 1. Undefined where no layer that was asked for has one.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {{tower: string, layer: import('../data/run_info.js').Choice}} selection
 * @param {Float32Array} row  [keys], shares
 */
export function onLearnedSink(info, { tower, layer }, row) {
  const has = info.towers[tower].layers.some(({ index, learned_sink: learned }) => learned && (typeof layer !== 'number' || index === layer));
  return has ? Math.max(0, 1 - row.reduce((total, value) => total + value, 0)) : undefined;
}

/**
 * @param {Float32Array} row         [keys]
 * @param {Int32Array | undefined} keys   the key of each cell on screen
 * @param {number[]} sinks           keys
 * @param {boolean} areShares        of one row, so that a part of it can be left out
 * @returns {SinkCells}
 */
export function findSinkCells(row, keys, sinks, areShares = true) {
  const isSink = new Set(sinks);
  const cells = keys ? Uint8Array.from(keys, (key) => Number(isSink.has(key))) : new Uint8Array();
  let [count, mass] = [0, 0];
  cells.forEach((sink, cell) => {
    count += sink;
    mass += sink ? row[/** @type {Int32Array} */ (keys)[cell]] : 0;
  });
  return { cells: count ? cells : null, count, mass, rowMass: areShares ? sinks.reduce((total, key) => total + row[key], 0) : 0 };
}

/**
 * The values to be drawn, and which cells have no colour.
 * @param {Float32Array} cells
 * @param {SinkCells} sinks
 * @param {import('../state/look.js').Look['sinks']} mode  `renormalised`: as if the row had nothing but what is not on sinks; of no shares of one row the same as masked
 * @returns {{values: Float32Array, hidden: Uint8Array | null}}
 */
export function withoutSinks(cells, sinks, mode) {
  if (mode === 'raw') return { values: cells, hidden: null };
  const rest = 1 - sinks.rowMass;
  const values = mode === 'renormalised' && sinks.rowMass > 0 ? cells.map((value) => (rest > 0 ? value / rest : 0)) : cells;
  return { values, hidden: sinks.cells };
}
