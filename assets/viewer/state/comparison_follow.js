// @ts-check
/**
 * From what is selected to what is on screen in a comparison, in the order in which it is wanted: the two rows that are set against
 * each other (painted at once), then the other members' rows, how far every head moved, and what may be wanted next. What arrives for
 * something that is not wanted any more is dropped. Knows the state and the sources, and no document.
 */
import { makeAtlas } from '../numbers/atlas.js';
import { makePair } from '../numbers/pair.js';
import { alignedAt, isSideBySide, memberName, rowsOf, seriesOf } from '../data/comparison_info.js';
import { isOnImage } from '../numbers/change_measures.js';
import { isOfRegion, regionIn } from '../numbers/regions.js';
import { ownIn, selectionOf } from './own_heads.js';
import { makeShown, readPositions, rowWish, wantedAtlas } from './follow.js';
import { gridsOf, layersOf } from '../data/run_info.js';
import { pointsAtTokens, queryOf, startingSelection, untilOf } from '../data/selection.js';
import { atlasPath, changePath } from '../data/source.js';

const PREFETCH_MS = 120;

/**
 * @typedef {import('./fields.js').ComparisonState} ComparisonState
 * @typedef {import('../data/selection.js').Selection} Selection
 * @typedef {import('./fields.js').Shown} Shown
 */

/**
 * @param {ComparisonState} state
 * @param {object} page
 * @param {(source: import('../data/source.js').Source, error: any) => void} page.fail
 * @param {() => Promise<unknown>} page.painted  resolves when the browser has shown what was drawn
 * @param {(token: number) => number[]} page.neighbours  tokens that are probably wanted next
 */
