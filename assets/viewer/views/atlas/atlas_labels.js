// @ts-check
/** The labels of the atlas's axes, on its canvas: heads, or their ranks, at the left; layers below. */
import { labelled } from '../../paint/map_layout.js';

/**
 * @param {CanvasRenderingContext2D} context  whose canvas is cleared
 * @param {import('../../paint/map_layout.js').AxesLayout} layout
 * @param {{layers: number[], heads: number, isRanked: boolean, density: number}} of
 */
export function paintAxisLabels(context, layout, { layers, heads, isRanked, density }) {
  const style = getComputedStyle(context.canvas);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.fillStyle = style.color;
  context.font = `${11 * density}px ${style.fontFamily}`;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  const edge = layout.left - 6 * density;
  const step = { x: layout.x[1] - layout.x[0], y: layout.y[1] - layout.y[0] };
  const middle = (/** @type {number} */ row) => Math.max(6 * density, layout.y[row] + layout.mapHeight / 2);
  for (const i of labelled(heads, step.y, 13 * density)) context.fillText(String(isRanked ? i + 1 : i), edge, middle(i));
  if (step.y >= 11 * density) {
    context.fillText('mean', edge, middle(heads));
    context.fillText('max', edge, middle(heads + 1));
  } else context.fillText('mean', edge, middle(heads) + step.y / 2);
  context.textAlign = 'center';
  context.textBaseline = 'top';
  const below = layout.height + 5 * density;
  // The last map is the mean over layers; a number too near to its label gives way.
  const room = layout.x[layers.length] + layout.mapWidth / 2 - 32 * density;
  for (const i of labelled(layers.length, step.x, 22 * density)) {
    const centre = layout.x[i] + layout.mapWidth / 2;
    if (centre < room) context.fillText(String(layers[i]), centre, below);
  }
  context.fillText('mean', Math.min(layout.x[layers.length] + layout.mapWidth / 2, layout.width - 14 * density), below);
}
