import assert from 'node:assert/strict';
import test from 'node:test';
import { hasLine, lineWords, makeLine, tokenAt, wordsAt } from '../../../assets/viewer/numbers/mass_line.js';
import { firstTower, gridReadBy, gridsOf, keysOfGrid, layersOf, promptLength, readNote, placeCount, placesOn, tokenReading } from '../../../assets/viewer/data/run_info.js';
import { findAll, matchFrom, searchable } from '../../../assets/viewer/data/search.js';
import { checkedSelection, hasMap, hasTwoRows, inItsTower, inTower, numbersAreOfTokens, offersTwoRows, pointsAtTokens, queryOf, selectionOfQuery, startingSelection, untilOf } from '../../../assets/viewer/data/selection.js';
import { blocksOf, inked, logProbability, placeOf, quoted, quotedSpan, segments, stopBeside, stops, visible } from '../../../assets/viewer/data/token_text.js';
import { makeTint, strengthOf, TINT_END, tintWords } from '../../../assets/viewer/numbers/token_tint.js';
import { wordAt } from '../../../assets/viewer/data/word_bounds.js';

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

test('where the answer names a place, a run opens at the row that predicts its first digit', () => {
  const answer = ['{"', 'point_2', 'd', '":', ' [', '7', '1', '0', ','].map((text) => [text, 'answer']);
  const run = runOf([['click', 'prompt'], ['b', 'special'], ...answer], [grid('whole', 1, 1), grid('whole', 1, 1, 1)]);
  assert.equal(queryOf(run, startingSelection(run, 'language')), 1);
  run.unplaced = [{ x: 1, y: 2, label: 'b', why: 'none is named', on: [] }];
  assert.equal(queryOf(run, startingSelection(run, 'language')), 6, 'on a picture or on none');
  run.points = [{ x: 1, y: 2, label: 'b', image: 0 }];
  assert.equal(queryOf(run, startingSelection(run, 'language')), 6);
  assert.equal(queryOf(run, startingSelection(run, 'language', { query: 3 })), 3);
  assert.equal(startingSelection(run, 'language', { image: 1 }).grid, 1);
  assert.equal(startingSelection(run, 'language', { image: 7 }).grid, 0);
});

test('places of no picture are drawn only on the one that is chosen for them', () => {
  const [point, box] = [{ image: 0, x: 1, y: 2 }, { image: 1, x0: 0, y0: 0, x1: 5, y1: 5 }];
  const unplaced = [{ x: 7, y: 7, why: 'none is named', on: [{ image: 0, x: 3, y: 4 }, { image: 1, x: 6, y: 8 }] }];
  const run = { points: [point], boxes: [box], unplaced };
  assert.deepEqual(placesOn(run, 0, false), { points: [point], boxes: [] });
  assert.deepEqual(placesOn(run, 1, false), { points: [], boxes: [box] });
  assert.deepEqual(placesOn(run, 1, true), { points: [{ image: 1, x: 6, y: 8 }], boxes: [box] });
  assert.deepEqual(placesOn({}, 0, true), { points: [], boxes: [] });
  assert.deepEqual([placeCount(run), placeCount({})], [3, 0]);
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
  run.towers.cross = { heads: 2, queries: 2, keys: [null, ...cells(0, 1, 2), ...cells(1, 1, 1)], layers: [{ index: 2, file: 'c' }] };
  run.towers.vision = { heads: 1, keys: [null, ...cells(2, 1, 2), null, ...cells(3, 3, 1)], layers: [{ index: 0, file: 'd' }] };
  assert.equal(firstTower(run), 'cross');
  const start = { ...startingSelection(run, 'cross'), grid: 1, layer: 2, head: 1 };
  const there = inTower(run, start, 'vision');
  assert.deepEqual(there, { tower: 'vision', direction: 'reads', until: null, token: 5, reading: 'own', layer: 'mean', head: 'mean', grid: 3 });
  assert.equal(queryOf(run, there), 5);
  assert.deepEqual(inTower(run, there, 'cross'), { ...start, layer: 'mean', head: 'mean' });
  const forms = ['language', 'cross', 'vision'].flatMap((tower) => ['reads', 'read by'].map((direction) => ({ tower, direction })));
  assert.deepEqual(forms.map((form) => pointsAtTokens(run, form)), [true, true, true, false, false, false]);
  assert.deepEqual(forms.map((form) => numbersAreOfTokens(run, form)), [true, true, false, true, false, false]);
  assert.deepEqual(forms.map((form) => hasMap(run, form)), [true, true, true, false, true, true]);
});

