import assert from 'node:assert/strict';
import test from 'node:test';
import { wordsOfCell } from '../../../assets/viewer/text/cell.js';
import { gridNames, picturesOf, shownPicture, videoName } from '../../../assets/viewer/data/run_info.js';
import { createActions } from '../../../assets/viewer/state/actions.js';
import { createState } from '../../../assets/viewer/state/state.js';
import { cellsOfSelection } from '../../../assets/viewer/data/selection.js';

const GRID = { box_px: [0, 0, 60, 40], rows: 2, cols: 3 };
const shownOf = (changes) => ({
  direction: 'reads', cells: Float32Array.from([0.1, 0.2, 0, 0.1, 0, 0]), mass: 0.4, sinks: { cells: null }, ...changes,
});
const AT = { row: 0, col: 1 };

test('a row says its value and how many times even attention that is', () => {
  const { tip, readout } = wordsOfCell(shownOf(), null, GRID, AT, 'masked');
  assert.equal(tip, '0.200 · 3.0×');
  assert.equal(readout, 'row 0, col 1 · 0.200 · 3.0× uniform · x 20–40, y 0–20 px');
});

test('a column says what the cell reads, with no even spread to compare with; what is received is compared with the even', () => {
  const column = wordsOfCell(shownOf({ direction: 'read by' }), null, GRID, AT, 'masked');
  assert.equal(column.tip, '0.200 of its row');
  assert.ok(!column.readout.includes('×'));
  const received = wordsOfCell(shownOf({ direction: 'received' }), null, GRID, AT, 'masked');
  assert.equal(received.tip, '0.200 · 3.0× even');
  assert.ok(received.readout.includes('3.0× even'));
});

test('a sink is said to be one; renormalised values stand beside, not instead', () => {
  const shown = shownOf({ sinks: { cells: Uint8Array.from([0, 1, 0, 0, 0, 0]) } });
  assert.equal(wordsOfCell(shown, null, GRID, AT, 'masked').tip, '0.200 · 3.0× · sink');
  const drawn = { values: shown.cells.map((value) => value / 0.8), hidden: shown.sinks.cells };
  const { readout } = wordsOfCell(shown, drawn, GRID, { row: 0, col: 0 }, 'renormalised');
  assert.ok(readout.includes('0.100 · 1.5× uniform · 0.125 renormalised'), readout);
});

test('where nothing is read nothing is divided by it; where there is no map the box is said all the same', () => {
  const none = wordsOfCell(shownOf({ cells: new Float32Array(6), mass: 0 }), null, GRID, AT, 'raw');
  assert.equal(none.tip, '0');
  const mapless = wordsOfCell(shownOf({ cells: new Float32Array() }), null, GRID, AT, 'raw');
  assert.ok(mapless.readout.includes('x 20–40') && mapless.tip.startsWith('click'));
});

test('grids are named by picture, kind, number and time, each only where it tells them apart', () => {
  const names = (...grids) => [...gridNames({ grids: grids.map(([image, kind, time_s = null]) => ({ tower: 'language', image, kind, time_s })) }, 'language').values()];
  assert.deepEqual(names([0, 'whole'], [1, 'whole']), ['image 1', 'image 2']);
  assert.deepEqual(names([0, 'tile'], [0, 'thumbnail']), ['tile', 'thumbnail']);
  assert.deepEqual(names([0, 'tile'], [0, 'tile'], [1, 'thumbnail']), ['image 1 tile 1', 'image 1 tile 2', 'image 2 thumbnail']);
  assert.deepEqual(names([0, 'frame', 0.5], [1, 'frame', 12]), ['frame 1 · 0.5 s', 'frame 2 · 12 s']);
});

test('frames that were read together have one name, and each is a picture of its own', () => {
  const grid = (images, time_s) => ({ tower: 'language', kind: 'frame', image: images[0], images, time_s });
  const info = { grids: [grid([0, 1], 0.25), grid([2, 3], 1.25), grid([4], 2)] };
  assert.deepEqual([...gridNames(info, 'language').values()], ['frames 1–2 · 0.25 s', 'frames 3–4 · 1.25 s', 'frame 5 · 2 s']);
  assert.deepEqual(picturesOf(info, 'language').map(({ grid: of, image }) => [of, image]), [[0, 0], [0, 1], [1, 2], [1, 3], [2, 4]]);
  assert.deepEqual([null, 1, 2].map((frame) => shownPicture(info, 0, frame)), [0, 1, 0]);
});

test('pictures are stepped through frame by frame, and played round', () => {
  const grid = (images) => ({ tower: 'language', kind: 'frame', image: images[0], images });
  const state = createState({ info: { tokens: [{}], towers: { language: { keys: 1 } }, grids: [grid([0, 1]), grid([2])] }, tower: 'language', grid: 0, frame: null, selection: { tower: 'language', grid: 0 } });
  const actions = createActions(state, { select: (selection) => state.set({ selection, grid: selection.grid }), announce: () => {}, tokenBeside: () => 0 });
  const seen = [];
  for (const [by, isRound] of [[1], [1], [1], [1, true], [-1], [-1, true]]) {
    actions.stepPicture(by, isRound);
    seen.push([state.get.grid, shownPicture(state.get.info, state.get.grid, state.get.frame)]);
  }
  assert.deepEqual(seen, [[0, 1], [1, 2], [1, 2], [0, 0], [0, 0], [1, 2]]);
});

test('the cells of a selection are its tokens on the grid that is looked at', () => {
  const cell = (grid, row, col) => ({ grid, row, col });
  const info = { tokens: [cell(null, null, null), cell(0, 0, 0), cell(0, 0, 1), cell(1, 0, 0)], towers: { language: { keys: 4 }, vision: { keys: [cell(2, 0, 0), null, cell(2, 0, 1)] }, cross: { queries: 4, keys: [cell(3, 0, 0)] } } };
  const cells = (change) => cellsOfSelection(info, { tower: 'language', direction: 'reads', token: 1, until: null, grid: 0, ...change });
  assert.deepEqual(cells({}), [{ row: 0, col: 0 }]);
  assert.deepEqual(cells({ token: 0, until: 3 }), [{ row: 0, col: 0 }, { row: 0, col: 1 }]);
  assert.deepEqual(cells({ token: 0 }), []);
  assert.deepEqual(cells({ tower: 'vision', grid: 2, token: 2 }), [{ row: 0, col: 1 }]);
  assert.deepEqual(cells({ tower: 'vision', grid: 2, token: 2, direction: 'received' }), []);
  assert.deepEqual(cells({ tower: 'cross', grid: 3, token: 0 }), []);
  assert.deepEqual(cells({ tower: 'cross', grid: 3, token: 0, direction: 'read by' }), [{ row: 0, col: 0 }]);
});

test('of several videos, frames are named by theirs', () => {
  const named = (...videos) => videos.map((_, image) => videoName({ images: videos.map((video) => (video === null ? {} : { video })) }, image));
  assert.deepEqual(named(null, 0, 0, 1), ['', 'video 1', 'video 1', 'video 2']);
  assert.deepEqual(named(null, 0, 0), ['', '', '']);
});
