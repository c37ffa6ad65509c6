// @ts-check
/** Which of how many heads is on screen, and that the others look elsewhere. */
import { part } from '../dom.js';
import { areSummed } from '../../numbers/ratios.js';
import { headsLine } from '../../text/atlas.js';

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 */
export function createHeadsLine(root, state) {
  const line = part(root, 'heads');

  function write() {
    const { info, selection, reading } = state.get;
    line.textContent = info && selection ? headsLine(info, selection, areSummed(reading)) : '';
  }

  write();
  return { dispose: state.on(['info', 'selection', 'reading'], write) };
}
