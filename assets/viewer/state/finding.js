// @ts-check
/** What a searched text is found in: which places of the tokens hold it, and which of them is next. Knows no document. */
import { findAll, matchFrom, searchable } from '../data/search.js';

export function createFinding() {
  let all = searchable({ tokens: [] });
  /** @type {import('../data/search.js').Match[]} */
  let matches = [];
  let [now, isChosen] = [0, false];
  let marks = new Uint8Array(); // of each token: 1 in a match, 2 in the one that is next

  function mark() {
    marks = new Uint8Array(all.starts.length);
    matches.forEach(({ first, last }, i) => marks.fill(i === now ? 2 : 1, first, last + 1));
  }

  return {
    /** Search other tokens. @param {Pick<import('../data/run_info.js').RunInfo, 'tokens'> | null} info */
    searchIn(info) {
      all = searchable(info ?? { tokens: [] });
    },

    /** Look for a text; next is the first place that does not end before a token. @param {string} wanted @param {number} from @returns {number} how many there are */
    find(wanted, from) {
      matches = findAll(all, wanted);
      [now, isChosen] = [matchFrom(matches, from), false];
      mark();
      return matches.length;
    },

    /** To the one that is next, and then on from there, or back. @param {number} by */
    go(by) {
      if (isChosen || by < 0) now = (now + by + matches.length) % matches.length;
      isChosen = true;
      mark();
      return matches[now];
    },

    /** The place of the one that is next among all. */
    at: () => now,
    /** The one that is next, null where there is none. */
    next: () => matches[now] ?? null,

    /** Of tokens: 0 in no match, 1 in one, 2 in the one that is next. @param {{token: number, count: number}} tokens */
    markOf({ token, count }) {
      let most = 0;
      for (let i = token; i < token + count && matches.length; i++) most = Math.max(most, marks[i]);
      return most;
    },
  };
}
