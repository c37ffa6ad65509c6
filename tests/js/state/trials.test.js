import assert from 'node:assert/strict';
import test from 'node:test';
import { startingFields } from '../../../assets/viewer/state/session.js';
import { createState } from '../../../assets/viewer/state/state.js';
import { createTrials, nameOf } from '../../../assets/viewer/state/trials.js';
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

test('nothing can be tried where there is no picture or no answer', () => {
  assert.equal(trials().trials.isPossible(), true);
  assert.equal(trials({ images: [], tokens: [token('prompt'), token('answer')] }).trials.isPossible(), false);
  assert.equal(trials({ images: [{}], tokens: [token('prompt'), token('special')] }).trials.isPossible(), false);
  assert.equal(trials(null).trials.isPossible(), false);
});

test('the sentences say change, forecast, others beside it, the answer, and what that is not', () => {
  assert.deepEqual(triedWords(TRIED, 'place'), [
    'With this place hidden from all other tokens, the answer’s log-probability changes by −2.00 (it is −0.500); forecast −1.50.',
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
