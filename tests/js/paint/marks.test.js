import assert from 'node:assert/strict';
import test from 'node:test';
import { boxOfCell, framesOf, markAt, marksOf } from '../../../assets/viewer/paint/marks.js';

const BORDERS = { rows: Int32Array.from([0, 10, 20, 30]), cols: Int32Array.from([0, 8, 16, 24]) };
const segments = (path) => path.split('M').filter(Boolean).sort();

test('a cell lies on the screen where its borders are, in CSS pixels', () => {
  assert.deepEqual(boxOfCell(BORDERS, 2, { row: 1, col: 2 }), { x: 8, y: 5, width: 4, height: 5 });
});

test('one cell is framed on its four sides, two that touch have one frame and a line between them', () => {
  assert.deepEqual(segments(framesOf([{ row: 0, col: 0 }], BORDERS, 1).outer), ['0 0h8', '0 0v10', '0 10h8', '8 0v10'].sort());
  const two = framesOf([{ row: 0, col: 0 }, { row: 0, col: 1 }], BORDERS, 1);
  assert.equal(segments(two.outer).length, 6);
  assert.deepEqual(segments(two.inner), ['8 0v10']);
  const ends = framesOf([{ row: 0, col: 2 }, { row: 1, col: 0 }], BORDERS, 1);
  assert.equal(segments(ends.outer).length, 8, 'the end of a row does not touch the beginning of the next');
  assert.deepEqual(framesOf([], BORDERS, 1), { outer: '', inner: '' });
});

const PICTURE = { width: 400, height: 200 };
const PLACE = { left: -100, top: 0, width: 800, height: 400 };
const SEEN = { width: 300, height: 400 };

test('places follow the picture; those out of sight are left out', () => {
  const points = [{ x: 100, y: 50, label: 'here' }, { x: 390, y: 50, label: 'gone' }];
  const boxes = [{ x0: 150, y0: 150, x1: 60, y1: 100, label: 'upside down' }];
  const [frame, cross] = marksOf({ points, boxes }, PICTURE, PLACE, SEEN);
  assert.equal(frame.path, 'M20 200H200V300H20Z');
  assert.equal(frame.label, 'upside down');
  assert.ok(cross.path.startsWith('M103 100L111 100'), cross.path);
  assert.equal(marksOf({ points, boxes }, PICTURE, PLACE, SEEN).length, 2);
});

test('labels stay inside of what is seen, and long ones end in dots', () => {
  const long = 'word '.repeat(20);
  for (const [x, y] of [[51, 0], [199, 1], [199, 199], [52, 199]]) {
    const [mark] = marksOf({ points: [{ x, y, label: long }], boxes: [] }, PICTURE, PLACE, SEEN);
    assert.ok(mark.label.endsWith('…') && [...mark.label].length === 32);
    assert.ok(mark.y >= 10 && mark.y <= SEEN.height && mark.x >= 0 && mark.x <= SEEN.width, JSON.stringify(mark));
    if (x === 199) assert.ok(mark.isRight);
  }
  const [emoji] = marksOf({ points: [{ x: 60, y: 60, label: '🦊'.repeat(40) }], boxes: [] }, PICTURE, PLACE, SEEN);
  assert.ok(emoji.label.startsWith('🦊🦊') && !emoji.label.includes('\ufffd'));
});

test('a guess is told apart and says what it rests on, however long its name is', () => {
  const long = 'word '.repeat(20);
  const [mark] = marksOf({ points: [{ x: 60, y: 60, label: long, ambiguous: '0 to 1 assumed' }], boxes: [] }, PICTURE, PLACE, SEEN);
  assert.ok(mark.isGuess);
  assert.match(mark.label, /…? ?\(0 to 1 assumed\)$/);
  const [frame] = marksOf({ points: [], boxes: [{ x0: 60, y0: 60, x1: 90, y1: 90, ambiguous: 'y before x assumed' }] }, PICTURE, PLACE, SEEN);
  assert.equal(frame.label, '(y before x assumed)');
  assert.ok(!marksOf({ points: [{ x: 60, y: 60, label: 'sure' }], boxes: [] }, PICTURE, PLACE, SEEN)[0].isGuess);
});

test('a place is chosen on its line or at its point, not inside of it', () => {
  const places = { points: [{ x: 50, y: 50 }, { x: 80, y: 80, ambiguous: 'or pixels' }], boxes: [{ x0: 10, y0: 10, x1: 40, y1: 30, label: 'a' }] };
  const at = (x, y) => markAt(places, { width: 100, height: 100 }, { left: 20, top: 0, width: 200, height: 200 }, { x, y });
  assert.equal(at(42, 40)?.label, 'a', 'on its left side');
  assert.equal(at(36, 20)?.label, 'a', 'near its corner');
  assert.equal(at(70, 40), null, 'in its middle');
  assert.equal(at(30, 20), null, 'too far outside');
  assert.equal(at(126, 104), places.points[0]);
  assert.equal(at(180, 160), null, 'a guess is no place');
});
