import assert from 'node:assert/strict';
import test from 'node:test';
import { firstTower, keysOfGrid, layersOf, promptLength, readNote } from '../../assets/viewer/run_info.js';
import { checkedSelection, hasMap, hasTwoRows, inTower, numbersAreOfTokens, offersTwoRows, pointsAtTokens, queryOf, selectionOfQuery, startingSelection, untilOf } from '../../assets/viewer/selection.js';
import { quoted, segments, visible } from '../../assets/viewer/token_text.js';

/** @param {[string, string, object?][]} list  text, role, more */
function runOf(list, grids = [{ image: 0, tower: 'language', kind: 'whole', box_px: [0, 0, 4, 4], rows: 1, cols: 2 }]) {
  return {
    tokens: list.map(([text, role, more], index) => ({ index, id: 0, text, role, grid: null, row: null, col: null, ...more })),
    grids, images: [{}],
    towers: { language: { heads: 2, keys: list.length, layers: [{ index: 0, file: 'a' }, { index: 1, kind: 'linear', file: null }, { index: 3, file: 'b' }] } },
  };
}

const RUN = runOf([
  ['<|s|>', 'special'], ['be', 'system'], ['<|e|>', 'special'], ['<|s|>', 'special'],
  ['<|pad|>', 'image', { grid: 0, row: 0, col: 0 }], ['<|pad|>', 'image', { grid: 0, row: 0, col: 1 }],
  [' a\n', 'prompt'], ['<|e|>', 'special'], ['assistant\n', 'special'],
  ['hm', 'thinking'], ['</t>', 'special'], ['🦊', 'answer'], ['', 'answer', { part_of: 11 }], [' b', 'answer'], ['<|e|>', 'special'],
]);

test('the parts of a conversation hold their special tokens, images are one chip, pieces are joined', () => {
  assert.deepEqual(segments(RUN).map(({ role, chips }) => [role, chips.map((chip) => chip.text).join(' ')]), [
    ['system', '<|s|> be'],
    ['prompt', '<|e|> <|s|> [image 1×2] ·a↵ <|e|> assistant↵'],
    ['thinking', 'hm'],
    ['answer', '</t> 🦊 ·b <|e|>'],
  ]);
  const chips = segments(RUN).flatMap((segment) => segment.chips);
  assert.equal(chips.reduce((total, chip) => total + chip.count, 0), RUN.tokens.length);
  assert.deepEqual(chips.find((chip) => chip.text === '🦊'), { kind: 'token', token: 11, count: 2, text: '🦊', special: false, breaks: false });
});

test('white space is visible, and the headline names tokens as one would', () => {
  assert.equal(visible(' a\n\tb'), '·a↵⇥b');
  assert.deepEqual([6, 8, 12, 13, 4].map((index) => quoted(RUN, index)), ['“a↵”', '“assistant↵”', '“🦊” (piece 2)', '“b”', 'image 1, row 0, col 0']);
});

test('the answer begins after the last thing that the model did not write', () => {
  assert.equal(promptLength(RUN), 9);
  assert.equal(promptLength(runOf([['a', 'prompt'], ['b', 'special']])), 2);
  assert.equal(promptLength(runOf([['a', 'prompt'], ['b', 'answer'], ['c', 'prompt'], ['d', 'answer']])), 3);
});

const ROW = { tower: 'language', direction: 'reads', until: null };

test('a token of the answer is read by the row that predicted it, any other by its own', () => {
  assert.equal(queryOf(RUN, { ...ROW, token: 9, reading: 'predicting' }), 8);
  assert.equal(queryOf(RUN, { ...ROW, token: 9, reading: 'own' }), 9);
  assert.equal(queryOf(RUN, { ...ROW, token: 6, reading: 'predicting' }), 6);
  assert.deepEqual([hasTwoRows(RUN, 8), hasTwoRows(RUN, 9)], [false, true]);
  const column = { ...ROW, direction: 'read by', token: 9, reading: 'predicting' };
  assert.equal(queryOf(RUN, column), 9, 'a column is the token\'s own');
  assert.deepEqual([offersTwoRows(RUN, { ...column, direction: 'reads' }), offersTwoRows(RUN, column)], [true, false]);
});

test('every row can be named and gives itself back', () => {
  RUN.tokens.forEach((_, query) => assert.equal(queryOf(RUN, { ...ROW, ...selectionOfQuery(RUN, query) }), query));
  assert.deepEqual(selectionOfQuery(RUN, 8), { token: 9, reading: 'predicting' });
  assert.deepEqual(selectionOfQuery(RUN, 14), { token: 14, reading: 'own' });
});

