// @ts-check
/** The labels of the atlas's axes, on its canvas: heads, or their ranks, at the left; layers below, bars for those without a map. */
import { reducedBy } from '../../numbers/effects.js';
import { bandOf, labelled } from '../../paint/map_layout.js';
import { css } from '../../paint/palette.js';

/**
 * @param {CanvasRenderingContext2D} context  whose canvas is cleared
 * @param {import('../../paint/map_layout.js').AxesLayout} layout
 * @param {{layers: number[], heads: number, isRanked: boolean, isEffect: boolean, density: number}} of
 */
export function paintAxisLabels(context, layout, { layers, heads, isRanked, isEffect, density }) {
  const [mean, max] = [reducedBy('mean', isEffect), isEffect ? 'top' : 'max'];
  const style = getComputedStyle(context.canvas);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.fillStyle = style.color;
  context.font = `${11 * density}px ${style.fontFamily}`;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  const edge = layout.left - 6 * density;
  const step = { x: layout.perShelf > 1 ? layout.x[1] - layout.x[0] : layout.mapWidth, y: layout.perBand > 1 ? layout.y[1] - layout.y[0] : layout.mapHeight };
  const at = (/** @type {number} */ row) => edge + bandOf(layout, row);
  const middle = (/** @type {number} */ row) => Math.max(6 * density, layout.y[row] + layout.mapHeight / 2);
  for (let shelf = 0; shelf < layout.shelves; shelf++) {
    const top = shelf * layout.shelfStep;
    for (const i of labelled(heads, step.y, 13 * density)) context.fillText(String(isRanked ? i + 1 : i), at(i), top + middle(i));
    if (step.y >= 11 * density) {
      context.fillText(mean, at(heads), top + middle(heads), edge); // narrower where a font is wide
      context.fillText(max, at(heads + 1), top + middle(heads + 1), edge);
    } else context.fillText(mean, at(heads), top + middle(heads) + step.y / 2, edge);
  }
  context.textAlign = 'center';
  context.textBaseline = 'top';
  const below = (/** @type {number} */ layer) => Math.floor(layer / layout.perShelf) * layout.shelfStep + layout.shelfHeight + 5 * density;
  // The last map is the mean over layers; a number too near to its label gives way.
  const last = layers.length;
  const room = layout.x[last] + layout.mapWidth / 2 - 32 * density;
  const width = layout.x[last] + layout.mapWidth;
  for (let band = 0; band < layout.bands; band++) {
    const left = band * layout.bandStep;
    for (const i of labelled(layers.length, step.x, 22 * density)) {
      const centre = layout.x[i] + layout.mapWidth / 2;
      if (centre < room || below(i) < below(last)) context.fillText(String(layers[i]), left + centre, below(i));
    }
    context.fillText(mean, left + Math.max(layout.left + 14 * density, Math.min(layout.x[last] + layout.mapWidth / 2, width - 14 * density)), below(last));
  }
}

/**
 * Grey bars between the maps, as high as these, for layers that have none.
 * @param {CanvasRenderingContext2D} context
 * @param {import('../../paint/map_layout.js').AxesLayout} layout
 * @param {number} grey
 */
export function paintBars(context, { bars, bands, bandStep, perShelf, shelfStep, shelfHeight }, grey) {
  context.fillStyle = css(grey);
  for (let band = 0; band < bands; band++) {
    for (const { x, width, column } of bars) {
      context.fillRect(band * bandStep + x, Math.floor(column / perShelf) * shelfStep, width, shelfHeight);
    }
  }
}
