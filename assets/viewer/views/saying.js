// @ts-check
/** Question and answer, each word of the answer a button: its row is what the map shows. Text goes in as text. */
import { create, listen, part } from './dom.js';
import { pointsAtTokens } from '../data/selection.js';
import { spokenWords } from '../data/word_bounds.js';

const MOST_WORDS = 400; // an answer may have thousands; all tokens are one click away
const GREETED = 'attention-greeted';

/**
 * @param {HTMLElement} root
 * @param {import('../state/fields.js').ViewerState} state
 * @param {Pick<import('../state/actions.js').Actions, 'selectToken'>} actions
 * @param {() => {name: string, text: string}[]} [others]  who else answered, and what
 */
export function createSaying(root, state, { selectToken }, others = () => []) {
  const question = part(root, 'question');
  const spoken = part(root, 'spoken');
  /** @type {{first: number, last: number, button: HTMLElement}[]} */
  let offered = [];

  function offer() {
    const { info } = state.get;
    offered = [];
    spoken.replaceChildren();
    question.textContent = '';
    if (!info) return;
    const { role, words, isCut } = spokenWords(info, MOST_WORDS);
    question.hidden = role !== 'answer';
    question.textContent = question.title = info.prompt ?? '';
    spoken.setAttribute('aria-label', role === 'answer' ? 'Answer: choose a word' : 'Prompt: choose a word');
    for (const { first, last, text, before } of words) {
      const button = create('button', { type: 'button', class: 'av-word', text, 'aria-pressed': false });
      button.addEventListener('click', () => selectToken(first, last > first ? last : null));
      spoken.append(before === '\n' ? create('br') : before, button);
      offered.push({ first, last, button });
    }
    if (role === 'answer' && info.forced) spoken.append(create('span', { class: 'av-given', text: 'pasted answer', title: 'this text was given: it is not the model’s own answer' }));
    for (const { name, text } of others()) spoken.append(create('span', { class: 'av-other-answer' }, [` · ${name} `, create('b', { text })]));
    if (isCut) spoken.append(create('span', { class: 'av-more-words', text: ' … all tokens have the rest' }));
    show();
  }

  /** The words that are selected, as a whole or in part; and, until somebody clicks, one that asks for it. */
  function show() {
    const { info, selection } = state.get;
    const isToken = info !== null && selection !== null && pointsAtTokens(info, selection) && selection.direction !== 'received';
    const [from, to] = isToken ? [selection.token, selection.until ?? selection.token] : [-1, -1];
    const chosen = offered.map(({ first, last }) => first <= to && last >= from);
    offered.forEach(({ button }, i) => button.setAttribute('aria-pressed', String(chosen[i])));
    const next = offered[chosen.indexOf(false, chosen.indexOf(true) + 1)] ?? offered[chosen.indexOf(false)] ?? offered[0];
    const isGreeting = !isGreeted();
    for (const { button } of offered) button.classList.toggle('av-pulse', isGreeting && button === next?.button);
    // where an answer is longer than its lines
    const first = offered[chosen.indexOf(true)]?.button;
    if (first && (first.offsetTop < spoken.scrollTop || first.offsetTop + first.offsetHeight > spoken.scrollTop + spoken.clientHeight)) spoken.scrollTop = first.offsetTop - 4;
  }

  function greet() {
    if (isGreeted()) return;
    try {
      localStorage.setItem(GREETED, '1');
    } catch {
      // without storage it is asked again on the next page
    }
    root.dataset.greeted = '';
    show();
  }

  function isGreeted() {
    if ('greeted' in root.dataset) return true;
    try {
      return localStorage.getItem(GREETED) !== null;
    } catch {
      return false;
    }
  }

  const undo = [state.on(['info'], offer), state.on(['selection'], show), listen(root, { click: greet })];
  offer();
  return { dispose: () => undo.forEach((end) => end()) };
}
