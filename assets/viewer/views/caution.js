// @ts-check
/** What a map can be trusted with: one sentence that is always there, and the page that says more. */
import { part } from './dom.js';
import { createHowToRead, linkHow } from './how_to_read.js';

/** What stands at the foot, by what is shown, and what of the page says more of it. */
const SAID = {
  read: { words: 'Attention shows what was read, not why. ', about: 'read' },
  forecast: { words: 'A forecast guesses what the answer would lose, and does not say why. ', about: 'forecast' },
  relative: { words: 'A ratio to a general question shows what this one changes, not why. ', about: 'relative' },
  tried: { words: 'Measured: what the answer loses without a cell, not why. ', about: 'tried-without' },
};

/** @param {HTMLElement} root @param {import('../state/fields.js').ViewerState} [state]  where effects can be shown */
export function createCaution(root, state) {
  const shown = () => SAID[state?.get.drawn?.measured ? 'tried' : state?.get.reading?.kind ?? 'read'];
  const page = createHowToRead(root);
  const said = document.createTextNode(shown().words);
  part(root, 'caution').replaceChildren(said, linkHow(root, () => shown().about));
  const undo = state?.on(['reading', 'drawn'], () => { said.textContent = shown().words; });
  return { dispose: () => { undo?.(); page.dispose(); } };
}
