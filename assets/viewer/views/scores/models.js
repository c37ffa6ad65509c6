// @ts-check
/** Lines on the models of scores, and on what lies between two of them: numbers, and small drawings of them. Texts go in as text. */
import { axisEnd } from '../../numbers/score_items.js';
import { ALARM, answerWords, chances, changeWords, headNames, interval, MEASURES, percent } from '../../text/scores.js';
import { create } from '../dom.js';
import { drawInterval } from './interval.js';

/**
 * @typedef {import('../../data/scores_source.js').ScoreTable} ScoreTable
 * @typedef {import('../../data/scores_source.js').ScoredModel} ScoredModel
 * @typedef {import('../../data/scores_source.js').MeasureName} MeasureName
 */

const NAMES = /** @type {MeasureName[]} */ (Object.keys(MEASURES));
const TITLES = {
  region_share: 'of the attention on the picture, at the place; on the half of the pictures on which the head was not found',
  region_peak: 'how often the highest cell stands for the place',
  region_touch: 'how often the middle half of the highest cell touches the place',
};
const TOP = 3; // heads that moved, in a line

/**
 * @param {HTMLElement} place  a table
 * @param {ScoreTable} table
 * @param {(model: ScoredModel) => void} mark  its heads in the other tab
 */
export function showModels(place, table, mark) {
  const ends = new Map(NAMES.map((name) => [name, axisEnd(table.models.flatMap((model) => {
    const { mean = 0, high = 0 } = model.found?.measures[name] ?? {};
    return [mean, high, ...chances(model, name).map(({ value }) => value)];
  }))]));
  const head = create('tr', {}, ['Model', 'Found head'].map((text) => create('th', { scope: 'col', text })));
  for (const name of NAMES) head.append(create('th', { scope: 'col', text: `${MEASURES[name]}, 0 to ${percent(ends.get(name))}`, title: TITLES[name] }));
  head.append(create('th', { scope: 'col', text: 'Answers' }));
  place.replaceChildren(create('thead', {}, [head]), create('tbody', {}, table.models.map((model) => lineOf(model, table, ends, mark))));
}

/** @param {ScoredModel} model @param {ScoreTable} table @param {Map<MeasureName, number>} ends @param {(model: ScoredModel) => void} mark */
function lineOf(model, table, ends, mark) {
  const line = create('tr', {}, [create('th', { scope: 'row', text: model.name, title: model.model_id ?? '' })]);
  if (!model.found) {
    line.append(create('td', { colspan: NAMES.length + 1, text: model.why_not ?? '–' }));
  } else {
    const { found } = model;
    const heads = create('td', {}, [create('div', { text: headNames(model) })]);
    const button = create('button', { type: 'button', text: 'Mark in Explore', title: 'ring these heads on the small maps of Explore, and order by them', 'aria-label': `Mark the found heads of ${model.name} in Explore` });
    button.addEventListener('click', () => mark(model));
    if (model.heads?.length) heads.append(button);
    line.append(heads, ...NAMES.map((name) => {
      const marks = chances(model, name);
      return create('td', {}, [
        create('div', { class: 'av-sc-drawn' }, [drawInterval(found.measures[name], { from: 0, to: ends.get(name) ?? 1, marks }), create('span', {}, [
          create('strong', { text: percent(found.measures[name].mean) }), ` ${interval(found.measures[name])}`,
        ])]),
        create('div', { class: 'av-sc-quiet', text: `by chance: ${marks.map((each) => `${each.name} ${percent(each.value)}`).join(', ')}` }),
      ]);
    }));
  }
  line.append(create('td', { text: answerWords(model, table) }));
  return line;
}

/** @param {HTMLElement} place @param {ScoreTable} table */
export function showPairs(place, table) {
  const names = new Map(table.models.map(({ member, name }) => [member, name]));
  const end = axisEnd(table.pairs.flatMap(({ found_head: found, mean_of_heads: mean }) => [found?.low, found?.high, mean?.low, mean?.high, found?.mean, mean?.mean]));
  place.replaceChildren(...table.pairs.map((pair) => {
    const by = MEASURES[/** @type {MeasureName} */ (pair.by)] ?? '';
    const title = create('h3', { text: `${names.get(pair.right)} less ${names.get(pair.left)}${pair.why_not ? '' : `: ${by}, on ${pair.n.toLocaleString('en')} items`}` });
    if (pair.why_not) return create('section', {}, [title, create('p', { text: pair.why_not })]);
    const lines = [[`at the head that ${names.get(pair.left)} looks with`, pair.found_head], ['mean of all heads', pair.mean_of_heads]];
    return create('section', {}, [
      title,
      ...lines.flatMap(([text, change]) => (change && typeof change === 'object' ? [create('p', { class: 'av-sc-drawn' }, [
        drawInterval(change, { from: -end, to: end }), create('span', { text: `${text}: ${changeWords(change)}` }),
      ])] : [])),
      create('p', { text: movedWords(pair) }),
    ]);
  }));
}

/** @param {import('../../data/scores_source.js').ScoredPair} pair */
function movedWords({ too_few: few, moved, heads, top }) {
  if (few) return few;
  const first = (top ?? []).filter(({ p }) => typeof p === 'number' && p <= ALARM).slice(0, TOP).map((each) => `${each.layer}.${each.head} ${MEASURES[/** @type {MeasureName} */ (each.measure)] ?? each.measure} ${changeWords(each)}`);
  return `${moved} of ${heads} heads moved (p at most ${ALARM}, all heads together)${first.length ? `: ${first.join('; ')}` : ''}`;
}
