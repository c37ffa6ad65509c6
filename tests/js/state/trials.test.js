import assert from 'node:assert/strict';
import test from 'node:test';
import { startingFields } from '../../../assets/viewer/state/session.js';
import { createState } from '../../../assets/viewer/state/state.js';
import { readFragment, writeFragment } from '../../../assets/viewer/state/address.js';
import { createTrials, nameOf, trialOnScreen } from '../../../assets/viewer/state/trials.js';
import { triedWords } from '../../../assets/viewer/text/tried.js';

const TRIED = { value: -0.5, change: -2, painted: null, paint: null, forecast: -1.5, controls: [0.25, -0.5, 0], gap: 0.1, first_other: null, caution: '', paths: '' };
const token = (role) => ({ id: 1, role });

function trials(info = { images: [{}], tokens: [token('prompt'), token('answer')] }) {
  const sent = [];
  const state = createState({ ...startingFields(), info, manifest: { id: 'a', ticket: 'key', kind: 'run' } });
  return { state, sent, trials: createTrials(state, (name, data) => sent.push([name, data])) };
}

test('a trial is asked for once at a time, and what is told of an earlier one is not taken', () => {
  const { state, sent, trials: made } = trials();
  made.ask('place', { box: [1, 2, 3, 4], image: 0 });
  made.ask('head', { heads: [[0, 1]] });
  assert.deepEqual(sent, [['apply', { ticket: 'key', number: 1, box: [1, 2, 3, 4], image: 0 }]]);
  made.hear({ number: 1, text: 'Capturing' });
  assert.deepEqual([state.get.trial.working, state.get.trial.text], [true, 'Capturing']);
  made.stop();
  made.hear({ number: 1, tried: TRIED });
  assert.deepEqual([state.get.trial.working, state.get.trial.text, state.get.trial.tried], [false, 'Stopped.', null]);
  assert.deepEqual(sent.at(-1), ['stop', { number: 1 }]);
  made.ask('head', { heads: [[0, 1]] });
  const [, { number }] = sent.at(-1);
  made.hear({ number, tried: TRIED });
  assert.deepEqual([state.get.trial.working, state.get.trial.tried, state.get.trial.name], [false, TRIED, nameOf({ heads: [[0, 1]] })]);
  made.ask('head', { heads: [[1, 1]] });
  made.hear({ number: sent.at(-1)[1].number, why: 'Layer 1 has no attention.' });
  assert.deepEqual([state.get.trial.working, state.get.trial.text], [false, 'Layer 1 has no attention.']);
});

const SELECTION = { tower: 'language', direction: 'reads', token: 1, until: null, reading: 'own', layer: 2, head: 1, grid: 0 };
const PLACED = { images: [{ width: 40, height: 40 }], grids: [{ tower: 'language', image: 0 }], tokens: [token('prompt'), token('answer')], towers: {} };

/** What an address says that is written of a state. */
const addressOf = (state) => readFragment(writeFragment('a', SELECTION, { ...state.get, trial: trialOnScreen(state.get) }));

test('an address names what was tried, and in which way; opened it is offered, and nothing is asked', () => {
  const { state, sent, trials: made } = trials(PLACED);
  const region = { image: 0, label: '', place: [1, 2, 30, 40], isDrawn: true };
  state.set({ selection: SELECTION, region, marking: true, how: 'mean' });
  made.ask('place', { box: region.place, image: 0, paint: 'mean' });
  made.hear({ number: 1, tried: TRIED });
  assert.deepEqual(addressOf(state).tried, { of: 'place', how: 'mean' });
  state.set({ how: 'blur' });
  assert.equal(addressOf(state).tried, undefined, 'what is on screen is another question');
  state.set({ how: 'mean', marking: false });
  assert.equal(addressOf(state).tried, undefined);

  const opened = trials(PLACED);
  opened.state.set({ selection: SELECTION, region, marking: true, how: 'mean' });
  opened.trials.offer('place');
  assert.match(trialOnScreen(opened.state.get).text, /“Try without it” computes it/);
  assert.deepEqual([opened.sent, opened.state.get.trial.working, addressOf(opened.state).tried], [[], false, { of: 'place', how: 'mean' }]);
  opened.state.set({ silence: 'mean' });
  opened.trials.offer('head');
  assert.deepEqual(addressOf(opened.state).tried, { of: 'head', silence: 'mean' });
  opened.state.set({ selection: { ...SELECTION, head: 'mean' } });
  assert.equal(trialOnScreen(opened.state.get), null);
  assert.equal(sent.length, 1);
});

