// @ts-check
/** What moved most, as lists: heads, tokens of the answer; every answer in full; and where members are steps of one thing, the measure over them. One at a time. */
import { changeWish, massesName } from '../../state/change_wish.js';
import { whyNoChange } from '../../state/effect_change.js';
import { answersOf, hasParts, isSideBySide, memberName, seriesOf } from '../../data/comparison_info.js';
import { highestOf, movedMost, negligible } from '../../numbers/change_matrix.js';
import { formatMeasure, formatPoints, isSigned } from '../../numbers/change_measures.js';
import { belowNoise, timesNoise } from '../../numbers/noise.js';
import { floorName, floorWords, noiseText, partText } from '../../text/noise.js';
import { createSteps } from './steps.js';
import { movedTokens } from '../../text/compared_tokens.js';
import { LISTS, OWN_LISTS } from '../../state/comparison_view.js';
import { probabilityWords } from '../../text/pair.js';
import { create, listen, part } from '../dom.js';
import { headCount, layersOf } from '../../data/run_info.js';
import { changePath } from '../../data/source.js';
import { formatLog } from '../../text/token.js';
import { quoted } from '../../data/token_text.js';

const MOST = 24;

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ComparisonState} state
 * @param {Pick<import('../../state/actions.js').Actions, 'choose' | 'selectToken'> & {compare: (two: {right?: number}) => void}} actions
 */
