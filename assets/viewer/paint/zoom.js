// @ts-check
/**
 * Where a picture lies in the box that it is looked at through, and how zooming and dragging move it. Knows no document.
 *
 * A zoom is a scale, 1 for the whole picture, and the point of the picture, 0 to 1 each way, that lies in the middle of the box.
 * The whole picture lies in the middle of its box; a larger one can be moved as far as it still covers the place where the whole
 * one lay. So zooming in around a point always keeps it where it is, and zooming out comes back without a jump.
 *
 * @typedef {{scale: number, x: number, y: number}} Zoom
 * @typedef {import('./geometry.js').Size} Size
 * @typedef {{left: number, top: number, width: number, height: number}} Place
 * @typedef {{picture: Size, box: Size}} View
 */
import { fitInside } from './geometry.js';

export const MOST = 16;
/** @type {Zoom} */
export const WHOLE = { scale: 1, x: 0.5, y: 0.5 };

/** @param {number} value @param {number} low @param {number} high */
const between = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * Where the whole picture lies, also those parts of it that the box does not show: in whole device pixels.
 * @param {Zoom} zoom
 * @param {View} view
 * @returns {Place}
 */
export function placeOf(zoom, view) {
  const { left, top, width, height } = exactPlace(zoom, view);
  return { left: Math.round(left), top: Math.round(top), width: Math.round(width), height: Math.round(height) };
}

/** The same before rounding, for whatever is computed further. @param {Zoom} zoom @param {View} view @returns {Place} */
function exactPlace({ scale, x, y }, { picture, box }) {
  const whole = fitInside(picture.width, picture.height, box.width, box.height);
  const [left, width] = along(x, scale, whole.width, box.width);
  const [top, height] = along(y, scale, whole.height, box.height);
  return { left, top, width, height };
}

/**
 * Where the picture begins along one side of the box, and how long it is.
 * @param {number} middle
 * @param {number} scale
 * @param {number} whole  the length of the whole picture
 * @param {number} room
 */
function along(middle, scale, whole, room) {
  const length = whole * scale;
  const first = (room - whole) / 2;
  return [scale === 1 ? first : between(room / 2 - middle * length, first + whole - length, first), length];
}

/**
 * The part of the picture that the box shows.
 * @param {Place} place
 * @param {Size} box
 * @returns {Place}
 */
export function seenOf(place, box) {
  const left = Math.max(0, place.left);
  const top = Math.max(0, place.top);
  return { left, top, width: Math.min(box.width, place.left + place.width) - left, height: Math.min(box.height, place.top + place.height) - top };
}

/**
 * The point of the picture, 0 to 1 each way, at a place of the box.
 * @param {Place} place
 * @param {{x: number, y: number}} at
 */
export function pointAt(place, at) {
  return { x: (at.x - place.left) / place.width, y: (at.y - place.top) / place.height };
}

/**
 * Larger or smaller around a place of the box, which keeps showing the same point.
 * @param {Zoom} zoom
 * @param {number} factor
 * @param {{x: number, y: number}} at
 * @param {View} view
 * @returns {Zoom}
 */
export function zoomedAt(zoom, factor, at, view) {
  const scale = between(zoom.scale * factor, 1, MOST);
  const { left, top, width, height } = exactPlace(zoom, view);
  const ratio = scale / zoom.scale;
  return settled({ left: at.x - (at.x - left) * ratio, top: at.y - (at.y - top) * ratio, width: width * ratio, height: height * ratio }, scale, view);
}

/**
 * The picture moved by some pixels.
 * @param {Zoom} zoom
 * @param {number} dx
 * @param {number} dy
 * @param {View} view
 * @returns {Zoom}
 */
export function moved(zoom, dx, dy, view) {
  const place = exactPlace(zoom, view);
  return settled({ ...place, left: place.left + dx, top: place.top + dy }, zoom.scale, view);
}

/**
 * Moved as little as brings a part of the picture into the box.
 * @param {Zoom} zoom
 * @param {Place} part  where it lies now
 * @param {View} view
 * @returns {Zoom}
 */
export function revealing(zoom, part, view) {
  const by = (/** @type {number} */ from, /** @type {number} */ length, /** @type {number} */ room) =>
    from < 0 ? -from : Math.min(0, room - from - length);
  const dx = by(part.left, part.width, view.box.width);
  const dy = by(part.top, part.height, view.box.height);
  return dx || dy ? moved(zoom, dx, dy, view) : zoom;
}

/** The zoom with which the picture lies there, or as near as it may. @param {Place} place @param {number} scale @param {View} view @returns {Zoom} */
function settled({ left, top, width, height }, scale, view) {
  if (scale === 1) return WHOLE;
  const { box } = view;
  const there = exactPlace({ scale, x: (box.width / 2 - left) / width, y: (box.height / 2 - top) / height }, view);
  return { scale, x: (box.width / 2 - there.left) / width, y: (box.height / 2 - there.top) / height };
}
