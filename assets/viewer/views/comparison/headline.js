// @ts-check
/** What is on screen in words: whose words were read, token, layer and head, what lies between the two maps, and a live line. */
import { hasParts, memberName, wordsRead } from '../../data/comparison_info.js';
import { headCount, layersOf } from '../../data/run_info.js';
import { changePath } from '../../data/source.js';
import { changeWish, rowOfMatrix } from '../../state/change_wish.js';
import { timesNoise } from '../../numbers/noise.js';
import { floorWords, ONE_INPUT, ONE_INPUT_MEANS, OVER_A_SET, partText } from '../../text/noise.js';
import { effectTitle } from '../../text/effect.js';
import { pairWords } from '../../text/pair.js';
import { pairCaution, writerOf } from '../../text/pair_effect.js';
import { relativeTitle } from '../../text/relative.js';
import { nameAt } from '../../text/side_by_side.js';
import { sinksOf } from '../../text/sinks.js';
import { create, part } from '../dom.js';
import { named, which } from '../headline.js';
import { cellsInWords, createLive } from '../live.js';
import { areSummed, isRatio } from '../../numbers/ratios.js';
import { topCells } from '../../numbers/reduce.js';
import { SINK_RULE } from '../../numbers/sinks.js';

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ComparisonState} state
 */
export function createComparisonHeadline(root, state) {
  const [model, title, facts, sentence, sinks] = ['model', 'title', 'facts', 'sentence', 'sinks'].map((name) => part(root, name));
  const live = createLive(root, state);

  function sayWords() {
    const { comparison, wholeInfos } = state.get;
    model.replaceChildren();
    if (!comparison || !wholeInfos.length) return;
    model.append(create('b', { text: comparison.model.id }), ` · ${wordsRead(comparison, wholeInfos)}`);
    model.title = model.textContent;
  }

  function write() {
    const { info, comparison, pair, sinks: mode } = state.get;
    live.say(null);
    for (const line of [title, facts, sentence, sinks]) line.textContent = '';
    if (!info || !comparison || !pair) return;
    const { before } = pair;
    const names = [pair.left, pair.right].map((member) => memberName(comparison.members, member));
    const isSum = areSummed(before.effect);
    const head = `${named('layer', before.layer, isSum)} · ${named('head', before.head, isSum)}`;
    const heads = pair.isSideBySide ? [before, pair.after].map((shown, i) => nameAt(names[i], shown)).join(' beside ') : head;
    const read = !before.effect ? which(info, before) : (isRatio(before.effect) ? relativeTitle : effectTitle)(info, { ...before, effect: before.effect });
    title.textContent = `${heads} · ${read}`;
    title.title = title.textContent;
    const what = { reads: 'rows', 'read by': 'columns', received: 'means' }[before.direction];
    facts.append(create('span', { text: names.join(pair.isSideBySide ? ' beside ' : ' against ') }), create('span', { text: before.effect ? (isRatio(before.effect) ? 'ratios to a general question, in float32' : 'forecasts of both, first order, in float32') : `${what} in float32, from the factors of both` }), create('span', { text: ONE_INPUT, title: `${ONE_INPUT_MEANS} ${OVER_A_SET}` }));
    sentence.textContent = `${pairWords(comparison.members, pair, info, state.get.region)}${besideFloors()}`;
    sentence.title = sentence.textContent;
    const hasSinks = before.sinks.count > 0 || pair.after.sinks.count > 0;
    sinks.textContent = before.effect ? pairCaution(names, pair, info) : pair.isSideBySide && !hasSinks ? '' : sinksOf([before, pair.after], mode); // of two layers
    sinks.title = !before.effect && (before.sinks.count || pair.after.sinks.count) ? SINK_RULE : '';
    live.say(spoken);
  }

  /** The selected head's change, as the matrix has it, beside the noise floors. */
  function besideFloors() {
    const { info, comparison, selection, pair, change, floors, measure, of, part, right, region, reading } = state.get;
    if (!info || !comparison || !selection || !pair || !change || floors?.name !== change.name) return '';
    const { tower, layer, head } = pair.before;
    const isNow = pair.right === right && tower === selection.tower && change.name === changePath(changeWish(info, selection, { right, measure, of, region, part, comparison, reading }));
    if (!isNow || typeof layer !== 'number' || typeof head !== 'number') return '';
    const at = layersOf(info, tower).indexOf(layer) * headCount(info, tower) + head;
    const value = change.values[at];
    const words = value ? floorWords(floors, at, value) : '';
    const rows = tower === 'vision' ? 'Over the patches that were compared its' : "Over the answer's rows its";
    const what = `${rowOfMatrix(info, selection, of) === null ? rows : 'Its'} ${partText(part, measure, hasParts(comparison, right))}`;
    return words ? ` ${what}: ${words}${timesNoise(floors, at, value) <= 1 ? ', no more than noise' : ''}.` : '';
  }

  /** What is selected, what lies between the maps, the cells that changed most. */
  function spoken() {
    const { maps, pair, info } = state.get;
    const grid = pair?.before.grid == null ? null : info?.grids[pair.before.grid];
    const { values } = maps?.difference ?? { values: new Float32Array() };
    const largest = grid && !pair?.isSame && !pair?.isSideBySide ? cellsInWords(topCells(values.map(Math.abs), 5), values, grid.cols, pair?.before.effect ? writerOf(pair.before.effect) : undefined) : '';
    return `${title.textContent}. ${sentence.textContent}${largest && ` Largest differences: ${largest}.`}`;
  }

  const undo = [
    state.on(['comparison', 'wholeInfos'], sayWords),
    state.on(['info', 'comparison', 'pair', 'sinks', 'region', 'floors'], write),
  ];
  return {
    dispose: () => {
      live.dispose();
      undo.forEach((end) => end());
    },
  };
}
