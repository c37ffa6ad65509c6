import assert from 'node:assert/strict';
import test from 'node:test';

import { valueOf } from '../../../assets/viewer/numbers/token_tint.js';
import { createFinding } from '../../../assets/viewer/state/finding.js';
import { chipWords } from '../../../assets/viewer/text/token.js';
import { baseOf, dressOf } from '../../../assets/viewer/views/tokens/chip_dress.js';

const infoOf = (texts) => ({ tokens: texts.map((text) => ({ text, role: 'prompt', grid: null })) });
const chipOf = (token, more = {}) => ({ kind: 'token', token, count: 1, text: 'a', special: false, breaks: false, ...more });
const PLAIN = { from: -1, to: -1, query: -1, tint: null, direction: 'reads', isUnfolded: false, match: 0, mark: '' };

test('a search begins at what is selected, goes on in turn, and marks what it has found', () => {
  const finding = createFinding();
  finding.searchIn(infoOf(['a', 'cat', ' and', ' a', ' cat', 's']));
  assert.equal(finding.find('CAT', 2), 2);
  assert.deepEqual([finding.at(), finding.next()], [1, { first: 4, last: 4 }]);
  assert.deepEqual([1, 4, 5].map((token) => finding.markOf({ token, count: 1 })), [1, 2, 0]);
  assert.deepEqual(finding.go(1), { first: 4, last: 4 }, 'first the one that is next');
  assert.deepEqual(finding.go(1), { first: 1, last: 1 });
  assert.deepEqual(finding.go(-1), { first: 4, last: 4 });
  assert.equal(finding.markOf({ token: 3, count: 3 }), 2);
  finding.find('cat', 2);
  assert.deepEqual(finding.go(-1), { first: 1, last: 1 }, 'back from the one that is next');
});

test('what is not there is not found, and other tokens have other places', () => {
  const finding = createFinding();
  finding.searchIn(infoOf(['a', 'b']));
  assert.deepEqual([finding.find('x', 0), finding.next(), finding.markOf({ token: 0, count: 2 })], [0, null, 0]);
  assert.equal(finding.find('ab', 0), 1);
  finding.searchIn(null);
  assert.equal(finding.find('ab', 0), 0);
});

test('what is selected is framed, at its ends too; the row that is read is marked where nothing is', () => {
  const dressed = (chip, more) => dressOf(chip, { ...PLAIN, ...more }).name;
  assert.equal(dressed(chipOf(3), { from: 3, to: 3 }), 'av-token av-selected');
  assert.deepEqual([2, 3, 4].map((token) => dressed(chipOf(token), { from: 2, to: 4 })), [
    'av-token av-selected av-range av-first', 'av-token av-selected av-range', 'av-token av-selected av-range av-last',
  ]);
  assert.equal(dressed(chipOf(2, { count: 3 }), { query: 4 }), 'av-token av-reading');
  assert.equal(dressed(chipOf(2), { query: 2, from: 2, to: 2 }), 'av-token av-selected');
  const image = chipOf(5, { kind: 'image', count: 4 });
  assert.equal(dressed(image, { from: 6, to: 6 }), 'av-token av-image av-selected');
  assert.equal(dressed(image, { from: 6, to: 6, isUnfolded: true }), 'av-token av-image');
  assert.equal(baseOf({ kind: 'token', special: true }), 'av-token av-special');
});

test('a tint is as strong as what is read; a sink has none, and less than before is told apart', () => {
  const tint = { values: Float32Array.of(0.04, 0.2, -0.2, 0.9), hidden: Uint8Array.of(0, 0, 0, 1), end: 0.2, sinks: 1 };
  const dressed = (token, more = {}) => dressOf(chipOf(token, more), { ...PLAIN, tint });
  assert.deepEqual([0, 1].map((token) => [dressed(token).name, dressed(token).strength]), [['av-token av-strong', 40], ['av-token av-strong', 90]]);
  assert.deepEqual([dressed(2).name, dressed(2).strength], ['av-token av-less av-strong', 90]);
  assert.deepEqual([dressed(3).name, dressed(3).strength], ['av-token av-sink', 0]);
  assert.equal(dressed(0, { kind: 'image', count: 4 }).strength, 0);
  assert.equal(dressOf(chipOf(0), { ...PLAIN, match: 2, mark: ' av-likelier' }).name, 'av-token av-likelier av-match av-match-now');
});

test('of a sign in pieces the sum is read; readers of a key read it on average', () => {
  const tint = { values: Float32Array.of(0.25, 0.5, 0.125) };
  assert.equal(valueOf(tint, { token: 0, count: 2 }, { direction: 'reads', effect: null }), 0.75);
  assert.equal(valueOf(tint, { token: 0, count: 2 }, { direction: 'read by', effect: null }), 0.375);
  assert.equal(valueOf(tint, { token: 0, count: 2 }, { direction: 'read by', effect: 'a' }), 0.75);
  assert.equal(valueOf(null, { token: 0, count: 2 }, { direction: 'reads', effect: null }), 0);
});

test('a chip in words: which, what it says, what is read of it, how probable it was', () => {
  const info = { tokens: [{ text: ' a\n', role: 'answer' }, { text: 'x'.repeat(80), role: 'prompt' }], grids: [{ image: 0, kind: 'whole', tower: 'language', rows: 2, cols: 3 }], images: [{}] };
  const reading = { saidOfGrid: () => ' · attention 0.5 in all', odds: () => ' · log-probability −1.40' };
  const said = (chip, is = {}) => chipWords(info, chip, reading, { read: ' · attention 0.1', isUnfolded: false, ...is });
  assert.equal(said(chipOf(0)), 'token 0 · “·a↵” · answer · attention 0.1 · log-probability −1.40');
  assert.ok(said(chipOf(1)).includes(`“${'x'.repeat(60)}…” · prompt`));
  const image = chipOf(4, { kind: 'image', count: 6, grid: 0 });
  assert.equal(said(image), 'tokens 4–9 · image 2×3, a token for each cell · attention 0.5 in all · click: unfold');
  assert.ok(said(image, { isUnfolded: true }).endsWith('click: fold'));
});
