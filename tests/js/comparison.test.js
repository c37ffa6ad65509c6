import assert from 'node:assert/strict';
import test from 'node:test';
import { readComparison, readFragment, writeComparison, writeFragment } from '../../assets/viewer/state/address.js';
import { readView, writeView } from '../../assets/viewer/state/comparison_view.js';
import { meanOfRows } from '../../assets/viewer/state/beside_follow.js';
import { changeWish, massesName, rowOfMatrix } from '../../assets/viewer/state/change_wish.js';
import { answersOf, comparedInfo, cutInfo, memberName, memberNames, rowsOf, seriesOf, strengthOf as strengthOfMember, wordsRead } from '../../assets/viewer/data/comparison_info.js';
import { signedPosition } from '../../assets/viewer/numbers/colour_range.js';
import { cutRows, jensenShannon, makeMaps, makePair } from '../../assets/viewer/numbers/pair.js';
import { groupsOfHeads, isLookingChanged, kvHeadsOf, layOutMatrix, movedMost, negligible, placeAt, weightsOf } from '../../assets/viewer/numbers/change_matrix.js';
import { formatMeasure, formatPoints, formatSigned, isOnImage, isSigned, offeredMeasures } from '../../assets/viewer/numbers/change_measures.js';
import { stepsOf } from '../../assets/viewer/views/comparison/steps.js';
import { markedTokens, movedTokens } from '../../assets/viewer/text/compared_tokens.js';
import { cellWords, headWords, pairWords } from '../../assets/viewer/text/pair.js';
import { shareOf } from '../../assets/viewer/views/picture/picture_strip.js';
import { sentenceOf } from '../../assets/viewer/text/map.js';
import { sinksOf } from '../../assets/viewer/text/sinks.js';
import { makeShown } from '../../assets/viewer/state/follow.js';
import { columnsFor } from '../../assets/viewer/paint/geometry.js';
import { startingLook } from '../../assets/viewer/state/look.js';
import { divergingPixels, entry } from '../../assets/viewer/paint/palette.js';
import { position } from '../../assets/viewer/numbers/colour_range.js';
import { startingSelection } from '../../assets/viewer/data/selection.js';
import { changePath, rowPath, tablePath } from '../../assets/viewer/data/source.js';
import { endOf, strengthOf, TINT_END } from '../../assets/viewer/numbers/token_tint.js';

const LOOK = { scale: 'map', curve: 'linear', clip: 100, sinks: 'masked', magnified: false };

/** Six tokens: two of the prompt around a picture of four cells, then an answer. */
function runInfo({ answer = ['red', '.'], sinks = {}, logprobs } = {}) {
  const token = (text, role, more = {}) => ({ id: 0, text, role, grid: null, row: null, col: null, ...more });
  const tokens = [
    token('<s>', 'special'), ...[0, 1, 2, 3].map((i) => token('<i>', 'image', { grid: 0, row: i >> 1, col: i % 2 })), token('what', 'prompt'), ...answer.map((text) => token(text, 'answer')),
  ].map((record, index) => ({ ...record, index }));
  const layers = [0, 1, 2].map((index) => ({ index, kind: 'softmax', file: 'a', kv_heads: 2 }));
  return {
    id: 'r', model: { id: 'm' }, adapter: null, tokens, images: [{ width: 20, height: 20 }], sinks: { language: sinks }, logprobs: logprobs ?? answer.map(() => -1), points: [], boxes: [],
    grids: [{ image: 0, tower: 'language', kind: 'whole', box_px: [0, 0, 20, 20], rows: 2, cols: 2 }],
    towers: { language: { heads: 4, keys: tokens.length, layers } },
    groups: {},
  };
}

const INFO = runInfo();
const SELECTION = { ...startingSelection(INFO, 'language'), layer: 1, head: 0 };

function shownOf(row, { info = INFO, selection = SELECTION } = {}) {
  return makeShown(info, selection, { values: Float32Array.from(row), shape: [1, row.length], dtype: 'float32', source: 'factors' });
}

