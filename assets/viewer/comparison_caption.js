// @ts-check
/** What is written below a picture of a comparison that is kept, and what its file is called: all that finds this view again. Knows no document. */
import { memberName, wordsRead } from './comparison_info.js';
import { differenceLabels, pairWords, sinkWords } from './comparison_words.js';
import { named, which } from './headline.js';
import { barLabels } from './scale.js';

const PROMPT_SIGNS = 300;

/**
 * @param {Readonly<import('./comparison.js').ComparisonFields>} fields
 * @returns {string[]}
 */
export function captionOf({ comparison, info, wholeInfos, pair, maps, palette, opacity, sinks, smooth, beside }) {
  if (!comparison || !info || !pair || !maps) return [];
  const { before } = pair;
  const { members, model, prompt, id } = comparison;
  const grid = info.grids[/** @type {number} */ (before.grid)];
  const labels = barLabels(maps.before.range);
  const difference = differenceLabels(pair, maps.difference);
  const signs = [...(prompt ?? '')];
  return [
    `${model.id} · ${memberName(members, pair.right)} against ${memberName(members, pair.left)} · ${before.tower} tower · ${named('layer', before.layer)} · ${named('head', before.head)}`,
    ...(signs.length ? [`prompt: “${signs.length > PROMPT_SIGNS ? `${signs.slice(0, PROMPT_SIGNS - 1).join('')}…` : prompt}”`] : []),
    `${before.direction === 'reads' ? 'token: ' : ''}${which(info, before)}`,
    `image ${grid.image + 1}, ${grid.rows}×${grid.cols} cells. ${pairWords(members, pair, info)}`,
    sinkWords(pair, sinks),
    [
      `maps: ${palette}, ${maps.before.range.curve}, ${labels.low} to ${labels.high} ${labels.unit}`, `difference: ${difference.low} to ${difference.high} ${labels.unit}, ${difference.note}`,
      beside ? 'without the picture' : `opacity ${opacity}`, smooth && "smoothed between the cells' centres",
    ].filter(Boolean).join('; '),
    `comparison ${id} · ${{ reads: 'rows', 'read by': 'columns', received: 'means' }[before.direction]} in float32, from the factors of both · ${wordsRead(comparison, wholeInfos)}`,
  ].filter(Boolean);
}

/**
 * @param {Readonly<import('./comparison.js').ComparisonFields>} fields
 * @param {string} what  is on it
 */
export function pictureName({ comparison, pair }, what) {
  if (!comparison || !pair) return `comparison_${what}.png`;
  const { tower, layer, head, query, until, direction } = pair.before;
  const where = direction === 'received' ? 'received' : `${direction === 'reads' ? 'row' : 'column'}${query}${until === null ? '' : `-${until}`}`;
  const parts = ['comparison', comparison.id, `${pair.left}-${pair.right}`, what, tower, `L${layer}`, `H${head}`, where];
  return `${parts.join('_').replace(/[^\w.-]+/g, '-')}.png`;
}
