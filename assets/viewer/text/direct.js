// @ts-check
/**
 * What each part of a model adds to the answer's logit by the residual stream alone, in words. Knows no document.
 *
 * @typedef {object} Budget
 * @property {number} logit
 * @property {number} embedding
 * @property {Record<string, number>} others  by layer: MLPs, and layers without attention
 * @property {number} heads
 * @property {number} [image]  the part of the heads' that was read from cells of pictures
 * @property {number} rest
 * @property {{tower: string, layer: number, head: number, added: number}[]} [strongest]
 */
import { formatSigned } from '../numbers/change_measures.js';

/** What it answers, in a sentence. */
export const DIRECT_ANSWERS = 'What heads, MLPs and the embedding each add to the answer’s logit by themselves; what they do to later layers is not in it.';

/**
 * The parts, which sum to the logit.
 * @param {Budget} budget
 * @returns {{name: string, title: string, added: number}[]}
 */
export function partsOfLogit({ embedding, others, heads, image = 0, rest }) {
  const mlp = Object.values(others).reduce((sum, added) => sum + added, 0);
  return [
    { name: 'image', title: 'what heads read from cells of pictures', added: image },
    { name: 'text', title: 'what heads read from all other tokens', added: heads - image },
    { name: 'MLP', title: 'what layers add that is no attention: MLPs, and layers without it', added: mlp },
    { name: 'embedding', title: 'the state before the first layer', added: embedding },
    { name: 'rest', title: 'biases, and the rounding of the sum', added: rest },
  ];
}

/** @param {string} target  whose logit @param {Budget} budget */
export function directSentence(target, { logit }) {
  return `Direct: what each part adds to the logit of ${target}, ${formatSigned(logit)} in all. Signed; effects on later layers are not in it.`;
}
