// @ts-check
/** The search field of the tokens: how many places hold a text, and from one to the next. It selects nothing by itself. */
import { create } from '../dom.js';

/**
 * @param {HTMLElement} place
 * @param {object} strip
 * @param {(wanted: string) => number} strip.search  look for a text; how many places hold it
 * @param {(by: number) => number} strip.go          to the next or the one before, and select it; which one that is
 * @param {() => number} strip.at                    which one is next
 * @param {() => void} strip.leave                   back to the tokens
 */
export function createTokenSearch(place, { search, go, at, leave }) {
  const field = create('input', { type: 'search', class: 'av-find', placeholder: 'find', 'aria-label': 'Find in the tokens', autocomplete: 'off', spellcheck: 'false' });
  const said = create('span', { class: 'av-found', role: 'status' });
  const buttons = (/** @type {const} */ ([[-1, '‹', 'previous match'], [1, '›', 'next match']])).map(([by, text, label]) => {
    const button = create('button', { type: 'button', class: 'av-step', text, 'aria-label': label });
    button.addEventListener('click', () => say(go(by)));
    return button;
  });
  place.replaceChildren(field, said, ...buttons);
  let count = 0;

  /** @param {number} which */
  function say(which) {
    const isEmpty = !field.value;
    said.textContent = isEmpty ? '' : count ? `${which + 1} of ${count}` : 'not found';
    for (const button of buttons) button.disabled = !count;
  }

  function look() {
    count = search(field.value);
    say(at());
  }

  field.addEventListener('input', look);
  field.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing) return; // a sign is being put together
    if (event.key === 'Enter') {
      event.preventDefault();
      if (count) say(go(event.shiftKey ? -1 : 1));
    } else if (event.key === 'Escape') {
      event.preventDefault();
      if (field.value) clear();
      else leave();
    }
  });

  function clear() {
    field.value = '';
    look();
  }

  say(0);
  return { clear, look };
}
