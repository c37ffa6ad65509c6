// @ts-check
/**
 * Which tokens make a word together. A token continues the word before it when nothing but letters, digits and their marks meet
 * where they touch; a Chinese or Japanese sign is a word, and so is an emoji with all of its pieces. Knows no document.
 *
 * @typedef {import('./run_info.js').RunInfo} RunInfo
 */

const SIGN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;
const ENDS_IN_WORD = /[\p{L}\p{N}\p{M}_]$/u;
const BEGINS_IN_WORD = /^[\p{L}\p{N}\p{M}_]/u;
/** What belongs to the sign before it: accents, skin tones, what joins emoji. */
const BELONGS = /^[\p{M}\p{Emoji_Modifier}\u200d]/u;
const APOSTROPHE = /^['’]\p{L}/u;
const ENDS_IN_APOSTROPHE = /\p{L}['’]$/u;

/**
 * The word that a token is part of.
 * @param {RunInfo} info
 * @param {number} token
 * @returns {{first: number, last: number}}
 */
export function wordAt({ tokens }, token) {
  const isJoined = (/** @type {number} */ i) => i > 0 && i < tokens.length && joins(tokens, i);
  let [first, last] = [token, token];
  while (isJoined(first)) first--;
  while (isJoined(last + 1)) last++;
  return { first, last };
}

/**
 * @typedef {object} SpokenWord
 * @property {number} first
 * @property {number} last
 * @property {string} text     without white space around it
 * @property {'' | ' ' | '\n'} before  what stands between it and the word before
 *
 * The words of the answer, each with its tokens; where nothing was answered, those of the prompt. What is only white space is no word.
 * @param {RunInfo} info
 * @param {number} most  words that are given
 * @returns {{role: 'answer' | 'prompt' | null, words: SpokenWord[], isCut: boolean}}
 */
export function spokenWords(info, most) {
  const role = /** @type {const} */ (['answer', 'prompt']).find((name) => info.tokens.some((token) => token.role === name)) ?? null;
  /** @type {SpokenWord[]} */
  const words = [];
  let space = '';
  for (let token = 0; token < info.tokens.length; token++) {
    if (info.tokens[token].role !== role || info.tokens[token].grid !== null) continue;
    const { first, last } = wordAt(info, token);
    const text = info.tokens.slice(first, last + 1).map((piece) => piece.text).join('');
    token = last;
    const [before, bare, after] = [/^\s*/, /\S(?:.*\S)?/s, /\s*$/].map((part) => text.match(part)?.[0] ?? '');
    space += before;
    if (!bare) continue;
    if (words.length === most) return { role, words, isCut: true };
    words.push({ first, last, text: bare, before: space.includes('\n') ? '\n' : space ? ' ' : '' });
    space = after;
  }
  return { role, words, isCut: false };
}

/** Whether a token belongs to the word of the one before it. @param {RunInfo['tokens']} tokens @param {number} i */
function joins(tokens, i) {
  const [here, before] = [tokens[i], tokens[i - 1]];
  if (here.part_of !== undefined) return true;
  if (here.grid !== null || before.grid !== null || here.role !== before.role || here.role === 'special') return false;
  const left = (tokens[i - 2]?.text ?? '') + tokens[before.part_of ?? i - 1].text; // an apostrophe may be a token of its own
  const right = here.text + (tokens[i + 1]?.text ?? '');
  if (BELONGS.test(right) || left.endsWith('\u200d')) return true;
  if (SIGN.test([...left].pop() ?? '') || SIGN.test([...right][0] ?? '')) return false;
  return ENDS_IN_APOSTROPHE.test(left) ? /^\p{L}/u.test(right) : ENDS_IN_WORD.test(left) && (BEGINS_IN_WORD.test(right) || APOSTROPHE.test(right));
}
