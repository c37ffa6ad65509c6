// @ts-check
/**
 * Shares of a row that lie in a place of a picture: a box that is drawn, or the place that the answer names. As `attention/runs/regions.py` counts them: a cell that is
 * covered in part counts for that part, a point is the cell that it lies in, and chance is among the cells of all pictures. Knows no
 * document.
 *
 * @typedef {object} Region
 * @property {number} image
 * @property {string} label
 * @property {number[]} place  x0, y0, x1, y1 or x, y, in pixels of the picture
 * @property {boolean} [isDrawn]  by a person, or loaded
 * @property {string | null} [coordinates]  of a place that the answer names: the space in which its numbers were read
 * @property {string | null} [because]      what that rests on
 *
 * @typedef {object} RegionCells
 * @property {number[]} keys
 * @property {number[]} inside  the part of each cell that is the region's, 0 to 1
 * @property {number} uniform   share of a row that reads every cell of every picture alike
 *
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 */
import { gridsOf, keysOfGrid } from '../data/run_info.js';

/** What is measured of a region, in the order in which it is offered: as `attention/measures/regions.py`. */
export const REGION_MEASURES = ['region_share', 'region_mass', 'region_lift', 'region_peak', 'region_rank', 'region_iou'];

/** Whether a measure, or an order of heads, is of a region. @param {string} name */
export function isOfRegion(name) {
  return name.startsWith('region_');
}

/**
 * The region that is measured in a tower: null where there is none, or where the tower reads nothing of it.
 * @param {RunInfo} info
 * @param {Region | null} chosen
 * @param {string} tower
 */
export function regionIn(info, chosen, tower) {
  const region = regionOf(info, chosen);
  return region && regionCells(info, region, tower) ? region : null;
}

/**
 * The place that a person has chosen, or else the one that an answer names first: a box, or else a point.
 * @param {RunInfo} info
 * @param {Region | null} [drawn]
 * @returns {Region | null}
 */
export function regionOf(info, drawn = null) {
  return drawn ?? placesOfAnswer(info)[0] ?? null;
}

/**
 * The places that an answer names, boxes first. One whose numbers can be read in two ways is none: it may lie elsewhere.
 * @param {Pick<RunInfo, 'boxes' | 'points'>} info
 * @returns {Region[]}
 */
export function placesOfAnswer({ boxes = [], points = [] }) {
  return [...boxes, ...points].filter(({ ambiguous }) => !ambiguous).map(placeOfMark);
}

/** A box or a point of the answer as a region. @param {import('../data/run_info.js').Box | import('../data/run_info.js').Point} mark @returns {Region} */
export function placeOfMark(mark) {
  const { image, label, coordinates, because } = mark;
  const place = 'x' in mark ? [mark.x, mark.y] : [mark.x0, mark.y0, mark.x1, mark.y1];
  return { image, label: label ?? '', place, ...(coordinates ? { coordinates, because } : {}) };
}

/**
 * Places that are drawn on a picture, with others of it, and which of them is chosen.
 * @param {{points: import('../data/run_info.js').Point[], boxes: import('../data/run_info.js').Box[]}} named
 * @param {Region[]} more
 * @param {Region | null} chosen
 */
export function withPlaces({ points, boxes }, more, chosen) {
  const key = (/** @type {number[]} */ place) => String(place);
  const there = new Set([...points, ...boxes].map((mark) => key(placeOfMark(mark).place)));
  const added = more.filter(({ place }, i) => !there.has(key(place)) && more.findIndex((other) => key(other.place) === key(place)) === i);
  const marks = added.map(({ image, label, place: [x0, y0, x1, y1] }) => (x1 === undefined ? { image, label, x: x0, y: y0 } : { image, label, x0, y0, x1, y1 }));
  const all = [...points, ...boxes, ...marks].map((mark) => ({ ...mark, isChosen: chosen !== null && key(placeOfMark(mark).place) === key(chosen.place) }));
  return {
    points: /** @type {(import('../data/run_info.js').Point & {isChosen: boolean})[]} */ (all.filter((mark) => 'x' in mark)),
    boxes: /** @type {(import('../data/run_info.js').Box & {isChosen: boolean})[]} */ (all.filter((mark) => 'x0' in mark)),
  };
}

/**
 * Where the rows and the columns of a grid's cells begin and end on the picture, in its pixels.
 * @param {{box_px: number[], rows: number, cols: number, row_edges_px?: number[], col_edges_px?: number[]}} grid
 */
export function cellEdges(grid) {
  const [x0, y0, x1, y1] = grid.box_px;
  return { rows: grid.row_edges_px ?? parts(y0, y1, grid.rows), cols: grid.col_edges_px ?? parts(x0, x1, grid.cols) };
}

/**
 * Where `count` equal cells between two places begin and end.
 * @param {number} start
 * @param {number} stop
 * @param {number} count
 */
export function parts(start, stop, count) {
  return Array.from({ length: count + 1 }, (_, i) => start + ((stop - start) * i) / count);
}

/** The part of each cell between these edges that lies from `first` to `last`. @param {number[]} edges @param {number} first @param {number} last */
function between(edges, first, last) {
  return edges.slice(1).map((end, i) => Math.max(0, Math.min(end, last) - Math.max(edges[i], first)) / (end - edges[i]));
}

/** 1 for the last cell that a place lies in, its borders counted, else 0. @param {number[]} edges @param {number} at */
function holding(edges, at) {
  const last = edges.slice(1).findLastIndex((end, i) => edges[i] <= at && at <= end);
  return edges.slice(1).map((_, i) => Number(i === last));
}

/**
 * The cells of a tower that a region shares its area with; null where it has none of the picture, or of the region.
 * @param {RunInfo} info
 * @param {Region} region
 * @param {string} tower
 * @returns {RegionCells | null}
 */
export function regionCells(info, { image, place }, tower) {
  const [keys, inside] = /** @type {[number[], number[]]} */ ([[], []]);
  const here = gridsOf(info, tower);
  let count = 0; // cells of all pictures
  info.grids.forEach((grid, index) => {
    if (!here.includes(index)) return;
    count += grid.rows * grid.cols;
    if (grid.image !== image) return;
    const { rows, cols } = cellEdges(grid);
    const isBox = place.length === 4;
    const down = isBox ? between(rows, place[1], place[3]) : holding(rows, place[1]);
    const across = isBox ? between(cols, place[0], place[2]) : holding(cols, place[0]);
    keys.push(...keysOfGrid(info, index));
    for (const part of down) inside.push(...across.map((other) => part * other));
  });
  const total = inside.reduce((sum, part) => sum + part, 0);
  return total > 0 ? { keys, inside, uniform: total / count } : null;
}

/**
 * The share of a row's mass on pictures that lies in the region; NaN where it reads none.
 * @param {ArrayLike<number>} row
 * @param {RegionCells} cells
 * @param {number} imageMass
 */
export function shareIn(row, { keys, inside }, imageMass) {
  return keys.reduce((sum, key, i) => sum + row[key] * inside[i], 0) / imageMass;
}
