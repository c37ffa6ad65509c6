// @ts-check
/**
 * An image's tokens unfolded: its grid, each cell tinted as the tokens are. Draws what it is given and says which cell a point is in.
 */
import { create } from '../dom.js';
import { cellAt, edges } from '../../paint/geometry.js';
import { blend, pixel } from '../../paint/palette.js';
import { strengthOf } from '../../numbers/token_tint.js';

/** The side of a cell, in CSS pixels. */
const SIDE = { least: 6, most: 18 };
const HATCH = 4;

/** @typedef {{tint: number, less: number, plain: number, hatch: string, frame: string, hover: string}} Inks  `less`: of values below 0 */

/**
 * The colours that cells are made of, as the theme has them.
 * @param {Element} element
 * @returns {Inks}
 */
export function readInks(element) {
  const style = getComputedStyle(element);
  const context = /** @type {CanvasRenderingContext2D} */ (
    Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true })
  );
  const read = (/** @type {string} */ name) => {
    context.fillStyle = style.getPropertyValue(name).trim();
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
    return pixel(red, green, blue, 255);
  };
  const ink = style.getPropertyValue('--av-accent').trim();
  return { tint: read('--av-tint-colour'), less: read('--av-less-colour'), plain: read('--av-soft'), hatch: style.color, frame: ink, hover: style.color };
}

/**
 * @param {{rows: number, cols: number}} grid
 * @param {string} name
 */
export function createTokenCells({ rows, cols }, name) {
  const canvas = create('canvas', { class: 'av-cells', role: 'img', tabindex: -1, 'aria-label': `${name}: the tokens of its cells; a click selects one` });
  const context = canvas.getContext('2d');
  let borders = { rows: new Int32Array(1), cols: new Int32Array(1) };
  let density = 1;

  /** As many pixels as a width has room for. @param {number} width */
  function fit(width) {
    density = window.devicePixelRatio || 1;
    const side = Math.min(SIDE.most, Math.max(SIDE.least, Math.floor(width / cols)));
    canvas.style.width = `${side * cols}px`;
    canvas.style.height = `${side * rows}px`;
    Object.assign(canvas, { width: Math.round(side * cols * density), height: Math.round(side * rows * density) });
    borders = { rows: edges(0, canvas.height, rows), cols: edges(0, canvas.width, cols) };
  }

  /** @param {number} row @param {number} col @param {string} colour */
  function frame(row, col, colour) {
    const line = Math.max(1, Math.round(1.5 * density));
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(
      borders.cols[col] + line / 2, borders.rows[row] + line / 2,
      borders.cols[col + 1] - borders.cols[col] - line, borders.rows[row + 1] - borders.rows[row] - line,
    );
  }

  return {
    element: canvas,
    fit,

    /**
     * @param {object} what
     * @param {Int32Array} what.keys     the token of each cell
     * @param {import('../../numbers/token_tint.js').Tint | null} what.tint
     * @param {Inks} what.inks
     * @param {(token: number) => boolean} what.isSelected
     * @param {{row: number, col: number} | null} what.hover
     */
    paint({ keys, tint, inks, isSelected, hover }) {
      const { width, height } = canvas;
      const image = new ImageData(width, height);
      const pixels = new Uint32Array(image.data.buffer);
      const gap = density >= 1 ? Math.round(density) : 1;
      for (let cell = 0; cell < keys.length; cell++) {
        const [row, col] = [Math.floor(cell / cols), cell % cols];
        const isHidden = tint?.hidden?.[keys[cell]];
        const value = tint && !isHidden ? tint.values[keys[cell]] : 0;
        const colour = blend(inks.plain, value < 0 ? inks.less : inks.tint, tint ? strengthOf(tint, value) / 100 : 0);
        const [left, right] = [borders.cols[col], borders.cols[col + 1] - gap];
        for (let y = borders.rows[row]; y < borders.rows[row + 1] - gap; y++) pixels.fill(colour, y * width + left, y * width + right);
      }
      context.putImageData(image, 0, 0);
      keys.forEach((key, cell) => {
        const [row, col] = [Math.floor(cell / cols), cell % cols];
        if (tint?.hidden?.[key]) hatch(row, col, inks.hatch);
        if (isSelected(key)) frame(row, col, inks.frame);
      });
      if (hover) frame(hover.row, hover.col, inks.hover);
    },

    /** The cell under a point of the page. @param {{clientX: number, clientY: number}} point */
    under({ clientX, clientY }) {
      const box = canvas.getBoundingClientRect();
      const row = cellAt(borders.rows, (clientY - box.top) * density);
      const col = cellAt(borders.cols, (clientX - box.left) * density);
      return row < 0 || col < 0 ? null : { row, col };
    },

    /** Where a cell lies on the page. @param {number} row @param {number} col */
    boxOf(row, col) {
      const { left, top } = canvas.getBoundingClientRect();
      const [x, y] = [borders.cols[col] / density, borders.rows[row] / density];
      return { x: left + x, y: top + y, width: borders.cols[col + 1] / density - x, height: borders.rows[row + 1] / density - y };
    },
  };

  /** @param {number} row @param {number} col @param {string} colour */
  function hatch(row, col, colour) {
    const [x, y, right, bottom] = [borders.cols[col], borders.rows[row], borders.cols[col + 1], borders.rows[row + 1]];
    context.save();
    context.beginPath();
    context.rect(x, y, right - x, bottom - y);
    context.clip();
    context.strokeStyle = colour;
    context.globalAlpha = 0.5;
    context.lineWidth = density;
    context.beginPath();
    for (let at = x - (bottom - y); at < right; at += HATCH * density) {
      context.moveTo(at, bottom);
      context.lineTo(at + (bottom - y), y);
    }
    context.stroke();
    context.restore();
  }
}

/** @typedef {ReturnType<typeof createTokenCells>} TokenCells */
