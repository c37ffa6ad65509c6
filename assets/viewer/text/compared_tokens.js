// @ts-check
/**
 * The tokens of a comparison: tinted by how much more or less is read of each, those of the answer marked whose probability moved most.
 * Knows no document.
 *
 * @typedef {{token: number, before: number, after: number, moved: number}} Moved  logarithms of a token's probability, and the change of it
 */
import { formatSigned, formatPoints } from '../numbers/change_measures.js';
import { memberName } from '../data/comparison_info.js';
import { probabilityWords } from './pair.js';
import { tintEffectWords, tokenEffectWords } from './pair_effect.js';
import { isRatio } from '../numbers/ratios.js';
import { formatValue } from '../data/format.js';
import { numbersAreOfTokens } from '../data/selection.js';
import { sinkKeys, withoutSinks } from '../numbers/sinks.js';
import { formatLog } from './token.js';
import { endOf, tintWords } from '../numbers/token_tint.js';

/** So many tokens are marked, and only those whose probability moved by at least a point of a hundred. */
const MARKED = { most: 8, least: 0.01 };

/**
 * Every shared token of the answer by how far its probability moved, the farthest first.
 * @param {import('../data/source.js').Numbers} logprobs  [members, tokens]
 * @param {number} left
 * @param {number} right
 * @param {number} shared  tokens in all: the answer's are the last of them
 * @returns {Moved[]}
 */
export function movedTokens({ values, shape: [, count] }, left, right, shared) {
  return Array.from({ length: count }, (_, i) => {
    const [before, after] = [values[left * count + i], values[right * count + i]];
    return { token: shared - count + i, before, after, moved: Math.exp(after) - Math.exp(before) };
  }).sort((a, b) => Math.abs(b.moved) - Math.abs(a.moved) || a.token - b.token);
}

/**
 * What is marked of them.
 * @param {Moved[]} moved
 * @returns {Map<number, Moved>} by token
 */
export function markedTokens(moved) {
  return new Map(moved.filter((one) => Math.abs(one.moved) >= MARKED.least).slice(0, MARKED.most).map((one) => [one.token, one]));
}

/**
 * @param {import('../state/fields.js').ComparisonState} state
 * @returns {import('./token.js').Reading}
 */
