// @ts-check
/** How far the small maps are where they are of all rows and take long, with a button that asks for one row instead. */
import { computedWords } from '../../text/computed.js';
import { create, listen, part } from '../dom.js';

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 * @param {() => void} stop
 */
export function createMapsFar(root, state, stop) {
  const words = create('span', {});
  const button = create('button', { type: 'button', class: 'av-toggle', text: 'Stop', title: 'one row instead of all' });
  const element = create('p', { class: 'av-atlas-far', hidden: '' }, [words, ' ', button]);
  part(root, 'atlas-head').before(element);

  function show() {
    const { computing, status } = state.get;
    element.hidden = !computing || status !== 'row';
    if (computing && !element.hidden) words.textContent = `Small maps: ${computedWords(computing)}.`;
  }

  const undo = [listen(button, { click: stop }), state.on(['computing', 'status'], show)];
  show();
  return { dispose: () => { undo.forEach((end) => end()); element.remove(); } };
}
