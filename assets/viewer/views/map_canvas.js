// @ts-check
/** A map on a canvas: its colours as an image, and stripes where cells have none. A pane paints with it, and so does a file to be kept. */
import { create } from './dom.js';
import { cellCentres } from '../paint/geometry.js';
import { paintCells, paintSmoothed } from '../paint/cells.js';

const HATCH_PX = 6; // from stripe to stripe

/**
 * @typedef {import('../paint/cells.js').Coloured} Coloured
 * @typedef {import('../paint/cells.js').Borders} Borders
 *
 * @param {Coloured} map
 * @param {object} on
 * @param {import('../paint/geometry.js').Cells} on.grid
 * @param {import('../paint/geometry.js').Size} on.picture  its own size
 * @param {import('../paint/zoom.js').Place} on.place  of the whole picture on the canvas
 * @param {Borders} on.borders
 * @param {import('../paint/geometry.js').Size} on.size  of the canvas
 * @param {boolean} on.smooth
 */
export function mapImage(map, { grid, picture, place, borders, size, smooth }) {
  const image = new ImageData(size.width, size.height);
  const pixels = new Uint32Array(image.data.buffer);
  if (smooth) paintSmoothed(map, borders, cellCentres(grid, picture, place), size, pixels);
  else paintCells(map, borders, size, pixels);
  return image;
}

/**
 * Stripes of one colour, edged with another: seen on any picture. They stay where they are on the picture.
 * @param {CanvasRenderingContext2D} context
 * @param {Uint8Array} hidden
 * @param {number} cols
 * @param {Borders} borders
 * @param {object} how
 * @param {number} how.density
 * @param {string} how.ink
 * @param {string} how.ground
 * @param {{left: number, top: number}} how.place  of the picture
 * @param {number} how.from  between these two pixels across
 * @param {number} how.to
 */
export function hatch(context, hidden, cols, borders, { density, ink, ground, place, from, to }) {
  if (to <= from) return;
  const side = Math.max(4, Math.round(HATCH_PX * density));
  const tile = create('canvas', { width: side, height: side });
  const pen = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'));
  for (const [colour, shift] of /** @type {const} */ ([[ground, 1], [ink, 0]])) {
    pen.globalAlpha = 0.6;
    pen.strokeStyle = colour;
    pen.lineWidth = side / 5;
    pen.beginPath();
    for (const start of [-side, 0, side]) { // as the tile is repeated its corners take part
      pen.moveTo(start + (shift * side) / 4 - 1, side + 1);
      pen.lineTo(start + (shift * side) / 4 + side + 1, -1);
    }
    pen.stroke();
  }
  const stripes = /** @type {CanvasPattern} */ (context.createPattern(tile, 'repeat'));
  stripes.setTransform(new DOMMatrix([1, 0, 0, 1, place.left % side, place.top % side]));
  context.fillStyle = stripes;
  hidden.forEach((isHidden, cell) => {
    if (!isHidden) return;
    const [row, col] = [Math.floor(cell / cols), cell % cols];
    const [x, end, y] = [Math.max(from, borders.cols[col]), Math.min(to, borders.cols[col + 1]), borders.rows[row]];
    if (end > x) context.fillRect(x, y, end - x, borders.rows[row + 1] - y);
  });
}
