// @ts-check
/** What becomes of the answer without a place, or without a head, in sentences; and what that is and is not. Knows no document. */
import { formatPercent } from '../data/format.js';
import { formatSigned } from '../numbers/change_measures.js';
import { asTimes } from './effect.js';

/**
 * @typedef {object} Tried  as the server sends it, in nats of the answer's log-probability
 * @property {number} value   of the answer with nothing changed
 * @property {number} change  without it
 * @property {number | null} painted  with it painted over, where that was asked for
 * @property {'mean' | 'blur' | null} paint
 * @property {number} forecast
 * @property {number[]} controls  changes by others as large and as much read
 * @property {number} gap         by how much the attention of the least alike of them differs, of its own
 * @property {{token: number, was: string, becomes: string} | null} first_other  where the likeliest answer parts from what it was
 * @property {string} caution     on the forecast, '' where there is none
 * @property {string} paths       that other paths stay open, '' where none do
 */

/** By which the attention of the others may differ and still be called alike: as `attention/effects/controls.py`. */
const ALIKE = 0.2;

const OTHERS = { place: ['place', 'of its size elsewhere', 'read about as much'], head: ['head', 'of this run', 'that read about as much'] };
const HIDDEN = { place: 'With this place hidden from all other tokens', head: 'With this head silent' };

export const MEANING = 'This is what the model does then, not why it answered.';

/**
 * The sentences, the most important one first.
 * @param {Tried} tried
 * @param {'place' | 'head'} of
 */
export function triedWords(tried, of) {
  const { value, change, painted, paint, forecast, caution } = tried;
  const times = asTimes(change);
  return [
    `${HIDDEN[of]}, the answer’s log-probability changes by ${formatSigned(change)}${times && `: ${times}`} (it is ${formatSigned(value)}); forecast ${formatSigned(forecast)}.${caution && ` ${caution}`}`,
    controlWords(tried, of),
    ...(painted === null ? [] : [`${paint === 'blur' ? 'Blurred' : 'Painted over in the picture’s mean colour'} and read again: ${formatSigned(painted)}.`]),
    answerWords(tried),
    ...(tried.paths ? [tried.paths] : []),
    MEANING,
  ];
}

/** What the same does to others. @param {Pick<Tried, 'controls' | 'gap'>} tried @param {'place' | 'head'} of */
function controlWords({ controls, gap }, of) {
  const [name, where, likewise] = OTHERS[of];
  if (!controls.length) return 'There is nothing like it to set beside it.';
  const sorted = controls.toSorted((a, b) => a - b);
  const [low, high] = [sorted[0], sorted[sorted.length - 1]];
  const middle = (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
  const alike = gap <= ALIKE ? likewise : `whose attention differs by up to ${formatPercent(gap)}`;
  if (sorted.length === 1) return `The same for another ${name} ${where}, ${alike}: ${formatSigned(low)}.`;
  return `The same for ${sorted.length} other ${name}s ${where}, ${alike}: ${formatSigned(middle)} in the middle, ${formatSigned(low)} to ${formatSigned(high)}.`;
}

/** Whether the likeliest answer stays. @param {Pick<Tried, 'first_other'>} tried */
function answerWords({ first_other: other }) {
  return other ? `The likeliest answer changes at its token ${other.token + 1}: “${other.becomes}” where “${other.was}” was the likeliest.` : 'The likeliest answer stays.';
}
