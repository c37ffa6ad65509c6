// @ts-check
/**
 * Heads that `score` found to look at the right place, from the file that `python -m attention heads` writes. Knows no document.
 *
 * @typedef {object} FoundHeads
 * @property {string} model   its id
 * @property {string | null} adapter
 * @property {string} tower
 * @property {string} by      the measure that found them
 * @property {{layer: number, head: number, score: number, isAbove: boolean | null}[]} heads  the best first; layers by their index in the model
 */
import { layersOf } from './run_info.js';

const FORMAT = 1;
const MOST = 10_000; // heads of a file, and characters of a name
const MOST_BYTES = 4_000_000;
const KNOWN = { region_share: 'share', region_peak: 'peak', region_touch: 'touch' };

/** A sentence for a person. */
export class NoFoundHeads extends Error {}

/**
 * What a file says.
 * @param {string} text
 * @param {string} name  of the file
 * @returns {FoundHeads}
 */
export function readFoundHeads(text, name) {
  const refuse = (/** @type {string} */ why) => new NoFoundHeads(`${name} has no found heads: ${why}. Write it with: python -m attention heads SCORES --output heads.json`);
  if (text.length > MOST_BYTES) throw refuse('it is too long');
  let said;
  try {
    said = JSON.parse(text);
  } catch {
    throw refuse('it is not JSON');
  }
  if (said?.kind !== 'heads') throw refuse('its kind is not “heads”');
  if (said.format !== FORMAT) throw new NoFoundHeads(`${name} has format ${String(said.format).slice(0, 20)}; this page reads ${FORMAT}. Update it.`);
  const texts = [said.model?.id, said.tower, said.by, said.adapter?.id ?? ''];
  if (!texts.every((each) => typeof each === 'string' && each.length <= MOST)) throw refuse('model, tower or by is no text');
  if (!Object.hasOwn(KNOWN, said.by)) throw refuse(`by is “${said.by.slice(0, 40)}”, which is not known here`);
  if (!Array.isArray(said.heads) || said.heads.length > MOST) throw refuse('heads is no list');
  const heads = said.heads.map((/** @type {any} */ each, /** @type {number} */ i) => {
    const isHead = [each?.layer, each?.head].every((number) => Number.isInteger(number) && number >= 0);
    if (!isHead || !Number.isFinite(each.score?.mean)) throw refuse(`head ${i + 1} has no layer, head or score`);
    return { layer: each.layer, head: each.head, score: each.score.mean, isAbove: typeof each.above_chance === 'boolean' ? each.above_chance : null };
  });
  return { model: said.model.id, adapter: said.adapter?.id ?? null, tower: said.tower, by: said.by, heads };
}

/**
 * That a run has these heads: a sentence on the first that it has not, or ''.
 * @param {FoundHeads} found
 * @param {import('./run_info.js').RunInfo} info
 */
export function whyNotIn(found, info) {
  const tower = info.towers[found.tower];
  if (!tower) return `These heads are of the ${found.tower} tower, which this run has not.`;
  const layers = layersOf(info, found.tower);
  const other = found.heads.find(({ layer, head }) => !layers.includes(layer) || head >= tower.heads);
  return other ? `These heads are of another model, ${found.model}: this run has no layer ${other.layer}, head ${other.head}.` : '';
}

/** What found them, in words. @param {FoundHeads} found */
export function foundBy({ by, model, adapter }) {
  return `${KNOWN[/** @type {keyof typeof KNOWN} */ (by)]} at the right place, over a set, of ${adapter ? `${model} with ${adapter}` : model}`;
}
