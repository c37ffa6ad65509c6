// @ts-check
/** What is on screen in words: whose words were read, token, layer and head, what lies between the two maps, and a live line. */
import { memberName, wordsRead } from './comparison_info.js';
import { pairWords, sinkWords } from './comparison_words.js';
import { create, part } from './dom.js';
import { formatValue } from './format.js';
import { named, which } from './headline.js';
import { topCells } from './reduce.js';

const SETTLED_MS = 600;

/**
 * @param {Element} root
 * @param {import('./comparison.js').ComparisonState} state
 */
export function createComparisonHeadline(root, state) {
  const [model, title, facts, sentence, sinks, live, notice] = ['model', 'title', 'facts', 'sentence', 'sinks', 'live', 'notice'].map((name) => part(root, name));
  /** @type {number | undefined} */
  let speaking;

  function sayWords() {
    const { comparison, wholeInfos } = state.get;
    model.replaceChildren();
    if (!comparison || !wholeInfos.length) return;
    model.append(create('b', { text: comparison.model.id }), ` · ${wordsRead(comparison, wholeInfos)}`);
    model.title = model.textContent;
  }

  function write() {
    const { info, comparison, pair, sinks: mode } = state.get;
    window.clearTimeout(speaking);
    for (const line of [title, facts, sentence, sinks]) line.textContent = '';
    if (!info || !comparison || !pair) return;
    const { before } = pair;
    title.textContent = `${named('layer', before.layer)} · ${named('head', before.head)} · ${which(info, before)}`;
    title.title = title.textContent;
    const names = [pair.left, pair.right].map((member) => memberName(comparison.members, member));
    const what = { reads: 'rows', 'read by': 'columns', received: 'means' }[before.direction];
    facts.append(create('span', { text: names.join(' against ') }), create('span', { text: `${what} in float32, from the factors of both` }));
    sentence.textContent = pairWords(comparison.members, pair, info);
    sentence.title = sentence.textContent;
    sinks.textContent = sinkWords(pair, mode);
    speaking = window.setTimeout(speak, SETTLED_MS);
  }

  /** For who cannot see the maps: what is selected, what lies between them, the cells that changed most. */
  function speak() {
    const { maps, pair, info } = state.get;
    if (!pair || !info) return;
    const grid = pair.before.grid === null ? null : info.grids[pair.before.grid];
    const cells = maps && grid && !pair.isSame ? topCells(maps.difference.values.map(Math.abs), 5) : [];
    const largest = cells.map((cell) => `row ${Math.floor(cell / (grid?.cols ?? 1))} col ${cell % (grid?.cols ?? 1)} ${formatValue(maps?.difference.values[cell] ?? 0)}`);
    live.textContent = `${title.textContent}. ${sentence.textContent}${largest.length ? ` Largest differences: ${largest.join(', ')}.` : ''}`;
  }

  const undo = [
    state.on(['comparison', 'wholeInfos'], sayWords),
    state.on(['info', 'comparison', 'pair', 'sinks'], write),
    state.on(['notice'], () => { notice.textContent = state.get.notice; notice.hidden = !state.get.notice; }),
  ];
  notice.hidden = true;
  return {
    dispose: () => {
      window.clearTimeout(speaking);
      undo.forEach((end) => end());
    },
  };
}
