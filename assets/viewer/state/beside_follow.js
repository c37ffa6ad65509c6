// @ts-check
/**
 * What is set beside the two maps of a comparison: how far every head moved, how much of the picture heads read at all, how probable the
 * tokens were, the range of all maps, the steps of a training. What arrives for something that is not wanted any more is dropped. Knows
 * the state and the sources, and no document.
 */
import { makeAtlas } from '../numbers/atlas.js';
import { floorKinds, isShared, isSideBySide, rowsOf, seriesOf } from '../data/comparison_info.js';
import { isOfEffect } from '../numbers/change_measures.js';
import { changeWish, floorWishes, massesName } from './change_wish.js';
import { changeOfEffects, effectSteps, whyNoChange } from './effect_change.js';
import { readPositions, wantedAtlas } from './follow.js';
import { atlasPath, changePath } from '../data/source.js';

/** @param {import('./fields.js').ComparisonState} state */
export function createBesideFollower(state) {
  /** How far heads moved, and how much of the picture they read at all, where that was kept: nothing is shown of two rows at once. */
  function kept() {
    const { sources, whole, comparison, info, selection, right, measure, of, region, part, reading } = state.get;
    if (!whole || !comparison || !info || !selection || reading || isSideBySide(comparison)) return {};
    const wish = changeWish(info, selection, { right, measure, of, region, part, comparison });
    const change = whole.keptChange(wish);
    if (!change) return {};
    const found = { change: { name: changePath(wish), values: change.values, positions: [] } };
    const name = massesName(info, selection, { right, measure, of });
    if (name === null || name === state.get.imageMasses?.name || wish.query === null) return found;
    const scores = { tower: selection.tower, name: 'image_mass', query: wish.query };
    const [base, other] = [0, right].map((member) => (wish.query !== null && isShared(comparison, wish.query) ? sources[member].keptScores(scores)?.values : undefined));
    return base && other ? { ...found, imageMasses: lesserOf(name, base, other) } : found;
  }

  /** How far heads moved, how much of the picture they read at all, and what else is set beside it. */
  async function follow() {
    const { sources, infos, whole, comparison, info, selection, left, right, measure, of, scale, list, region, part, own, reading } = state.get;
    if (!whole || !comparison || !info || !selection) return;
    const isNow = (/** @type {(keyof import('./fields.js').ComparisonFields)[]} */ ...names) => {
      const then = { sources, selection, left, right, measure, of, scale, list, region, part, reading };
      return names.every((name) => state.get[name] === /** @type {any} */ (then)[name]);
    };
    const wish = changeWish(info, selection, { right, measure, of, region, part, comparison, reading });

    const readChange = async () => {
      const name = changePath(wish);
      if (state.get.change?.name === name) return;
      const found = await whole.change(wish).catch((error) => {
        if (!(wish.region || wish.part) || error.status !== 404 || error.isExpired) throw error;
        state.set({ notice: error.message, ...(wish.part ? { part: '' } : { measure: 'js_image' }) }); // a file has not every place, parts are of compared rows
        return null;
      });
      if (found && isNow('sources', 'selection', 'right', 'measure', 'of', 'region', 'part')) state.set({ change: { name, values: found.values, positions: [] } });
    };

    const readEffects = async () => {
      const name = changePath(wish);
      if (state.get.change?.name === name) return;
      const values = await changeOfEffects(sources, comparison, wish);
      if (values && isNow('sources', 'selection', 'right', 'measure', 'of', 'reading')) state.set({ change: { name, values, positions: [] } });
    };

    const readMasses = async () => {
      const name = wish.query === null || isShared(comparison, wish.query) ? massesName(info, selection, { right, measure, of }) : null;
      if (state.get.imageMasses?.name === (name ?? undefined)) return;
      if (name === null) return state.set({ imageMasses: null });
      const values = await Promise.all([0, right].map((member) => readImageMass(sources[member], comparison, selection.tower, wish.query)));
      if (!isNow('sources', 'selection', 'right', 'measure', 'of')) return;
      const [base, other] = values;
      state.set({ imageMasses: base && other ? lesserOf(name, base, other) : null });
    };

    const readFloors = async () => {
      const [name, wishes] = [changePath(wish), floorWishes(comparison, wish)];
      if (state.get.floors?.name === (wishes.length ? name : undefined)) return;
      const found = wishes.length ? await whole.floors(wishes).catch(() => null) : null; // of a place, say, of which a file has none
      if (!isNow('sources', 'selection', 'right', 'measure', 'of', 'region', 'part')) return;
      state.set({ floors: found && { name, kinds: floorKinds(comparison), tables: found.map(({ values }) => values) } });
    };

    const readLogprobFloors = async () => {
      const kinds = floorKinds(comparison);
      if (state.get.logprobFloors || !kinds.length || list !== 'tokens') return;
      const found = await whole.logprobFloors(kinds).catch(() => null);
      if (found && isNow('sources')) state.set({ logprobFloors: { name: 'logprobs', kinds, tables: found.map(({ values }) => values) } });
    };

    const readLogprobs = async () => {
      if (state.get.logprobs) return;
      const found = await whole.logprobs();
      if (found && isNow('sources')) state.set({ logprobs: found });
    };

    const readAtlases = async () => {
      const atlas = scale === 'atlas' ? wantedAtlas(info, selection, reading) : null;
      const isThere = atlas ? state.get.atlases[0]?.name === atlasPath(atlas) && state.get.atlasesOf === `${left} ${right}` : !state.get.atlases.length;
      if (isThere) return;
      // A tower of its own has maps of its own size.
      const wishes = [left, right].map((member) => (own.length ? wantedAtlas(infos[member], selection, reading) : atlas) ?? atlas);
      const found = atlas ? await Promise.all([left, right].map((member, i) => sources[member].atlas({ ...atlas, ...wishes[i], ...rowsOf(comparison, member, left || right, atlas) }))) : [];
      if (!isNow('sources', 'selection', 'left', 'right', 'scale', 'reading')) return;
      state.set({ atlases: atlas ? found.flatMap((numbers, i) => (numbers ? [makeAtlas(numbers, wishes[i] ?? atlas, infos[i ? right : left])] : [])) : [], atlasesOf: `${left} ${right}` });
    };

    const readSteps = async () => {
      const series = seriesOf(comparison.members);
      const isThere = series?.points.every(({ member }) => wish.query === null || member === 0 || rowsOf(comparison, member, member, { query: wish.query }) !== null);
      const wishes = series && isThere && list === 'steps' ? series.points.filter(({ member }) => member > 0).map(({ member }) => changeWish(info, selection, { right: member, measure, of, region, part: '', comparison, reading })) : [];
      const name = wishes.map(changePath).join(' ');
      if (!wishes.length || state.get.steps?.name === name) return;
      const found = reading ? await effectSteps(sources, comparison, wishes) : await whole.changes(wishes);
      if (found && isNow('sources', 'selection', 'measure', 'of', 'list', 'region', 'reading')) state.set({ steps: { name, tables: found.map(({ values }) => values) } });
    };

    const ofHeads = isSideBySide(comparison) || whyNoChange(reading) ? [] : [isOfEffect(measure) ? readEffects() : readChange(), readMasses(), readSteps(), readFloors()];
    await Promise.all([...ofHeads, readLogprobs(), readLogprobFloors(), readAtlases()]);
  }

  return { kept, follow };
}

