// @ts-check
/**
 * Finding a text in the tokens, also where it goes from one into the next. Upper and lower case are the same. Knows no document.
 *
 * @typedef {import('./run_info.js').RunInfo} RunInfo
 * @typedef {{first: number, last: number}} Match  tokens
 * @typedef {{text: string, starts: Int32Array}} Searchable  all tokens as one text, and where in it each begins
 */
import { placeOf } from './token_text.js';

/** Stands for a cell of an image: nobody types it. */
const CELL = '\u0000';

/** Each token for itself, so that the length of its text is known when that changes with the case. @param {string} text */
function folded(text) {
  return text.toLowerCase().replaceAll('ς', 'σ');
}

/** @param {Pick<RunInfo, 'tokens'>} info @returns {Searchable} */
export function searchable({ tokens }) {
  const texts = tokens.map((token) => (token.grid === null ? folded(token.text) : CELL));
  const starts = new Int32Array(tokens.length + 1);
  texts.forEach((text, i) => { starts[i + 1] = starts[i] + text.length; });
  return { text: texts.join(''), starts };
}

/**
 * Where a text stands, from the first to the last; matches do not overlap.
 * @param {Searchable} all
 * @param {string} wanted
 * @returns {Match[]}
 */
export function findAll({ text, starts }, wanted) {
  const sought = folded(wanted);
  const matches = [];
  // Of tokens that begin at one place the last holds the sign there: the later pieces of a sign have no text, but follow it.
  const tokenAt = (/** @type {number} */ place) => placeOf(starts, place + 1) - 1;
  for (let at = sought ? text.indexOf(sought) : -1; at >= 0; at = text.indexOf(sought, at + sought.length)) {
    let last = tokenAt(at + sought.length - 1);
    while (last + 2 < starts.length && starts[last + 2] === starts[last + 1]) last++;
    matches.push({ first: tokenAt(at), last });
  }
  return matches;
}

/**
 * The first match that does not end before a token, or the first of all.
 * @param {Match[]} matches
 * @param {number} token
 */
export function matchFrom(matches, token) {
  return Math.max(0, matches.findIndex(({ last }) => last >= token));
}
