// @ts-check
/**
 * What a page of a run and a page of a comparison do alike: begin with nothing, say how far it is, say what failed and try again, tell the
 * server what a person chose, and in the end let everything go. Knows no document.
 *
 * @typedef {import('./fields.js').Fields} Fields
 * @typedef {import('../data/source.js').Source} Source
 */
import { RequestFailed } from '../data/source.js';
import { startingLook } from './look.js';

/** What is told to the server waits until a person has stopped for a moment. */
const SETTLED_MS = 250;

/** What is shown while nothing is. @satisfies {Partial<Fields>} */
export const NOTHING = {
  info: null, selection: null, grid: null, computing: null, shown: null, drawn: null, atlas: null, masses: null, scores: null, line: null, pinned: null, region: null,
  loaded: [], marking: false, measured: null, trial: null, readings: {}, lens: null, words: null, reading: null, cells: null, cellsShown: false, agreement: null, forecasts: [], relatives: [],
  hover: null, failure: null, playing: null, frame: null, unplacedOn: null, coordinates: /** @type {const} */ ('run'), zoom: { scale: 1, x: 0.5, y: 0.5 },
};

/** The fields with which a page begins. @returns {Fields} */
export function startingFields() {
  return {
    ...NOTHING, ...startingLook(), how: 'hidden', silence: 'zero', status: 'empty', notice: '', lost: null, found: null, manifest: null, source: null, tower: 'language', pictureReady: false, pictureFailed: false,
    cleared: 0, lookAsked: 0, size: 0, theme: 0, perf: {},
  };
}

/**
 * How far a page is.
 * @param {{failure: unknown, isOpen: boolean, isShown: boolean, isWhole: boolean}} is  `isShown`: the row that is wished; `isWhole`: and all that belongs to it
 * @returns {Fields['status']}
 */
export function statusOf({ failure, isOpen, isShown, isWhole }) {
  if (failure) return 'error';
  if (!isOpen) return 'empty';
  return isWhole ? 'ready' : isShown ? 'row' : 'loading';
}

/**
 * @param {{set: (changes: any) => void}} state
 * @param {object} page
 * @param {object} page.nothing  the fields that are emptied when what was shown has gone
 * @param {() => (Source | null)[]} page.sources  that are open
 * @param {() => void} page.reopen  what is shown, at what is selected
 * @param {() => object | null} page.chosen  what is told of what a person chose, null while nothing is shown
 * @param {(name: string, data: object) => void} page.trigger
 */
export function createSession(state, { nothing, sources, reopen, chosen, trigger }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let announcing;

  function announce() {
    const data = chosen();
    if (data) trigger('select', data);
  }

  return {
    retry: reopen,

    /** A person chose something. */
    announce() {
      clearTimeout(announcing);
      announcing = setTimeout(announce, SETTLED_MS);
    },

    /** What one of the open sources could not give; of one that was left nothing is said. @param {Source | null} source @param {any} error */
    fail(source, error) {
      if (!sources().includes(source)) return;
      if (!(error instanceof RequestFailed)) console.error(error); // a fault of ours, not an answer of the server
      state.set(error.isExpired ? { ...nothing, failure: error } : { failure: error, playing: null });
    },

    close() {
      for (const source of sources()) source?.dispose();
    },

    /** Let all go. @param {(() => void)[]} undo @param {{dispose: () => void}[]} views */
    dispose(undo, views) {
      clearTimeout(announcing);
      this.close();
      undo.forEach((end) => end());
      views.forEach((view) => view.dispose());
    },
  };
}
