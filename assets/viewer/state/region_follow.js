// @ts-check
/** All that is measured of the place, in the row on screen, while a person looks at it: asked for when it is seen, dropped when it is not. Knows no document. */
import { isRatio } from '../numbers/ratios.js';
import { areShares } from '../data/selection.js';
import { regionPath } from '../data/source.js';
import { regionIn } from '../numbers/regions.js';

/**
 * @typedef {object} Measured
 * @property {string} name
 * @property {{values: Float32Array, shape: number[], chance: number[]}[]} members  [layers, heads, measures]; of a forecast its knock-out alone
 * @property {boolean} isEffect
 * @property {string} why  there is none
 *
 * @param {import('./fields.js').ViewerState} state
 * @param {object} page
 * @param {() => import('../data/source.js').Source[]} page.sources  of the members on screen
 * @param {(source: import('../data/source.js').Source, error: any) => void} page.fail
 */
export function createRegionFollower(state, { sources, fail }) {
  function wished() {
    const { info, shown, region, marking } = state.get;
    if (!marking || !info || !shown) return null;
    const isEffect = shown.effect !== null;
    const place = (isEffect && !isRatio(shown.effect)) || (shown.direction === 'reads' && areShares(shown)) ? regionIn(info, region, shown.tower) : null;
    const asked = place && sources();
    const wish = place && { tower: shown.tower, query: shown.query, until: shown.until, region: place, effect: shown.effect?.name ?? null };
    return wish && asked?.length ? { wish, asked, isEffect, name: `${asked.map(({ base }) => base).join(' ')} ${regionPath(wish)}` } : null;
  }

  async function follow() {
    const now = wished();
    if (!now) return state.set({ measured: null });
    const { wish, asked, isEffect, name } = now;
    if (state.get.measured?.name === name) return;
    try {
      const found = await Promise.all(asked.map((source) => source.region(wish)));
      if (wished()?.name !== name || found.includes(null)) return;
      const members = found.flatMap((numbers) => (numbers ? [{ values: numbers.values, shape: numbers.shape, chance: numbers.chance ?? [] }] : []));
      state.set({ measured: { name, members, isEffect, why: '' } });
    } catch (/** @type {any} */ error) {
      if (wished()?.name !== name) return;
      if (error.isLeftOut || (error.status === 404 && !error.isExpired)) state.set({ measured: { name, members: [], isEffect, why: error.message } });
      else fail(asked[0], error);
    }
  }

  const undo = state.on(['info', 'shown', 'region', 'marking'], () => void follow());
  return { dispose: undo };
}
