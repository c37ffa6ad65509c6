// @ts-check
/**
 * Pictures to be kept: a map on its picture in the picture's own resolution, one or several side by side, as they are or with a colour
 * bar each and a caption. Always on white, whatever the page's theme.
 */
import { create } from './dom.js';
import { cellBorders } from './geometry.js';
import { hatch, mapImage } from './map_canvas.js';
import { marksOf } from './marks.js';

const INK = '#14161a';
const GROUND = '#ffffff';
const FAINT = 0.68; // of white over a picture that is only the ground of a difference
const LEAST_COLUMN = 320; // pixels: below that a caption cannot be read
const LETTERS = 48; // of a line as wide as a column, in widths of an m
const BAR = { width: 20, height: 1 }; // in widths of an m
const MOST = { side: 16_384, pixels: 60e6 }; // what a browser paints, with a map beside it in memory

/**
 * @typedef {import('./geometry.js').Size} Size
 *
 * @typedef {object} Drawing
 * @property {ImageBitmap | null} picture  null for the map on a plain ground
 * @property {boolean} isFaint   the picture grey and pale, as ground for a difference
 * @property {Size} size         of the picture
 * @property {import('./geometry.js').Cells} grid
 * @property {import('./overlay_paint.js').Coloured} map
 * @property {boolean} smooth
 * @property {number} opacity
 * @property {import('./pane.js').Content['places']} places
 *
 * @typedef {object} Column
 * @property {HTMLCanvasElement} canvas
 * @property {string} name
 * @property {Uint32Array} colours  256 pixels
 * @property {import('./bar.js').Labels} labels
 */

/** Whether so many pictures can be painted side by side. @param {Size} size @param {number} count */
export function fits({ width, height }, count) {
  return Math.max(width * count, height) <= MOST.side && width * height * count <= MOST.pixels;
}

/** @param {Drawing} drawing @param {number} scale  of the picture's own size */
export function drawPicture({ picture, isFaint, size, grid, map, smooth, opacity, places }, scale) {
  const [width, height] = [Math.round(size.width * scale), Math.round(size.height * scale)];
  const { canvas, context } = paper(width, height);
  if (picture) context.drawImage(picture, 0, 0, width, height);
  if (picture && isFaint) {
    context.globalCompositeOperation = 'saturation';
    context.fillStyle = '#000000';
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = 'source-over';
    context.globalAlpha = FAINT;
    context.fillStyle = GROUND;
    context.fillRect(0, 0, width, height);
  }
  const layer = create('canvas', { width, height });
  const over = /** @type {CanvasRenderingContext2D} */ (layer.getContext('2d'));
  const place = { left: 0, top: 0, width, height };
  const borders = cellBorders(grid, size, place);
  over.putImageData(mapImage(map, { grid, picture: size, place, borders, size: { width, height }, smooth }), 0, 0);
  const density = Math.max(1, width / 480);
  if (map.hidden) hatch(over, map.hidden, grid.cols, borders, { density, ink: INK, ground: GROUND, place, from: 0, to: width });
  context.globalAlpha = opacity;
  context.drawImage(layer, 0, 0);
  context.globalAlpha = 1;
  if (places) drawPlaces(context, places, size, { width, height }, density);
  return canvas;
}

/** What the answer names, as on the page. @param {CanvasRenderingContext2D} context @param {NonNullable<Drawing['places']>} places @param {Size} picture @param {Size} size @param {number} density */
function drawPlaces(context, places, picture, size, density) {
  const room = { width: size.width / density, height: size.height / density };
  context.save();
  context.scale(density, density);
  context.lineJoin = 'round';
  for (const { path, label, x, y, isRight } of marksOf(places, picture, { left: 0, top: 0, ...room }, room)) {
    for (const [colour, wide] of /** @type {const} */ ([[GROUND, 3.5], [INK, 1.5]])) {
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.stroke(new Path2D(path));
    }
    context.font = font(11.5);
    context.textAlign = isRight ? 'right' : 'left';
    context.strokeStyle = GROUND;
    context.lineWidth = 3;
    context.strokeText(label, x, y);
    context.fillStyle = INK;
    context.fillText(label, x, y);
  }
  context.restore();
}

/**
 * Side by side, each with its name and its colour bar below it, and below all of them a caption; without a caption as they are.
 * @param {Column[]} columns  of one size
 * @param {string[] | null} caption
 */
