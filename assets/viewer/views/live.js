// @ts-check
/** For who cannot see the page: what is on screen, said once a person has stopped for a moment. And what is to be noticed beside it. */
import { create, part } from './dom.js';
import { askForLibrary } from './kept_events.js';
import { formatValue } from '../data/format.js';

const SETTLED_MS = 600;

/**
 * @param {Element} root
 * @param {Pick<import('../state/fields.js').ViewerState, 'get' | 'on'>} state
 */
export function createLive(root, state) {
  const [live, notice] = ['live', 'notice'].map((name) => part(root, name));
  /** @type {number | undefined} */
  let speaking;

  function showNotice() {
    const { notice: words, lost } = state.get;
    notice.textContent = words;
    notice.hidden = !words;
    if (!lost || lost.words !== words) return;
    const way = create('button', { type: 'button', class: 'av-toggle', text: `Kept ${lost.kind}s` });
    way.addEventListener('click', () => askForLibrary(lost.kind));
    notice.append(' ', way);
  }

  const undo = state.on(['notice', 'lost'], showNotice);
  showNotice();
  return {
    /** What is to be said from now on; null for nothing. @param {(() => string) | null} words */
    say(words) {
      window.clearTimeout(speaking);
      if (words) speaking = window.setTimeout(() => { live.textContent = words(); }, SETTLED_MS);
    },
    dispose() {
      window.clearTimeout(speaking);
      undo();
    },
  };
}

/**
 * Cells and their values as one hears them.
 * @param {number[]} cells
 * @param {ArrayLike<number>} values
 * @param {number} cols
 * @param {(value: number) => string} [write]
 */
export function cellsInWords(cells, values, cols, write = formatValue) {
  return cells.map((cell) => `row ${Math.floor(cell / cols)} col ${cell % cols} ${write(values[cell])}`).join(', ');
}
