import assert from 'node:assert/strict';
import test from 'node:test';
import { readFragment, writeFragment } from '../../../assets/viewer/state/address.js';
import { createActions } from '../../../assets/viewer/state/actions.js';
import { startingLook } from '../../../assets/viewer/state/look.js';
import { createReadingChoice, findForecast, targetAsked, targetOf, towersAsked, whyNoForecast } from '../../../assets/viewer/state/reading.js';
import { createReadings } from '../../../assets/viewer/state/readings.js';
import { startingFields } from '../../../assets/viewer/state/session.js';
import { createState } from '../../../assets/viewer/state/state.js';
import { effectCaution, quantityOf, targetName } from '../../../assets/viewer/text/effect.js';

const INFO = {
  tokens: ['prompt', 'prompt', 'answer', 'answer', 'special'].map((role, index) => ({ index, role, text: 'abcde'[index], grid: null })),
  images: [{}], grids: [], groups: {},
  towers: { language: { heads: 2, keys: 5, layers: [{ index: 0, file: 'x' }] }, vision: { heads: 1, keys: [null], layers: [{ index: 0, file: 'y' }] } },
};
const SELECTION = { tower: 'language', direction: 'reads', token: 3, until: null, reading: 'predicting', layer: 0, head: 1, grid: null };
const made = (tokens, changes = {}) => ({ name: `f${tokens}`, kind: 'forecast', target: { tokens, against: null }, towers: ['language'], created: '', bytes: 1, value: -1, ...changes });

function page(kept = [], { canAsk = true } = {}) {
  const [sent, asked] = [[], []];
  const source = { readings: async () => { asked.push('readings.json'); return kept; } };
  const state = createState({ ...startingFields(), info: INFO, selection: SELECTION, source, manifest: { id: 'a', ticket: 'key', kind: 'run' } });
  const asking = canAsk ? createReadings(state, (name, data) => sent.push([name, data])) : null;
  const choice = createReadingChoice(state, { asking, select: (selection) => state.set({ selection }), announce: () => {} });
  return { state, sent, asked, asking, choice };
}

test('a forecast that was made is shown at once, over all rows, and what is read comes back as it was offered', async () => {
  const { state, sent, asked, choice } = page([made([2]), made([2, 3], { towers: ['language', 'vision'] }), { ...made([2, 3]), kind: 'lens' }]);
  await choice.forecast();
  assert.deepEqual(state.get.reading, { kind: 'forecast', name: 'f2,3', tokens: [2, 3], isWhole: true, towers: ['language', 'vision'], value: -1 });
  assert.deepEqual([state.get.selection.direction, state.get.forecasts.length, sent], ['received', 2, []]);
  choice.toggle();
  assert.deepEqual([state.get.reading, state.get.selection], [null, SELECTION]);
  await choice.forecast([2]);
  assert.deepEqual([state.get.reading.name, state.get.reading.isWhole, asked.length], ['f2', false, 1], 'it is not asked for again what there is');
});

test('one that was not made is asked for; what is told of it leads to it, and a refusal is said', async () => {
  const { state, sent, asking, choice } = page();
  await choice.forecast();
  assert.deepEqual(sent, [['apply', { ticket: 'key', number: 1, reading: 'forecast', towers: ['language'] }]]);
  asking.hear({ number: 1, reading: 'forecast', text: 'Capturing' });
  assert.deepEqual([state.get.reading, state.get.readings.forecast.text], [null, 'Capturing']);
  asking.hear({ number: 1, reading: 'forecast', made: made([2, 3]) });
  assert.equal(state.get.reading.name, 'f2,3');
  await choice.forecast([3]);
  asking.hear({ number: 2, reading: 'forecast', why: 'This model has no gradients.' });
  assert.deepEqual([state.get.reading.name, state.get.notice], ['f2,3', 'This model has no gradients.']);
  choice.read();
  await choice.forecast([3]);
  choice.read();
  assert.deepEqual([state.get.reading, state.get.readings.forecast.working, sent.at(-1)[0]], [null, false, 'stop'], 'back to what is read: it is not waited for');
});

test('another one that is wished ends the one on its way; the same one is waited for', async () => {
  const { state, sent, asking, choice } = page();
  await choice.forecast();
  await choice.forecast();
  assert.equal(sent.length, 1);
  await choice.forecast([3]);
  assert.deepEqual([sent.map(([name]) => name), state.get.notice], [['apply', 'stop', 'apply'], '']);
  asking.hear({ number: sent[2][1].number, reading: 'forecast', made: made([3]) });
  assert.equal(state.get.reading.name, 'f3');
});

