// @ts-check
/** The list of keys, in a dialog. */
import { create, part } from './dom.js';
import { KEYS } from '../state/keys.js';

/**
 * @param {Element} root
 * @param {[string, string][]} [more]  keys of this page alone, and what they do
 * @param {string[]} [without]  commands that it does not have
 */
export function createHelp(root, more = [], without = []) {
  const dialog = create('dialog', { class: 'av-help', 'aria-label': 'Keys' });
  const close = create('button', { type: 'button', class: 'av-toggle', text: 'Close' });
  close.addEventListener('click', () => dialog.close());
  dialog.append(
    create('strong', { text: 'Keys, while the viewer has the focus' }),
    create('dl', {}, [
      ...KEYS.filter(({ command }) => !without.includes(command)).flatMap(({ shown, says }) => [create('dt', {}, [create('kbd', { text: shown })]), create('dd', { text: says })]),
      create('dt', {}, [create('kbd', { text: 'shift' }), ' + arrows']), create('dd', { text: 'on the picture: point at the next cell; Enter selects it' }),
      create('dt', {}, [create('kbd', { text: 'p' })]), create('dd', { text: 'on the picture: pin the cell, or let it go; shift and click pin it and mark the point' }),
      create('dt', {}, [create('kbd', { text: 'b' })]), create('dd', { text: 'on the picture: begin a box at the cell; arrows extend it, Enter ends it, Esc gives it up' }),
      create('dt', {}, [create('kbd', { text: 'shift' }), ' and drag']), create('dd', { text: 'draw a box on the picture: how much is read there, and how much by chance' }),
      create('dt', {}, [create('kbd', { text: '+' }), ' ', create('kbd', { text: '−' }), ' ', create('kbd', { text: '0' })]),
      create('dd', { text: 'on the picture: larger, smaller, whole; the wheel once it has the focus, or with Ctrl' }),
      ...more.flatMap(([shown, says]) => [create('dt', {}, [create('kbd', { text: shown })]), create('dd', { text: says })]),
    ]),
    close,
  );
  root.append(dialog);
  const button = create('button', { type: 'button', class: 'av-toggle', text: '?', 'aria-label': 'Keys', title: 'keys (?)' });
  button.addEventListener('click', toggle);
  part(root, 'about').append(button);

  function toggle() {
    if (dialog.open) dialog.close();
    else dialog.showModal();
  }
  return { toggle, dispose: () => dialog.remove() };
}
