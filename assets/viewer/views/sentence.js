// @ts-check
/** What the map says, in words: one sentence under it (where this head read from, never why), what lies on sinks, and a live line. */
import { part } from './dom.js';
import { formatPercent, formatTimes, formatValue } from '../data/format.js';
import { cellsInWords, createLive } from './live.js';
import { cellsOfHalf, topCells } from '../numbers/reduce.js';
import { areShares } from '../data/selection.js';
import { SINK_RULE } from '../numbers/sinks.js';

/**
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 */
export function createSentence(root, state) {
  const [sentence, sinks, title] = ['sentence', 'sinks', 'title'].map((name) => part(root, name));
  const live = createLive(root, state);

  function write() {
    const { shown, info, selection } = state.get;
    const isMap = shown && info && shown.grid !== null && shown.cells.length && shown.grid === selection?.grid;
    sentence.textContent = isMap ? sentenceOf(shown, info) : '';
    sinks.textContent = isMap ? sinksOf(shown, state.get.sinks) : '';
    sinks.title = isMap && shown.sinks.count ? SINK_RULE : '';
    live.say(isMap ? () => spoken(shown, info) : null);
  }

  /** What is selected, and the cells that hold most. @param {import('../state/fields.js').Shown} shown @param {import('../data/run_info.js').RunInfo} info */
  function spoken({ cells, grid }, info) {
    const { cols } = info.grids[/** @type {number} */ (grid)];
    return `${title.textContent}. ${sentence.textContent} ${sinks.textContent} Top cells: ${cellsInWords(topCells(cells, 5), cells, cols)}.`;
  }

  const undo = state.on(['info', 'selection', 'shown', 'sinks'], write);
  return {
    dispose: () => {
      undo();
      live.dispose();
    },
  };
}

/**
 * Where the row on screen reads from, or who reads what is selected.
 * @param {import('../state/fields.js').Shown} shown
 * @param {import('../data/run_info.js').RunInfo} info
 */
export function sentenceOf({ direction, layer, head, cells, mass, imageMass, masses, argmax, grid }, info) {
  const { cols } = info.grids[/** @type {number} */ (grid)];
  const who = `${typeof layer === 'number' ? `Layer ${layer}` : `The ${layer} over layers`}, ${typeof head === 'number' ? `head ${head}` : `${head} over heads`}`;
  if (!(mass > 0)) return `${who}: nothing on this picture.`;
  const peak = `row ${Math.floor(argmax / cols)}, col ${argmax % cols}`;
  const half = `half of that on ${cellsOfHalf(cells)} of ${cells.length} cells`;
  const even = formatTimes((cells[argmax] * cells.length) / mass);
  if (direction === 'read by') return `${who}: of the cells here ${peak} reads it most, ${formatValue(cells[argmax])} of its row.`;
  if (direction === 'received') return `${who}: over all patches, ${peak} receives most (${even} even).`;
  if (!areShares({ direction, layer, head })) return `${who}: half of what is drawn on ${cellsOfHalf(cells)} of ${cells.length} cells; the most on ${peak}, ${formatValue(cells[argmax])}.`;
  const where = masses.size > 1 ? `${formatPercent(mass)} of the row is on this picture (${formatPercent(imageMass)} on all)` : `${formatPercent(mass)} of the row is on the picture`;
  return `${who}: ${where}, ${half}; the most on ${peak} (${even} even).`;
}

/**
 * What lies on sinks, and what is done about it; always said.
 * @param {import('../state/fields.js').Shown} shown
 * @param {import('../state/look.js').Look['sinks']} mode
 */
export function sinksOf({ direction, sinks, mass, layer, head }, mode) {
  if (direction === 'read by') return '';
  if (!sinks.count) return typeof layer === 'number' ? 'No sink cells in this layer.' : 'No sink cells in any layer.';
  const whose = !areShares({ direction, layer, head }) ? 'what is drawn' : `${typeof head === 'number' ? "this head's" : 'this'} image attention`;
  const cells = `${sinks.count} sink cell${sinks.count === 1 ? '' : 's'}`;
  const done = { raw: 'drawn as they are', masked: 'hatched, outside the colours', renormalised: sinks.rowMass > 0 ? 'hatched, the rest divided by what is left' : 'hatched, outside the colours' }[mode];
  return `${formatPercent(mass > 0 ? sinks.mass / mass : 0)} of ${whose} is on ${cells}: ${done}.`;
}
