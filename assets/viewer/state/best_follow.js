// @ts-check
/**
 * Of two members whose heads do not stand for each other: what every head of each puts in the place, in the row on screen; without a place
 * how much of the row is on pictures. Knows no document.
 *
 * @typedef {object} BestHeads
 * @property {string} name
 * @property {boolean} isOfPlace
 * @property {Float32Array[]} shares  [layers x heads] of each; NaN where nothing is read of pictures
 * @property {number | null} chance   share of a row that reads every cell alike
 * @property {string} why             they are not of the place that is chosen, or there are none
 */
import { isSideBySide } from '../data/comparison_info.js';
import { regionPath, scoresPath } from '../data/source.js';
import { regionIn } from '../numbers/regions.js';

const SHARE = 1; // its place among what the server sends of each head

/**
 * @param {import('./fields.js').ComparisonState} state
 * @param {object} page
 * @param {(source: import('../data/source.js').Source, error: any) => void} page.fail
 */
export function createBestFollower(state, { fail }) {
  function wished() {
    const { comparison, info, pair, region: chosen, sources } = state.get;
    if (!isSideBySide(comparison) || !info || !pair || pair.before.effect || pair.before.direction !== 'reads') return null;
    const { tower } = pair.before;
    const region = regionIn(info, chosen, tower);
    const both = [pair.before, pair.after].map(({ query, until }, i) => ({ source: sources[i ? pair.right : pair.left], row: { tower, query, until } }));
    const masses = both.map(({ source, row }) => {
      const wish = { ...row, name: 'image_mass' };
      return { source, path: scoresPath(wish), ask: () => source.scores(wish) };
    });
    const ofPlace = region && both.map(({ source, row }) => ({ source, path: regionPath({ ...row, region }), ask: () => source.region({ ...row, region }) }));
    return { masses, ofPlace, name: (ofPlace ?? masses).map(({ source, path }) => `${source.base}/${path}`).join(' ') };
  }

  async function follow() {
    const now = wished();
    if (!now) return state.set({ best: null });
    const { masses, ofPlace, name } = now;
    if (state.get.best?.name === name) return;
    const show = async (/** @type {typeof masses} */ asked, /** @type {boolean} */ isOfPlace, why = '') => {
      const found = await Promise.all(asked.map(({ ask }) => ask()));
      if (wished()?.name !== name || found.includes(null)) return;
      const tables = found.flatMap((numbers) => (numbers ? [numbers] : []));
      const shares = tables.map(({ values, shape }) => (isOfPlace ? values.filter((_, i) => i % shape[2] === SHARE) : values));
      state.set({ best: { name, isOfPlace, shares, chance: tables[0].chance?.[0] ?? null, why } });
    };
    try {
      // A file may hold nothing of the place: then heads are ordered as without one.
      await (ofPlace ? show(ofPlace, true).catch((error) => (isMissing(error) ? show(masses, false, error.message) : Promise.reject(error))) : show(masses, false));
    } catch (/** @type {any} */ error) {
      if (wished()?.name !== name) return;
      if (isMissing(error)) state.set({ best: { name, isOfPlace: ofPlace !== null, shares: [], chance: null, why: error.message } });
      else fail(masses[0].source, error);
    }
  }

  const undo = state.on(['info', 'pair', 'region'], () => void follow());
  return { dispose: undo };
}

/** The server, or the file that the page is, has no such numbers. @param {any} error */
function isMissing(error) {
  return error.isLeftOut || (error.status === 404 && !error.isExpired);
}