/** The smaller image mass of the two. @param {string} name @param {Float32Array} base @param {Float32Array} other */
function lesserOf(name, base, other) {
  return { name, values: base.map((mass, i) => Math.min(mass, other[i])), positions: [] };
}

/**
 * How much of a row each head reads on pictures; without a row the mean over the answer's rows that were kept. Null where a run lacks them.
 * @param {import('../data/source.js').Source} source
 * @param {import('../data/comparison_info.js').ComparisonInfo} comparison
 * @param {string} tower
 * @param {number | null} query
 * @returns {Promise<Float32Array | null>} [layers x heads]
 */
async function readImageMass(source, comparison, tower, query) {
  try {
    if (query !== null) return (await source.scores({ tower, name: 'image_mass', query }))?.values ?? null;
    const table = await source.table({ tower, name: 'image_mass' });
    return table && meanOfRows(table.values, readPositions(table.positions), comparison.answer_rows);
  } catch (/** @type {any} */ error) {
    if (error.status !== 404 || error.isExpired) throw error;
    return null;
  }
}

/**
 * The mean over some rows of a table, null where none of them is in it.
 * @param {Float32Array} values  [layers x heads, rows]
 * @param {number[]} positions   of the rows
 * @param {number[]} span        first and last
 */
export function meanOfRows(values, positions, [first, last]) {
  const places = positions.flatMap((position, place) => (position >= first && position <= last ? [place] : []));
  if (!places.length) return null;
  return Float32Array.from({ length: values.length / positions.length }, (_, i) =>
    places.reduce((total, place) => total + values[i * positions.length + place], 0) / places.length);
}
