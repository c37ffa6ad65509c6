// @ts-check
/** Playing: step after step through the layers, the tokens of the answer or the frames, each shown for a moment once it is there. */
import { create, part } from './dom.js';
import { layersOf, promptLength } from '../data/run_info.js';

const STEP_MS = 450;

/**
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 * @param {Pick<import('../state/actions.js').Actions, 'choose' | 'selectToken' | 'stepPicture' | 'play'>} actions
 */
export function createPlayer(root, state, actions) {
  /** @type {number | undefined} */
  let waiting;
  const place = part(root, 'play');
  const buttons = (/** @type {const} */ ([['layers', 'play layers'], ['tokens', 'play answer']])).map(([what, text]) => {
    const button = create('button', { type: 'button', class: 'av-toggle', text, title: `one after the other; space stops` });
    button.addEventListener('click', () => {
      const isOther = state.get.playing !== null && state.get.playing !== what;
      actions.play(what);
      if (isOther) actions.play(what);
    });
    place.append(button);
    return /** @type {const} */ ([what, button]);
  });

  function next() {
    const { info, selection, playing, status, pictureReady } = state.get;
    window.clearTimeout(waiting);
    if (!playing || !info || !selection || status !== 'ready' || (playing === 'frames' && !pictureReady)) return;
    waiting = window.setTimeout(() => {
      if (playing === 'layers') {
        const layers = layersOf(info, selection.tower);
        const layer = layers[(layers.indexOf(/** @type {number} */ (selection.layer)) + 1) % layers.length];
        actions.choose({ layer });
      } else if (playing === 'frames') {
        actions.stepPicture(1, true);
      } else {
        const first = promptLength(info);
        const written = info.tokens.length - first;
        if (written > 0) actions.selectToken(first + Math.max(0, selection.token - first + 1) % written);
      }
    }, STEP_MS);
  }

  function show() {
    const { info, selection, playing } = state.get;
    const able = { layers: info && selection && layersOf(info, selection.tower).length > 1, tokens: info && promptLength(info) < info.tokens.length - 1 };
    for (const [what, button] of buttons) {
      button.disabled = !able[what];
      button.setAttribute('aria-pressed', String(playing === what));
    }
  }

  const undo = [state.on(['playing', 'status', 'selection', 'frame', 'pictureReady'], next), state.on(['playing', 'info', 'tower'], show)];
  show();
  return {
    dispose: () => {
      window.clearTimeout(waiting);
      undo.forEach((end) => end());
    },
  };
}
