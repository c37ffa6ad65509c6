import assert from 'node:assert/strict';
import test from 'node:test';
import { readFragment, writeFragment } from '../../../assets/viewer/state/address.js';
import { createRegionActions } from '../../../assets/viewer/state/region_actions.js';
import { startingFields } from '../../../assets/viewer/state/session.js';
import { createState } from '../../../assets/viewer/state/state.js';
import { measuredWords } from '../../../assets/viewer/text/region.js';

const GRID = { image: 0, tower: 'language', kind: 'whole', rows: 2, cols: 2, box_px: [0, 0, 20, 20] };
const INFO = {
  images: [{ width: 30, height: 20 }, { width: 10, height: 10 }], grids: [GRID, { ...GRID, image: 1, rows: 1, cols: 1, box_px: [0, 0, 10, 10] }], towers: { language: {} },
  tokens: [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0]].map(([grid, row, col], index) => ({ index, grid, row, col })),
  boxes: [{ image: 0, x0: 1, y0: 1, x1: 5, y1: 5, label: 'Save' }, { image: 0, x0: 2, y0: 2, x1: 3, y1: 3, label: '', ambiguous: 'or pixels' }], points: [{ image: 1, x: 4, y: 4, label: '' }],
};

function places() {
  const state = createState({ ...startingFields(), info: INFO, selection: { tower: 'language', grid: 0 } });
  const focused = [];
  return { state, focused, actions: createRegionActions(state, { infos: () => [INFO, INFO], focusGrid: (grid) => focused.push(grid) }) };
}

test('a place that the model was not shown is refused, and nothing is lost', () => {
  const { state, actions } = places();
  assert.equal(actions.mark(0, [2, 2, 8, 8]), '');
  const { region } = state.get;
  assert.match(actions.mark(0, [22, 2]), /was not shown/);
  assert.equal(state.get.region, region);
  assert.match(state.get.notice, /was not shown/);
  assert.match(actions.load('3 3 1 4'), /no area/);
  assert.equal(state.get.region, region);
  state.set({ info: null });
  assert.match(actions.mark(0, [1, 1]), /no picture/);
  assert.match(actions.load('1 1'), /no picture/);
});

test('of several loaded places the first is measured, and the next comes by a key, with its picture', () => {
  const { state, actions, focused } = places();
  assert.equal(actions.load('[[1,1,2,2],[3,3,4,4]]'), '');
  assert.deepEqual(state.get.region.place, [1, 1, 2, 2]);
  const seen = [];
  for (let i = 0; i < 4; i++) {
    actions.next();
    seen.push(String(state.get.region.place));
  }
  assert.deepEqual(seen, ['3,3,4,4', '1,1,5,5', '4,4', '1,1,2,2'], 'no guess is among them, and each is there once');
  assert.deepEqual(focused, [1]);
  actions.letGo();
  assert.deepEqual([state.get.region, state.get.loaded], [null, []]);
});

test('the address has the place, and what is none there is left out', () => {
  const selection = { tower: 'language', token: 3, until: null, layer: 1, head: 2, grid: 0, direction: 'reads', reading: 'own' };
  const look = { ...startingFields(), region: { image: 1, label: 'x', place: [0.5, 1, 8.25, 9] } };
  const fragment = writeFragment('a', selection, look);
  assert.deepEqual(readFragment(fragment).region, { image: 1, place: [0.5, 1, 8.25, 9] });
  assert.doesNotMatch(writeFragment('a', selection, { ...look, region: null }), /place/);
  for (const text of ['', '0', '0 1 2 3', '0 1 2 x 4', '-1 1 2', '0 1 2 3 4 5', '0 1e9 2']) assert.equal(readFragment(`#run=a&place=${text}`).region, undefined, text);
});

test('what is measured is said of the head on screen, with what chance would put there', () => {
  const head = [0.2, 0.4, 8, 1, 1, 0.5, 0.1, 0.05, 3];
  const member = { values: Float32Array.from([...head.map(() => 0), ...head]), shape: [1, 2, 9], chance: [0.05, 0.1] };
  const { said, chance } = measuredWords(member, 0, 1);
  assert.equal(said, '40.0\u202f% of what is read of pictures · lift 8.0× · 20.0\u202f% of the row · peak inside · best cell ranks 1 · IoU of the top cells 0.50 · 3 random heads 10.0\u202f% ± 5.0\u202f%');
  assert.equal(chance, 'by chance: every cell alike 5.0\u202f%, the middle 10.0\u202f%');
  member.values.fill(NaN);
  assert.equal(measuredWords(member, 0, 1).said, 'nothing is read of the pictures');
});