const pairOf = (before, after, options) => makePair(INFO, { left: 0, right: 1, before: shownOf(before, options), after: shownOf(after, options) });
const BEFORE = [0.1, 0.4, 0.2, 0.1, 0.1, 0.1, 0, 0];
const AFTER = [0.1, 0.1, 0.2, 0.1, 0.3, 0.2, 0, 0];

const adapter = (id, scale = 1, more = {}) => ({ folder: 'adapter', adapter: { id, revision: null, scale }, answer: 'red.', ...more });
const BASE = { folder: 'base', adapter: null, answer: 'red.' };

// Who is compared

test('a name of its own is a member\'s name, and steps of a training are a series', () => {
  const kept = [{ ...BASE, name: 'start', step: 0 }, { ...BASE, folder: 'run_1', name: 'end', step: 30 }, { ...BASE, folder: 'run_2', name: 'middle', step: 10 }];
  assert.deepEqual(memberNames(kept), ['start', 'end', 'middle']);
  assert.deepEqual(kept.map((member, i) => [memberName(kept, i), strengthOfMember(member)]), [['start', ''], ['end', ''], ['middle', '']]);
  assert.deepEqual(seriesOf(kept), { axis: 'step', points: [{ member: 0, at: 0 }, { member: 2, at: 10 }, { member: 1, at: 30 }] });
  assert.equal(memberName([BASE, { ...adapter('x/gui', 0.5), name: 'mine' }], 1), 'mine');
});

test('rows beyond what is shared are those that stand for them, of the base the whole field', () => {
  const x = { how: 'field', name: 'x', base: [10, 12], other: [10, 11] };
  const word = { how: 'text', name: '', base: [14, 14], other: [13, 13] };
  const members = [BASE, { ...BASE, folder: 'run_1', name: 'now' }, { ...BASE, folder: 'run_2', name: 'then' }];
  const comparison = { members, shared_tokens: 11, aligned: { run_1: [x, word], run_2: [{ ...x, other: [20, 20] }] } };
  assert.deepEqual(rowsOf(comparison, 1, 1, { query: 9, until: null }), { query: 9, until: null });
  assert.deepEqual(rowsOf(comparison, 1, 1, { query: 12, until: null }), { query: 10, until: 11 });
  assert.deepEqual(rowsOf(comparison, 0, 1, { query: 12, until: null }), { query: 10, until: 12 });
  assert.deepEqual(rowsOf(comparison, 2, 1, { query: 12, until: null }), { query: 20, until: null });
  assert.deepEqual(rowsOf(comparison, 1, 1, { query: 9, until: 14 }), { query: 9, until: 13 });
  assert.equal(rowsOf(comparison, 1, 1, { query: 13, until: null }), null);
  assert.equal(rowsOf(comparison, 2, 1, { query: 14, until: null }), null);
  const run = { ...INFO, tokens: Array.from({ length: 20 }, (_, index) => ({ index, text: '.', role: 'answer' })), logprobs: [], towers: {}, sinks: {} };
  assert.equal(comparedInfo(comparison, run, 0).tokens.length, 16);
  assert.equal(comparedInfo(comparison, run, 1).tokens.length, 11);
  const own = { ...comparison, members: [BASE, { ...members[1], points: [{ image: 0, x: 1, y: 2 }], boxes: [] }, members[2]] };
  assert.equal(comparedInfo(own, run, 1).has_own_places, true);
  assert.deepEqual(comparedInfo(own, run, 1).points, [{ image: 0, x: 1, y: 2 }]);
});

test('names are as short as tells adapters apart, and strengths are theirs', () => {
  const members = [BASE, adapter('/a/run1/checkpoint-50'), adapter('/a/run2/checkpoint-50', 0.5), adapter('someone/gui'), adapter('someone/gui', 1.25)];
  assert.deepEqual(memberNames(members), ['base', 'run1/checkpoint-50', 'run2/checkpoint-50', 'gui', 'gui']);
  assert.equal(memberName(members, 2), 'run2/checkpoint-50 ×0.5');
  assert.equal(memberName(members, 3), 'gui');
});

