// @ts-check
/** Rings on the small maps of found heads, and the way to load these from a file. */
import { foundBy, NoFoundHeads, readFoundHeads, whyNotIn } from '../../data/found_heads.js';
import { foundScores } from '../../numbers/found_scores.js';
import { create, part } from '../dom.js';

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 */
export function createFoundMarks(root, state) {
  const rings = create('div', { class: 'av-found-heads' });
  part(root, 'atlas-captions').after(rings);

  return {
    /**
     * @param {import('./atlas_maps.js').Item[]} items  that are painted
     * @param {string} tower
     * @param {(i: number) => {x: number, y: number, width: number}} boxOf  an item's box
     */
    show(items, tower, boxOf) {
      const { found, info } = state.get;
      const values = info && foundScores(found, info, tower);
      const heads = found && values ? new Set(found.heads.map(({ layer, head }) => `${layer} ${head}`)) : null;
      const marked = heads ? items.flatMap(({ layer, head }, i) => (heads.has(`${layer} ${head}`) ? [i] : [])) : [];
      rings.replaceChildren(...marked.map((i) => {
        const { x, y, width } = boxOf(i);
        const ring = create('span');
        Object.assign(ring.style, { left: `${x + width}px`, top: `${y}px` });
        return ring;
      }));
    },
    dispose: () => rings.remove(),
  };
}

/**
 * A file input that nobody sees: what is chosen becomes the found heads, and the order.
 * @param {import('../../state/fields.js').ViewerState} state
 */
export function createFoundInput(state) {
  const input = create('input', { type: 'file', accept: '.json,application/json', hidden: '', 'aria-label': 'Load found heads' });
  input.addEventListener('change', async () => {
    const [file] = input.files ?? [];
    input.value = '';
    if (!file) return;
    takeFoundHeads(state, { text: await file.text(), name: file.name });
  });
  return input;
}

/**
 * Take found heads of a file; where they are none of this run that is said.
 * @param {import('../../state/fields.js').ViewerState} state
 * @param {{text: string, name: string}} file
 * @param {boolean} [mustFit]  otherwise they may be of a run that is opened later
 */
export function takeFoundHeads(state, { text, name }, mustFit = true) {
  try {
    const found = readFoundHeads(text, name);
    const why = state.get.info && mustFit ? whyNotIn(found, state.get.info) : '';
    if (why) throw new NoFoundHeads(why);
    state.set({ found, order: 'found', notice: found.heads.length ? `Found heads: by their ${foundBy(found)}.` : 'This file names no head: none was found.' });
  } catch (error) {
    if (!(error instanceof NoFoundHeads)) throw error;
    state.set({ notice: error.message });
  }
}
