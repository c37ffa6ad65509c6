import assert from 'node:assert/strict';
import test from 'node:test';

import { RequestFailed } from '../../../assets/viewer/data/source.js';
import { actionOf, createCommands } from '../../../assets/viewer/state/commands.js';
import { KEYS } from '../../../assets/viewer/state/keys.js';
import { createSession, NOTHING, startingFields, statusOf } from '../../../assets/viewer/state/session.js';
import { createState } from '../../../assets/viewer/state/state.js';

function session(more = {}) {
  const state = createState({ ...startingFields(), source: { name: 'now' }, info: { id: 'a' }, playing: 'layers' });
  const told = [];
  const page = { nothing: NOTHING, sources: () => [state.get.source], reopen: () => {}, chosen: () => null, trigger: (name, data) => told.push([name, data]), ...more };
  return { state, told, session: createSession(state, page) };
}

/** Timers that run when a test says so. */
function withTimers(body) {
  const [set, clear] = [globalThis.setTimeout, globalThis.clearTimeout];
  const waiting = new Map();
  globalThis.setTimeout = (run) => { waiting.set(waiting.size + 1, run); return waiting.size; };
  globalThis.clearTimeout = (id) => waiting.delete(id);
  try {
    body(waiting);
  } finally {
    Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
  }
}

test('a page begins with nothing and says how far it is', () => {
  const fields = startingFields();
  assert.equal(fields.status, 'empty');
  assert.ok(Object.keys(NOTHING).every((name) => fields[name] === NOTHING[name]));
  const is = { failure: null, isOpen: true, isShown: true, isWhole: true };
  assert.equal(statusOf(is), 'ready');
  assert.equal(statusOf({ ...is, isWhole: false }), 'row');
  assert.equal(statusOf({ ...is, isWhole: false, isShown: false }), 'loading');
  assert.equal(statusOf({ ...is, isOpen: false }), 'empty');
  assert.equal(statusOf({ ...is, failure: new RequestFailed('no') }), 'error');
});

test('what fails is said and stops what plays; what an old source could not give is not', () => {
  const { state, session: now } = session();
  now.fail({ name: 'before' }, new RequestFailed('of another run'));
  assert.equal(state.get.failure, null);
  now.fail(state.get.source, new RequestFailed('no row', { status: 500 }));
  assert.deepEqual([state.get.failure.message, state.get.playing, state.get.info], ['no row', null, { id: 'a' }]);
});

test('a run that has expired leaves nothing on the page', () => {
  const { state, session: now } = session();
  now.fail(state.get.source, new RequestFailed('gone', { status: 404, isExpired: true }));
  assert.equal(state.get.info, null);
  assert.equal(state.get.failure.isExpired, true);
  assert.equal(state.get.source.name, 'now');
});

test('a fault of our own is in the console too', () => {
  const { state, session: now } = session();
  const written = [];
  const { error } = console;
  console.error = (each) => written.push(each);
  try {
    now.fail(state.get.source, new RequestFailed('no row', { status: 500 }));
    now.fail(state.get.source, new TypeError('x is not a function'));
  } finally {
    console.error = error;
  }
  assert.deepEqual(written.map(({ message }) => message), ['x is not a function']);
});

test('the server is told once of several choices, the last of them, and not while nothing is shown', () => {
  withTimers((waiting) => {
    const shown = [{ layer: 1 }, { layer: 2 }];
    const { session: now, told } = session({ chosen: () => shown.pop() ?? null });
    now.announce();
    now.announce();
    assert.deepEqual([told, waiting.size], [[], 1]);
    [...waiting.values()][0]();
    assert.deepEqual(told, [['select', { layer: 2 }]]);
    shown.length = 0;
    now.announce();
    [...waiting.values()].at(-1)();
    assert.equal(told.length, 1);
  });
});

test('in the end sources, listeners and views are let go, and nobody is told any more', () => {
  withTimers((waiting) => {
    const ended = [];
    const { session: now } = session({ sources: () => [{ dispose: () => ended.push('source') }, null] });
    now.announce();
    now.dispose([() => ended.push('listener')], [{ dispose: () => ended.push('view') }]);
    assert.deepEqual([ended, waiting.size], [['source', 'listener', 'view'], 0]);
  });
});

test('every key of the list does what it is listed with', () => {
  const done = [];
  const note = (name) => (...given) => done.push([name, ...given]);
  const actions = Object.fromEntries(['step', 'extendBy', 'turn', 'nextTower', 'nextSinks', 'play', 'stepPicture'].map((name) => [name, note(name)]));
  const commands = createCommands(actions, { help: note('help'), clear: note('clear'), mark: note('mark'), place: note('place') });
  assert.deepEqual(new Set(KEYS.map(({ command }) => command)), new Set(Object.keys(commands)));
  const press = (key, target = { tag: 'CANVAS' }) => actionOf(commands, { key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false }, target);
  for (const key of ['ArrowLeft', 'ArrowDown', '.', '<', 'd', 'v', 's', ' ', 'f', 'F', 'p', 'm', 'o', '?', 'Escape']) press(key)();
  assert.deepEqual(done, [
    ['step', 'layer', -1], ['step', 'head', 1], ['step', 'token', 1], ['extendBy', -1], ['turn'], ['nextTower'], ['nextSinks'], ['play'], ['stepPicture', 1], ['stepPicture', -1], ['play', 'frames'], ['mark'], ['place'], ['help'], ['clear'],
  ]);
  assert.equal(press('x'), null);
  assert.equal(press('d', { tag: 'INPUT' }), null);
});
