import assert from 'node:assert/strict';
import test from 'node:test';
import { createReadings } from '../../../assets/viewer/state/readings.js';
import { startingFields } from '../../../assets/viewer/state/session.js';
import { createState } from '../../../assets/viewer/state/state.js';
import { createTrials } from '../../../assets/viewer/state/trials.js';

const MADE = { name: '0123456789abcdef', kind: 'forecast', target: { tokens: [3], against: null }, towers: ['language'], created: '', bytes: 1 };

function readings() {
  const sent = [];
  const state = createState({ ...startingFields(), manifest: { id: 'a', ticket: 'key', kind: 'run' } });
  const send = (name, data) => sent.push([name, data]);
  return { state, sent, made: createReadings(state, send), trials: createTrials(state, send) };
}

test('one reading of a kind is asked for at a time, and what it finds is heard before its end', () => {
  const { state, sent, made } = readings();
  made.ask('forecast', { tokens: [3] });
  made.ask('forecast', { tokens: [4] });
  made.ask('lens');
  assert.deepEqual(sent, [['apply', { ticket: 'key', number: 1, reading: 'forecast', tokens: [3] }], ['apply', { ticket: 'key', number: 2, reading: 'lens' }]]);
  made.hear({ number: 1, reading: 'forecast', text: 'Capturing', partial: { done: 1 } });
  made.hear({ number: 1, reading: 'forecast', text: 'Capturing: layer 2' });
  assert.deepEqual(state.get.readings.forecast.partial, { done: 1 });
  assert.deepEqual([state.get.readings.lens.partial, state.get.readings.lens.working], [null, true]);
  made.hear({ number: 1, reading: 'forecast', made: MADE });
  assert.deepEqual([state.get.readings.forecast.working, state.get.readings.forecast.made], [false, MADE]);
  made.hear({ number: 2, reading: 'lens', why: 'Its words are in another scale.' });
  assert.deepEqual([state.get.readings.lens.working, state.get.readings.lens.text], [false, 'Its words are in another scale.']);
});

test('what was stopped is heard no more, and trials and readings do not hear each other', () => {
  const { state, sent, made, trials } = readings();
  made.ask('forecast');
  trials.ask('head', { heads: [[0, 1]] });
  made.hear({ number: 1, tried: {} });
  trials.hear({ number: 1, reading: 'forecast', made: MADE });
  assert.deepEqual([state.get.readings.forecast.working, state.get.trial.working], [true, true]);
  made.stopAll();
  assert.deepEqual(sent.at(-1), ['stop', { number: 1, reading: 'forecast' }]);
  made.hear({ number: 1, reading: 'forecast', made: MADE });
  assert.deepEqual([state.get.readings.forecast.working, state.get.readings.forecast.text, state.get.readings.forecast.made], [false, 'Stopped.', null]);
  made.hear({ number: 9, reading: 'nonsense', made: MADE });
  assert.deepEqual(Object.keys(state.get.readings), ['forecast']);
});
