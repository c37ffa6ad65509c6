import assert from 'node:assert/strict';
import test from 'node:test';
import { cellEffect, effectCaution, effectSentence, effectTitle, FORECAST_ANSWERS, inNats, placeEffect, READ_ANSWERS, targetName } from '../../../assets/viewer/text/effect.js';
import { atlasTitle, headsLine } from '../../../assets/viewer/text/atlas.js';
import { wordsOfCell } from '../../../assets/viewer/text/cell.js';
import { leftOutWords } from '../../../assets/viewer/text/left_out.js';
import { sinksOf } from '../../../assets/viewer/text/sinks.js';
import { attentionReading, chipWords } from '../../../assets/viewer/text/token.js';
import { tintWords } from '../../../assets/viewer/numbers/token_tint.js';
import { shareOf } from '../../../assets/viewer/views/picture/picture_strip.js';

const EFFECT = { kind: 'forecast', name: 'f0', tokens: [3, 4], isWhole: true, towers: ['language'], value: -1 };
const INFO = {
  tokens: ['', '', 'what', 'red', ' star'].map((text, index) => ({ index, text, role: index < 2 ? 'image' : index < 3 ? 'prompt' : 'answer', ...(index < 2 ? { grid: 0, row: 0, col: index } : { grid: null }) })),
  images: [{}], grids: [{ image: 0, tower: 'language', kind: 'whole', rows: 1, cols: 2, box_px: [0, 0, 20, 10] }],
  towers: { language: { heads: 2, keys: 5, layers: [{ index: 3, file: 'x' }, { index: 7, file: 'y' }] } }, groups: {},
};
const SHOWN = {
  effect: EFFECT, tower: 'language', direction: 'received', query: 4, until: null, token: 4, layer: 3, head: 1, grid: 0,
  row: Float32Array.of(-0.5, 0.25, -0.125, 0, 0), cells: Float32Array.of(-0.5, 0.25), mass: -0.25, masses: new Map([[0, -0.25]]), imageMass: -0.25, argmax: 0, sinks: { cells: Uint8Array.of(1, 0), count: 1, mass: -0.5, rowMass: 0 },
};

test('the sentence names who reads less, whose probability changes, by how much, and that it is a guess', () => {
  assert.equal(
    effectSentence(SHOWN, INFO),
    'Layer 3 head 1: if everybody read row 0, col 0 less, the log-probability of the answer would change by about −0.500 nats, the most of all cells (cells that lose: −0.500, that gain: +0.250). A guess from one gradient, no explanation.',
  );
  const one = { ...SHOWN, effect: { ...EFFECT, tokens: [3], isWhole: false }, layer: 'mean', head: 'mean', direction: 'reads' };
  assert.match(effectSentence(one, INFO), /^All heads: if this row read row 0, col 0 less, the log-probability of “red” would/);
  assert.deepEqual([[3, 'mean'], ['mean', 1], ['max', 'mean']].map(([layer, head]) => effectSentence({ ...SHOWN, layer, head }, INFO).split(':')[0]), ['All heads in layer 3', 'Head 1 in all layers', 'All heads in the largest of all layers']);
  assert.match(effectSentence({ ...one, until: 5 }, INFO), /if these rows read/);
  assert.match(effectSentence({ ...SHOWN, direction: 'read by' }, INFO), /if row 0, col 0 read what is selected less/);
  assert.match(effectSentence({ ...SHOWN, cells: new Float32Array(2) }, INFO), /^Layer 3 head 1: no effect on this picture\./);
});

test('the title says what the effect is on, and of which reading', () => {
  assert.equal(effectTitle(INFO, SHOWN), 'effect on the answer of each cell and token, over all rows');
  assert.equal(effectTitle(INFO, { ...SHOWN, direction: 'reads', query: 3 }), 'effect on the answer of what is read before “star” (row 3)');
  assert.equal(effectTitle(INFO, { ...SHOWN, direction: 'reads' }), 'effect on the answer of what “star” reads (row 4, its own)');
  assert.equal(effectTitle(INFO, { ...SHOWN, direction: 'read by', token: 2, query: 2 }), 'effect on the answer of each row’s reading “what”');
  assert.equal(targetName(INFO, { tokens: [3, 4] }), '“red star”');
});

test('where a slope says little that is said, by its target', () => {
  assert.equal(effectCaution(INFO, EFFECT), '');
  assert.match(effectCaution(INFO, { ...EFFECT, value: -0.01 }), /^The answer is near-certain: .* says little\.$/);
  assert.match(effectCaution(INFO, { ...EFFECT, tokens: [3], isWhole: false, value: -0.01 }), /^“red” is near-certain/);
});

test('a marked place has its sum over all heads, and the heads that have most of it', () => {
  const { said, strongest } = placeEffect({ values: Float32Array.of(0.25, -1, 0, 0.5), shape: [2, 2, 1] }, [3, 7], 2);
  assert.equal(said, 'Forecast of hiding this place from all other tokens: −0.250 nats in all heads together.');
  assert.deepEqual(strongest, [{ layer: 3, head: 1, effect: -1 }, { layer: 7, head: 1, effect: 0.5 }]);
});

test('no effect is called a share, a mass, attention or a multiple of the even', () => {
  const state = { get: { info: INFO, shown: SHOWN, sinks: 'renormalised' } };
  const reading = attentionReading(state);
  const chip = { token: 2, count: 1, kind: 'token' };
  const tint = { values: SHOWN.row, hidden: null, end: 0.5, sinks: 0 };
  const held = { view: 'all', info: INFO, tower: 'language', layers: [3, 7], shown: SHOWN, order: 'number', ranks: null };
  const { tip, readout } = wordsOfCell(SHOWN, null, INFO.grids[0], { row: 0, col: 0 }, 'renormalised');
  assert.equal(tip, '−0.500 nats if everybody read this cell less');
  assert.equal(readout, 'row 0, col 0 · −0.500 nats if everybody read this cell less · x 0–10, y 0–10 px');
  assert.equal(reading.said(chip, -0.125, tint), ' · −0.125 nats if everybody read this less');
  assert.equal(reading.isSigned(), true);
  const said = [
    tip, readout, cellEffect(SHOWN, 1), inNats(-1), effectSentence(SHOWN, INFO), effectTitle(INFO, SHOWN), tintWords(SHOWN, tint), reading.saidOfGrid(0),
    chipWords(INFO, chip, reading, { read: reading.said(chip, -0.125, tint), isUnfolded: false }), headsLine(INFO, SHOWN, true), headsLine(INFO, { ...SHOWN, layer: 'mean', head: 'mean' }, true),
    ...Object.values(atlasTitle(held, 4, { scale: 'uniform', selection: SHOWN, clip: 99 })), FORECAST_ANSWERS,
  ];
  for (const words of said) assert.doesNotMatch(words, /%(?! share the last)|\bshares? of|\bmass\b|attention|uniform|even attention|×/, words);
  assert.equal(sinksOf([SHOWN], 'masked'), '');
  assert.equal(shareOf(SHOWN, 0), '−0.250');
  assert.equal(shareOf({ ...SHOWN, direction: 'read by' }, 0), '');
  assert.match(READ_ANSWERS, /share of attention/);
  assert.equal(leftOutWords('row?layer=3&reading=f0&tower=language', 'It holds little.'), 'The forecast of all rows (layer 3) is not in this file. It holds little.');
  assert.match(leftOutWords('column?key=5&layer=3&reading=f0&until=7', ''), /^The forecast of reading positions 5 to 7 \(layer 3\) is/);
});
