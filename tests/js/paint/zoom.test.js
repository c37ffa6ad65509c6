import assert from 'node:assert/strict';
import test from 'node:test';
import { MOST, WHOLE, moved, placeOf, pointAt, revealing, seenOf, zoomedAt } from '../../../assets/viewer/paint/zoom.js';

const VIEWS = [
  { picture: { width: 1920, height: 1080 }, box: { width: 640, height: 613 } },
  { picture: { width: 90, height: 271 }, box: { width: 701, height: 500 } },
  { picture: { width: 1000, height: 3 }, box: { width: 300, height: 300 } },
];

/** Numbers that look like chance, the same each time. */
function* chance(seed = 1) {
  for (let state = seed; ; ) {
    state = (state * 48271) % 2147483647;
    yield state / 2147483647;
  }
}

test('the whole picture fits in the middle of its box, in its own proportions', () => {
  assert.deepEqual(placeOf(WHOLE, VIEWS[0]), { left: 0, top: Math.round((613 - 360) / 2), width: 640, height: 360 });
  for (const view of VIEWS) {
    const place = placeOf(WHOLE, view);
    assert.deepEqual(seenOf(place, view.box), place);
    assert.ok(place.left >= 0 && place.top >= 0);
  }
});

test('zooming in around any place of the picture keeps its point there, and so does zooming out and in again', () => {
  const random = chance();
  for (const view of VIEWS) {
    for (let i = 0; i < 100; i++) {
      const whole = placeOf(WHOLE, view);
      let zoom = WHOLE;
      const at = { x: whole.left + random.next().value * whole.width, y: whole.top + random.next().value * whole.height };
      const point = pointAt(whole, at);
      for (let step = 0; step < 8; step++) {
        zoom = zoomedAt(zoom, 1 + random.next().value, at, view);
        const place = placeOf(zoom, view);
        const now = pointAt(place, at);
        const off = 0.5 * zoom.scale + 1; // half a pixel of the whole picture, grown
        assert.ok(Math.abs(now.x - point.x) * place.width <= off && Math.abs(now.y - point.y) * place.height <= off, JSON.stringify([view, zoom]));
      }
      assert.deepEqual(zoomedAt(zoom, 1e-3, at, view), WHOLE);
    }
  }
});

test('a zoomed picture covers the place of the whole one, however it is moved, and comes back to it without a jump', () => {
  const random = chance(7);
  for (const view of VIEWS) {
    let zoom = WHOLE;
    const whole = placeOf(WHOLE, view);
    for (let i = 0; i < 300; i++) {
      const [a, b, c] = [random.next().value, random.next().value, random.next().value];
      zoom = i % 2 ? moved(zoom, 900 * (a - 0.5), 900 * (b - 0.5), view) : zoomedAt(zoom, 0.4 + 1.3 * c, { x: a * 600, y: b * 500 }, view);
      const place = placeOf(zoom, view);
      for (const [start, side] of [['left', 'width'], ['top', 'height']]) {
        assert.ok(Number.isInteger(place[start]) && Number.isInteger(place[side]));
        assert.ok(place[start] <= whole[start] && place[start] + place[side] >= whole[start] + whole[side] - 1);
      }
      const seen = seenOf(place, view.box);
      assert.ok(seen.width <= view.box.width && seen.height <= view.box.height && seen.width > 0 && seen.height > 0);
      const nearly = placeOf({ ...zoom, scale: 1.001 }, view);
      assert.ok(Math.abs(nearly.left - whole.left) <= 2 && Math.abs(nearly.top - whole.top) <= 2);
    }
  }
});

test('what is seen is never more than the box: the canvas does not grow with the zoom', () => {
  const [view] = VIEWS;
  assert.deepEqual(seenOf(placeOf({ scale: MOST, x: 0.3, y: 0.8 }, view), view.box), { left: 0, top: 0, ...view.box });
});

test('moving by pixels moves the picture by these pixels, and no further than its sides', () => {
  const [view] = VIEWS;
  const zoom = { scale: 8, x: 0.5, y: 0.5 };
  const [before, after] = [placeOf(zoom, view), placeOf(moved(zoom, 40, -25, view), view)];
  assert.ok(Math.abs(after.left - before.left - 40) <= 1 && Math.abs(after.top - before.top + 25) <= 1);
  assert.equal(placeOf(moved(zoom, 1e6, 1e6, view), view).left, 0);
  assert.equal(placeOf(moved(zoom, 1e6, 1e6, view), view).top, placeOf(WHOLE, view).top);
  assert.deepEqual(moved(WHOLE, 100, 100, view), WHOLE);
});

test('zooming out ends with the whole picture, in once and out again with the same', () => {
  const [view] = VIEWS;
  assert.deepEqual(zoomedAt({ scale: 3, x: 0.9, y: 0.2 }, 0.01, { x: 3, y: 5 }, view), WHOLE);
  const there = zoomedAt({ scale: 4, x: 0.4, y: 0.6 }, 2, { x: 320, y: 300 }, view);
  const back = zoomedAt(there, 0.5, { x: 320, y: 300 }, view);
  for (const [now, then] of [[back.x, 0.4], [back.y, 0.6], [back.scale, 4]]) assert.ok(Math.abs(now - then) < 1e-12);
  let centred = WHOLE;
  for (let i = 0; i < 3; i++) centred = zoomedAt(centred, 2, { x: view.box.width / 2, y: view.box.height / 2 }, view);
  assert.deepEqual(centred, { scale: 8, x: 0.5, y: 0.5 });
});

test('a cell out of sight is brought in by the shortest way; one in sight moves nothing', () => {
  const [view] = VIEWS;
  const zoom = { scale: 4, x: 0.5, y: 0.5 };
  assert.equal(revealing(zoom, { left: 10, top: 10, width: 20, height: 20 }, view), zoom);
  const part = { left: -50, top: 600, width: 40, height: 40 };
  const [before, after] = [placeOf(zoom, view), placeOf(revealing(zoom, part, view), view)];
  assert.ok(Math.abs(after.left - before.left - 50) <= 1 && Math.abs(after.top - before.top + 27) <= 1);
});