export function sideBySide(columns, caption) {
  const [{ canvas: { width, height } }] = columns;
  const em = Math.max(10, width / LETTERS);
  const column = caption ? Math.max(width, LEAST_COLUMN) : width;
  const gap = columns.length > 1 ? Math.round(em) : 0;
  const whole = columns.length * (column + gap) - gap;
  const margin = caption ? Math.round(0.6 * em) : 0;
  const line = 1.4 * em;
  const { context: ruler } = paper(1, 1);
  const wrapped = (/** @type {string} */ text, /** @type {number} */ room, weight = 'normal') => {
    ruler.font = font(em, weight);
    return wrap(text, room, (part) => ruler.measureText(part).width);
  };
  const heads = columns.map(({ name, labels }) => ({ names: wrapped(name, column - 2 * margin, '600'), notes: wrapped([labels.unit, labels.note].filter(Boolean).join(' · '), column - 2 * margin) }));
  const most = (/** @type {'names' | 'notes'} */ of) => Math.max(...heads.map((head) => head[of].length));
  const lines = (caption ?? []).flatMap((text) => wrapped(text, whole - 2 * margin));
  const barTop = margin + most('names') * line + 0.3 * em;
  const notesTop = barTop + BAR.height * em + line + 0.2 * em;
  const captionTop = notesTop + most('notes') * line + 0.7 * em;
  const below = caption ? captionTop + lines.length * line + margin : 0;
  const { canvas, context } = paper(whole, height + Math.ceil(below));
  columns.forEach(({ canvas: picture, colours, labels }, i) => {
    const left = i * (column + gap);
    context.drawImage(picture, left, 0);
    if (!caption) return;
    write(context, heads[i].names, left + margin, height + margin, em, '600');
    const bar = { left: left + margin, top: height + barTop, width: Math.min(column - 2 * margin, BAR.width * em), height: BAR.height * em };
    drawBar(context, colours, bar);
    const at = bar.top + bar.height + 0.15 * em;
    write(context, [labels.low], bar.left, at, em);
    write(context, [labels.middle ?? ''], bar.left + bar.width / 2, at, em, 'normal', 'center');
    write(context, [labels.high], bar.left + bar.width, at, em, 'normal', 'right');
    write(context, heads[i].notes, left + margin, height + notesTop, em);
  });
  write(context, lines, margin, height + captionTop, em);
  return canvas;
}

/** @param {CanvasRenderingContext2D} context @param {Uint32Array} colours @param {import('./zoom.js').Place} box */
function drawBar(context, colours, { left, top, width, height }) {
  const strip = create('canvas', { width: 256, height: 1 });
  const image = new ImageData(256, 1);
  new Uint32Array(image.data.buffer).set(colours);
  strip.getContext('2d').putImageData(image, 0, 0);
  context.drawImage(strip, left, top, width, height);
}

/** @param {CanvasRenderingContext2D} context @param {string[]} lines @param {number} x @param {number} y  of their top @param {number} em @param {string} [weight] @param {CanvasTextAlign} [align] */
function write(context, lines, x, y, em, weight = 'normal', align = 'left') {
  context.font = font(em, weight);
  context.fillStyle = INK;
  context.textAlign = align;
  context.textBaseline = 'top';
  lines.forEach((text, i) => context.fillText(text, x, y + i * 1.4 * em));
}

/**
 * A text in lines that are not wider than their room; a word that is wider is cut.
 * @param {string} text
 * @param {number} room
 * @param {(text: string) => number} widthOf
 */
export function wrap(text, room, widthOf) {
  /** @type {string[]} */
  const lines = [];
  let line = '';
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const longer = line ? `${line} ${word}` : word;
    if (widthOf(longer) <= room) {
      line = longer;
      continue;
    }
    if (line) lines.push(line);
    line = '';
    for (const sign of word) {
      if (line && widthOf(line + sign) > room) {
        lines.push(line);
        line = '';
      }
      line += sign;
    }
  }
  return line ? [...lines, line] : lines;
}

/** @param {number} width @param {number} height */
function paper(width, height) {
  const canvas = create('canvas', { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.imageSmoothingQuality = 'high';
  context.fillStyle = GROUND;
  context.fillRect(0, 0, width, height);
  return { canvas, context };
}

/** @param {number} em @param {string} [weight] */
function font(em, weight = 'normal') {
  return `${weight} ${em}px system-ui, sans-serif`;
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
export function pngOf(canvas) {
  return new Promise((resolve, reject) => canvas.toBlob((blob) => {
    if (blob) resolve(blob);
    else reject(new Error('The browser has no room for a picture that large. Choose a smaller one.'));
  }, 'image/png'));
}
