// @ts-check
/** Effects of a forecast on screen as Python that runs as pasted: as `python_code.js` has attention. Knows no document. */
import { rowPath } from '../data/source.js';
import { rowCount } from './effects.js';

/**
 * @typedef {import('./python_code.js').View & {effect: import('../state/reading.js').Reading}} View
 * @typedef {import('../data/run_info.js').Choice} Choice
 */

const literal = (/** @type {string | number} */ value) => JSON.stringify(value);
const list = (/** @type {(string | number)[]} */ values) => `[${values.map(literal).join(', ')}]`;

/** What the array is called: effects of keys, or by rows. @param {View} view */
export const effectName = ({ direction }) => (direction === 'read by' ? 'by_row' : 'effects');

/**
 * Lines that make the array from the run `run`, with the forecast that lies beside it, or is made by its model.
 * @param {View} view
 */
export function effectsFromFolder(view) {
  const { tower, direction, query, until, layer, head, effect } = view;
  const on = literal(tower);
  const positions = until === null ? `${query}` : `range(${query}, ${until + 1})`;
  const one = { reads: `-forecast.score_gradient(layer, ${until === null ? query : 'position'}, ${on})`, 'read by': `-forecast.column_gradient(layer, ${until === null ? query : 'position'}, ${on})`, received: `forecast.keys(layer, ${on})` }[direction];
  const values = until === null || direction === 'received' ? one : `sum(${one} for position in ${positions})`;
  const reduced = (/** @type {Choice} */ by, /** @type {string} */ array) => (by === 'mean' ? `${array}.sum(axis=0)` : by === 'max' ? `largest(${array})` : `${array}[${by}]`);
  const layers = typeof layer === 'number' ? '' : `np.stack([of_layer(layer) for layer in forecast.layers(${on})])`;
  return [
    `forecast = forecast_knock_outs(run, ${list(effect.tokens)}, towers=${list(effect.towers)})`,
    ...(layer === 'max' || head === 'max' ? ['', 'def largest(values):  # of either sign, over the first axis', '    return np.take_along_axis(values, np.abs(values).argmax(axis=0)[None], axis=0)[0]'] : []),
    '', 'def of_layer(layer):  # [keys], nats', `    return ${reduced(head, `(${values})`)}`, '',
    `${effectName(view)} = ${layers ? reduced(layer, layers) : `of_layer(${layer})`}`,
  ];
}

/** Its address below the run's. @param {View} view */
export function effectsAddress({ tower, direction, query, until, layer, head, effect }) {
  return rowPath({ tower, direction, layer, head, query, until, effect: effect.name }, true);
}

/** How many means were taken of what is a sum, as Python; '' for none. @param {View} view */
export function timesInPython(view) {
  const { tower, layer, head } = view;
  const of = `info["towers"][${literal(tower)}]`;
  const rows = rowCount(view);
  return [layer === 'mean' ? `sum(1 for each in ${of}["layers"] if each.get("file"))` : '', head === 'mean' ? `${of}["heads"]` : '', rows > 1 ? String(rows) : ''].filter(Boolean).join(' * ');
}

/** In words and numbers, without a text that a model wrote. @param {View} view */
export function saidOfEffects({ direction, query, until, effect }) {
  const rows = until === null ? `${query}` : `${query} to ${until} (sum)`;
  const which = { reads: `row ${rows} reading each key less`, 'read by': `each row reading position ${rows} less`, received: 'everybody reading each key less' }[direction];
  return `forecast, nats of the log-probability of tokens ${effect.tokens.join(', ')}, of ${which}; means are sums`;
}
