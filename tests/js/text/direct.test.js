// @ts-nocheck
/** The parts of a logit: they sum to it, and the image's is that of the heads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directSentence, partsOfLogit } from '../../../assets/viewer/text/direct.js';

const BUDGET = { logit: 10, embedding: 1, others: { 0: 2, 1: -1 }, heads: 7, image: 5, rest: 1 };

test('the parts sum to the logit, and what is read of pictures is told from what is read of text', () => {
  const parts = partsOfLogit(BUDGET);
  assert.deepEqual(parts.map(({ name, added }) => [name, added]), [['image', 5], ['text', 2], ['MLP', 1], ['embedding', 1], ['rest', 1]]);
  assert.equal(parts.reduce((sum, { added }) => sum + added, 0), BUDGET.logit);
  assert.match(directSentence('“red”', BUDGET), /logit of “red”, \+10\.0 in all/);
});
