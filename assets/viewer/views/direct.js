// @ts-check
/** "Direct": a button, how far it is with a button that stops it, and the parts of the answer's logit as bars about 0, with the heads that add most. */
import { answerTokens } from '../data/run_info.js';
import { formatSigned } from '../numbers/change_measures.js';
import { DIRECT_ANSWERS, directSentence, partsOfLogit } from '../text/direct.js';
import { targetName } from '../text/effect.js';
import { readingName } from '../state/readings.js';
import { create, listen, part } from './dom.js';
import { linkHow } from './how_to_read.js';

const KIND = 'direct';
const HEADS = 5; // that are named

/**
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 * @param {import('../state/readings.js').Readings} readings
 * @param {(change: Partial<import('../data/selection.js').Selection>) => void} choose
 */
export function createDirect(root, state, readings, choose) {
  const button = create('button', { type: 'button', class: 'av-toggle', text: 'Direct', title: DIRECT_ANSWERS, 'data-show': KIND });
  const stop = create('button', { type: 'button', class: 'av-toggle', text: 'Stop', hidden: '' });
  const said = create('span', { class: 'av-show-said', role: 'status' });
  const element = create('span', { class: 'av-show', role: 'group', 'aria-label': 'Direct' }, [button, stop, said]);
  const panel = create('div', { class: 'av-direct', hidden: '' });
  let isOpen = false;
  part(root, 'choices').append(element);
  part(root, 'under').after(panel);

  /** The tokens that are asked about: the one that is chosen, where it is of the answer, or all of it. */
  function tokensAsked() {
    const { info, selection } = state.get;
    const all = info ? answerTokens(info) : [];
    return selection && all.includes(selection.token) && selection.until === null ? [selection.token] : all;
  }

  /** It was asked about these tokens, and not about those that were chosen before. */
  const isOfThese = () => state.get.readings[KIND]?.name === readingName({ tokens: tokensAsked() });

  function show() {
    const { info, readings: asked } = state.get;
    const now = asked[KIND];
    element.hidden = !info || !tokensAsked().length;
    button.setAttribute('aria-pressed', String(isOpen && isOfThese()));
    stop.hidden = !now?.working;
    said.textContent = !isOpen || !now ? '' : now.working || !now.made ? now.text : '';
    const made = now?.made;
    panel.hidden = !isOpen || !info || !made;
    if (info && made && !panel.hidden) panel.replaceChildren(...written(info, made.target?.tokens ?? [], /** @type {import('../text/direct.js').Budget} */ (made.budget)));
  }

  /** @param {import('../data/run_info.js').RunInfo} info @param {number[]} tokens @param {import('../text/direct.js').Budget} budget */
  function written(info, tokens, budget) {
    const parts = partsOfLogit(budget);
    const most = Math.max(...parts.map(({ added }) => Math.abs(added)));
    const target = targetName(info, { tokens, isWhole: String(tokens) === String(answerTokens(info)) });
    const rows = parts.map(({ name, title, added }) => {
      const bar = create('i', { class: added < 0 ? 'av-direct-bar av-less' : 'av-direct-bar' });
      bar.style.setProperty('--av-length', `${most > 0 ? (50 * Math.abs(added)) / most : 0}%`);
      return create('tr', { title }, [create('th', { scope: 'row', text: name }), create('td', {}, [bar]), create('td', { class: 'av-direct-number', text: formatSigned(added) })]);
    });
    const heads = (budget.strongest ?? []).slice(0, HEADS).flatMap(({ layer, head, added }, i) => {
      const link = create('button', { type: 'button', class: 'av-link', text: `layer ${layer} head ${head}` });
      link.addEventListener('click', () => choose({ layer, head }));
      return [i ? ', ' : '', link, ` ${formatSigned(added)}`];
    });
    return [
      create('p', {}, [`${directSentence(target, budget)} `, linkHow(root, KIND)]),
      create('table', {}, [create('tbody', {}, rows)]),
      ...(heads.length ? [create('p', {}, ['Most by one head: ', ...heads])] : []),
    ];
  }

  function ask() {
    const tokens = tokensAsked();
    readings.stop(KIND); // of others, which are not waited for any more
    if (tokens.length) readings.ask(KIND, { tokens });
  }

  const undo = [
    listen(button, { click: () => {
      isOpen = !(isOpen && isOfThese());
      if (isOpen) ask();
      else readings.stop(KIND);
      show();
    } }),
    listen(stop, { click: () => { readings.stop(KIND); button.focus(); } }),
    state.on(['info'], () => { isOpen = false; show(); }),
    state.on(['selection', 'readings'], show),
  ];
  show();
  return { dispose: () => { undo.forEach((end) => end()); element.remove(); panel.remove(); } };
}
