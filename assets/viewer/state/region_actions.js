// @ts-check
/** What a person can do with places of a picture: mark one, load some, choose the next, let go. Knows no document. */
import { gridsOf } from '../data/run_info.js';
import { readPlaces } from '../numbers/read_places.js';
import { placesOfAnswer, regionCells, regionOf } from '../numbers/regions.js';

/**
 * @typedef {import('../numbers/regions.js').Region} Region
 *
 * @param {import('./fields.js').ViewerState} state
 * @param {object} page
 * @param {() => import('../data/run_info.js').RunInfo[]} page.infos  whose answers name places
 * @param {(grid: number) => void} page.focusGrid
 */
export function createRegionActions(state, { infos, focusGrid }) {
  const isSame = (/** @type {Region} */ one, /** @type {Region | null} */ other) => one.image === other?.image && String(one.place) === String(other.place);

  const actions = {
    /** Measure a place, if the model was shown it. @param {Region} region @returns {string} why not */
    choose(region) {
      const { info, selection } = state.get;
      if (!info || !selection) return 'There is no picture here.';
      const why = regionCells(info, region, selection.tower) ? '' : 'The model was not shown that part of the picture: the place stays what it was.';
      state.set(why ? { notice: why } : { region, notice: '' });
      return why;
    },

    /** A box or a point on a picture that a person draws. @param {number} image @param {number[]} place */
    mark: (image, place) => actions.choose({ image, label: '', place, isDrawn: true }),

    /** Places from a text: the first is measured, all are drawn. @param {string} text @returns {string} what is wrong with it */
    load(text) {
      const { info, selection } = state.get;
      if (!info || selection?.grid == null) return 'There is no picture here: a place lies on one.';
      const found = readPlaces(info, text, info.grids[selection.grid].image);
      if ('why' in found) return found.why;
      const why = actions.choose(found.regions[0]);
      if (!why) state.set({ loaded: found.regions.length > 1 ? found.regions : [] });
      return why;
    },

    /** The places that can be chosen: those that were loaded, and those that answers name. @returns {Region[]} */
    all() {
      const found = [...state.get.loaded, ...infos().flatMap(placesOfAnswer)];
      return found.filter((one, i) => found.findIndex((other) => isSame(one, other)) === i);
    },

    /** The next of them, with its picture. */
    next() {
      const { info, selection, region } = state.get;
      const all = actions.all();
      if (!info || !selection || !all.length) return state.set({ notice: 'The answer names no place: mark one (m).' });
      const now = regionOf(info, region);
      const next = all[(all.findIndex((one) => isSame(one, now)) + 1) % all.length];
      if (actions.choose(next)) return;
      const on = gridsOf(info, selection.tower).filter((grid) => info.grids[grid].image === next.image);
      if (selection.grid === null || !on.includes(selection.grid)) focusGrid(on[0]);
    },

    /** Draw with every press, or not any more. @param {boolean} [isWished] */
    toggle(isWished = !state.get.marking) {
      state.set({ marking: isWished });
    },

    /** No place but what the answer names. */
    letGo() {
      state.set({ region: null, loaded: [] });
    },
  };
  return actions;
}

/** @typedef {ReturnType<typeof createRegionActions>} RegionActions */
