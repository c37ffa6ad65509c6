import assert from 'node:assert/strict';
import test from 'node:test';
import { regionCells, regionOf, shareIn } from '../../../assets/viewer/numbers/regions.js';
import { inRegion } from '../../../assets/viewer/text/map.js';

const near = (a, b) => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`);

/** A picture of 30x20 as a whole of 2x3 cells and as a tile of 1x3 on its upper half. */
const GRIDS = [
  { image: 0, tower: 'language', kind: 'whole', rows: 2, cols: 3, box_px: [0, 0, 30, 20] },
  { image: 0, tower: 'language', kind: 'tile', rows: 1, cols: 3, box_px: [0, 0, 30, 10], col_edges_px: [0, 5, 20, 30] },
  { image: 1, tower: 'language', kind: 'whole', rows: 1, cols: 1, box_px: [0, 0, 9, 9] },
];
const tokens = GRIDS.flatMap(({ rows, cols }, grid) => Array.from({ length: rows * cols }, (_, i) => ({ grid, row: Math.floor(i / cols), col: i % cols })));
const infoOf = (more = {}) => ({ tokens: tokens.map((token, index) => ({ index, ...token })), grids: GRIDS, towers: { language: { keys: tokens.length } }, ...more });

test('a cell that is covered in part counts for that part, in every grid of the picture', () => {
  const cells = regionCells(infoOf(), { image: 0, label: '', place: [5, 5, 15, 10] }, 'language');
  assert.deepEqual(cells.keys, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(cells.inside, [0.25, 0.25, 0, 0, 0, 0, 0, 10 / 15 / 2, 0]);
  near(cells.uniform, (0.5 + 1 / 3) / 10); // the other picture's cell is read alike
  near(shareIn([0.1, 0.2, 0, 0, 0, 0, 0, 0.3, 0, 0.2], cells, 0.8), (0.025 + 0.05 + 0.1) / 0.8);
});

test('a point is the cell that it lies in, on a border the later one', () => {
  const inside = (...place) => regionCells(infoOf(), { image: 0, label: '', place }, 'language').inside.flatMap((part, i) => (part ? [i] : []));
  assert.deepEqual(inside(12, 3), [1, 7]);
  assert.deepEqual(inside(10, 10), [4, 7]);
  assert.deepEqual(inside(30, 20), [5], 'the picture ends there');
});

test('where nothing of the region is shown there are no cells', () => {
  assert.equal(regionCells(infoOf(), { image: 0, label: '', place: [1, 1, 2, 2] }, 'vision'), null);
  assert.equal(regionCells(infoOf(), { image: 2, label: '', place: [1, 1, 2, 2] }, 'language'), null);
});

test('the first place is a box, or else a point', () => {
  const [box, point] = [{ image: 1, x0: 1, y0: 2, x1: 3, y1: 4, label: 'Save' }, { image: 0, x: 5, y: 6 }];
  assert.deepEqual(regionOf({ boxes: [box], points: [point] }), { image: 1, label: 'Save', place: [1, 2, 3, 4] });
  assert.deepEqual(regionOf({ points: [point] }), { image: 0, label: '', place: [5, 6] });
  assert.equal(regionOf({}), null);
  assert.equal(regionOf({ boxes: [{ ...box, ambiguous: 'or pixels' }], points: [point] }).place.length, 2, 'what is ambiguous is left out');
  const drawn = { image: 0, label: '', place: [1, 1, 2, 2], isDrawn: true };
  assert.equal(regionOf({ boxes: [box] }, drawn), drawn, 'what is drawn comes first');
});

test('one row has a share and two have both, with what chance would have; columns and largest values have none', () => {
  const info = infoOf({ boxes: [{ image: 1, x0: 0, y0: 0, x1: 9, y1: 9, label: '<b>Save</b>' }] });
  const row = [0, 0, 0, 0, 0, 0, 0, 0, 0.3, 0.1];
  const shown = { tower: 'language', direction: 'reads', layer: 1, head: 2, row, imageMass: 0.4 };
  assert.equal(inRegion([shown], info), ' In “<b>Save</b>”: 25.0\u202f% of what is read of pictures (chance 10.0\u202f%).');
  assert.equal(inRegion([shown, { ...shown, imageMass: 0.2 }], info), ' In “<b>Save</b>”: 25.0\u202f% → 50.0\u202f% of what is read of pictures (chance 10.0\u202f%).');
  for (const other of [{ direction: 'read by' }, { direction: 'received' }, { head: 'max' }, { imageMass: 0, row: row.map(() => 0) }]) {
    assert.equal(inRegion([{ ...shown, ...other }], info), '');
  }
  assert.equal(inRegion([shown], infoOf()), '');
});
