// @ts-check
/**
 * Trials: the answer without a place, or without a head. One at a time is asked for; the server makes it as a job and tells how far it is.
 * Knows no document.
 *
 * @typedef {'place' | 'head'} Of
 * @typedef {import('../numbers/cell_map.js').Measure} Measure
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
import { promptLength, towerOfPictures } from '../data/run_info.js';
import { regionOf } from '../numbers/regions.js';

/** @type {readonly Measure[]} */
export const HOWS = ['hidden', 'mean', 'blur'];
const ASKED = 'Waiting for its turn';
const STOPPED = 'Stopped.';
/** Of what an address names: it is not asked for by itself. @type {Record<Of, string>} */
const OFFERED = {
  place: 'The address names what the answer becomes without this place: “Try without it” computes it.',
  head: 'The address names what the answer becomes without this head: “Silence this head” computes it.',
};

/** What a head gives instead of its output. @typedef {'zero' | 'mean'} Silence @type {readonly Silence[]} */
export const SILENCES = ['zero', 'mean'];

/**
 * What is on screen as something to try, null where it is nothing: the place that is measured, or the one head.
 * @param {Of} of
 * @param {Pick<import('./fields.js').Fields, 'info' | 'region' | 'marking' | 'selection' | 'how' | 'silence'>} fields
 * @returns {Asked | null}
 */
export function askedOf(of, { info, region, marking, selection, how, silence }) {
  if (of === 'place') {
    const found = info && marking ? regionOf(info, region) : null;
    return found && { [found.place.length === 4 ? 'box' : 'point']: found.place, image: found.image, paint: paintOf({ info, how }) };
  }
  if (!info || selection?.tower !== towerOfPictures(info) || typeof selection.layer !== 'number' || typeof selection.head !== 'number') return null;
  return { heads: [[selection.layer, selection.head]], silence };
}

/** The ways in which a place can be left out of a run: frames of a video are not painted over. @param {import('../data/run_info.js').RunInfo | null} info @returns {readonly Measure[]} */
export const waysOf = (info) => (info?.images.some((image) => image.video !== undefined) ? HOWS.slice(0, 1) : HOWS);

/** The one that is chosen, where this run has it. @param {Pick<import('./fields.js').Fields, 'info' | 'how'>} fields */
export const howOf = ({ info, how }) => (waysOf(info).includes(how) ? how : 'hidden');

/** The same as the server is asked for it. @param {Pick<import('./fields.js').Fields, 'info' | 'how'>} fields */
export function paintOf(fields) {
  const how = howOf(fields);
  return how === 'hidden' ? 'none' : how;
}

/** The same text for the same question. @param {Asked} asked */
export const nameOf = (asked) => JSON.stringify(asked);

/** The last trial, where it is of what is on screen, and not of what was there before. @param {import('./fields.js').Fields} fields @returns {Trial | null} */
export function trialOnScreen(fields) {
  const { trial } = fields;
  const asked = trial && askedOf(trial.of, fields);
  return asked && nameOf(asked) === trial.name ? trial : null;
}

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

    /** What an address names: it is computed once a person asks for it. @param {Of} of */
    offer(of) {
      const asked = this.isPossible() ? askedOf(of, state.get) : null;
      if (!asked) return;
      number += 1;
      state.set({ trial: { number, of, name: nameOf(asked), working: false, text: OFFERED[of], tried: null } });
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
