import assert from 'node:assert/strict';
import test from 'node:test';
import { drawnCells, summaryOf } from '../../../assets/viewer/numbers/cell_map.js';
import { agreementOf, agreementOnScreen, spearman } from '../../../assets/viewer/numbers/agreement.js';
import { keptView, reasonAgainst } from '../../../assets/viewer/numbers/export_paths.js';
import { pythonCode } from '../../../assets/viewer/numbers/python_code.js';
import { startingFields } from '../../../assets/viewer/state/session.js';
import { createState } from '../../../assets/viewer/state/state.js';
import { createReadings } from '../../../assets/viewer/state/readings.js';
import { createCellMap } from '../../../assets/viewer/state/cell_map.js';
import { agreementTable, agreementWords, DESCRIPTIVE } from '../../../assets/viewer/text/agreement.js';
import { askedWords, measuredCell, measuredSentence } from '../../../assets/viewer/text/cell_map.js';

const LOOK = { curve: 'linear', clip: 100 };
const MAP = {
  name: 'abc', target: { tokens: [5, 6], against: null }, rows: null, block: [2, 2], value: -0.1, paths: '', total: 6, measured: { hidden: 4 }, seconds_left: 12.2,
  grids: [{ grid: 0, rows: 2, cols: 2, hidden: [[-0.5, null], [0.25, 0]] }, { grid: 3, rows: 1, cols: 2, hidden: [[-2, null]] }],
};

test('a block colours each of its cells, one range holds for all grids, and what was not measured has no colour and no number', () => {
  const drawn = drawnCells(MAP, 'hidden', 0, { rows: 3, cols: 4 }, LOOK);
  assert.deepEqual([...drawn.values], [-0.5, -0.5, 0, 0, -0.5, -0.5, 0, 0, 0.25, 0.25, 0, 0]);
  assert.deepEqual([...drawn.hidden], [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0]);
  assert.deepEqual([drawn.range.high, drawn.range.unit], [2, 'effect']);
  assert.equal(measuredCell(drawn, 2), 'not measured');
  assert.match(measuredCell(drawn, 0), /^−0\.500? nats with these 2 × 2 cells hidden$/);
  assert.equal(drawnCells(MAP, 'hidden', 1, { rows: 3, cols: 4 }, LOOK), null, 'of a grid that it does not have there is nothing');
  const unmeasured = drawnCells(MAP, 'mean', 0, { rows: 3, cols: 4 }, LOOK);
  assert.deepEqual([[...unmeasured.hidden].every(Boolean), measuredSentence(MAP, 'mean')], [true, '0 of 6 measured, about 12 s left; hatched are not. Nothing was painted over yet.'], 'of a way in which nothing was tried all is open');
  assert.equal(drawnCells({ ...MAP, grids: [MAP.grids[0]] }, 'hidden', 0, { rows: 3, cols: 4 }, LOOK).range.high, 0.5);
});

test('a map says how much of it was measured before what it says, and what a stop has kept', () => {
  assert.deepEqual(summaryOf(MAP, 'hidden'), { worst: { grid: 3, row: 0, col: 0, change: -2 }, lost: -2.5, gained: 0.25 });
  assert.match(measuredSentence(MAP, 'hidden'), /^4 of 6 measured, about 12 s left; hatched are not\. Measured: −2\.00 nats \(7\.4 times less probable\) with row 0, col 0 of grid 3 hidden, the most of those/);
  const whole = { ...MAP, total: 4, seconds_left: 0 };
  assert.match(measuredSentence(whole, 'hidden'), /^Measured: −2\.00 nats .* the most of all 4 blocks of 2 × 2 cells/);
  assert.equal(askedWords(MAP, { working: true, text: 'Trying' }), '4 of 6 hidden, about 12 s left.');
  assert.equal(askedWords({ ...MAP, seconds_left: null }, { working: false, text: 'Stopped.' }), 'Stopped. 4 of 6 hidden: kept, and gone on with when it is asked for again.');
  assert.equal(askedWords(null, { working: false, text: 'This run has no answer.' }), 'This run has no answer.');
  assert.match(measuredSentence({ ...MAP, measured: { hidden: 0 }, grids: [] }, 'hidden'), /Nothing was measured yet/);
});

