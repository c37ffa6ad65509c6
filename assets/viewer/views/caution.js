// @ts-check
/** What a map can be trusted with: one sentence that is always there, and a dialog that says more. */
import { create, part } from './dom.js';

/** @type {[string, string][]} */
const PARTS = [
  ['What is drawn', 'The attention of one head of one layer: of what the model reads while it writes a word, the share that each cell of the picture gets. The numbers are the model’s own; a cell covers exactly the pixels that its token was made from.'],
  ['What it does not say', 'That the answer came from there. A head may read a place and change nothing, and what was read in one layer travels on through the others.'],
  ['One of many', 'Each head looks somewhere else. One that follows the question is found among many that do not: compare heads, and other pictures, before you believe one.'],
  ['Does it matter?', 'In the app, mark a place (key m) and try without it, or silence a head: the model reads the same words again without that. How much less probable the answer is then stands beside the same for other places or heads, and beside a forecast from one pass forward and back. It says what happens then, not why. What was read most may matter little, and what was read little may matter much.'],
  ['Forecast', '“Show: Forecast”, among all tokens, colours each cell by what the log-probability of the answer would lose (−, blue) or gain (+, red) if it were read a little less: the slope in nats as its score falls by 1, from one pass forward and back. Nothing was tried, and hiding is more than reading a little less: where an answer is nearly certain, or a cell holds much of a row, the two can part, even in sign. Heads, layers and rows add up.'],
  ['Sinks', 'Cells that attract attention whatever is asked are hatched and outside the colours; what they hold is said below the map.'],
];

/** What stands at the foot, of what is read and of effects. */
const SAID = { read: 'Attention shows what was read, not why. ', effect: 'A forecast guesses what the answer would lose, and does not say why. ' };

/** @param {HTMLElement} root @param {import('../state/fields.js').ViewerState} [state]  where effects can be shown */
export function createCaution(root, state) {
  const dialog = create('dialog', { class: 'av-help av-reading-help', 'aria-label': 'How to read this' });
  const close = create('button', { type: 'button', class: 'av-toggle', text: 'Close' });
  close.addEventListener('click', () => dialog.close());
  dialog.append(
    create('strong', { text: 'How to read this' }),
    ...PARTS.flatMap(([title, text]) => [create('h3', { text: title }), create('p', { text })]),
    close,
  );
  root.append(dialog);
  const more = create('button', { type: 'button', class: 'av-link', text: 'How to read this' });
  more.addEventListener('click', () => dialog.showModal());
  const said = document.createTextNode(SAID.read);
  part(root, 'caution').replaceChildren(said, more);
  const undo = state?.on(['reading'], () => { said.textContent = SAID[state.get.reading ? 'effect' : 'read']; });
  return { dispose: () => { undo?.(); dialog.remove(); } };
}
