import assert from 'node:assert/strict';
import test from 'node:test';
import { readFragment, writeFragment } from '../../../assets/viewer/state/address.js';
import { makeDrawn } from '../../../assets/viewer/numbers/coloured_map.js';
import { readPositions } from '../../../assets/viewer/state/follow.js';
import { KEYS, commandOf } from '../../../assets/viewer/state/keys.js';
import { LOOK_NAMES, OFFERED, nextSetting, readSetting, startingLook } from '../../../assets/viewer/state/look.js';
import { findSinkCells, sinkKeys, withoutSinks } from '../../../assets/viewer/numbers/sinks.js';

const SELECTION = { tower: 'language', direction: 'read by', token: 12, until: 14, reading: 'own', layer: 'mean', head: 3, grid: 0 };

test('an address gives back the view it was made of, and never the ticket', () => {
  for (const look of [startingLook(), { ...startingLook(), palette: 'magma', opacity: 0.35, smooth: true, order: 'entropy', clip: 100 }]) {
    const fragment = writeFragment('run & 1', SELECTION, look);
    const read = readFragment(fragment);
    assert.equal(read.id, 'run & 1');
    assert.deepEqual(read.selection, SELECTION);
    assert.deepEqual({ ...startingLook(), ...read.look }, look);
  }
  const { selection } = readFragment(writeFragment('a', { ...SELECTION, until: null, grid: null }, startingLook()));
  assert.deepEqual([selection.until, selection.grid], [undefined, undefined]);
});

test('what an address says wrongly is left out', () => {
  assert.equal(readFragment('#token=3'), null);
  assert.equal(readFragment(''), null);
  const { selection, look } = readFragment('#run=a&token=-3&layer=<b>&head=max&palette=jet&opacity=7&smooth=maybe&clip=95');
  assert.deepEqual(selection, { head: 'max' });
  assert.deepEqual(look, { clip: 95 });
});

test('every setting can be written and read, and begins with the first that is offered', () => {
  for (const name of LOOK_NAMES) {
    assert.equal(startingLook()[name], OFFERED[name][0]);
    for (const value of OFFERED[name]) assert.equal(readSetting(name, String(value)), value);
  }
  assert.equal(nextSetting('sinks', 'renormalised'), 'masked');
});

test('a key has one meaning, and none where a person types', () => {
  const keys = KEYS.flatMap((entry) => entry.keys);
  assert.equal(new Set(keys).size, keys.length);
  const press = (key, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });
  assert.equal(commandOf(press('ArrowLeft'), { tag: 'CANVAS' }).by, -1);
  assert.equal(commandOf(press('ArrowLeft'), { tag: 'SELECT' }), null);
  assert.equal(commandOf(press('d'), { tag: 'INPUT' }), null);
  assert.equal(commandOf(press('d', { ctrlKey: true }), { tag: 'CANVAS' }), null);
  assert.equal(commandOf(press('ArrowUp', { shiftKey: true }), { tag: 'CANVAS' }), null);
  assert.equal(commandOf(press(' '), { tag: 'BUTTON' }), null);
  assert.equal(commandOf(press(' '), { tag: 'CANVAS' }).command, 'play');
  assert.equal(commandOf(press('?', { shiftKey: true }), { tag: 'DIV' }).command, 'help');
  assert.equal(commandOf(press('Tab'), { tag: 'DIV' }), null);
});

const INFO = { sinks: { language: { 0: [2], 1: [], 3: [1, 2] } } };
const ROW = Float32Array.of(0.1, 0.05, 0.5, 0.15, 0.2);
const CELLS = Int32Array.of(1, 2, 3, 4);

test('sinks are those of the layer, or of any layer; their mass is said whatever is drawn', () => {
  assert.deepEqual(sinkKeys(INFO, 'language', 3), [1, 2]);
  assert.deepEqual(sinkKeys(INFO, 'language', 1), []);
  assert.deepEqual(sinkKeys(INFO, 'language', 'mean'), [1, 2]);
  assert.deepEqual(sinkKeys({}, 'vision', 0), []);
  const found = findSinkCells(ROW, CELLS, [0, 2]);
  assert.deepEqual([[...found.cells], found.count], [[0, 1, 0, 0], 1]);
  assert.ok(Math.abs(found.mass - 0.5) < 1e-7 && Math.abs(found.rowMass - 0.6) < 1e-7);
  assert.equal(findSinkCells(ROW, CELLS, []).cells, null);
});

test('masked and raw keep the numbers, renormalised divides by what is left', () => {
  const cells = Float32Array.from(CELLS, (key) => ROW[key]);
  const sinks = findSinkCells(ROW, CELLS, [0, 2]);
  assert.deepEqual(withoutSinks(cells, sinks, 'raw'), { values: cells, hidden: null });
  assert.deepEqual([...withoutSinks(cells, sinks, 'masked').hidden], [0, 1, 0, 0]);
  assert.equal(withoutSinks(cells, sinks, 'masked').values, cells);
  assert.ok(Math.abs(withoutSinks(cells, sinks, 'renormalised').values[3] - 0.5) < 1e-6);
});

test('the range of the colours is made without the sinks, and of a column with all', () => {
  const cells = Float32Array.from(CELLS, (key) => ROW[key]);
  const shown = { cells, effect: null, direction: 'reads', sinks: findSinkCells(ROW, CELLS, [2]), mass: 0.9 };
  const look = { ...startingLook(), clip: 100 };
  assert.equal(makeDrawn(shown, look, null).range.high, ROW[4]);
  assert.equal(makeDrawn(shown, { ...look, sinks: 'raw' }, null).range.high, ROW[2]);
  assert.equal(makeDrawn({ ...shown, direction: 'read by' }, look, null).hidden, null);
  assert.equal(makeDrawn(shown, { ...look, scale: 'atlas' }, 0.75).range.high, 0.75);
  assert.equal(makeDrawn(shown, { ...look, scale: 'uniform' }, null).range.unit, 'uniform');
  assert.equal(makeDrawn({ ...shown, direction: 'read by' }, { ...look, scale: 'uniform' }, null).range.unit, 'attention');
  assert.equal(makeDrawn({ ...shown, cells: new Float32Array() }, look, null), null);
});

test('positions come as ranges', () => {
  assert.deepEqual(readPositions('69-71,80'), [69, 70, 71, 80]);
  assert.deepEqual(readPositions(''), []);
});