test('of an encoder and a decoder each token is shown in the tower that reads it', () => {
  const run = runOf([['', 'image', { grid: 0, row: 0, col: 0 }], ['', 'image', { grid: 0, row: 0, col: 1 }], ['q', 'prompt'], ['<s>', 'special'], ['a', 'answer'], ['b', 'answer']], [
    { image: 0, tower: 'encoder', kind: 'whole', box_px: [0, 0, 4, 4], rows: 1, cols: 2 },
  ]);
  const layers = [{ index: 0, file: 'a' }];
  const [read, answered] = [[[0, 3]], [[3, 6]]];
  run.towers = {
    language: { heads: 2, keys: 6, layers, query_tokens: answered, key_tokens: answered },
    encoder: { heads: 2, keys: 6, layers, query_tokens: read, key_tokens: read },
    cross: { heads: 2, keys: 6, layers, query_tokens: answered, key_tokens: read },
  };
  assert.equal(firstTower(run), 'cross');
  assert.deepEqual(['language', 'encoder', 'cross'].map((tower) => gridsOf(run, tower)), [[], [0], [0]]);
  const start = startingSelection(run, 'cross');
  assert.deepEqual([start.token, queryOf(run, start), start.grid], [4, 3, 0]);
  const at = (change) => { const { tower, token, direction, grid } = inItsTower(run, { ...start, ...change }); return [tower, token, direction, grid]; };
  assert.deepEqual(at({ token: 5 }), ['cross', 5, 'reads', 0]);
  assert.deepEqual(at({ token: 2, reading: 'own' }), ['encoder', 2, 'reads', 0]);
  assert.deepEqual(at({ token: 1, direction: 'read by', reading: 'own' }), ['cross', 1, 'read by', 0]);
  assert.deepEqual(at({ token: 4, direction: 'read by', reading: 'own' }), ['language', 4, 'read by', null]);
  assert.deepEqual(at({ token: 1, until: 5, reading: 'own' }), ['encoder', 1, 'reads', 0]);
  assert.equal(inTower(run, start, 'encoder').token, 2);
  assert.deepEqual([true, true, false], ['reads', 'read by'].map((direction) => numbersAreOfTokens(run, { tower: 'cross', direction })).concat(hasMap(run, { tower: 'cross', direction: 'read by' })));
  assert.equal(hasMap(run, { tower: 'encoder', direction: 'read by' }), true);
  assert.deepEqual(['language', 'encoder', 'cross'].map((tower) => hasLine(run, tower)), [false, false, true]);
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

const grid = (kind, rows, cols, image = 0) => ({ image, tower: 'language', kind, box_px: [0, 0, 4, 4], rows, cols });
const cells = (index, rows, cols) => Array.from({ length: rows * cols }, (_, i) => ['<pad>', 'image', { grid: index, row: Math.floor(i / cols), col: i % cols }]);

test('what stands between the cells of one picture is inside its block; tiles and thumbnails are blocks of their own', () => {
  const [first, second] = [cells(0, 2, 2).slice(0, 2), cells(0, 2, 2).slice(2)];
  const run = runOf([
    ['<s>', 'special'], ...first, ['<nl>', 'special'], ...second, ['<nl>', 'special'], ...cells(1, 1, 1), ...cells(2, 1, 1), ...cells(3, 1, 2), ['a', 'prompt'],
  ], [grid('whole', 2, 2), grid('tile', 1, 1), grid('tile', 1, 1), grid('thumbnail', 1, 2)]);
  const [{ chips }] = segments(run);
  assert.deepEqual(chips.map((chip) => chip.text), ['<s>', '[image 2×2]', '<nl>', '[tile 1 1×1]', '[tile 2 1×1]', '[thumbnail 1×2]', 'a']);
  assert.deepEqual([chips[1].token, chips[1].count, chips[1].inside.map((chip) => chip.token)], [1, 5, [3]]);
  assert.equal(chips.reduce((total, chip) => total + chip.count, 0), run.tokens.length);
  run.images.push({});
  run.grids[3].image = 1;
  assert.deepEqual(segments(run)[0].chips.filter((chip) => chip.kind === 'image').map((chip) => chip.text),
    ['[image 1 2×2]', '[image 1 tile 1 1×1]', '[image 1 tile 2 1×1]', '[image 2 thumbnail 1×2]']);
});

test('steps go from token to token, and through the cells of what is unfolded', () => {
  const parts = segments(RUN);
  assert.deepEqual(stops(parts, new Set()), [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  assert.deepEqual(stops(parts, new Set([0])), RUN.tokens.map((_, i) => i));
  const all = stops(parts, new Set());
  assert.deepEqual([stopBeside(all, 6, 1), stopBeside(all, 6, -1), stopBeside(all, 14, 5), stopBeside(all, 0, -1)], [7, 3, 14, 0]);
  assert.deepEqual([stopBeside(all, 4, 1), stopBeside(all, 4, -1), stopBeside([], 4, 1)], [6, 3, 4], 'from a cell to the text before and after it');
  assert.deepEqual([0, 3, 4, 9].map((number) => placeOf([1, 3, 3, 8], number)), [0, 1, 3, 4]);
});

test('thousands of chips stand in blocks that end with a line or before a word, and none is lost', () => {
  const chip = (text, i) => ({ kind: 'token', token: i, count: 1, text, special: false, breaks: text.endsWith('↵') });
  const words = Array.from({ length: 1000 }, (_, i) => chip(i % 3 ? 'ing' : '·walk', i));
  const blocks = blocksOf(words);
  assert.deepEqual(blocks.flat(), words);
  assert.ok(blocks.length > 4 && blocks.every((block) => block.length <= 320 && block[0].text === '·walk'));
  const lines = blocksOf(Array.from({ length: 1000 }, (_, i) => chip(i % 50 === 49 ? '↵' : '·walk', i)));
  assert.ok(lines.slice(0, -1).every((block) => block[block.length - 1].breaks));
  assert.ok(blocksOf(Array.from({ length: 1000 }, (_, i) => chip('火', i))).every((block) => block.length <= 320));
  assert.deepEqual(blocksOf([]), []);
});

test('signs for white space are told from the same signs in the text; what turns text around is shown', () => {
  assert.deepEqual(inked(' a·b\n'), [{ text: '·', isSpace: true }, { text: 'a·b', isSpace: false }, { text: '↵', isSpace: true }]);
  assert.equal(visible('a\u202eb\u0007\u3000c\u200d'), 'a␣b␇␣c\u200d');
  assert.equal(visible('🦊<b>${x}'), '🦊<b>${x}');
});

test('a span is quoted as one text where it is short, by its ends where it is not', () => {
  assert.equal(quotedSpan(RUN, 11, 13), '“🦊 b”');
  assert.equal(quotedSpan(RUN, 3, 6), '“<|s|>” to “a↵”');
  const long = runOf(Array.from({ length: 40 }, (_, i) => [` word${i}`, 'answer']));
  assert.equal(quotedSpan(long, 0, 39), '“word0” to “word39”');
  assert.equal(quotedSpan(long, 3, 4), '“word3 word4”');
});

test('log-probabilities are of the tokens that the model wrote, also where a special token comes first', () => {
  const run = { ...RUN, logprobs: [-1, -2, -4, -8, -16, -32] }; // tokens 9 to 14
  assert.deepEqual([8, 9, 14].map((token) => logProbability(run, token, 1)), [null, -1, -32]);
  assert.equal(logProbability(run, 11, 2), -12, 'of a sign in two pieces both');
  assert.equal(logProbability(RUN, 9, 1), null);
});

const TEXT = runOf([
  [' un', 'prompt'], ['believ', 'prompt'], ['able', 'prompt'], [' fox', 'prompt'], ["'", 'prompt'], ['s', 'prompt'], ['?', 'prompt'], ['</s>', 'special'],
  ['火', 'answer'], ['山', 'answer'], ['abc', 'answer'], ['🦊', 'answer'], ['', 'answer', { part_of: 11 }], ['\u200d', 'answer'], ['🏽', 'answer'],
  [' 5', 'answer'], ['1', 'answer'], ['2', 'answer'], [',', 'answer'], ['\n', 'answer'], ['ÄRGER', 'answer'], ['\u0301n', 'answer'],
]);

test('a word is the pieces that no white space parts; a Chinese sign is a word, and so is an emoji with all of its pieces', () => {
  const word = (token) => { const { first, last } = wordAt(TEXT, token); return [first, last]; };
  for (const token of [0, 1, 2]) assert.deepEqual(word(token), [0, 2], 'unbelievable');
  for (const token of [3, 4, 5]) assert.deepEqual(word(token), [3, 5], "fox's");
  assert.deepEqual([6, 7, 8, 9, 10].map(word), [[6, 6], [7, 7], [8, 8], [9, 9], [10, 10]]);
  for (const token of [11, 12, 13, 14]) assert.deepEqual(word(token), [11, 14]);
  assert.deepEqual([word(16), word(18), word(19), word(21)], [[15, 17], [18, 18], [19, 19], [20, 21]]);
  assert.deepEqual(wordAt(RUN, 4), { first: 4, last: 4 }, 'a cell is no part of a word');
});

test('a text is found across tokens, in any case, with emoji and Chinese signs, and not in pictures', () => {
  const all = searchable(TEXT);
  const found = (wanted) => findAll(all, wanted).map(({ first, last }) => [first, last]);
  assert.deepEqual(found('UNBELIEVABLE F'), [[0, 3]]);
  assert.deepEqual(found('be'), [[1, 1]], 'only where it stands');
  assert.deepEqual(found('b'), [[1, 1], [2, 2], [10, 10]]);
  assert.deepEqual(found('山a'), [[9, 10]]);
  assert.deepEqual(found('🦊'), [[11, 12]], 'all pieces of the sign');
  assert.deepEqual(found('ärger'), [[20, 20]]);
  assert.deepEqual([found(''), found('nowhere'), found('512,\n')], [[], [], [[15, 19]]]);
  assert.deepEqual(findAll(searchable(RUN), 'pad'), [], 'cells are no text');
  assert.deepEqual(findAll(searchable(runOf([['aa', 'prompt'], ['a', 'prompt']])), 'aa'), [{ first: 0, last: 0 }], 'matches do not overlap');
  const matches = findAll(all, 'b');
  assert.deepEqual([0, 2, 3, 21].map((token) => matchFrom(matches, token)), [0, 1, 2, 0]);
});

test('tints end at the largest of what is seen one by one, leave sinks out, and are none where numbers are not of tokens', () => {
  const row = new Float32Array(15);
  row.set([0.5, 0.1, 0, 0, 0.3, 0.02, 0.08]);
  const shown = { tower: 'language', direction: 'reads', layer: 0, row, sinks: { cells: null, count: 0, mass: 0, rowMass: 0.5 } };
  const run = { ...RUN, sinks: { language: { 0: [0] } } };
  const seen = stops(segments(RUN), new Set());
  const tint = makeTint(run, shown, 'masked', seen);
  assert.deepEqual([tint.end, tint.sinks, [...tint.hidden].indexOf(1), tint.values[1]], [row[1], 1, 0, row[1]]);
  assert.deepEqual([0, row[1] / 4, row[1], 1].map((value) => strengthOf(tint, value)), [0, 45, 90, 90]);
  assert.equal(makeTint(run, shown, 'masked', stops(segments(RUN), new Set([0]))).end, row[4], 'cells count once they are unfolded');
  assert.equal(makeTint(run, shown, 'raw', seen).end, 0.5);
  assert.ok(Math.abs(makeTint(run, shown, 'renormalised', seen).end - 0.2) < 1e-6);
  assert.equal(makeTint(run, { ...shown, direction: 'read by' }, 'masked', seen).hidden, null, 'of a column all are readers');
  assert.equal(makeTint(run, { ...shown, row: row.map((value) => value / 100) }, 'masked', seen).end, TINT_END);
  assert.equal(makeTint(run, { ...shown, tower: 'vision' }, 'masked', seen), null);
  assert.match(tintWords(shown, tint), /what it reads of each token.*1 sink hatched/);
  assert.match(tintWords({ ...shown, tower: 'vision' }, null), /no tint.*patches/);
});

test('the line of image mass: each value belongs to the token that its row predicts', () => {
  assert.deepEqual([hasLine(RUN, 'language'), hasLine(RUN, 'vision'), hasLine(runOf([['a', 'prompt']]), 'language')], [true, false, false]);
  const line = makeLine(RUN, { positions: [2, 8, 9, 10, 12], values: Float32Array.from([1, 0.5, 0.25, 0.75, 0]) });
  assert.deepEqual([line.first, [...line.values]], [9, [0.5, 0.25, 0.75, NaN, 0, NaN]]);
  assert.deepEqual([line.maximum, line.mean, line.peak], [0.75, 0.375, 11]);
  assert.deepEqual([-0.1, 0, 0.17, 0.99, 1].map((share) => tokenAt(line, share)), [null, 9, 10, 14, null]);
  assert.equal(wordsAt(RUN, line, 11), '“🦊” (token 11) · predicted by row 10: 75.0\u202f% on images');
  assert.match(wordsAt(RUN, line, 14), /no row was kept/);
  assert.match(lineWords(RUN, line), /6 tokens of the answer: mean 37\.5.*maximum 75\.0.*“🦊”, token 11/);
});

test('a token that is made of one view of a picture is shown on that view', () => {
  const views = [0, 1].map(() => ({ image: 0, tower: 'resampler', kind: 'tile', box_px: [0, 0, 4, 4], rows: 1, cols: 1 }));
  const run = runOf([['', 'image'], ['', 'image'], ['|', 'special'], ['', 'image'], ['', 'image'], ['q', 'prompt'], ['a', 'answer']], views);
  run.towers.resampler = {
    heads: 2, queries: 7, query_tokens: [[0, 2], [3, 5]], layers: [{ index: 0, file: 'r' }],
    keys: [{ grid: 0, row: 0, col: 0 }, null, { grid: 1, row: 0, col: 0 }, null],
  };
  assert.equal(firstTower(run), 'language');
  const at = { ...inTower(run, startingSelection(run, 'language'), 'resampler'), token: 1, reading: 'own' };
  assert.deepEqual([0, 1, 3, 4].map((token) => inItsTower(run, { ...at, token }).grid), [0, 0, 1, 1]);
  assert.equal(tokenReading(run, 'resampler', 1, 1), 4);
  assert.equal(gridReadBy(run, 'language', 1), null);
  const said = inItsTower(run, { ...at, token: 6, reading: 'own' });
  assert.deepEqual([said.tower, said.grid], ['language', null]);
  const within = inItsTower(run, { ...at, token: 3, until: 4 });
  assert.deepEqual([within.tower, within.grid, within.until], ['resampler', 1, 4]);
  const across = inItsTower(run, { ...at, token: 0, until: 4 });
  assert.deepEqual([across.tower, across.token, across.until], ['language', 0, 4], 'between its ends is a token that reads nothing there');
  assert.deepEqual([pointsAtTokens(run, at), numbersAreOfTokens(run, at), hasMap(run, at), hasMap(run, { ...at, direction: 'read by' })], [true, false, true, false]);
});
