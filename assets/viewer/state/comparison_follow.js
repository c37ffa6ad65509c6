// @ts-check
/**
 * From what is selected to what is on screen in a comparison, in the order in which it is wanted: the two rows that are set against
 * each other (painted at once), then the other members' rows, what is set beside them (`beside_follow.js`), and what may be wanted next. What arrives for
 * something that is not wanted any more is dropped. Knows the state and the sources, and no document.
 */
import { makePair } from '../numbers/pair.js';
import { alignedAt, isShared, isSideBySide, memberName, rowsOf } from '../data/comparison_info.js';
import { createBesideFollower } from './beside_follow.js';
import { ownIn, selectionOf } from './own_heads.js';
import { makeShown, rowWish } from './follow.js';
import { layersOf } from '../data/run_info.js';
import { isInTower, pointsAtTokens, queryOf, startingSelection, untilOf } from '../data/selection.js';

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
  const beside = createBesideFollower(state);

  async function follow() {
    const { sources, infos, info, selection, left, right, own, reading } = state.get;
    if (!info || !selection || !sources.length) return;
    const then = { sources, selection, left, right, own, reading };
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
      ({ ...makeShown(infos[member], selectionOf(selection, own, member), numbers, { shared: comparison.shared_tokens, effect: reading, asked: wishes[member] ?? undefined }), query: queryOf(info, selection), until: untilOf(info, selection) });
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
    state.set({ shown: before, pair: makePair(info, { left, right, before, after, stands, isSideBySide: isSideBySide(comparison) }), rows, computing: null, ...beside.kept() });
    state.get.perf.row_ms = performance.now() - begun;
    await painted();
    if (!isWanted()) return;
    sources.forEach((_, member) => {
      if (member === left || member === right || kept[member] || !wishes[member]) return;
      read(member).then((shown) => {
        if (shown && isWanted()) state.set({ rows: state.get.rows.map((old, i) => (i === member ? shown : old)) });
      }, (error) => fail(sources[0], error));
    });
    beside.follow().catch((error) => fail(sources[0], error));
    waiting = setTimeout(prefetch, PREFETCH_MS);
  }

  /**
   * A row that is compared, of the tokens that stand for the selected ones in a member; null where it has none.
   * @param {number} member
   * @param {import('../data/run_info.js').RunInfo} info
   * @param {Selection} selection
   */
  function wishOf(member, info, selection) {
    const { comparison, left, right, reading } = state.get;
    if (reading?.members?.[member]?.why) return null;
    const wish = rowWish(info, selection, reading);
    if (selection.direction === 'received') return compared(wish);
    if (!comparison || !pointsAtTokens(info, selection) || selection.direction !== 'reads') {
      const isBeyond = comparison && pointsAtTokens(info, selection) && Math.max(wish.query, wish.until ?? 0) >= comparison.shared_tokens;
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

  /** The rows of the tokens and layers beside, of the two on screen. */
  function prefetch() {
    const { sources, comparison, infos, info, selection, left, right, own, reading } = state.get;
    if (!comparison || !info || !selection || selection.until !== null || selection.direction !== 'reads') return;
    for (const member of [left, right]) {
      const its = selectionOf(selection, own, member);
      const wish = rowWish(info, its, reading);
      const layers = layersOf(infos[member], its.tower);
      const here = layers.indexOf(/** @type {number} */ (wish.layer));
      const near = pointsAtTokens(info, its) ? neighbours(its.token).map((token) => ({ ...its, token })).filter((next) => isInTower(info, next)).map((next) => rowWish(info, next, reading)) : [];
      const beside = here < 0 ? [] : [here + 1, here - 1].filter((i) => i in layers).map((i) => ({ ...wish, layer: layers[i] }));
      sources[member].prefetch([...near, ...beside].filter(({ query }) => isShared(comparison, query)).map(compared), []);
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
      return beside.follow().catch((error) => fail(sources[0], error));
    },
    dispose: () => clearTimeout(waiting),
  };

  function again() {
    const { sources } = state.get;
    return follow().catch((error) => fail(sources[0], error));
  }
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
  return selection.direction !== 'received' && pointsAtTokens(info, selection) && query >= comparison.shared_tokens ? alignedAt(comparison, member, query) : null;
}

/** A row that is compared: always from the factors, never a mixture. @param {import('../data/source.js').RowWish} wish */
function compared(wish) {
  return { ...wish, source: /** @type {const} */ ('factors') };
}