export function createComparisonFollower(state, { fail, painted, neighbours }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;

  async function follow() {
    const { sources, infos, info, selection, left, right, own } = state.get;
    if (!info || !selection || !sources.length) return;
    const then = { sources, selection, left, right, own };
    const isWanted = () => /** @type {(keyof typeof then)[]} */ (Object.keys(then)).every((name) => state.get[name] === then[name]);
    const begun = performance.now();
    clearTimeout(waiting);
    const { comparison } = state.get;
    const wishes = sources.map((_, member) => wishOf(member, info, selectionOf(selection, own, member)));
    const [here, there] = [wishes[left], wishes[right]];
    if (!comparison || !here || !there) return refuse(selection);
    sources.forEach((source) => source.drop('next'));
    state.set({ computing: null });
    const show = (/** @type {number} */ member, /** @type {import('../data/source.js').Numbers} */ numbers) =>
      ({ ...makeShown(infos[member], selectionOf(selection, own, member), numbers, comparison.shared_tokens), query: queryOf(info, selection), until: untilOf(info, selection) });
    // What was kept comes at once, and all of it together.
    const kept = sources.map((source, member) => {
      const wish = wishes[member];
      const numbers = wish && source.keptRow(wish);
      if (numbers) source.drop('row');
      return numbers ? show(member, numbers) : null;
    });
    const read = async (/** @type {number} */ member) => {
      const wish = wishes[member];
      const numbers = wish && await sources[member].row(wish);
      return numbers && show(member, numbers);
    };
    const [before, after] = kept[left] && kept[right] ? [kept[left], kept[right]] : await Promise.all([left, right].map((member) => kept[member] ?? read(member)));
    if (!before || !after || !isWanted()) return;
    const rows = kept.map((shown, member) => (member === left ? before : member === right ? after : shown ?? (wishes[member] && state.get.rows[member]) ?? null));
    const stands = standsFor(comparison, left || right, info, selection);
    state.set({ shown: before, pair: makePair(info, { left, right, before, after, stands, isSideBySide: isSideBySide(comparison) }), rows, computing: null, ...keptAbout() });
    state.get.perf.row_ms = performance.now() - begun;
    await painted();
    if (!isWanted()) return;
    sources.forEach((_, member) => {
      if (member === left || member === right || kept[member] || !wishes[member]) return;
      read(member).then((shown) => {
        if (shown && isWanted()) state.set({ rows: state.get.rows.map((old, i) => (i === member ? shown : old)) });
      }, (error) => fail(sources[0], error));
    });
    followAbout().catch((error) => fail(sources[0], error));
    waiting = setTimeout(prefetch, PREFETCH_MS);
  }

  /**
   * A row that is compared, of the tokens that stand for the selected ones in a member; null where it has none.
   * @param {number} member
   * @param {import('../data/run_info.js').RunInfo} info
   * @param {Selection} selection
   */
  function wishOf(member, info, selection) {
    const { comparison, left, right } = state.get;
    const wish = rowWish(info, selection);
    if (!comparison || !pointsAtTokens(selection) || selection.direction !== 'reads') {
      const isBeyond = comparison && pointsAtTokens(selection) && Math.max(wish.query, wish.until ?? 0) >= comparison.shared_tokens;
      return isBeyond ? null : compared(wish);
    }
    const rows = rowsOf(comparison, member, left || right, wish);
    return rows && compared({ ...wish, ...rows });
  }

  /** What is selected stands for nothing in one of the two: what was there before stays. @param {Selection} selection */
  function refuse(selection) {
    const { info, comparison, pair, left, right } = state.get;
    if (!info || !comparison) return;
    const name = memberName(comparison.members, right || left);
    const what = selection.direction === 'reads' ? `stands for no words of ${name}` : 'is not read by all alike: it is a word of one answer';
    const before = pair && pair.left === left && pair.right === right ? pair.before : null;
    const back = before ? { ...selection, token: before.token, until: null, direction: before.direction } : startingSelection(info, selection.tower, { layer: selection.layer, head: selection.head });
    state.set({ selection: back, notice: `“${info.tokens[selection.token]?.text.trim()}” ${what}.` });
    if (!before) void again();
  }

  /** How far heads moved, and how much of the picture they read at all, where that was kept: nothing is shown of two rows at once. */
  function keptAbout() {
    const { sources, whole, comparison, info, selection, right, measure, of, region } = state.get;
    if (!whole || !info || !selection || isSideBySide(comparison)) return {};
    const wish = changeWish(info, selection, { right, measure, of, region });
    const change = whole.keptChange(wish);
    if (!change) return {};
    const found = { change: { name: changePath(wish), values: change.values, positions: [] } };
    const name = massesName(info, selection, { right, measure, of });
    if (name === null || name === state.get.imageMasses?.name || wish.query === null) return found;
    const scores = { tower: selection.tower, name: 'image_mass', query: wish.query };
    const [base, other] = [0, right].map((member) => (wish.query !== null && isShared(wish.query) ? sources[member].keptScores(scores)?.values : undefined));
    return base && other ? { ...found, imageMasses: lesserOf(name, base, other) } : found;
  }

  /** How far heads moved, how much of the picture they read at all, and what else is set beside it. */
  async function followAbout() {
    const { sources, infos, whole, comparison, info, selection, left, right, measure, of, scale, list, region, own } = state.get;
    if (!whole || !comparison || !info || !selection) return;
    const isNow = (/** @type {(keyof import('./fields.js').ComparisonFields)[]} */ ...names) => {
      const then = { sources, selection, left, right, measure, of, scale, list, region };
      return names.every((name) => state.get[name] === /** @type {any} */ (then)[name]);
    };
    const wish = changeWish(info, selection, { right, measure, of, region });

    const readChange = async () => {
      const name = changePath(wish);
      if (state.get.change?.name === name) return;
      const found = await whole.change(wish).catch((error) => {
        if (!wish.region || error.status !== 404 || error.isExpired) throw error;
        state.set({ notice: error.message, measure: 'js_image' }); // a file has not every place
        return null;
      });
      if (found && isNow('sources', 'selection', 'right', 'measure', 'of', 'region')) state.set({ change: { name, values: found.values, positions: [] } });
    };

    const readMasses = async () => {
      const name = wish.query === null || isShared(wish.query) ? massesName(info, selection, { right, measure, of }) : null;
      if (state.get.imageMasses?.name === (name ?? undefined)) return;
      if (name === null) return state.set({ imageMasses: null });
      const values = await Promise.all([0, right].map((member) => readImageMass(sources[member], comparison, selection.tower, wish.query)));
      if (!isNow('sources', 'selection', 'right', 'measure', 'of')) return;
      const [base, other] = values;
      state.set({ imageMasses: base && other ? lesserOf(name, base, other) : null });
    };

    const readLogprobs = async () => {
      if (state.get.logprobs) return;
      const found = await whole.logprobs();
      if (found && isNow('sources')) state.set({ logprobs: found });
    };

    const readAtlases = async () => {
      const atlas = scale === 'atlas' ? wantedAtlas(info, selection) : null;
      const isThere = atlas ? state.get.atlases[0]?.name === atlasPath(atlas) && state.get.atlasesOf === `${left} ${right}` : !state.get.atlases.length;
      if (isThere) return;
      // A tower of its own has maps of its own size.
      const wishes = [left, right].map((member) => (own.length ? wantedAtlas(infos[member], selection) : atlas) ?? atlas);
      const found = atlas ? await Promise.all([left, right].map((member, i) => sources[member].atlas({ ...atlas, ...wishes[i], ...rowsOf(comparison, member, left || right, atlas) }))) : [];
      if (!isNow('sources', 'selection', 'left', 'right', 'scale')) return;
      state.set({ atlases: atlas ? found.flatMap((numbers, i) => (numbers ? [makeAtlas(numbers, wishes[i] ?? atlas, infos[i ? right : left])] : [])) : [], atlasesOf: `${left} ${right}` });
    };

    const readSteps = async () => {
      const series = seriesOf(comparison.members);
      const isThere = series?.points.every(({ member }) => wish.query === null || member === 0 || rowsOf(comparison, member, member, { query: wish.query }) !== null);
      const wishes = series && isThere && list === 'steps' ? series.points.filter(({ member }) => member > 0).map(({ member }) => changeWish(info, selection, { right: member, measure, of, region })) : [];
      const name = wishes.map(changePath).join(' ');
      if (!wishes.length || state.get.steps?.name === name) return;
      const found = await whole.changes(wishes);
      if (found && isNow('sources', 'selection', 'measure', 'of', 'list', 'region')) state.set({ steps: { name, tables: found.map(({ values }) => values) } });
    };

    const ofHeads = isSideBySide(comparison) ? [] : [readChange(), readMasses(), readSteps()];
    await Promise.all([...ofHeads, readLogprobs(), readAtlases()]);
  }

  /** Whether a row is of tokens that all have in common. @param {number} query */
  function isShared(query) {
    return query < (state.get.comparison?.shared_tokens ?? 0);
  }

  /** The rows of the tokens and layers beside, of the two on screen. */
  function prefetch() {
    const { sources, infos, info, selection, left, right, own } = state.get;
    if (!info || !selection || selection.until !== null || selection.direction !== 'reads') return;
    for (const member of [left, right]) {
      const its = selectionOf(selection, own, member);
      const wish = rowWish(info, its);
      const layers = layersOf(infos[member], its.tower);
      const here = layers.indexOf(/** @type {number} */ (wish.layer));
      const near = pointsAtTokens(its) ? neighbours(its.token).map((token) => rowWish(info, { ...its, token })) : [];
      const beside = here < 0 ? [] : [here + 1, here - 1].filter((i) => i in layers).map((i) => ({ ...wish, layer: layers[i] }));
      sources[member].prefetch([...near, ...beside].filter(({ query }) => isShared(query)).map(compared), []);
    }
  }

  return {
    /** @param {Selection} selection */
    select(selection) {
      const { tower, grid } = selection;
      const own = ownIn(state.get.infos, tower, state.get.own);
      state.set({ selection, tower, grid, own, failure: null, ...(grid === state.get.grid ? {} : { hover: null }) });
      return again();
    },
    /** Other members are set against each other. */
    again,
    /** Whether a member has no row that stands for what is selected. @param {number} member */
    lacks(member) {
      const { info, selection } = state.get;
      return info !== null && selection !== null && wishOf(member, info, selection) === null;
    },
    /** What is set beside the maps has changed: the measure, of what, the scale, the list. */
    about() {
      const { sources } = state.get;
      return followAbout().catch((error) => fail(sources[0], error));
    },
    dispose: () => clearTimeout(waiting),
  };

  function again() {
    const { sources } = state.get;
    return follow().catch((error) => fail(sources[0], error));
  }
}