test('an address names the map over cells: the way, and the target where it is not the whole answer', () => {
  const { state } = trials({ ...PLACED, tokens: ['prompt', 'answer', 'answer'].map((role, index) => ({ ...token(role), index })) });
  const cells = (target, how = 'hidden') => { state.set({ cellsShown: true, how, cells: target && { target } }); return addressOf(state).cells; };
  assert.deepEqual(cells({ tokens: [1, 2], against: null }), { how: 'hidden', tokens: null, against: null });
  assert.deepEqual(cells({ tokens: [2], against: null }, 'blur'), { how: 'blur', tokens: [2], against: null });
  assert.deepEqual(cells({ tokens: [2], against: 77 }), { how: 'hidden', tokens: [2], against: 77 });
  assert.deepEqual(cells(null, 'mean'), { how: 'mean', tokens: null, against: null }, 'while nothing of it is there yet');
  state.set({ cellsShown: false });
  assert.equal(addressOf(state).cells, undefined);
  for (const wrong of ['cells=painted', 'cells=hidden+x', 'cells=hidden+1+2+against+3', 'cells=hidden+1+against', 'tried=place', 'tried=head+blur', 'tried=all']) {
    const { cells: map, tried } = readFragment(`#run=a&${wrong}`);
    assert.deepEqual([map, tried], [undefined, undefined], wrong);
  }
});

test('nothing can be tried where there is no picture or no answer', () => {
  assert.equal(trials().trials.isPossible(), true);
  assert.equal(trials({ images: [], tokens: [token('prompt'), token('answer')] }).trials.isPossible(), false);
  assert.equal(trials({ images: [{}], tokens: [token('prompt'), token('special')] }).trials.isPossible(), false);
  assert.equal(trials(null).trials.isPossible(), false);
});

test('the sentences say change, forecast, others beside it, the answer, and what that is not', () => {
  assert.deepEqual(triedWords(TRIED, 'place'), [
    'With this place hidden from all other tokens, the answer’s log-probability changes by −2.00: 7.4 times less probable (it is −0.500); forecast −1.50.',
    'The same for 3 other places of its size elsewhere, read about as much: 0 in the middle, −0.500 to +0.250.',
    'The likeliest answer stays.',
    'This is what the model does then, not why it answered.',
  ]);
  const said = triedWords({ ...TRIED, painted: 0.125, paint: 'blur', controls: [1, 2], gap: 0.5, first_other: { token: 0, was: 'red', becomes: 'blue' }, paths: 'Other paths stay open.' }, 'head');
  assert.match(said[0], /^With this head silent/);
  assert.equal(said[1], 'The same for 2 other heads of this run, whose attention differs by up to 50.0\u202f%: +1.50 in the middle, +1 to +2.00.');
  assert.deepEqual(said.slice(2, 5), ['Blurred and read again: +0.125.', 'The likeliest answer changes at its token 1: “blue” where “red” was the likeliest.', 'Other paths stay open.']);
  assert.match(triedWords({ ...TRIED, caution: 'It is flat.' }, 'head')[0], /; forecast −1\.50\. It is flat\.$/);
  assert.equal(triedWords({ ...TRIED, controls: [] }, 'head')[1], 'There is nothing like it to set beside it.');
  assert.match(triedWords({ ...TRIED, controls: [0] }, 'place')[1], /^The same for another place of its size elsewhere, read about as much: 0\.$/);
});
