import assert from 'node:assert/strict';
import test from 'node:test';
import { readPlaces, reasonAgainstPlace, regionAsked } from '../../../assets/viewer/numbers/read_places.js';

const GRIDS = [{ image: 0, tower: 'language', rows: 1, cols: 1, box_px: [0, 0, 300, 200] }, { image: 1, tower: 'language', rows: 1, cols: 1, box_px: [0, 0, 50, 50] }];
const TOKENS = [0, 1].map((grid) => ({ grid, row: 0, col: 0 }));
const INFO = { grids: GRIDS, tokens: TOKENS, towers: { language: {} }, images: [{ width: 300, height: 200 }, { width: 50, height: 60 }], boxes: [{ image: 1, x0: 1, y0: 2, x1: 30, y1: 40, label: 'Save' }] };
const read = (text, image = 0) => readPlaces(INFO, text, image);

test('numbers and JSON are places, on the picture on screen where they do not say', () => {
  const box = (place, image = 0, label = '') => ({ image, label, place, isDrawn: true });
  assert.deepEqual(read('10 20, 30.5;40'), { regions: [box([10, 20, 30.5, 40])] });
  assert.deepEqual(read(' 1e1 2 ', 1), { regions: [box([10, 2], 1)] });
  assert.deepEqual(read('[10, 20, 30, 40]'), { regions: [box([10, 20, 30, 40])] });
  assert.deepEqual(read('[[1,2,3,4],[5,6]]'), { regions: [box([1, 2, 3, 4]), box([5, 6])] });
  assert.deepEqual(read('{"boxes": [[1, 2, 3, 4]], "image": 1}'), { regions: [box([1, 2, 3, 4], 1)] });
  assert.deepEqual(read('[{"bbox_2d": [1,2,3,4], "label": "<b>Save</b>"}, {"point": [5,6], "image": 1}]'), { regions: [box([1, 2, 3, 4], 0, '<b>Save</b>'), box([5, 6], 1)] });
});

test('what is no place is refused by name', () => {
  for (const [text, words] of [
    ['', /^Write x0 y0 x1 y1/], ['a b c d', /finite numbers, in pixels of the picture, not \["a", "b", "c", "d"\]/], ['1 2 NaN 4', /finite numbers/], ['1 2 3', /a box of four numbers/],
    ['{', /no JSON/], ['{"boxes": 3}', /no JSON/], ['{"image": 0}', /no place in it/], ['[[1,2,3,4],[9,9,3,12]]', /^Place 2 of 2: The box \[9, 9, 3, 12\] has no area/],
    ['0 0 301 20', /leaves its picture, which is 300×200/], ['-1 2', /leaves its picture/], ['{"boxes": [[1,2,3,4]], "image": 2}', /There is no image 2 in this run: it has 2/],
    ['[{"box": [1,2,3,4], "label": 7}]', /A label is a text/], ['[null]', /a box of four numbers/], [`[${'[1,2],'.repeat(100)}[1,2]]`, /There are 101 places; up to 100/], ['1'.repeat(100_001), /100,001 signs/],
  ]) assert.match(read(text).why ?? '', words, text.slice(0, 40));
  assert.match(reasonAgainstPlace({ images: [] }, [1, 2], 0), /this run has none/);
});

test('a place of an address is that of the answer where it is the same, and none on a picture that lacks it', () => {
  assert.deepEqual(regionAsked(INFO, { image: 1, place: [1, 2, 30, 40] }, 'language'), { image: 1, label: 'Save', place: [1, 2, 30, 40] });
  assert.deepEqual(regionAsked(INFO, { image: 0, place: [1, 2] }, 'language'), { image: 0, label: '', place: [1, 2], isDrawn: true });
  for (const asked of [{ image: 2, place: [1, 2] }, { image: 1, place: [1, 2, 51, 4] }, { image: 0, place: [9, 9, 9, 10] }, { image: 1, place: [3, 55] }, undefined]) assert.equal(regionAsked(INFO, asked, 'language'), null);
  assert.equal(regionAsked(INFO, { image: 0, place: [1, 2] }, 'vision'), null);
});