export function comparisonReading(state) {
  /** @type {any[]} what `marked` was found from */
  let found = [];
  /** @type {Map<number, Moved>} */
  let all = new Map();
  /** @type {Map<number, Moved>} */
  let marked = new Map();

  function find() {
    const { logprobs, left, right, comparison } = state.get;
    if ([logprobs, left, right, comparison].every((value, i) => value === found[i]) && found.length) return;
    found = [logprobs, left, right, comparison];
    const moved = logprobs && comparison ? movedTokens(logprobs, left, right, comparison.shared_tokens) : [];
    all = new Map(moved.map((one) => [one.token, one]));
    marked = markedTokens(moved);
  }

  return {
    fields: /** @type {any} */ (['pair', 'sinks', 'logprobs', 'left', 'right']),
    isSigned: () => true,

    tint(seen) {
      const { info, pair, sinks } = state.get;
      if (!info || !pair || !numbersAreOfTokens(info, pair.before) || pair.isSideBySide) return null;
      if (pair.before.effect) {
        const values = pair.after.row.map((value, key) => value - pair.before.row[key]);
        return { values, hidden: null, ...endOf(values, null, seen, 0), ...(isRatio(pair.before.effect) && { isRatio: true }) };
      }
      const [before, after] = [pair.before, pair.after].map((shown) => {
        const keys = shown.direction === 'reads' ? sinksOfRow(state.get.infos[shown === pair.before ? pair.left : pair.right], shown) : null;
        return withoutSinks(shown.row, { ...shown.sinks, cells: keys }, keys ? sinks : 'raw');
      });
      const hidden = before.hidden || after.hidden ? Uint8Array.from(before.values, (_, key) => (before.hidden?.[key] || after.hidden?.[key] ? 1 : 0)) : null;
      const values = after.values.map((value, key) => value - before.values[key]);
      return { values, hidden, ...endOf(values, hidden, seen) };
    },

    words(tint) {
      const { pair, comparison } = state.get;
      if (!pair || !comparison) return '';
      if (pair.isSideBySide) return 'point at a token: what the head of each reads of it';
      if (!tint) return tintWords(pair.before, null);
      const [left, right] = [pair.left, pair.right].map((member) => memberName(comparison.members, member));
      if (pair.before.effect) return tintEffectWords([left, right], pair.before);
      const what = pair.before.direction === 'read by' ? 'read it more or less' : 'read more or less';
      return `${what} in ${right} than in ${left}${tint.sinks ? `; ${tint.sinks === 1 ? '1 sink' : `${tint.sinks} sinks`} hatched` : ''}`;
    },

    said({ token, count }, value, tint) {
      const { pair } = state.get;
      if (!pair) return '';
      if (token + count > pair.before.row.length) return ' · a word of one answer: it is no key in common';
      const [before, after] = [pair.before, pair.after].map((shown) => readOf(shown, token, count));
      if (pair.before.effect) return tokenEffectWords(before, after, pair.before, count);
      const change = before === after ? 'exactly the same' : formatSigned(after - before);
      const isSink = Boolean(tint.hidden?.[token]);
      const other = !isSink && state.get.sinks === 'renormalised' && tint.hidden ? `, renormalised ${formatSigned(value)}` : '';
      return ` · attention ${formatValue(before)} → ${formatValue(after)} (${change})${other}${isSink ? ', a sink' : ''}`;
    },

    untinted({ token, count }) {
      const { info, pair } = state.get;
      if (!info || !pair?.isSideBySide || !numbersAreOfTokens(info, pair.before) || token + count > pair.before.row.length) return '';
      if (pair.before.effect) return tokenEffectWords(readOf(pair.before, token, count), readOf(pair.after, token, count), pair.before, count);
      return ` · attention ${[pair.before, pair.after].map((shown) => formatValue(readOf(shown, token, count))).join(' → ')}`;
    },

    saidOfGrid(grid) {
      const { info, pair } = state.get;
      if (!info || !pair || !numbersAreOfTokens(info, pair.before) || isRatio(pair.before.effect) || (pair.before.direction !== 'reads' && !pair.before.effect)) return '';
      const [before, after] = [pair.before, pair.after].map(({ masses }) => masses.get(grid) ?? 0);
      if (pair.before.effect) return ` · ${formatSigned(before)} → ${formatSigned(after)} nats in all`;
      return ` · attention ${formatValue(before)} → ${formatValue(after)} in all`;
    },

    odds({ token, count }) {
      find();
      const first = all.get(token);
      if (!first) return '';
      let { before, after } = first;
      for (let i = token + 1; i < token + count; i++) {
        before += all.get(i)?.before ?? 0;
        after += all.get(i)?.after ?? 0;
      }
      const points = formatPoints(Math.exp(after) - Math.exp(before));
      return ` · probability ${probabilityWords(before, after)} (${points}; logarithm ${formatLog(before)} → ${formatLog(after)})`;
    },

    mark({ token, count }) {
      find();
      for (let i = token; i < token + count; i++) {
        const one = marked.get(i);
        if (one) return one.moved > 0 ? ' av-likelier' : ' av-unlikelier';
      }
      return '';
    },
  };
}

/** What is read of some tokens, or by them on average. @param {import('../state/fields.js').Shown} shown @param {number} token @param {number} count */
function readOf({ row, direction, effect }, token, count) {
  let sum = 0;
  for (let i = token; i < token + count; i++) sum += row[i];
  return direction === 'read by' && !effect ? sum / count : sum;
}

/** Which keys of a row are sinks, null for none. @param {import('../data/run_info.js').RunInfo} info @param {import('../state/fields.js').Shown} shown */
function sinksOfRow(info, { tower, layer, row }) {
  const keys = sinkKeys(info, tower, layer);
  if (!keys.length) return null;
  const found = new Uint8Array(row.length);
  for (const key of keys) found[key] = 1;
  return found;
}
