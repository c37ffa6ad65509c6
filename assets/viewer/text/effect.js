// @ts-check
/** What is said of effects: of a map, a cell, a token, a marked place. Each is a guess from one gradient, and none is a share of anything. Knows no document. */
import { formatSigned } from '../numbers/change_measures.js';
import { inQuotes, quoted, quotedSpan } from '../data/token_text.js';
import { pointsAtTokens } from '../data/selection.js';
import { headName } from './map.js';

/**
 * @typedef {import('../state/fields.js').Shown} Shown
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 * @typedef {import('../state/reading.js').Reading} Reading
 * @typedef {Shown & {effect: Reading}} Effects
 */

/** What both say, in a sentence each. */
export const READ_ANSWERS = 'What was read: the share of attention that each cell and token got.';
export const FORECAST_ANSWERS = 'What the answer would lose if this were read a little less, guessed from one gradient; no explanation.';

/** @param {number} effect */
export const inNats = (effect) => `${formatSigned(effect)} nats`;

/** A change of a log-probability in plain words: "5.8 times less probable", '' where it is none to speak of. @param {number} nats */
export function asTimes(nats) {
  const times = Math.exp(Math.abs(nats));
  const way = `${nats < 0 ? 'less' : 'more'} probable`;
  const share = Math.round(100 * (nats < 0 ? 1 - 1 / times : times - 1));
  if (times < 2) return share ? `${share}\u202f% ${way}` : '';
  return `${times < 10 ? times.toFixed(1) : times < 1000 ? Math.round(times) : 'over 1,000'} times ${way}`;
}

const MOST_NAMED = 3; // of a target's parts; of more the first ones, and how many more: as in files (`effect_words.target_name`)

/**
 * What is asked about: the answer, or some of its tokens, neighbours as one and the others apart, or one rather than another.
 * @param {RunInfo} info
 * @param {{tokens: number[], isWhole?: boolean, against?: number | null, other?: string}} target
 */
export function targetName(info, { tokens, isWhole = false, against = null, other }) {
  if (isWhole && against === null) return 'the answer';
  const own = tokensName(info, tokens);
  return against === null ? own : `${own} rather than ${otherName({ against, other })}`;
}