test('a map comes in while it is measured, stays where it is stopped, and another target is another map', async () => {
  const sent = [];
  const info = { images: [{}], grids: [{}], tokens: Array.from({ length: 8 }, (_, index) => ({ index, role: index < 5 ? 'prompt' : 'answer' })), prompt_tokens: 5 };
  const source = { readings: async () => [], reading: async () => ({ ...MAP, measured: { hidden: 6 } }) };
  const state = createState({ ...startingFields(), manifest: { id: 'a', ticket: 'key', kind: 'run' }, info, source });
  const readings = createReadings(state, (name, data) => sent.push([name, data]));
  const map = createCellMap(state, readings);
  await map.show();
  assert.deepEqual(sent, [['apply', { ticket: 'key', number: 1, reading: 'cells', paint: 'none' }]]);
  assert.equal(state.get.cellsShown, true);
  const partial = { ...MAP, target: { tokens: [5, 6, 7], against: null } };
  readings.hear({ number: 1, reading: 'cells', text: 'Trying', partial });
  assert.equal(state.get.cells, partial);
  map.stop();
  assert.deepEqual([state.get.cells.measured, state.get.cells.seconds_left], [{ hidden: 4 }, null]);
  state.set({ cellsShown: false });
  await map.show();
  assert.deepEqual([state.get.cellsShown, sent.length], [true, 2], 'what is there is shown, and not asked for');
  map.ask();
  readings.hear({ number: sent.at(-1)[1].number, reading: 'cells', made: { name: 'abc', kind: 'cells' } });
  await null;
  await null;
  await null;
  assert.deepEqual(state.get.cells.measured, { hidden: 6 });
  state.set({ reading: { kind: 'forecast', name: 'f', tokens: [6], isWhole: false, towers: [] } });
  await map.show();
  assert.deepEqual([sent.at(-1)[1].tokens, state.get.cells], [[6], null]);
  readings.hear({ number: sent.at(-1)[1].number, reading: 'cells', why: 'Only some tokens of this run have rows.' });
  assert.deepEqual([state.get.cellsShown, state.get.notice], [false, 'Only some tokens of this run have rows.']);
});

test('one way is chosen: the map on screen follows it, asks for what it lacks, and an address asks for nothing', async () => {
  const sent = [];
  const info = { images: [{}], grids: [{}], tokens: Array.from({ length: 8 }, (_, index) => ({ index, role: index < 5 ? 'prompt' : 'answer' })), prompt_tokens: 5 };
  const kept = { ...MAP, kind: 'cells', target: { tokens: [5, 6, 7], against: null } };
  const source = { readings: async () => [kept], reading: async () => kept };
  const state = createState({ ...startingFields(), manifest: { id: 'a', ticket: 'key', kind: 'run' }, info, source });
  const map = createCellMap(state, createReadings(state, (name, data) => sent.push([name, data])));
  await map.restore({ how: 'mean', tokens: null, against: null });
  assert.deepEqual([state.get.cellsShown, state.get.how, sent], [false, 'mean', []]);
  assert.match(state.get.notice, /choose Tried without to measure it/);
  await map.restore({ how: 'hidden', tokens: [6], against: null });
  assert.equal(state.get.cellsShown, false, 'of another target');
  await map.restore({ how: 'hidden', tokens: null, against: null });
  assert.deepEqual([state.get.cellsShown, state.get.cells.name, sent], [true, 'abc', []]);
  map.choose('blur');
  await new Promise(setImmediate);
  assert.deepEqual([state.get.how, sent.map(([, { paint }]) => paint), state.get.cells.name], ['blur', ['blur'], 'abc']);
  map.choose('mean');
  await new Promise(setImmediate);
  assert.deepEqual(sent.slice(1).map(([name, { paint }]) => [name, paint]), [['stop', undefined], ['apply', 'mean']], 'another one ends what is on its way');
  map.choose('hidden');
  await new Promise(setImmediate);
  assert.deepEqual([sent.length, state.get.readings.cells.working], [3, true], 'what is there is shown, and what is on its way goes on');
  state.set({ cellsShown: false });
  map.choose('blur');
  await new Promise(setImmediate);
  assert.equal(sent.length, 3, 'a map that is not on screen asks for nothing');
  const video = createState({ ...startingFields(), how: 'blur', manifest: state.get.manifest, info: { ...info, images: [{ video: 0 }] }, source: { readings: async () => [] } });
  await createCellMap(video, createReadings(video, (name, data) => sent.push([name, data]))).show();
  assert.equal(sent.at(-1)[1].paint, 'none', 'frames are not painted over');
});

