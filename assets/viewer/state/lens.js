// @ts-check
/**
 * The logit lens of a run: asked for, and the words after the layer on screen, which follow it. Knows no document.
 *
 * @typedef {{name: string, layers: number[], caution: string}} Lens
 */
const KIND = 'lens';
const NOT_HELD = 'This page does not hold the words of the lens.';

/**
 * The layer after which words are shown: the one that is chosen, or the last where none is.
 * @param {Lens} lens
 * @param {Pick<import('../data/selection.js').Selection, 'layer'>} selection
 */
export function layerOfWords({ layers }, { layer }) {
  return typeof layer === 'number' && layers.includes(layer) ? layer : layers[layers.length - 1];
}

/** Whether its words are of what is on screen: layers of another tower than the language model's have none. @param {string} tower */
export const hasWords = (tower) => tower === 'language' || tower === 'cross';

/**
 * @param {import('./fields.js').ViewerState} state
 * @param {object} page
 * @param {import('./readings.js').Readings | null} page.asking  null where there is nobody to ask
 * @param {(source: import('../data/source.js').Source, error: any) => void} page.fail
 */
export function createLens(state, { asking, fail }) {
  let isWished = false;

  /** Words for the layer on screen. */
  async function follow() {
    const { source, lens, selection, words } = state.get;
    if (!source || !lens || !selection || !hasWords(selection.tower)) {
      if (words) state.set({ words: null });
      return;
    }
    const layer = layerOfWords(lens, selection);
    if (words?.layer === layer) return;
    try {
      const found = await source.words(lens.name, layer);
      if (found && state.get.lens === lens) state.set({ words: found });
    } catch (/** @type {any} */ error) {
      if (error.isExpired || state.get.lens !== lens) return fail(source, error);
      state.set({ lens: null, words: null, notice: error.message });
    }
  }

  /** @param {any} made  a lens that was made */
  function put(made) {
    isWished = false;
    state.set({ lens: { name: made.name, layers: made.layers, caution: made.caution ?? '' } });
  }

  /** The answer to what was asked has come, or a reason against it. */
  function hear() {
    const asked = state.get.readings[KIND];
    if (!isWished || !asked || asked.working) return;
    isWished = false;
    if (asked.made) put(asked.made);
    else state.set({ notice: asked.text });
  }

  /** The lens among what was made, where it was. @param {import('../data/source.js').Source} source */
  const made = async (source) => (await source.readings().catch(() => null))?.find(({ kind }) => kind === KIND);

  const undo = [state.on(['lens', 'selection'], () => void follow()), state.on(['readings'], hear), state.on(['info'], () => { isWished = false; })];
  return {
    /** Words on, made where they are not there yet; or off. */
    async toggle() {
      const { source, lens } = state.get;
      if (lens) return state.set({ lens: null, words: null });
      if (!source || state.get.readings[KIND]?.working) return undefined;
      if (asking) {
        isWished = true;
        return asking.ask(KIND);
      }
      const found = await made(source);
      if (state.get.source !== source) return undefined;
      return found ? put(found) : state.set({ notice: NOT_HELD });
    },
    /** Whether one can be had: asked for, or found in the file that the page is. */
    isThere: async () => asking !== null || Boolean(state.get.source && (await made(state.get.source))),
    stop: () => asking?.stop(KIND),
    dispose: () => undo.forEach((end) => end()),
  };
}

/** @typedef {ReturnType<typeof createLens>} LensChoice */
