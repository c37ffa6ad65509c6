// @ts-check
/**
 * What a token's state reads as after a layer, in words: the likeliest ones of the logit lens, with their probabilities. Knows no document.
 *
 * @typedef {object} Words  of every token after one layer, as the server sends them
 * @property {number} layer
 * @property {string[]} texts
 * @property {number[]} unspelled  places among the texts that stand for bytes of a sign, or for an id without a word
 * @property {number[][]} words    for each token places among the texts, the likeliest first
 * @property {number[][]} logprobs
 */
import { formatPercent } from '../data/format.js';
import { visible } from '../data/token_text.js';

/** What it answers, in a sentence. */
export const LENS_ANSWERS = 'Which words each token’s state, of cells of the picture too, is nearest to after a layer, read by the model’s own head. Not what the model does with it.';

/** How many words there is room for beside what is pointed at. */
const BESIDE = 3;
/** All that there are. */
export const ALL_WORDS = Infinity;

/**
 * "reads as: star 62 %, red 11 % (after layer 3)", '' where there are no words.
 * @param {Words | null} words
 * @param {number} token
 * @param {number} [most]
 */
export function readsAs(words, token, most = BESIDE) {
  const places = words?.words[token]?.slice(0, most);
  if (!words || !places) return '';
  const names = named(places.map((place) => words.texts[place]), places.map((place) => words.unspelled.includes(place)));
  return `reads as: ${names.map((name, i) => `${name} ${formatPercent(Math.exp(words.logprobs[token][i]))}`).join(', ')} (after layer ${words.layer})`;
}

/**
 * Words as they are told apart: the space before one is left out, unless another is the same without.
 * @param {string[]} texts
 * @param {boolean[]} unspelled
 */
function named(texts, unspelled) {
  const short = texts.map((text) => text.replace(/^ /, ''));
  return texts.map((text, i) => {
    if (unspelled[i]) return text;
    const isAlone = short[i].trim() && short.indexOf(short[i]) === short.lastIndexOf(short[i]);
    const name = visible(isAlone ? short[i] : text);
    return /[\p{L}\p{N}]/u.test(name) ? name : `“${name}”`;
  });
}

/**
 * What is on: after which layer, and what of it is not proven.
 * @param {import('../state/lens.js').Lens} lens
 * @param {number} layer  after which words are shown
 * @param {import('../data/run_info.js').Choice} chosen
 */
export function lensLine({ layers, caution }, layer, chosen) {
  const isLast = layer === layers[layers.length - 1];
  const which = layer === chosen ? `after layer ${layer}${isLast ? ', the last' : ''}` : `after layer ${layer}, the last: no one layer is chosen`;
  return `Words ${which}. Point at a token, or at a cell of the picture.${caution && ` ${caution}`}`;
}
