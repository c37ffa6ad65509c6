// @ts-check
/** What is on screen in words: whose words were read, token, layer and head, what lies between the two maps, and a live line. */
import { memberName, wordsRead } from '../../data/comparison_info.js';
import { pairWords } from '../../text/pair.js';
import { nameAt } from '../../text/side_by_side.js';
import { sinksOf } from '../../text/sinks.js';
import { create, part } from '../dom.js';
import { named, which } from '../headline.js';
import { cellsInWords, createLive } from '../live.js';
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
    const head = `${named('layer', before.layer)} · ${named('head', before.head)}`;
    const heads = pair.isSideBySide ? [before, pair.after].map((shown, i) => nameAt(names[i], shown)).join(' beside ') : head;
    title.textContent = `${heads} · ${which(info, before)}`;
    title.title = title.textContent;
    const what = { reads: 'rows', 'read by': 'columns', received: 'means' }[before.direction];
    facts.append(create('span', { text: names.join(pair.isSideBySide ? ' beside ' : ' against ') }), create('span', { text: `${what} in float32, from the factors of both` }));
    sentence.textContent = pairWords(comparison.members, pair, info, state.get.region);
    sentence.title = sentence.textContent;
    const hasSinks = before.sinks.count > 0 || pair.after.sinks.count > 0;
    sinks.textContent = pair.isSideBySide && !hasSinks ? '' : sinksOf([before, pair.after], mode); // of two layers
    sinks.title = before.sinks.count || pair.after.sinks.count ? SINK_RULE : '';
    live.say(spoken);
  }

  /** What is selected, what lies between the maps, the cells that changed most. */
  function spoken() {
    const { maps, pair, info } = state.get;
    const grid = pair?.before.grid == null ? null : info?.grids[pair.before.grid];
    const { values } = maps?.difference ?? { values: new Float32Array() };
    const largest = grid && !pair?.isSame && !pair?.isSideBySide ? cellsInWords(topCells(values.map(Math.abs), 5), values, grid.cols) : '';
    return `${title.textContent}. ${sentence.textContent}${largest && ` Largest differences: ${largest}.`}`;
  }

  const undo = [
    state.on(['comparison', 'wholeInfos'], sayWords),
    state.on(['info', 'comparison', 'pair', 'sinks', 'region'], write),
  ];
  return {
    dispose: () => {
      live.dispose();
      undo.forEach((end) => end());
    },
  };
}
