// @ts-check
/**
 * Where a picture lies in the box that it is looked at through, and how zooming and dragging move it. Knows no document.
 *
 * All places are in whole device pixels of the box. A zoom is a scale, 1 for the whole picture, and the point of the picture, 0
 * to 1 each way, that lies in the middle of the box; it is kept such that a picture larger than the box fills it, and a smaller
 * one lies in its middle.
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
 * Where the whole picture lies, also those parts of it that the box does not show.
 * @param {Zoom} zoom
 * @param {View} view
 * @returns {Place}
 */
export function placeOf(zoom, { picture, box }) {
  const fitted = fitInside(picture.width, picture.height, box.width, box.height);
  const width = Math.round(fitted.width * zoom.scale);
  const height = Math.round(fitted.height * zoom.scale);
  return { left: start(zoom.x, width, box.width), top: start(zoom.y, height, box.height), width, height };
}

/** @param {number} middle @param {number} length @param {number} room */
function start(middle, length, room) {
  return Math.round(length <= room ? (room - length) / 2 : between(room / 2 - middle * length, room - length, 0));
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
  const point = pointAt(placeOf(zoom, view), at);
  const { width, height } = placeOf({ ...zoom, scale }, view);
  return settled({ scale, x: point.x + (view.box.width / 2 - at.x) / width, y: point.y + (view.box.height / 2 - at.y) / height }, view);
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
  const { width, height } = placeOf(zoom, view);
  return settled({ scale: zoom.scale, x: zoom.x - dx / width, y: zoom.y - dy / height }, view);
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

/** With the middle where `placeOf` lets it be. @param {Zoom} zoom @param {View} view @returns {Zoom} */
function settled({ scale, x, y }, { picture, box }) {
  const { width, height } = placeOf({ scale, x, y }, { picture, box });
  const inside = (/** @type {number} */ middle, /** @type {number} */ length, /** @type {number} */ room) =>
    length <= room ? 0.5 : between(middle, room / 2 / length, 1 - room / 2 / length);
  return { scale, x: inside(x, width, box.width), y: inside(y, height, box.height) };
}