/** Neighbours as one text, the others apart. @param {RunInfo} info @param {number[]} tokens */
function tokensName(info, tokens) {
  const starts = tokens.filter((token, i) => i === 0 || token !== tokens[i - 1] + 1);
  const ends = tokens.filter((token, i) => token + 1 !== tokens[i + 1]);
  let names = starts.map((first, i) => (first === ends[i] ? quoted(info, first) : quotedSpan(info, first, ends[i])));
  if (names.length > MOST_NAMED) names = [...names.slice(0, MOST_NAMED - 1), `${names.length - MOST_NAMED + 1} more`];
  return names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}` : names[0];
}

/** The token that one is set against. @param {{against: number, other?: string}} target */
export const otherName = ({ against, other }) => (other ? inQuotes(other) : `token ${against}`);

/** The number that is asked about. @param {RunInfo} info @param {Parameters<typeof targetName>[1]} target */
export function quantityOf(info, { against = null, other, ...target }) {
  const own = targetName(info, { ...target, isWhole: against === null && target.isWhole });
  return against === null ? `the log-probability of ${own}` : `the logit of ${own} less that of ${otherName({ against, other })}`;
}

/**
 * "if everybody read this cell less", "if this row read it less". A slope, so not "if nobody read it": of a cell that holds much of a row
 * that does more.
 * @param {Pick<Shown, 'direction' | 'until'>} shown
 * @param {string} what
 */
export function ifReadLess({ direction, until }, what) {
  if (direction === 'read by') return 'if it read what is selected less';
  return `if ${direction === 'received' ? 'everybody' : until === null ? 'this row' : 'these rows'} read ${what} less`;
}

/** A cell that is pointed at. @param {Shown} shown @param {number} cell */
export function cellEffect(shown, cell) {
  return `${inNats(shown.cells[cell])} ${ifReadLess(shown, 'this cell')}`;
}

/**
 * What the map says.
 * @param {Effects} shown
 * @param {RunInfo} info
 */
export function effectSentence(shown, info) {
  const { effect: reading, layer, head, cells, argmax, grid, direction } = shown;
  const { cols } = info.grids[/** @type {number} */ (grid)];
  const who = effectHead(layer, head);
  const peak = `row ${Math.floor(argmax / cols)}, col ${argmax % cols}`;
  if (!cells.some((effect) => effect !== 0)) return `${who}: no effect on this picture. ${GUESS}`;
  const sum = (/** @type {(effect: number) => boolean} */ is) => cells.reduce((total, effect) => (is(effect) ? total + effect : total), 0);
  const condition = direction === 'read by' ? `if ${peak} read what is selected less` : ifReadLess(shown, peak);
  const all = `cells that lose: ${formatSigned(sum((effect) => effect < 0))}, that gain: ${formatSigned(sum((effect) => effect > 0))}`;
  return `${who}: ${condition}, ${quantityOf(info, reading)} would change by about ${inNats(cells[argmax])}, the most of all cells (${all}). ${GUESS}`;
}

export const GUESS = 'A guess from one gradient, no explanation.';

/** From which log-probability on a slope says little: as `attention/effects/record.py`. */
const NEAR_CERTAIN = -0.05;

/** Whether a log-probability lies where a first-order forecast is nearly flat. @param {number} value */
export const isNearCertain = (value) => value > NEAR_CERTAIN;

/** What to beware of, '' where there is nothing. @param {RunInfo} info @param {Reading} reading */
export function effectCaution(info, reading) {
  const target = targetName(info, reading);
  return reading.against === undefined && isNearCertain(reading.value) ? `${target[0].toUpperCase()}${target.slice(1)} is near-certain: a first-order forecast is nearly flat there, and says little.` : '';
}

/** "Layer 3 head 1", "All heads of layer 3", "Head 1 in the largest of all layers". @param {import('../data/run_info.js').Choice} layer @param {import('../data/run_info.js').Choice} head */
function effectHead(layer, head) {
  const of = (/** @type {import('../data/run_info.js').Choice} */ choice, /** @type {string} */ what) => (choice === 'mean' ? `all ${what}s` : choice === 'max' ? `the largest of all ${what}s` : `${what} ${choice}`);
  const name = typeof layer === 'number' && typeof head === 'number' ? headName(layer, head) : layer === 'mean' && head === 'mean' ? 'all heads' : `${of(head, 'head')} in ${of(layer, 'layer')}`;
  return name[0].toUpperCase() + name.slice(1);
}

/**
 * What is on screen, as its title has it.
 * @param {RunInfo} info
 * @param {Effects} shown
 */
export function effectTitle(info, shown) {
  const target = targetName(info, shown.effect);
  if (shown.direction === 'received') return `effect on ${target} of each cell and token, over all rows`;
  const { token, until, query, direction } = shown;
  const what = !pointsAtTokens(info, shown) ? 'the selected patch' : until === null ? quoted(info, token) : quotedSpan(info, token, token + until - query);
  const row = until === null ? `row ${query}` : `rows ${query} to ${until}`;
  if (direction === 'read by') return `effect on ${target} of each row’s reading ${what}`;
  return token === query ? `effect on ${target} of what ${what} reads (${row}, its own)` : `effect on ${target} of what is read before ${what} (${row})`;
}

/**
 * The forecast of a marked place being hidden: in all heads together, and which have the most of it.
 * @param {{values: Float32Array, shape: number[]}} knocked  [layers, heads, 1]
 * @param {number[]} layers  of the model
 * @param {number} most
 */
export function placeEffect({ values, shape: [, heads] }, layers, most = 5) {
  const total = values.reduce((sum, value) => sum + value, 0);
  const order = Array.from(values, (_, i) => i).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b);
  const strongest = order.filter((i) => values[i] !== 0).slice(0, most).map((i) => ({ layer: layers[Math.floor(i / heads)], head: i % heads, effect: values[i] }));
  return { said: `Forecast of hiding this place from all other tokens: ${inNats(total)} in all heads together.`, strongest };
}
