// @ts-check
/**
 * Trials: the answer without a place, or without a head. One at a time is asked for; the server makes it as a job and tells how far it is.
 * Knows no document.
 *
 * @typedef {'place' | 'head'} Of
 * @typedef {{box?: number[], point?: number[], image?: number, paint?: string, heads?: number[][], silence?: string}} Asked
 *
 * @typedef {object} Trial
 * @property {number} number  tells an answer to this question from one to an earlier one
 * @property {Of} of
 * @property {string} name    of what was asked
 * @property {boolean} working
 * @property {string} text    how far it is, or why there is nothing
 * @property {import('../text/tried.js').Tried | null} tried
 *
 * @typedef {{number: number, text?: string, tried?: import('../text/tried.js').Tried, why?: string, reading?: undefined}} Told  by the server
 */
import { promptLength } from '../data/run_info.js';

const ASKED = 'Waiting for its turn';
const STOPPED = 'Stopped.';

/** The same text for the same question. @param {Asked} asked */
export const nameOf = (asked) => JSON.stringify(asked);

/**
 * @param {Pick<import('./fields.js').ViewerState, 'get' | 'set'>} state
 * @param {(name: string, data: object) => void} send  to the server
 */
export function createTrials(state, send) {
  let number = 0;

  return {
    /** There is something to try: an answer, and pictures that it can be of. */
    isPossible() {
      const { info } = state.get;
      return info !== null && info.images.length > 0 && promptLength(info) < info.tokens.length;
    },

    /** @param {Of} of @param {Asked} asked */
    ask(of, asked) {
      const { manifest, trial } = state.get;
      if (!manifest || trial?.working) return;
      number += 1;
      state.set({ trial: { number, of, name: nameOf(asked), working: true, text: ASKED, tried: null } });
      send('apply', { ticket: manifest.ticket, number, ...asked });
    },

    stop() {
      const { trial } = state.get;
      if (!trial?.working) return;
      send('stop', { number: trial.number });
      number += 1; // what is still on its way is of no question any more
      state.set({ trial: { ...trial, number, working: false, text: STOPPED } });
    },

    /** What the server tells of it; what is told of a reading is not heard. @param {Told | import('./readings.js').ToldOfReading} told */
    hear(told) {
      const { number: asked, text = '', tried, why = '', reading } = /** @type {Told} */ (told);
      const { trial } = state.get;
      if (reading !== undefined || !trial?.working || trial.number !== asked) return;
      state.set({ trial: { ...trial, working: !tried && !why, text: why || text, tried: tried ?? null } });
    },
  };
}

/** @typedef {ReturnType<typeof createTrials>} Trials */
