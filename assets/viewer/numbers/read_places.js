// @ts-check
/**
 * Places as a person writes or loads them: two or four numbers, or JSON of boxes and points. What is no place of a picture of the run
 * is refused in words, as `attention/runs/regions.py` refuses it. Texts are data. Knows no document.
 *
 * @typedef {import('./regions.js').Region} Region
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 */
import { placesOfAnswer, regionCells } from './regions.js';

export const MOST_PLACES = 100;
const MOST_SIGNS = 100_000;
const LABEL_SIGNS = 200;
const FORMS = 'Write x0 y0 x1 y1, or x y, in pixels of the picture; or JSON as {"boxes": [[x0, y0, x1, y1], …], "image": 0}.';

/** A value as it is shown in a refusal. @param {unknown} value */
function shown(value) {
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/**
 * Why a place is none of the run's pictures; '' where it is one.
 * @param {RunInfo} info
 * @param {unknown} place
 * @param {unknown} image
 */
export function reasonAgainstPlace({ images }, place, image) {
  if (!images.length) return 'A place lies on a picture, and this run has none.';
  if (typeof image !== 'number' || !Number.isInteger(image) || image < 0 || image >= images.length) return `There is no image ${shown(image)} in this run: it has ${images.length}, counted from 0.`;
  if (!Array.isArray(place) || ![2, 4].includes(place.length)) return `A place is a box of four numbers (x0, y0, x1, y1) or a point of two (x, y), not ${shown(place)}.`;
  const said = `[${place.map(shown).join(', ')}]`;
  if (!place.every(Number.isFinite)) return `Its sides are finite numbers, in pixels of the picture, not ${said}.`;
  const [x0, y0, x1, y1] = place;
  if (place.length === 4 && !(x0 < x1 && y0 < y1)) return `The box ${said} has no area: x0 must be less than x1, and y0 less than y1.`;
  const { width, height } = images[image];
  const isInside = place.every((side, i) => side >= 0 && side <= (i % 2 ? height : width));
  return isInside ? '' : `${said} leaves its picture, which is ${width}×${height} pixels.`;
}

/**
 * The places that a text names, or why it names none.
 * @param {RunInfo} info
 * @param {string} text
 * @param {number} image  on which they lie where the text does not say
 * @returns {{regions: Region[]} | {why: string}}
 */
export function readPlaces(info, text, image) {
  const written = text.trim();
  if (!written) return { why: FORMS };
  if (written.length > MOST_SIGNS) return { why: `That is ${written.length.toLocaleString('en')} signs; up to ${MOST_SIGNS.toLocaleString('en')} are read.` };
  const found = /^[[{]/.test(written) ? fromJson(written) : [{ place: written.split(/[\s,;]+/).map(numberOf) }];
  if (!found) return { why: `This is no JSON of places. ${FORMS}` };
  if (!found.length) return { why: `There is no place in it. ${FORMS}` };
  if (found.length > MOST_PLACES) return { why: `There are ${found.length} places; up to ${MOST_PLACES} are taken.` };
  const regions = [];
  for (const [i, { place, label = '', image: own = image }] of found.entries()) {
    const why = reasonAgainstPlace(info, place, own) || (typeof label !== 'string' || label.length > LABEL_SIGNS ? `A label is a text of up to ${LABEL_SIGNS} signs, not ${shown(label)}.` : '');
    if (why) return { why: found.length > 1 ? `Place ${i + 1} of ${found.length}: ${why}` : why };
    regions.push({ image: /** @type {number} */ (own), label: /** @type {string} */ (label), place: /** @type {number[]} */ (place), isDrawn: true });
  }
  return { regions };
}

/** @param {string} part */
function numberOf(part) {
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(part) ? Number(part) : part;
}

/**
 * @typedef {{place: unknown, label?: unknown, image?: unknown}} Named
 * @param {string} text
 * @returns {Named[] | null}
 */
function fromJson(text) {
  let content;
  try {
    content = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(content)) {
    const { boxes = [], points = [], image } = content;
    if (!Array.isArray(boxes) || !Array.isArray(points)) return null;
    return [...boxes, ...points].map((each) => named(each, image));
  }
  return content.length && content.every((side) => typeof side === 'number') ? [{ place: content }] : content.map((each) => named(each));
}

/** A place of a list: its sides, or an object that has them. @param {any} each @param {unknown} [image] @returns {Named} */
function named(each, image) {
  if (each === null || typeof each !== 'object' || Array.isArray(each)) return { place: each, ...(image === undefined ? {} : { image }) };
  const own = each.image ?? image;
  return { place: each.box ?? each.bbox ?? each.bbox_2d ?? each.point ?? each, ...(each.label == null ? {} : { label: each.label }), ...(own === undefined ? {} : { image: own }) };
}

/**
 * The region that an address names, with the label that the answer gives it; null where this run has no such place, or the tower reads
 * nothing of it.
 * @param {RunInfo} info
 * @param {{image: number, place: number[]} | undefined} asked
 * @param {string} tower
 * @returns {Region | null}
 */
export function regionAsked(info, asked, tower) {
  if (!asked || reasonAgainstPlace(info, asked.place, asked.image)) return null;
  const { image, place } = asked;
  if (!regionCells(info, { image, label: '', place }, tower)) return null;
  return placesOfAnswer(info).find((named) => named.image === image && String(named.place) === String(place)) ?? { image, label: '', place, isDrawn: true };
}
