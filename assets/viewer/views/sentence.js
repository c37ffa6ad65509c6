// @ts-check
/** What the map says, under it and in a live line: where this head read from, and what lies on sinks. */
import { part } from './dom.js';
import { cellsInWords, createLive } from './live.js';
import { topCells } from '../numbers/reduce.js';
import { SINK_RULE } from '../numbers/sinks.js';
import { formatRatio, isRatio } from '../numbers/ratios.js';
import { relativeSentence } from '../text/relative.js';
import { measuredCaution, measuredSentence } from '../text/cell_map.js';
import { effectCaution, effectSentence, inNats } from '../text/effect.js';
import { sentenceOf } from '../text/map.js';
import { sinksOf } from '../text/sinks.js';

/**
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 */
export function createSentence(root, state) {
  const [sentence, sinks, title] = ['sentence', 'sinks', 'title'].map((name) => part(root, name));
  const live = createLive(root, state);

  function write() {
    const { shown, info, selection, drawn } = state.get;
    const isMap = shown && info && shown.grid !== null && shown.cells.length && shown.grid === selection?.grid;
    sentence.textContent = sentence.title = !isMap ? '' : shown.effect ? (isRatio(shown.effect) ? relativeSentence : effectSentence)({ ...shown, effect: shown.effect }, info) : sentenceOf(shown, info, state.get.region);
    sinks.textContent = !isMap ? '' : isRatio(shown.effect) ? '' : shown.effect ? effectCaution(info, shown.effect) : sinksOf([shown], state.get.sinks);
    sinks.title = !isMap ? '' : shown.effect ? sinks.textContent : shown.sinks.count ? SINK_RULE : '';
    if (isMap && drawn?.measured) {
      sentence.textContent = sentence.title = measuredSentence(drawn.measured.map, drawn.measured.measure);
      sinks.textContent = sinks.title = measuredCaution(drawn.measured.map, info);
      return live.say(() => sentence.textContent ?? '');
    }
    live.say(isMap ? () => spoken(shown, info) : null);
  }

  /** What is selected, and the cells that hold most. @param {import('../state/fields.js').Shown} shown @param {import('../data/run_info.js').RunInfo} info */
  function spoken({ cells, grid, effect }, info) {
    const { cols } = info.grids[/** @type {number} */ (grid)];
    return `${title.textContent}. ${sentence.textContent} ${sinks.textContent} Top cells: ${cellsInWords(topCells(cells, 5), cells, cols, isRatio(effect) ? formatRatio : effect ? inNats : undefined)}.`;
  }

  const undo = state.on(['info', 'selection', 'shown', 'drawn', 'sinks', 'region'], write);
  return {
    dispose: () => {
      undo();
      live.dispose();
    },
  };
}