test('what is not shared is cut off, so that it cannot be chosen', () => {
  const info = runInfo({ answer: ['red', ' star', '.'], logprobs: [-1, -2, -3], sinks: { 0: [0, 8] } });
  const cut = cutInfo(info, 7);
  assert.equal(cut.tokens.length, 7);
  assert.equal(cut.towers.language.keys, 7);
  assert.deepEqual(cut.logprobs, [-1]);
  assert.deepEqual(cut.sinks.language[0], [0]);
  assert.equal(cutInfo(info, 9), info);
  assert.equal(info.tokens.length, 9, 'the run stays whole');
});

test('it is said whose words were read, and how much of them all have in common', () => {
  const infos = [runInfo({ answer: ['a', 'b', 'c'] }), runInfo({ answer: ['a', 'b', 'd', 'e'] })];
  const of = (words, shared_tokens, all = infos) => wordsRead({ words, shared_tokens, members: [BASE, adapter('x/gui')] }, all);
  assert.match(of('base', 9, [infos[0], infos[0]]), /All read the base's answer, 3 tokens/);
  assert.match(of(1, 9, [infos[0], infos[0]]), /All read the answer of gui/);
  assert.match(of('own', 8), /Each read its own answer\. Only what all have in common is compared: 2 tokens, “ab”/);
  assert.match(of('own', 6), /differ from the first token/);
  assert.match(of('own', 9, [infos[0], infos[0]]), /they are the same, 3 tokens/);
  assert.match(of('base', 6, [runInfo({ answer: [] }), runInfo({ answer: [] })]), /prompt alone/);
});

test('an answer that is the same is said to be; one that was not read, too', () => {
  const members = [BASE, adapter('a'), adapter('b', 1, { answer: 'red wine' })];
  assert.deepEqual(answersOf({ members, words: 'base' }).map(({ isSame, note }) => [isSame, note]), [[false, ''], [true, ''], [false, 'not what was read']]);
  assert.deepEqual(answersOf({ members, words: 2 }).map(({ note }) => Boolean(note)), [true, true, false]);
  assert.ok(answersOf({ members, words: 'own' }).every(({ note }) => !note));
  const [, , other] = answersOf({ members: [{ ...BASE, answer: 'one two three' }, adapter('a'), adapter('b', 1, { answer: 'one two trees' })], words: 'own' });
  assert.equal(other.common, 'one two '.length);
});

test('checkpoints of one training, or strengths of one adapter, are a series from the base on', () => {
  const steps = seriesOf([BASE, adapter('r/checkpoint-200'), adapter('r/checkpoint-50'), adapter('r/other')]);
  assert.deepEqual(steps, { axis: 'step', points: [{ member: 0, at: 0 }, { member: 2, at: 50 }, { member: 1, at: 200 }] });
  assert.deepEqual(seriesOf([BASE, adapter('a', 1), adapter('a', 0.5)]).points.map(({ at }) => at), [0, 0.5, 1]);
  assert.deepEqual(seriesOf([BASE, adapter('a', 1), adapter('a', 0)]).points.map(({ member }) => member), [2, 1], 'strength 0 stands for itself');
  assert.equal(seriesOf([BASE, adapter('a'), adapter('b')]), null);
});

// Two rows

test('what is on a learned sink is an outcome of its own, and words of one answer are not on it', () => {
  const info = runInfo();
  info.towers.language.layers[1].learned_sink = true;
  const shown = (row) => makeShown(info, SELECTION, { values: Float32Array.from(row), shape: [1, row.length], dtype: 'float32', source: 'factors' }, { shared: 6 });
  const rows = [[0.25, 0.25, 0, 0, 0, 0, 0, 0.25], [0.25, 0, 0, 0, 0, 0, 0.5, 0]]; // and 0.25 each on the sink
  const [before, after] = rows.map(shown);
  assert.deepEqual([before.row.length, before.sinks.learned, after.sinks.learned], [6, 0.25, 0.25]);
  assert.equal(sinksOf([before, after], 'raw'), 'No sink cells in this layer. 25.0\u202f% → 25.0\u202f% of the row is on a learned sink, which is no token.');
  const stands = { how: 'text', name: '', base: [7, 7], other: [6, 6] };
  const apart = (p, q) => p.reduce((sum, a, i) => sum + [a, q[i]].reduce((each, b) => each + (b ? (b / 2) * Math.log2((2 * b) / (a + q[i])) : 0), 0), 0);
  const pair = makePair(info, { left: 0, right: 1, before, after, stands });
  assert.ok(Math.abs(pair.apart - apart([0.25, 0.25, 0.25, 0.25], [0.25, 0, 0.25, 0.5])) < 1e-6);
  const [one, other] = [[0.5, 0, 0, 0, 0, 0.25, 0, 0], [0.25, 0, 0, 0, 0, 0, 0, 0]].map(shown);
  assert.ok(Math.abs(makePair(info, { left: 0, right: 1, before: one, after: other }).apart - apart([0.5, 0.25, 0.25], [0.25, 0, 0.75])) < 1e-6);
});

test('a row is compared up to where all have the same tokens', () => {
  const numbers = { values: Float32Array.from([1, 2, 3, 4, 5, 6]), shape: [2, 3], dtype: 'float32', source: 'factors' };
  const cut = cutRows(INFO, numbers, SELECTION, 2);
  assert.deepEqual([[...cut.values], cut.shape], [[1, 2, 4, 5], [2, 2]]);
  assert.equal(cutRows({ towers: { vision: { keys: [] } } }, numbers, { tower: 'vision', direction: 'reads' }, 2), numbers, 'patches are shared by all');
  assert.equal(rowPath({ ...SELECTION, query: 4, source: 'factors' }).endsWith('&source=factors'), true);
});

test('the largest of many heads are no shares of one row: no mass and no divergence is said of them', () => {
  const largest = pairOf([0.9, 0.8, 0.7, 0.9, 0.1, 0.1, 0, 0], [0.1, 0.9, 0.7, 0.9, 0.1, 0.1, 0, 0], { info: runInfo({ sinks: { 1: [1] } }), selection: { ...SELECTION, head: 'max' } });
  assert.ok(Number.isNaN(largest.apart) && Number.isNaN(largest.apartOnImage));
  assert.match(pairWords([BASE, adapter('a')], largest, INFO), /^(Both m|M)ost on [^%]*\.$/);
  assert.equal(shareOf(largest.before, 0), '');
  assert.doesNotMatch(sentenceOf(largest.before, INFO), /%/);
  const cells = makeMaps(largest, { ...LOOK, sinks: 'renormalised' }, null).before.values;
  assert.deepEqual([...cells], [...largest.before.cells], 'there is no rest of a row to divide by');
});

test('equal rows are exactly the same, and said to be', () => {
  const pair = pairOf(BEFORE, BEFORE);
  assert.deepEqual([pair.isSame, pair.apart, pair.apartOnImage], [true, 0, 0]);
  assert.match(pairWords([BASE, adapter('a')], pair, INFO), /Exactly the same row in base and a/);
  const other = pairOf(BEFORE, AFTER);
  assert.equal(other.isSame, false);
  assert.ok(Math.abs(other.apart - jensenShannon(BEFORE, AFTER)) < 1e-7);
  assert.match(pairWords([BASE, adapter('a')], other, INFO), /^Image mass 80\.0.* → 70\.0.* \(−10\.0 points\); .*most on row 0, col 0 → row 1, col 1\.$/);
});

test('a distance lies between none and all, and a map without mass has none', () => {
  assert.equal(jensenShannon([1, 0], [1, 0]), 0);
  assert.equal(jensenShannon([1, 0], [0, 1]), 1);
  assert.ok(Math.abs(jensenShannon([0.5, 0.5], [0, 1]) - jensenShannon([0, 1], [0.5, 0.5])) < 1e-12);
  assert.ok(Number.isNaN(pairOf([1, 0, 0, 0, 0, 0, 0, 0], AFTER).apartOnImage));
  const column = { ...SELECTION, direction: 'read by' };
  assert.ok(Number.isNaN(pairOf(BEFORE, AFTER, { selection: column }).apart), 'a column is no share of one whole');
});

test('both maps have one range, and the difference goes as far to both sides', () => {
  const { before, after, difference } = makeMaps(pairOf(BEFORE, AFTER), LOOK, null);
  assert.equal(before.range, after.range);
  assert.ok(Math.abs(before.range.high - 0.4) < 1e-7);
  assert.equal(difference.range.high, before.range.high, 'on the scale of the maps');
  assert.deepEqual([...difference.values].map((value) => Number(value.toFixed(6))), [-0.3, 0, 0, 0.2]);
  assert.equal(signedPosition(difference.range, 0), 0.5);
  assert.equal(signedPosition(difference.range, 0.1), 1 - signedPosition(difference.range, -0.1));
  const own = makeMaps(pairOf(BEFORE, AFTER), { ...LOOK, magnified: true }, null).difference;
  assert.ok(own.isOwn && Math.abs(own.range.high - 0.3) < 1e-6);
  assert.equal(signedPosition(own.range, own.values[0]), 0);
});

test('a range from outside, and multiples of even attention, hold for all three', () => {
  const all = makeMaps(pairOf(BEFORE, AFTER), { ...LOOK, scale: 'atlas' }, 0.8);
  assert.deepEqual([all.before.range.high, all.difference.range.high], [0.8, 0.8]);
  const even = makeMaps(pairOf(BEFORE, AFTER), { ...LOOK, scale: 'uniform' }, null);
  assert.ok(Math.abs(position(even.after.range, 0.2) - 0.01) < 1e-6, 'a unit is the even share of the first one');
  assert.ok(Math.abs(even.difference.range.factor - even.before.range.factor) < 1e-6);
  const own = makeMaps(pairOf(BEFORE, AFTER), { ...LOOK, scale: 'uniform', magnified: true }, null).difference.range;
  assert.ok(own.unit === 'uniform' && Math.abs(own.high - 0.3 * own.factor) < 1e-6 && own.factor === even.before.range.factor, 'magnified in the unit of the maps');
});

test('what is a sink in one of the two has no colour in the difference', () => {
  const [one, two] = [runInfo({ sinks: { 1: [1] } }), runInfo({ sinks: { 1: [4] } })];
  const pair = makePair(INFO, { left: 0, right: 1, before: shownOf(BEFORE, { info: one }), after: shownOf(AFTER, { info: two }) });
  const { before, after, difference } = makeMaps(pair, LOOK, null);
  assert.deepEqual([before, after, difference].map(({ hidden }) => [...hidden]), [[1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 1]]);
  assert.ok(Math.abs(before.range.high - 0.2) < 1e-7, 'and none in the range');
  const raw = makeMaps(pair, { ...LOOK, sinks: 'raw' }, null);
  assert.equal(raw.difference.hidden, null);
  const divided = makeMaps(pair, { ...LOOK, sinks: 'renormalised' }, null);
  assert.ok(Math.abs(divided.before.values[1] - 0.2 / 0.6) < 1e-6);
});

test('a cell is said in both, with what lies between', () => {
  const pair = pairOf(BEFORE, AFTER);
  const words = cellWords([BASE, adapter('a', 0.5)], pair, makeMaps(pair, LOOK, null), INFO.grids[0], { row: 0, col: 0 });
  assert.deepEqual([words.before, words.after, words.difference], ['0.400', '0.100', '−0.300']);
  assert.match(words.readout, /row 0, col 0 · base 0\.400 · a ×0\.5 0\.100 · −0\.300 \(0\.25×\) · x 0–10/);
  assert.equal(cellWords([BASE, adapter('a')], pair, null, INFO.grids[0], { row: 0, col: 1 }).difference, 'exactly the same');
});

test('the colours of a difference are neutral in the middle, and leave the picture there', () => {
  for (const isDark of [false, true]) {
    const [over, plain] = [divergingPixels(isDark, true), divergingPixels(isDark, false)];
    assert.equal(over[entry(0.5)] >>> 24, 0);
    assert.equal(over[0] >>> 24, 255);
    assert.equal(over[255] >>> 24, 255);
    const [red, green, blue] = [0, 8, 16].map((shift) => (plain[entry(0.5)] >>> shift) & 255);
    assert.ok(Math.max(red, green, blue) - Math.min(red, green, blue) < 20 && (isDark ? red < 40 : red > 230));
    const channel = (index, shift) => (plain[index] >>> shift) & 255;
    assert.ok(channel(40, 16) > channel(40, 0) && channel(215, 0) > channel(215, 16), 'less is blue, more is red');
    for (let i = 0; i < 256; i++) assert.equal(over[i] >>> 24, over[255 - i] >>> 24);
  }
});

// How far heads moved

test('measures are offered in order, signed ones written with their sign, no value never as 0', () => {
  assert.deepEqual(offeredMeasures({ measures: { d_entropy: {}, other: {}, js_image: {} } }), ['js_image', 'd_entropy', 'other']);
  assert.ok(isSigned('d_entropy') && !isSigned('js_row') && isOnImage('tv_image') && isOnImage('peak_shift') && !isOnImage('d_image_mass'));
  assert.equal(formatMeasure('js_image', 'bits', 0.25), '0.250 bits');
  assert.equal(formatMeasure('d_entropy', 'bits', -0.5), '−0.500 bits');
  assert.equal(formatMeasure('d_image_mass', '', 0.125), '+12.5 points');
  assert.equal(formatMeasure('peak_shift', 'cells', 2.236), '2.2 cells');
  assert.equal(formatMeasure('js_image', 'bits', NaN), 'no value');
  assert.equal(formatSigned(-3.2e-5), '−3.20e-5');
  assert.equal(formatPoints(0), '0 points');
});

test('the matrix is of the row that is selected, or of the mean', () => {
  assert.equal(rowOfMatrix(INFO, SELECTION, 'token'), 5);
  assert.equal(rowOfMatrix(INFO, SELECTION, 'mean'), null);
  assert.equal(rowOfMatrix(INFO, { ...SELECTION, tower: 'vision', direction: 'received' }, 'token'), null);
  assert.equal(changePath(changeWish(INFO, SELECTION, { right: 2, measure: 'js_row', of: 'token' })), 'change?tower=language&measure=js_row&adapter=1&query=5');
  assert.equal(changePath(changeWish(INFO, SELECTION, { right: 1, measure: 'js_row', of: 'mean' })), 'change?tower=language&measure=js_row&adapter=0');
  assert.equal(tablePath({ tower: 'language', name: 'image_mass' }), 'scores?tower=language&name=image_mass');
});

test('heads that read next to nothing of the picture are faint where a measure is of the picture', () => {
  assert.equal(massesName(INFO, SELECTION, { right: 1, measure: 'js_row', of: 'mean' }), null);
  assert.equal(massesName(INFO, SELECTION, { right: 1, measure: 'js_image', of: 'mean' }), '1 mean');
  assert.deepEqual([...negligible(Float32Array.from([0.5, 0.009, 0.011]), 3)], [0, 1, 0]);
  assert.deepEqual([...negligible(null, 2)], [0, 0]);
  assert.deepEqual([...meanOfRows(Float32Array.from([1, 2, 3, 4, 5, 6]), [7, 8, 9], [8, 9])], [2.5, 5.5]);
  assert.equal(meanOfRows(Float32Array.from([1, 2]), [7], [8, 9]), null);
});

test('the heads that moved most come first, faint ones and those without a value not at all', () => {
  const values = Float32Array.from([0.1, NaN, -0.5, 0.3, 0.9]);
  assert.deepEqual(movedMost(values, Uint8Array.from([0, 0, 0, 0, 1]), 3), [2, 3, 0]);
});

test('heads that share their keys are bracketed together', () => {
  assert.deepEqual(groupsOfHeads(4, 2), [[0, 1], [2, 3]]);
  assert.deepEqual(groupsOfHeads(4, 4), []);
  assert.deepEqual(groupsOfHeads(4, undefined), []);
  assert.equal(kvHeadsOf(INFO, 'language'), 2);
});

const change = (layer, part, relative, more = {}) => ({ name: `${layer}.${part}`, part, tower: 'language', layer, relative, ...more });

test('weights stand below their layers; what is not touched has no value', () => {
  const changes = [change(1, 'v_proj', 0.2), change(1, 'q_proj', 0.1), change(2, 'v_proj', 0.3, { dora_relative: 0.5 }), change(null, 'lm_head', 1), change(0, 'q_proj', 0.1, { tower: 'vision' })];
  const weights = weightsOf(INFO, 'language', changes);
  assert.deepEqual(weights.parts, ['q_proj', 'v_proj']);
  assert.deepEqual([...weights.values].map((value) => Number(value.toFixed(3))), [NaN, 0.1, NaN, NaN, 0.2, 0.5]);
  assert.deepEqual(weights.elsewhere, ['lm_head', '1 of the vision tower']);
  assert.deepEqual([0, 1, 2].map((place) => isLookingChanged(weights, place)), [false, true, false]);
  const hybrid = { ...INFO, towers: { language: { ...INFO.towers.language, layers: INFO.towers.language.layers.map((layer) => ({ ...layer, file: layer.index ? 'a' : null })) } } };
  const words = weightsOf(hybrid, 'language', [...changes, change(0, 'q_proj', 0.4), change(0, 'in_proj', 0.4)])?.elsewhere;
  assert.deepEqual(words, ['layers without a map (q_proj, in_proj)', 'lm_head', '1 of the vision tower']);
  assert.equal(weightsOf(INFO, 'language', undefined), null);
  assert.deepEqual(weightsOf(INFO, 'language', []).parts, []);
});

test('a head is said with its value, whether that counts, and whether it is inherited', () => {
  const weights = weightsOf(INFO, 'language', [change(1, 'q_proj', 0.1)]);
  const at = (layer, value, mass) => headWords({ measure: 'js_image', unit: 'bits', layer, place: layer, head: 3, value, mass, weights }).lines;
  assert.match(at(1, 0.2, 0.5).join(), /^distance on the picture: 0\.200 bits,this layer's own queries or keys are changed$/);
  assert.match(at(2, 0.2, 0.001).join(), /faint: only 0\.1.*inherited from before it/);
  assert.match(at(0, 0, 0.5).join(), /0 bits, exactly$/);
  assert.match(at(0, NaN, 0).join(), /no value/);
});

test('what lies at a place of the matrix is what is painted there', () => {
  const counts = { layers: 3, heads: 4, parts: 2 };
  const layout = layOutMatrix({ ...counts, width: 200, height: 120, left: 40, apart: 10, label: 10, most: { width: 50, height: 16 }, narrowest: 7, gap: 1 });
  assert.ok(layout.width <= 200 && layout.bottom <= 120);
  assert.deepEqual(placeAt(layout, counts, layout.left, 0), { layer: 0, head: 0 });
  assert.deepEqual(placeAt(layout, counts, layout.width - 1, 4 * layout.row - 1), { layer: 2, head: 3 });
  assert.equal(placeAt(layout, counts, layout.left, layout.weightsTop - 1), null, 'between matrix and weights');
  assert.deepEqual(placeAt(layout, counts, layout.left, layout.weightsTop + layout.weightRow), { layer: 0, part: 1 });
  assert.equal(placeAt(layout, counts, layout.left - 1, 0), null);
  assert.equal(placeAt(layout, counts, layout.left, layout.bottom), null);
  const many = layOutMatrix({ layers: 64, heads: 40, parts: 7, width: 300, height: 240, left: 40, apart: 10, label: 10, most: { width: 50, height: 16 }, narrowest: 7, gap: 1 });
  assert.equal(many.cell, 7, 'it is wider than its place then, and scrolls');
});

test('lines go through the steps, from the base, which has not moved', () => {
  const points = [{ member: 0, at: 0 }, { member: 2, at: 50 }, { member: 1, at: 100 }];
  const steps = stepsOf(points, [Float32Array.from([0.25, NaN, 0.75]), Float32Array.from([1, 2, 3])], 2);
  assert.deepEqual(steps.map(({ at, head, mean }) => [at, head, mean]), [[0, 0, 0], [50, 0.75, 0.5], [100, 3, 2]]);
  assert.equal(stepsOf(points, [new Float32Array(1), new Float32Array(1)], null)[1].head, null);
});

// Tokens

test('the tokens whose probability moved most are marked, small moves not', () => {
  const logprobs = { values: Float32Array.from([[0.9, 0.5, 0.2], [0.9, 0.1, 0.6]].flat().map(Math.log)), shape: [2, 3] };
  const moved = movedTokens(logprobs, 0, 1, 9);
  assert.deepEqual(moved.map(({ token }) => token), [7, 8, 6]);
  assert.ok(Math.abs(moved[0].moved + 0.4) < 1e-6 && Math.abs(moved[1].moved - 0.4) < 1e-6);
  assert.deepEqual([...markedTokens(moved).keys()], [7, 8]);
  assert.equal(movedTokens({ values: new Float32Array(), shape: [2, 0] }, 0, 1, 9).length, 0);
});

test('the tint of a difference is as strong for less as for more', () => {
  const values = Float32Array.from([-0.2, 0.1, 0.02]);
  const { end } = endOf(values, null, [0, 1, 2]);
  assert.ok(Math.abs(end - 0.2) < 1e-7);
  assert.equal(strengthOf({ end }, -0.2), strengthOf({ end }, 0.2));
  assert.equal(endOf(values, Uint8Array.from([1, 0, 0]), [0, 2]).end, TINT_END);
});

// The page

test('panes lie in as many columns as makes the picture largest', () => {
  const box = { width: 800, height: 560 };
  assert.equal(columnsFor({ width: 300, height: 200 }, box, 4, 10, 24), 2);
  assert.equal(columnsFor({ width: 2000, height: 200 }, box, 4, 10, 24), 1);
  assert.equal(columnsFor({ width: 200, height: 900 }, box, 4, 10, 24), 4);
});

test('a run and a comparison stand in one address, and neither takes the other away', () => {
  const more = { left: '0', right: '2', measure: 'js_row', of: 'token' };
  const look = { ...startingLook(), palette: 'magma', opacity: 0.35, sinks: 'raw' };
  const both = writeComparison('c1', SELECTION, look, more, writeFragment('r1', SELECTION, startingLook()));
  assert.deepEqual([readFragment(both).id, readFragment(both).look], ['r1', {}], 'each has a look of its own');
  const found = readComparison(both);
  assert.equal(found.id, 'c1');
  assert.deepEqual([found.more.right, found.more.measure, found.more.of], ['2', 'js_row', 'token']);
  assert.deepEqual([found.selection.layer, found.selection.head, found.selection.token, found.selection.tower], [1, 0, SELECTION.token, 'language']);
  assert.deepEqual(found.look, { palette: 'magma', opacity: 0.35, sinks: 'raw' });
  const later = writeFragment('r2', SELECTION, startingLook(), both);
  assert.deepEqual([readFragment(later).id, readComparison(later).id], ['r2', 'c1']);
  assert.equal(readComparison(writeComparison('c2', SELECTION, look, more, later)).id, 'c2');
  assert.equal(readComparison('#run=r1'), null);
});

test('what is chosen of a comparison comes back from its texts, and what it does not have is left out', () => {
  const member = (id) => ({ folder: 'f', adapter: { id, scale: 1 }, answer: '' });
  const comparison = { members: [{ folder: 'base', adapter: null, answer: '' }, member('a/one'), member('a/two')], measures: { js_image: { unit: 'bits' }, js_row: { unit: 'bits' } } };
  const chosen = { left: 2, right: 1, measure: 'js_row', of: 'token', list: 'answers', alone: 'wipe', split: 0.25, magnified: true, part: '', hidesNoise: false };
  assert.deepEqual(readView(comparison, true, {}, writeView(chosen)), chosen);
  const start = { left: 0, right: 1, measure: 'js_image', of: 'mean', list: 'heads', alone: null, part: '', hidesNoise: false };
  assert.deepEqual(Object.keys(writeView({ ...start, split: 0.5, magnified: false })), ['left', 'right', 'measure', 'of']);
  const wrong = { left: '7', right: '0', measure: 'x', of: '<b>', list: 'steps', alone: 'all', split: '1e9', magnified: '1' };
  assert.deepEqual(readView(comparison, true, {}, wrong), start);
  assert.equal(readView(comparison, false, {}, {}).measure, 'js_row', 'without a picture nothing is said of it');
  assert.deepEqual(readView(comparison, true, { adapter: 1 }, {}).right, 2);
  const asked = { ...comparison, parts: ['f'], floors: [{ kind: 'dtype' }] };
  const apart = { ...chosen, part: 'direct', hidesNoise: true };
  assert.deepEqual(readView(asked, true, {}, writeView(apart)), apart);
  assert.deepEqual(readView(comparison, true, {}, writeView(apart)), chosen, 'they were not asked for');
});
