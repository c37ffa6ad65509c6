// @ts-check
/** "Reads as": a button for the logit lens, how far it is with a button that stops it, and after which layer words are shown. */
import { LENS_ANSWERS, lensLine } from '../text/lens.js';
import { hasWords } from '../state/lens.js';
import { create, listen, part } from './dom.js';
import { linkHow } from './how_to_read.js';

/**
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 * @param {import('../state/lens.js').LensChoice} choice
 */
export function createLensSwitch(root, state, choice) {
  const button = create('button', { type: 'button', class: 'av-toggle', text: 'Reads as', title: LENS_ANSWERS, 'data-show': 'lens' });
  const stop = create('button', { type: 'button', class: 'av-toggle', text: 'Stop', hidden: '' });
  const said = create('span', { class: 'av-show-said', role: 'status' });
  const more = linkHow(root, 'lens', '?');
  more.setAttribute('aria-label', 'How to read the lens');
  const element = create('span', { class: 'av-show av-lens', role: 'group', 'aria-label': 'Lens' }, [button, stop, said, more]);
  part(root, 'choices').append(element);

  let isThere = false;

  function show() {
    const { info, selection, readings, lens, words } = state.get;
    const isWorking = Boolean(readings.lens?.working);
    element.hidden = !info?.towers.language || !isThere;
    button.setAttribute('aria-pressed', String(lens !== null || isWorking));
    stop.hidden = !isWorking;
    const isOther = lens && selection && !hasWords(selection.tower);
    more.hidden = !lens;
    said.textContent = isWorking ? readings.lens.text : isOther ? `Words are of the language model’s layers: none of the ${selection.tower} tower.`
      : lens && words && selection ? lensLine(lens, words.layer, selection.layer) : '';
  }

  const undo = [
    listen(button, { click: () => void choice.toggle() }),
    listen(stop, { click: () => { choice.stop(); button.focus(); } }),
    state.on(['info'], () => void choice.isThere().then((is) => { isThere = is; show(); })),
    state.on(['info', 'selection', 'readings', 'lens', 'words'], show),
  ];
  show();
  return { dispose: () => { undo.forEach((end) => end()); element.remove(); } };
}
