// @ts-check
/**
 * The answer's numbers read in the space that a person chose: each run's places are asked for anew, and take the place of its own. Knows
 * the state and the sources, and no document.
 *
 * @typedef {import('../data/run_info.js').ReadInfo} ReadInfo
 * @typedef {import('../data/source.js').Source} Source
 */

/**
 * @param {{get: Readonly<import('./fields.js').Fields>, set: (changes: any) => void, on: (names: any[], listener: () => void) => () => void}} state
 * @param {object} page
 * @param {() => {sources: Source[], infos: ReadInfo[]}} page.runs  that are on screen
 * @param {(infos: ReadInfo[]) => void} page.show  the same with other places
 */
export function createPlaceReading(state, { runs, show }) {
  /** What each was before its places were read anew. @type {WeakMap<ReadInfo, ReadInfo>} */
  const own = new WeakMap();

  async function read() {
    const { coordinates } = state.get;
    const { sources, infos } = runs();
    if (!infos.length || infos.every(({ places_read = 'run' }) => places_read === coordinates)) return;
    const whole = infos.map((info) => own.get(info) ?? info);
    const isWanted = () => state.get.coordinates === coordinates && infos.every((info, i) => runs().infos[i] === info);
    if (coordinates === 'run') return show(whole);
    try {
      const found = await Promise.all(sources.map((source) => source.places(coordinates)));
      if (!isWanted() || found.some((places) => !places)) return;
      const next = whole.map((info, i) => {
        if (info.has_own_places) { // of an answer that it has not read: they stay as they were
          const same = { ...info, places_read: coordinates };
          own.set(same, info);
          return same;
        }
        const { points, boxes, unplaced, named_places, notes } = /** @type {import('../data/run_info.js').Places} */ (found[i]);
        const changed = { ...info, points, boxes, unplaced, named_places, place_notes: notes, places_read: coordinates };
        own.set(changed, info);
        return changed;
      });
      show(next);
    } catch (/** @type {any} */ error) {
      if (isWanted()) state.set({ coordinates: 'run', notice: error.message });
    }
  }

  return { dispose: state.on(['coordinates', 'info'], () => void read()) };
}