export function createLists(root, state, { choose, selectToken, compare }) {
  const place = part(root, 'lists');
  const tabs = create('div', { class: 'av-tabs', role: 'tablist', 'aria-label': 'What moved most' });
  const note = create('p', { class: 'av-list-note' });
  const list = create('ol', { class: 'av-moved' });
  const chart = create('div', { class: 'av-steps' });
  const panel = create('div', { class: 'av-list', role: 'tabpanel', tabindex: -1 }, [note, list, chart]);
  place.replaceChildren(tabs, panel);
  const steps = createSteps(chart, state, { compare });
  const buttons = LISTS.map((name) => {
    const button = create('button', { type: 'button', class: 'av-tab', role: 'tab', text: name });
    button.addEventListener('click', () => state.set({ list: name }));
    tabs.append(button);
    return { name, button };
  });

  function showTabs() {
    const { comparison, list: open } = state.get;
    const series = comparison && seriesOf(comparison.members);
    for (const { name, button } of buttons) {
      button.hidden = (name === 'steps' && !series) || (isSideBySide(comparison) && !OWN_LISTS.includes(name));
      if (name === 'steps' && series) button.textContent = `${series.axis}s`;
      button.setAttribute('aria-selected', String(open === name));
      button.tabIndex = open === name ? 0 : -1;
    }
    chart.hidden = open !== 'steps';
    list.hidden = open === 'steps';
    note.hidden = open === 'steps';
    list.dataset.list = open;
  }

  function fill() {
    const { list: open } = state.get;
    if (open === 'heads') fillHeads();
    else if (open === 'tokens') fillTokens();
    else if (open === 'answers') fillAnswers();
  }

  function fillHeads() {
    const { info, comparison, selection, change, imageMasses, right, measure, of, region, part, floors: all, hidesNoise, reading } = state.get;
    const why = whyNoChange(reading);
    if (!info || !comparison || !selection || why || !change) return empty(why);
    const isNow = change.name === changePath(changeWish(info, selection, { right, measure, of, region, part, comparison, reading }));
    list.classList.toggle('av-stale', !isNow);
    if (!isNow) return;
    const massName = massesName(info, selection, { right, measure, of });
    const faint = negligible(massName !== null && imageMasses?.name === massName ? imageMasses.values : null, change.values.length);
    const [layers, heads] = [layersOf(info, selection.tower), headCount(info, selection.tower)];
    const high = highestOf(change.values);
    if (!(high > 0)) return empty(reading ? 'No forecast of a head moved: each is exactly the same.' : 'No head moved: every row is exactly the same.');
    const unit = comparison.measures[measure]?.unit ?? '';
    const left = faint.reduce((count, is) => count + is, 0);
    const floors = all?.name === change.name ? all : null;
    const below = belowNoise(floors, change.values);
    const hidden = hidesNoise && below ? below.map((is, i) => is && !faint[i] ? 1 : 0).reduce((count, is) => count + is, 0) : 0;
    const without = [left ? `${left} that read under 1\u202f% on the picture` : '', hidden ? `${hidden} below the noise floor` : ''].filter(Boolean);
    note.textContent = [partText(part, measure, hasParts(comparison, right)), floors ? '× of the noise floor' : '', without.length ? `without ${without.join(' and ')}` : ''].filter(Boolean).join('; ');
    note.title = floors ? `${note.textContent}. The noise floor is the largest of ${floors.kinds.map(floorName).join(', ')}` : note.textContent;
    list.replaceChildren(...movedMost(change.values, hidesNoise && below ? faint.map((is, i) => is || below[i]) : faint, MOST).filter((i) => change.values[i] !== 0).map((i) => {
      const [layer, head] = [layers[Math.floor(i / heads)], i % heads];
      const value = change.values[i];
      const button = row(`layer ${layer} · head ${head}`, formatMeasure(measure, unit, value), Math.abs(value) / high, isSigned(measure) ? Math.sign(value) : 0);
      if (floors) button.title = setBeside(button, floors, i, value);
      button.setAttribute('aria-pressed', String(selection.layer === layer && selection.head === head));
      button.addEventListener('click', () => choose({ layer, head }));
      return create('li', {}, [button]);
    }));
  }

  function fillTokens() {
    const { comparison, info, logprobs, left, right, selection, logprobFloors } = state.get;
    if (!comparison || !info || !logprobs) return empty('');
    list.classList.remove('av-stale');
    const moved = movedTokens(logprobs, left, right, comparison.shared_tokens);
    if (!moved.length) return empty('No token of an answer is shared by all.');
    if (moved.every(({ before, after }) => before === after)) return empty('No token moved: all probabilities are exactly the same.');
    note.textContent = 'probability of what was read, first → second';
    note.title = '';
    const high = Math.max(...moved.map((one) => Math.abs(one.moved))) || 1;
    list.replaceChildren(...moved.slice(0, MOST).map(({ token, before, after, moved: by }) => {
      const button = row(quoted(info, token), probabilityWords(before, after), Math.abs(by) / high, Math.sign(by));
      const place = token - (comparison.shared_tokens - (logprobs.shape[1] ?? 0));
      const floored = logprobFloors && left === 0 ? setBeside(button, logprobFloors, place, after - before) : ''; // floors are the base's
      button.title = `token ${token}: ${formatPoints(by)}; logarithm ${formatLog(before)} → ${formatLog(after)}${floored && `, ${floored}`}`;
      button.setAttribute('aria-pressed', String(selection?.token === token && selection.until === null));
      button.addEventListener('click', () => selectToken(token));
      return create('li', {}, [button]);
    }));
  }

  /** What each answers by itself; what it begins with as the base's does is quiet. */
  function fillAnswers() {
    const { comparison } = state.get;
    if (!comparison) return empty('');
    list.classList.remove('av-stale');
    const answers = answersOf(comparison);
    const areSame = answers.slice(1).every(({ isSame }) => isSame);
    note.textContent = areSame ? 'all give the same answer' : "each one's own answer";
    note.title = '';
    list.replaceChildren(...answers.map(({ text, isSame, note: aside, common }, i) => create('li', {}, [
      create('span', { class: 'av-answer-name', text: memberName(comparison.members, i) }),
      create('span', { class: 'av-answer-common', text: isSame ? 'same answer' : text ? text.slice(0, common) : 'no answer' }), isSame ? '' : text.slice(common),
      ...(aside ? [create('span', { class: 'av-member-note', text: aside })] : []),
    ])));
  }

  /** @param {string} name @param {string} value @param {number} share  of the largest @param {number} sign  0 of what has none */
  function row(name, value, share, sign) {
    const bar = create('i', { class: `av-share-bar${sign ? (sign < 0 ? ' av-less' : ' av-more') : ''}`, 'aria-hidden': 'true' });
    bar.style.width = `${Math.max(1, 100 * share)}%`;
    const words = [create('span', { class: 'av-moved-name', text: name }), create('span', { class: 'av-moved-value', text: value })];
    return create('button', { type: 'button', class: 'av-moved-row' }, [bar, ...words]);
  }

  /** A multiple of the noise floor beside a value, quiet where the change is no more than that. Returns it in words. @param {HTMLElement} button @param {import('../../numbers/noise.js').Floors} floors @param {number} at @param {number} value */
  function setBeside(button, floors, at, value) {
    const times = timesNoise(floors, at, value);
    button.append(create('span', { class: 'av-moved-times', text: noiseText(times) }));
    button.classList.toggle('av-below', times <= 1);
    const words = floorWords(floors, at, value);
    return times <= 1 ? `${words}: no more than noise` : words;
  }

  /** @param {string} why */
  function empty(why) {
    list.replaceChildren();
    note.textContent = note.title = why;
  }

  /** @param {KeyboardEvent} event */
  function turn(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const offered = buttons.filter(({ button }) => !button.hidden);
    const at = offered.findIndex(({ name }) => name === state.get.list);
    const next = offered[(at + by + offered.length) % offered.length];
    state.set({ list: next.name });
    next.button.focus();
  }

  const undo = [
    listen(tabs, { keydown: turn }),
    state.on(['comparison', 'list'], showTabs),
    state.on(['info', 'comparison', 'selection', 'change', 'imageMasses', 'logprobs', 'left', 'right', 'measure', 'of', 'list', 'region', 'part', 'floors', 'logprobFloors', 'hidesNoise', 'reading'], fill),
  ];
  showTabs();
  fill();
  return {
    dispose: () => {
      undo.forEach((end) => end());
      steps.dispose();
    },
  };
}