/** The smaller image mass of the two. @param {string} name @param {Float32Array} base @param {Float32Array} other */
function lesserOf(name, base, other) {
  return { name, values: base.map((mass, i) => Math.min(mass, other[i])), positions: [] };
}

/**
 * What the selected rows stand for beyond the shared tokens, null for rows that all have in common.
 * @param {import('../data/comparison_info.js').ComparisonInfo} comparison
 * @param {number} member
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {Selection} selection
 */
function standsFor(comparison, member, info, selection) {
  const query = queryOf(info, selection);
  return pointsAtTokens(selection) && query >= comparison.shared_tokens ? alignedAt(comparison, member, query) : null;
}

/** A row that is compared: always from the factors, never a mixture. @param {import('../data/source.js').RowWish} wish */
function compared(wish) {
  return { ...wish, source: /** @type {const} */ ('factors') };
}

/**
 * How far every head moved: of the selected token's row, or as a mean; by a measure of a place how far what lies there.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {Selection} selection
 * @param {{right: number, measure: string, of: 'mean' | 'token', region: import('../numbers/regions.js').Region | null}} what
 * @returns {import('../data/source.js').ChangeWish}
 */
export function changeWish(info, selection, { right, measure, of, region: chosen }) {
  const region = isOfRegion(measure) ? regionIn(info, chosen, selection.tower) : null;
  return { tower: selection.tower, measure, adapter: right - 1, query: rowOfMatrix(info, selection, of), ...(region && { region }) };
}

/**
 * The row that a matrix is of; null for the mean over the rows that were compared. Where cells of a cross tower are pointed at, or what all
 * patches receive, there is no one row.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {Selection} selection
 * @param {'mean' | 'token'} of
 */
export function rowOfMatrix(info, selection, of) {
  const isRow = selection.direction === 'reads' || (selection.direction === 'read by' && selection.tower !== 'cross');
  return of === 'token' && isRow ? queryOf(info, selection) : null;
}

/**
 * What image masses belong to a matrix, null where none are needed: the measure is not of the picture, or the tower reads nothing else.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {Selection} selection
 * @param {{right: number, measure: string, of: 'mean' | 'token'}} what
 */
export function massesName(info, selection, { right, measure, of }) {
  const { tower } = selection;
  if (tower !== 'language' || !isOnImage(measure) || !gridsOf(info, tower).length) return null;
  return `${right} ${rowOfMatrix(info, selection, of) ?? 'mean'}`;
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
