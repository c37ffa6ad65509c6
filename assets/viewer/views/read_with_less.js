// @ts-check
/** Beside the answer: that pictures were read with fewer visual tokens than the model may know, with a button that asks for all of them. */
import { create, part } from './dom.js';
import { readWithLess, tokensForAll } from '../text/read_with_less.js';

/**
 * @param {Element} root
 * @param {Pick<import('../state/fields.js').ViewerState, 'get' | 'on'>} state
 * @param {((name: string, data: object) => void) | null} trigger  tells the page, where there is one that can run it again
 */
export function createReadWithLess(root, state, trigger) {
  const place = part(root, 'read-with-less');
  const words = create('span', {});
  const button = create('button', { type: 'button', class: 'av-link' });
  button.addEventListener('click', () => {
    const { info } = state.get;
    if (info) trigger?.('expand', { max_visual_tokens: tokensForAll(info) });
  });
  place.replaceChildren(words, ' ', button);

  function show() {
    const { info } = state.get;
    const said = info ? readWithLess(info) : [];
    place.hidden = !said.length;
    words.textContent = said.join(' ');
    button.hidden = !trigger || !said.length;
    button.textContent = info && said.length ? `Ask for ${tokensForAll(info).toLocaleString('en')}` : '';
    button.title = 'sets the most visual tokens per image to what the model’s processor would use, and opens the settings';
  }

  const undo = state.on(['info'], show);
  show();
  return { dispose: undo };
}
