// @ts-check
/**
 * Two members' maps on screen and their difference as Python that runs as pasted: with this project where the comparison lies on the same
 * machine, otherwise with NumPy and its address. As `python_code.js` has one run's. Knows no document.
 */
import { rowsOf } from '../data/comparison_info.js';
import { headCount, layersOf } from '../data/run_info.js';
import { numbersAreOfTokens } from '../data/selection.js';
import { rowPath } from '../data/source.js';
import { rowCount } from './effects.js';
import { areSummed, isRatio } from './ratios.js';

const literal = (/** @type {string | number} */ value) => JSON.stringify(value);

/**
 * @param {Pick<import('../state/fields.js').ComparisonFields, 'comparison' | 'pair' | 'infos'>} fields
 * @param {{folder?: string | null, address: string}} where  it lies, and what serves it
 */
export function comparedCode({ comparison, pair, infos }, { folder, address }) {
  if (!comparison || !pair) return '';
  const lines = folder ? fromFolder(comparison, pair, folder) : fromAddress(comparison, pair, infos, address);
  return `${[...lines, ...between(pair)].join('\n')}\n`;
}

/** @param {import('../data/comparison_info.js').ComparisonInfo} comparison @param {import('./pair.js').Pair} pair @param {string} folder */
function fromFolder({ members }, { left, right, before, after, isSideBySide }, folder) {
  const { tower, direction, query, until, layer, head, effect } = before;
  const isOfAll = direction === 'received';
  const fields = {
    tower, layer, head, ...(isOfAll ? {} : { [direction === 'reads' ? 'query' : 'key']: query }), ...(until === null || isOfAll ? {} : { until }),
    ...(isSideBySide ? { right_layer: after.layer, right_head: after.head } : {}), ...(effect ? { reading: effect.name } : {}),
  };
  const named = Object.entries(fields).map(([name, value]) => `${name}=${literal(value)}`);
  if (isOfAll && !effect) named.push('received=True');
  return [
    'import numpy as np', '', 'from adapters import open_comparison', 'from attention.comparisons.maps import compared_maps', '', `comparison = open_comparison(${literal(folder)})`,
    said(before), `maps = compared_maps(comparison, ${literal(members[left].folder)}, ${literal(members[right].folder)}, ${named.join(', ')})`, 'before, after = maps.values',
  ];
}

/** @param {import('../data/comparison_info.js').ComparisonInfo} comparison @param {import('./pair.js').Pair} pair @param {import('../data/run_info.js').RunInfo[]} infos @param {string} address */
function fromAddress(comparison, { left, right, before, after }, infos, address) {
  const [first, second] = [left, right].map((member, i) => {
    const { tower, direction, query, until, layer, head, effect } = i ? after : before;
    const rows = direction === 'reads' ? rowsOf(comparison, member, left || right, { query, until }) ?? { query, until } : { query, until };
    const path = rowPath({ tower, direction, layer, head, ...rows, source: 'factors', effect: effect?.name ?? null }, true);
    const heads = direction === 'received' && !effect ? `&head=${head}` : ''; // its layers are reduced as they are read
    const sums = (layer === 'mean' ? layersOf(infos[member], tower).length : 1) * (head === 'mean' ? headCount(infos[member], tower) : 1) * rowCount({ direction, ...rows });
    return `values(${literal(`${comparison.members[member].folder}/${path}${heads}`)})${areSummed(effect) && sums > 1 ? ` * np.float32(${sums})` : ''}`;
  });
  const shared = numbersAreOfTokens(infos[left], before) ? `[:${comparison.shared_tokens}]` : '';
  return [
    'import time', 'from urllib.request import urlopen', '', 'import numpy as np', '', '# whoever has this address can read the comparison', `address = ${literal(address)}`, '',
    'def values(path):', '    while (answer := urlopen(f"{address}/{path}")).status == 202:  # it is still being computed', '        time.sleep(1)',
    '    dtype = np.dtype(answer.headers["X-Attention-Dtype"]).newbyteorder("<")', `    return np.frombuffer(answer.read(), dtype).astype(np.float32)${shared}`, '',
    said(before), `before = ${first}`, `after = ${second}`,
  ];
}

/** In words and numbers, without a text that a model wrote. @param {import('../state/fields.js').Shown} shown */
function said({ effect }) {
  if (isRatio(effect)) return '# ratios to a general question, NaN where tokens are no cells';
  return effect ? `# forecasts, nats of the log-probability of tokens ${effect.tokens.join(', ')}; means are sums` : '# attention, float32, from queries and keys';
}

/** @param {import('./pair.js').Pair} pair */
function between({ isSideBySide, before }) {
  if (isSideBySide) return ['print(before, after)  # no head of one stands for a head of the other'];
  const difference = isRatio(before.effect) ? 'after / before' : 'after - before';
  return [`difference = ${difference}`, `peak = int(np.nanargmax(np.abs(${isRatio(before.effect) ? 'np.log2(difference)' : 'difference'})))`, 'print(f"{before[peak]:.4g} and {after[peak]:.4g} at position {peak}: {difference[peak]:.4g}")'];
}