test('files and code are of what is on screen: a measured map has no figure, and its own code', () => {
  const shown = { tower: 'language', direction: 'reads', query: 4, until: null, layer: 1, head: 2, cells: [1], grid: 0 };
  const view = keptView({ ...startingFields(), shown, drawn: drawnCells(MAP, 'hidden', 0, { rows: 3, cols: 4 }, LOOK) });
  assert.match(reasonAgainst(view, 'png'), /choose Read or Forecast.*reading\/abc/);
  assert.equal(reasonAgainst(view, 'zip'), null);
  assert.match(pythonCode(view, { folder: '/runs/a', address: '' }), /ask_reading\(run, "cells", tokens=\[5, 6\], blocks=\[2, 2\]\)\n.*\nmap = found\.changes\(0, "hidden"\)/);
  assert.match(pythonCode(view, { address: 'http://here/key' }), /"\/reading\/abc"/);
});

// As `tests/effects/test_effects.py` has it of the package.
const TRUTH = [-3, -1, 0.5, 0, 2];
test('ranks are those of the package: of the truth, its reverse, ties, and of what says the same everywhere', () => {
  assert.equal(spearman(TRUTH, TRUTH.map((value) => 7 * value)), 1);
  assert.equal(spearman(TRUTH, TRUTH.map((value) => -value)), -1);
  assert.equal(spearman(TRUTH, [0, 0, 0, 0, 0]), null);
  assert.ok(Math.abs(spearman([1, 2, 2, 3], [1, 2, 3, 4]) - 0.9486832980505138) < 1e-12);
  assert.deepEqual([agreementOf(TRUTH, TRUTH).hits, agreementOf([0, 0, 0, 0, 0], TRUTH).hits], [true, false]);
});

test('the map on screen is judged by what lies in the regions, and what is none of places is not', () => {
  const kept = {
    tower: 'language', target: { tokens: [3], against: null }, value: -0.01, n_regions: 3, regions: [[0, 1], [2], [3]].map((keys) => ({ image: 0, box: [], keys })), measured: { hidden: [-2, -1, 0], painted: [0, -1, -2] },
    agreement: { random: { hidden: { rank: 0.5, hits: true } }, mean: { hidden: { rank: null, hits: false }, painted: { rank: -0.256, hits: true } }, hidden: { painted: { rank: -1, hits: false } } },
    names: { mean: 'attention, mean of all heads', hidden: 'hiding it' }, chance: { hidden: { rank: 0.98, hits: 1 / 3 }, painted: { rank: 0.97, hits: 1 / 3 } }, caution: 'Nearly flat.', note: '', paths: '',
  };
  const shown = { tower: 'language', direction: 'reads', layer: 1, head: 2, query: 7, until: null, row: Float32Array.of(0.2, 0.3, 0.25, 0.1), effect: null };
  assert.deepEqual(agreementOnScreen(kept, shown), { hidden: { rank: 1, hits: true }, painted: { rank: -1, hits: false } });
  assert.equal(agreementOnScreen(kept, { ...shown, effect: {} }).hidden.rank, -1, 'an effect that is positive is no harm');
  for (const other of [{ tower: 'vision' }, { direction: 'read by' }, { direction: 'received' }, { effect: { kind: 'relative' } }]) assert.equal(agreementOnScreen(kept, { ...shown, ...other }), null);
  const { columns, rows } = agreementTable(kept, shown);
  assert.equal(columns.length, 5);
  assert.deepEqual(rows[0], ['on screen: attention, layer 1 head 2, row 7', '1.00', 'yes', '−1.00', 'no']);
  assert.deepEqual(rows[1], ['attention, mean of all heads', '–', 'no', '−0.26', 'yes']);
  assert.deepEqual(rows[2], ['hiding it', '', '', '−1.00', 'no']);
  assert.deepEqual(rows.at(-1), ['a random order, 19 times of 20 within', '±0.98', '1 in 3', '±0.97', '1 in 3']);
  assert.ok(!rows.some(([name]) => name === 'random'), 'one random order on one input says nothing: its range is told instead');
  const info = { tokens: ['a', 'b', 'c', 'd', 'e'].map((text, index) => ({ index, text, role: index < 3 ? 'prompt' : 'answer' })), prompt_tokens: 3 };
  const { head, foot } = agreementWords(kept, { ...shown, tower: 'vision' }, info);
  assert.ok(head.includes('the log-probability of “d” is'), 'of one token, and not of the answer');
  assert.ok(head.includes(DESCRIPTIVE) && foot.startsWith('Nearly flat.') && foot.includes('not judged'));
});
