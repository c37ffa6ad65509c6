// @ts-check
/** The matrix of change as pixels: a cell for each head, hatched where there is no value, faint where little is read; weights below; labels. */
import { isSigned } from '../../numbers/change_measures.js';
import { groupsOfHeads } from '../../numbers/change_matrix.js';
import { labelled } from '../../paint/map_layout.js';
import { blend, css, divergingPixels, entry, solidPixels } from '../../paint/palette.js';

/** CSS pixels. */
export const LABEL = { left: 42, row: 10, apart: 10, bottom: 16, bracket: 5 };
const FAINT = 0.25; // of the colour that is left

/**
 * @typedef {{surface: number, ink: number, text: string, line: string, quiet: string, font: string}} Inks  of the page
 *
 * @typedef {object} Matrix
 * @property {import('../../numbers/change_matrix.js').Layout} layout
 * @property {number} density  device pixels in one of CSS
 * @property {number[]} layers by their index in the model
 * @property {number} heads
 * @property {number | undefined} kvHeads
 * @property {import('../../state/matrix.js').HeldMatrix | null} held
 * @property {import('../../numbers/change_matrix.js').Weights | null} weights
 * @property {Uint32Array} colours  256 of them
 * @property {Inks} inks
 * @property {boolean} [hidesNoise]  heads whose change is no more than noise are left empty
 */

/**
 * The colours of a measure: of one with two directions those of differences.
 * @param {string | undefined} measure
 * @param {import('../../paint/palette.js').PaletteName} palette
 * @param {boolean} isDark
 */
export function coloursOf(measure, palette, isDark) {
  return measure !== undefined && isSigned(measure) ? divergingPixels(isDark, false) : solidPixels(palette);
}

/** @param {CanvasRenderingContext2D} context @param {Matrix} matrix */
export function paintMatrix(context, matrix) {
  const { layout: { left, cell, row, gap }, layers, heads, held, colours, inks, density, hidesNoise } = matrix;
  const signed = held ? isSigned(held.measure) : false;
  for (let i = 0; i < layers.length * heads; i++) {
    const [layer, head] = [Math.floor(i / heads), i % heads];
    const box = [left + layer * cell, head * row, cell - gap, row - gap];
    if (!held || (hidesNoise && held.below?.[i])) {
      context.fillStyle = inks.line;
      context.globalAlpha = 0.35;
      context.fillRect(box[0], box[1], box[2], box[3]);
      context.globalAlpha = 1;
    } else if (Number.isNaN(held.values[i])) hatch(context, box, inks, density);
    else {
      const share = held.high > 0 ? held.values[i] / held.high : 0;
      const colour = colours[entry(signed ? 0.5 + share / 2 : share)];
      context.fillStyle = css(held.faint[i] ? blend(inks.surface, colour, FAINT) : colour);
      context.fillRect(box[0], box[1], box[2], box[3]);
    }
  }
  paintWeights(context, matrix);
  paintLabels(context, matrix);
}

/** @param {CanvasRenderingContext2D} context @param {Matrix} matrix */
function paintWeights(context, { layout: { left, cell, weightRow, weightsTop, gap }, layers, weights, inks, density }) {
  weights?.values.forEach((value, i) => {
    const [at, layer] = [Math.floor(i / layers.length), i % layers.length];
    const [x, y] = [left + layer * cell, weightsTop + at * weightRow];
    if (Number.isNaN(value)) {
      const dot = Math.max(1, Math.round(density));
      context.fillStyle = inks.line;
      context.fillRect(Math.round(x + (cell - gap - dot) / 2), Math.round(y + (weightRow - gap - dot) / 2), dot, dot);
      return;
    }
    context.fillStyle = css(blend(inks.surface, inks.ink, 0.14 + 0.7 * Math.sqrt(weights.maximum > 0 ? value / weights.maximum : 0)));
    context.fillRect(x, y, cell - gap, weightRow - gap);
  });
}

/** @param {CanvasRenderingContext2D} context @param {Matrix} matrix */
function paintLabels(context, { layout: { left, cell, row, weightRow, weightsTop, gap, bottom }, layers, heads, kvHeads, weights, inks, density }) {
  const pixels = (/** @type {number} */ length) => Math.round(length * density);
  context.fillStyle = inks.quiet;
  context.font = `${10.5 * density}px ${inks.font}`;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  const groups = groupsOfHeads(heads, kvHeads);
  const edge = left - pixels(groups.length ? LABEL.bracket + 6 : 5);
  for (const head of labelled(heads, row, 11 * density)) context.fillText(String(head), edge, head * row + (row - gap) / 2);
  context.strokeStyle = inks.quiet;
  context.lineWidth = Math.max(1, Math.round(density));
  const inset = context.lineWidth / 2;
  for (const [first, last] of groups) { // a bracket around the heads that share their keys and values
    const [x, top, end] = [left - pixels(LABEL.bracket) + inset, first * row + inset, (last + 1) * row - gap - inset];
    context.beginPath();
    context.moveTo(x + pixels(3), top);
    context.lineTo(x, top);
    context.lineTo(x, end);
    context.lineTo(x + pixels(3), end);
    context.stroke();
  }
  weights?.parts.forEach((name, i) => {
    context.fillText(name.replace(/_proj$/, '').replace('linear_', ''), left - pixels(5), weightsTop + i * weightRow + (weightRow - gap) / 2);
  });
  context.textAlign = 'center';
  context.textBaseline = 'top';
  for (const i of labelled(layers.length, cell, 20 * density)) context.fillText(String(layers[i]), left + i * cell + (cell - gap) / 2, bottom + pixels(3));
}

/** No value: stripes, which no colour is. @param {CanvasRenderingContext2D} context @param {number[]} box @param {Inks} inks @param {number} density */
function hatch(context, [x, y, width, height], inks, density) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = inks.quiet;
  context.globalAlpha = 0.55;
  context.lineWidth = Math.max(1, density * 0.8);
  context.beginPath();
  for (let start = -height; start < width; start += Math.round(4 * density)) {
    context.moveTo(x + start, y + height);
    context.lineTo(x + start + height, y);
  }
  context.stroke();
  context.restore();
}
