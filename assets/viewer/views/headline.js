// @ts-check
/** The line that says what is on screen: model, layer, head, token and row; and what this map comes to. */
import { create, part } from './dom.js';
import { formatPercent, formatTimes, formatValue } from '../data/format.js';
import { formatSigned } from '../numbers/change_measures.js';
import { reducedBy } from '../numbers/effects.js';
import { measuredTitle } from '../text/cell_map.js';
import { effectTitle, inNats } from '../text/effect.js';
import { areSummed, formatRatio, isRatio } from '../numbers/ratios.js';
import { relativeTitle } from '../text/relative.js';
import { indexOfLargest } from '../numbers/reduce.js';
import { gridsOf, modelName } from '../data/run_info.js';
import { areShares, numbersAreOfTokens, pointsAtTokens } from '../data/selection.js';
import { quoted, quotedSpan } from '../data/token_text.js';

/**
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 */
export function createHeadline(root, state) {
  const model = part(root, 'model');
  const title = part(root, 'title');
  const facts = part(root, 'facts');

  function write() {
    const { info, shown, drawn } = state.get;
    for (const line of [model, title, facts]) line.replaceChildren();
    if (!info || !shown) return;
    model.textContent = modelName(info);
    const isEffect = shown.effect !== null;
    const what = !shown.effect ? which(info, shown) : (isRatio(shown.effect) ? relativeTitle : effectTitle)(info, { ...shown, effect: shown.effect });
    const isSum = areSummed(shown.effect);
    const row = `${named('layer', shown.layer, isSum)} · ${named('head', shown.head, isSum)} · ${what}`;
    title.textContent = title.title = drawn?.measured ? measuredTitle(drawn.measured.map, drawn.measured.measure, info) : row;
    if (drawn?.measured) {
      facts.append(create('span', { text: `tokens and small maps: ${row}` }));
      return;
    }
    const isRow = shown.direction === 'reads';
    const isShare = isRow && areShares(shown);
    const parts = isShare && (shown.imageMass > 0 || gridsOf(info, shown.tower).length) ? [`image mass ${formatPercent(shown.imageMass)}`] : [];
    if (isEffect) {
      facts.append(...effectFacts(info, shown).map((text) => create('span', { text })));
      return;
    }
    if (shown.grid !== null && shown.cells.length) {
      const { cols } = info.grids[shown.grid];
      const maximum = shown.cells[shown.argmax];
      const times = isShare ? ` (${formatTimes((maximum * shown.cells.length) / shown.mass)} uniform)` : '';
      parts.push(`max ${formatValue(maximum)} at row ${Math.floor(shown.argmax / cols)}, col ${shown.argmax % cols}${times}`);
    }
    if (!isRow && numbersAreOfTokens(info, shown)) {
      const reader = indexOfLargest(shown.row);
      parts.push(`most by ${quoted(info, reader)} (token ${reader}), ${formatValue(shown.row[reader])}`);
    }
    parts.push(precision(shown));
    facts.append(...parts.map((text) => create('span', { text })));
  }

  const undo = state.on(['info', 'shown', 'drawn'], write);
  return { dispose: undo };
}

/** A layer or a head. @param {string} what @param {import('../data/run_info.js').Choice} choice @param {boolean} [isEffect] */
export function named(what, choice, isEffect = false) {
  return typeof choice === 'number' ? `${what} ${choice}` : `${reducedBy(choice, isEffect)} over ${what}s`;
}

/** What a map of effects comes to. @param {import('../data/run_info.js').RunInfo} info @param {import('../state/fields.js').Shown} shown */
function effectFacts(info, shown) {
  const { cells, argmax, grid, row } = shown;
  if (isRatio(shown.effect)) {
    const cols = grid === null ? 1 : info.grids[grid].cols;
    return cells.length ? [`farthest from ×1: ${formatRatio(cells[argmax])} at row ${Math.floor(argmax / cols)}, col ${argmax % cols}`, 'float32, from the factors'] : [];
  }
  const parts = [];
  if (grid !== null && cells.length) {
    const { cols } = info.grids[grid];
    parts.push(`on the picture ${inNats(shown.mass)} in all`, `largest ${formatSigned(cells[argmax])} at row ${Math.floor(argmax / cols)}, col ${argmax % cols}`);
  }
  if (numbersAreOfTokens(info, shown)) {
    const token = indexOfLargest(row);
    parts.push(`largest of all tokens ${quoted(info, token)} (token ${token}), ${formatSigned(row[token])}`);
  }
  return [...parts, 'first order, in float32'];
}

/**
 * What is read, or who reads.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {import('../state/fields.js').Shown} shown
 */
export function which(info, shown) {
  const { query, until, token, direction } = shown;
  if (direction === 'received') return 'what each patch receives, mean over all patches';
  if (until !== null) {
    const many = pointsAtTokens(info, shown) ? quotedSpan(info, token, token + until - query) : `keys ${token} to ${until}`;
    if (direction === 'read by') return `who reads ${many} (mean of columns ${query} to ${until})`;
    return token === query ? `${many} reads (mean of rows ${query} to ${until}, its own)` : `predicts ${many} (mean of rows ${query} to ${until})`;
  }
  if (!pointsAtTokens(info, shown)) {
    const keys = info.towers[shown.tower].keys;
    const cell = Array.isArray(keys) ? keys[token] : null;
    const patch = cell ? `the patch at row ${cell.row}, col ${cell.col}` : `key ${token}`;
    return direction === 'reads' ? `${patch} reads (row ${query})` : `who reads ${patch} (column ${query})`;
  }
  const name = quoted(info, token);
  if (direction === 'read by') return `who reads ${name} (column ${query})`;
  const row = `row ${query}`;
  return token === query
    ? `${name} reads (${row}, its own)`
    : `predicts ${quoted(info, token)} (${row}, token ${quoted(info, query)})`;
}

/** @param {import('../state/fields.js').Shown} shown */
function precision({ direction, dtype, source, layer, head, until }) {
  if (direction === 'received') return 'means in float32, from the factors';
  if (direction === 'read by') return 'columns in float32, from the factors';
  const isReduced = typeof layer === 'string' || typeof head === 'string' || until !== null;
  const rows = source === 'stored' ? 'float16, as stored' : 'float32, from the factors';
  if (isReduced) return `over rows in ${rows}`;
  return dtype === 'float16' || source === 'factors' ? rows : dtype;
}