test('one token is asked about rather than another: by its text or its id, in the address, and never mixed up with the token by itself', async () => {
  const opposed = { ...made([3]), name: 'f3x', target: { tokens: [3], against: 7 }, other: ' blue' };
  const { state, sent, asking, choice } = page([made([3])]);
  await choice.forecast([3], 'blue');
  assert.deepEqual(sent.at(-1)[1], { ticket: 'key', number: 1, reading: 'forecast', tokens: [3], against: 'blue', towers: ['language'] });
  asking.hear({ number: 1, reading: 'forecast', made: opposed });
  const { against, other, isWhole } = state.get.reading;
  assert.deepEqual([against, other, isWhole, targetOf(state.get), targetAsked(state.get)], [7, ' blue', false, { tokens: [3], against: 7 }, { tokens: [3], against: 7 }]);
  const link = readFragment(writeFragment('a', SELECTION, { ...startingLook(), info: INFO, reading: state.get.reading, cellsShown: true, how: 'hidden' }));
  assert.deepEqual([link.shows, link.cells], [{ tokens: [3], against: 7 }, { how: 'hidden', tokens: [3], against: 7 }]);
  assert.deepEqual([targetName(INFO, state.get.reading), quantityOf(INFO, state.get.reading)], ['“d” rather than “blue”', 'the logit of “d” less that of “blue”']);
  assert.equal(effectCaution(INFO, { ...state.get.reading, value: 3 }), '', 'a difference of logits is no probability');
  await choice.forecast([3]);
  assert.deepEqual([state.get.reading.name, state.get.reading.against], ['f3', undefined]);
  assert.equal((await page([made([3]), opposed]).choice.restore(INFO, [3], 'language', 'forecast', 7)).reading.other, ' blue');
  const older = page([{ ...opposed, other: undefined }]);
  await older.choice.forecast([3], 7);
  assert.deepEqual([older.state.get.reading.other, older.sent], ['token 7', []]);
});

test('a file shows what it holds, and asks nobody', async () => {
  const { state, choice } = page([made([2])], { canAsk: false });
  await choice.forecast();
  assert.deepEqual([state.get.reading, state.get.notice], [null, 'This page does not hold that forecast.']);
  await choice.forecast([2]);
  assert.equal(state.get.reading.name, 'f2');
});

test('an address leads to a forecast that was made, and makes none', async () => {
  const { sent, choice } = page([made([2, 3])]);
  assert.equal((await choice.restore(INFO, null, 'language')).reading.name, 'f2,3');
  const missing = await choice.restore(INFO, [3], 'language');
  assert.equal(missing.reading, null);
  assert.match(missing.notice, /has not been made/);
  assert.deepEqual(sent, []);
});

test('the address says what is shown, and of which tokens', () => {
  const reading = { kind: 'forecast', name: 'f0', tokens: [2], isWhole: false, towers: ['language'], value: -1 };
  const written = (shown) => readFragment(writeFragment('a', { ...SELECTION, direction: 'received' }, { ...startingLook(), reading: shown }));
  assert.deepEqual(written(reading).shows, { tokens: [2] });
  assert.deepEqual(written({ ...reading, isWhole: true }).shows, { tokens: null });
  assert.deepEqual([written(null).shows, written(reading).selection.direction, written(reading).selection.reading], [undefined, 'received', 'predicting']);
  for (const wrong of ['lens', 'forecast x', 'forecast -1']) assert.equal(readFragment(`#run=a&show=${wrong}`).shows, undefined);
});

test('which towers, and whether there can be one', () => {
  assert.deepEqual([towersAsked(INFO, 'language'), towersAsked(INFO, 'vision')], [['language'], ['language', 'vision']]);
  assert.equal(findForecast([made([2])], [2], 'vision'), null);
  assert.equal(findForecast([made([2], { target: { tokens: [2], against: 7 } })], [2], 'language'), null);
  assert.equal(whyNoForecast(INFO), '');
  assert.match(whyNoForecast({ ...INFO, tokens: INFO.tokens.slice(0, 2) }), /no answer/);
});

test('a word that is chosen while all rows are shown is a row; a tower that a forecast lacks is not entered', () => {
  const { state } = page();
  const actions = createActions(state, { select: (selection) => state.set({ selection }), announce: () => {}, tokenBeside: (token) => token });
  state.set({ reading: { kind: 'forecast', name: 'f0', tokens: [2], isWhole: false, towers: ['language'], value: -1 }, selection: { ...SELECTION, direction: 'received' } });
  actions.enter('vision');
  assert.deepEqual([state.get.selection.tower, /not of the vision tower/.test(state.get.notice)], ['language', true]);
  actions.selectToken(2);
  assert.deepEqual([state.get.selection.direction, state.get.selection.token], ['reads', 2]);
  for (const direction of ['read by', 'received', 'reads']) {
    actions.turn();
    assert.equal(state.get.selection.direction, direction);
  }
});

test('a later choice stands, whatever an earlier one still waits for; a forecast that comes into a tower without it is not shown there', async () => {
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  const { state, sent, asking, choice } = page([made([2, 3])]);
  void choice.forecast();
  choice.read();
  await settled();
  assert.equal(state.get.reading, null);
  await choice.forecast([3]);
  state.set({ selection: { ...SELECTION, tower: 'vision' } });
  asking.hear({ number: sent.at(-1)[1].number, reading: 'forecast', made: made([3]) });
  assert.deepEqual([state.get.reading, state.get.notice], [null, 'What was asked for is there, and not of the vision tower: go back to language, and choose it again.']);
});
