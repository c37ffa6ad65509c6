// @ts-check
/** What a map can be trusted with: one sentence that is always there, and the page that says more. */
import { part } from './dom.js';
import { createHowToRead, linkHow } from './how_to_read.js';

/** What stands at the foot, of what is read and of effects. */
const SAID = { read: 'Attention shows what was read, not why. ', forecast: 'A forecast guesses what the answer would lose, and does not say why. ', relative: 'A ratio to a general question shows what this one changes, not why. ' };

/** What of the page says more, by what is shown. */
const ABOUT = { read: 'read', forecast: 'forecast', relative: 'relative' };

/** @param {HTMLElement} root @param {import('../state/fields.js').ViewerState} [state]  where effects can be shown */
export function createCaution(root, state) {
  const shown = () => state?.get.reading?.kind ?? 'read';
  const page = createHowToRead(root);
  const said = document.createTextNode(SAID.read);
  part(root, 'caution').replaceChildren(said, linkHow(root, () => ABOUT[shown()]));
  const undo = state?.on(['reading'], () => { said.textContent = SAID[shown()]; });
  return { dispose: () => { undo?.(); page.dispose(); } };
}
