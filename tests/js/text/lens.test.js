// @ts-nocheck
/** What a token reads as, in words: told apart, with probabilities, and after which layer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layerOfWords } from '../../../assets/viewer/state/lens.js';
import { lensLine, readsAs } from '../../../assets/viewer/text/lens.js';

const WORDS = {
  layer: 3,
  texts: [' star', 'star', 'red', 'bytes E2 98', '<|end|>', '\n'],
  unspelled: [3],
  words: [[0, 2, 4], [0, 1, 3], [5, 2, 0]],
  logprobs: [[Math.log(0.5), Math.log(0.25), Math.log(0.01)], [-1, -2, -3], [0, -20, -30]],
};

test('the likeliest words with their probabilities, and after which layer', () => {
  assert.equal(readsAs(WORDS, 0), 'reads as: star 50.0\u202f%, red 25.0\u202f%, <|end|> 1.0\u202f% (after layer 3)');
  assert.equal(readsAs(WORDS, 0, 1), 'reads as: star 50.0\u202f% (after layer 3)');
  assert.equal(readsAs(WORDS, 9), '');
  assert.equal(readsAs(null, 0), '');
});

test('words that differ in a space alone are told apart, and what is no word is what it is', () => {
  assert.match(readsAs(WORDS, 1), /reads as: ·star .*, star .*, bytes E2 98 /);
  assert.match(readsAs(WORDS, 2), /reads as: “↵” 100/);
});

test('words are those after the chosen layer, or the last; of which is said', () => {
  const lens = { name: 'lens', layers: [0, 1, 2, 3], caution: '' };
  assert.equal(layerOfWords(lens, { layer: 2 }), 2);
  for (const layer of ['mean', 'max', 7]) assert.equal(layerOfWords(lens, { layer }), 3);
  assert.match(lensLine(lens, 2, 2), /^Words after layer 2\. /);
  assert.match(lensLine(lens, 3, 3), /^Words after layer 3, the last\. /);
  assert.match(lensLine(lens, 3, 'mean'), /the last: no one layer is chosen/);
  assert.match(lensLine({ ...lens, caution: 'No answer.' }, 2, 2), / No answer\.$/);
});
