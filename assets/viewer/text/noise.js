// @ts-check
/** Changes in words beside noise floors, and the parts of a change. Knows no document. */
import { measureText } from '../numbers/change_measures.js';
import { timesOf } from '../numbers/noise.js';

/** The same as on files and in a terminal (attention/words.py). */
export const ONE_INPUT = 'n = 1, descriptive';
export const ONE_INPUT_MEANS = 'One picture and one question: this shows what changed here, and cannot tell what the training changed in general.';
export const OVER_A_SET = '`python -m attention score` measures a set of questions, with intervals and paired differences.';

/** @type {Record<string, string>} */
const FLOORS = { zero: 'the base read once more', dtype: 'another number format', paraphrase: 'other words for the question' };
/** @type {Record<string, string>} what a multiple is of */
const OF = { zero: 'what reading it once more differs by', dtype: 'the dtype floor', paraphrase: 'what paraphrases differ by' };

export const PARTS = /** @type {const} */ (['', 'direct', 'inherited']);
/** @type {Record<string, {text: string, title: string}>} */
const PART_WORDS = {
  '': { text: 'all change', title: 'what differs between adapter and base, however it came about' },
  direct: { text: "by this layer's own weights", title: "the adapter's norm, queries and keys of this layer on what enters it in the base" },
  inherited: { text: 'inherited', title: "the base's norm, queries and keys of this layer on what enters it in the adapter: what layers before it changed" },
};

/** @param {import('../state/fields.js').Part} part */
export function partWords(part) {
  return PART_WORDS[part];
}

/** What a list of heads is of: a measure, and a part of the change. @param {import('../state/fields.js').Part} part @param {string} measure @param {boolean} hasParts */
export function partText(part, measure, hasParts) {
  return part && hasParts ? `${measureText(measure)}, ${PART_WORDS[part].text}` : measureText(measure);
}

/** @param {string} kind */
export function floorName(kind) {
  return FLOORS[kind] ?? kind;
}

/** A multiple as it is written: 0.84×, 3.1×, 120×. @param {number} times */
export function formatMultiple(times) {
  return `${times >= 100 ? Math.round(times).toLocaleString('en') : times >= 1 ? times.toFixed(1) : times.toFixed(2)}×`;
}

/** A multiple of the noise floor in few words. @param {number} times */
export function noiseText(times) {
  if (times === Infinity) return 'floor 0';
  return Number.isNaN(times) ? '' : formatMultiple(times);
}

/**
 * A change beside each floor: "3.1× the dtype floor, 0.84× what paraphrases differ by".
 * @param {import('../numbers/noise.js').Floors} floors
 * @param {number} at
 * @param {number} value
 */
export function floorWords(floors, at, value) {
  return timesOf(floors, at, value).flatMap(({ kind, times }) => {
    const of = OF[kind] ?? `the ${kind} floor`;
    if (kind === 'zero' && times === Infinity) return []; // as it should be
    if (Number.isNaN(times)) return value === 0 ? [] : [`${of} is not known`];
    return [times === Infinity ? `${of} is exactly 0` : `${formatMultiple(times)} ${of}`];
  }).join(', ');
}