test('a run opens at the row that predicts the first token of the answer, or at the last of the prompt', () => {
  assert.deepEqual(startingSelection(RUN, 'language'), { ...ROW, token: 9, reading: 'predicting', layer: 'mean', head: 'mean', grid: 0 });
  const asked = runOf([['a', 'prompt'], ['b', 'special']], []);
  assert.deepEqual(startingSelection(asked, 'language'), { ...ROW, token: 1, reading: 'own', layer: 'mean', head: 'mean', grid: null });
  assert.deepEqual(startingSelection(RUN, 'language', { layer: 3, head: 'max', query: 6 }), { ...ROW, token: 6, reading: 'own', layer: 3, head: 'max', grid: 0 });
  assert.deepEqual(startingSelection(RUN, 'language', { layer: 1, head: 9, query: 99 }), startingSelection(RUN, 'language'));
});

test('a range is shifted to its predicting rows only where all of it was written by the model', () => {
  const span = { ...ROW, token: 9, until: 11, reading: 'predicting' };
  assert.deepEqual([queryOf(RUN, span), untilOf(RUN, span)], [8, 10]);
  assert.deepEqual([queryOf(RUN, { ...span, token: 7 }), untilOf(RUN, { ...span, token: 7 })], [7, 11]);
  assert.equal(untilOf(RUN, { ...span, until: null }), null);
});

test('a selection that somebody wrote down keeps what this run has', () => {
  const start = startingSelection(RUN, 'language');
  assert.deepEqual(checkedSelection(RUN, {}), start);
  assert.deepEqual(checkedSelection(RUN, { tower: 'nowhere', token: 999, layer: 77, direction: 'received', until: 4, grid: 9, reading: 'x' }), start);
  const kept = { ...start, direction: 'read by', token: 3, until: 5, reading: 'own', layer: 3, head: 'max' };
  assert.deepEqual(checkedSelection(RUN, kept), kept);
});

test('towers are entered at the same picture, and what is pointed at there is a patch', () => {
  const grid = (image, tower, kind, rows, cols) => ({ image, tower, kind, box_px: [0, 0, 4, 4], rows, cols });
  const run = runOf([['a', 'prompt'], ['b', 'answer']], [
    grid(0, 'cross', 'whole', 1, 2), grid(1, 'cross', 'whole', 1, 1), grid(0, 'vision', 'whole', 1, 2), grid(1, 'vision', 'thumbnail', 3, 1),
  ]);
  const cells = (index, rows, cols) => Array.from({ length: rows * cols }, (_, i) => ({ grid: index, row: Math.floor(i / cols), col: i % cols }));
  run.towers.cross = { heads: 2, keys: [null, ...cells(0, 1, 2), ...cells(1, 1, 1)], layers: [{ index: 2, file: 'c' }] };
  run.towers.vision = { heads: 1, keys: [null, ...cells(2, 1, 2), null, ...cells(3, 3, 1)], layers: [{ index: 0, file: 'd' }] };
  assert.equal(firstTower(run), 'cross');
  const start = { ...startingSelection(run, 'cross'), grid: 1, layer: 2, head: 1 };
  const there = inTower(run, start, 'vision');
  assert.deepEqual(there, { tower: 'vision', direction: 'reads', until: null, token: 5, reading: 'own', layer: 'mean', head: 'mean', grid: 3 });
  assert.equal(queryOf(run, there), 5);
  assert.deepEqual(inTower(run, there, 'cross'), { ...start, layer: 'mean', head: 'mean' });
  const forms = ['language', 'cross', 'vision'].flatMap((tower) => ['reads', 'read by'].map((direction) => ({ tower, direction })));
  assert.deepEqual(forms.map(pointsAtTokens), [true, true, true, false, false, false]);
  assert.deepEqual(forms.map(numbersAreOfTokens), [true, true, false, true, false, false]);
  assert.deepEqual(forms.map(hasMap), [true, true, true, false, true, true]);
});

test('layers without attention are left out; cells find their keys', () => {
  assert.deepEqual(layersOf(RUN, 'language'), [0, 3]);
  assert.deepEqual([...keysOfGrid(RUN, 0)], [4, 5]);
});

test('a picture read at another size is said to be', () => {
  assert.equal(readNote({ width: 1920, height: 1080, read_width: 1366, read_height: 768 }), '1920×1080, read at 1366×768: the answer may differ');
  assert.equal(readNote({ width: 256, height: 256, read_width: 256, read_height: 256 }), null);
  assert.equal(readNote({ width: 60, height: 50, read_width: 64, read_height: 64 }), '60×50, read at 64×64');
});
