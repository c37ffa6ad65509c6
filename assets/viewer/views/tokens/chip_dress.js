// @ts-check
/** How a chip is dressed: its classes, which say what it is and what is selected or found, and how strong its tint is. */
import { strengthOf, valueOf } from '../../numbers/token_tint.js';

const STRONG = 35; // per cent of tint from which quiet text would be hard to read

/**
 * @typedef {import('../../data/token_text.js').Chip} Chip
 *
 * @typedef {object} Dressed
 * @property {number} from   the selected tokens, -1 for none
 * @property {number} to
 * @property {number} query  the row that is read
 * @property {import('../../numbers/token_tint.js').Tint | null} tint
 * @property {import('../../state/fields.js').Shown | null} shown  what the tint is of
 * @property {boolean} isUnfolded
 * @property {number} match  1 in a place that a search has found, 2 in the one that is next
 * @property {string} mark   classes beside these
 */

/** @param {Pick<Chip, 'kind' | 'special'>} chip */
export function baseOf({ kind, special }) {
  return `av-token${special ? ' av-special' : ''}${kind === 'image' ? ' av-image' : ''}`;
}

/**
 * @param {Chip} chip
 * @param {Dressed} of
 */
export function dressOf(chip, { from, to, query, tint, shown, isUnfolded, match, mark }) {
  const last = chip.token + chip.count - 1;
  const isSelected = to >= chip.token && from <= last && !isUnfolded;
  let name = baseOf(chip);
  if (isSelected) {
    name += ' av-selected';
    if (from < chip.token || to > last) name += ` av-range${from >= chip.token ? ' av-first' : ''}${to <= last ? ' av-last' : ''}`;
  } else if (query >= chip.token && query <= last) name += ' av-reading';
  let strength = 0;
  if (tint && chip.kind === 'token') {
    if (tint.hidden?.[chip.token]) name += ' av-sink';
    else {
      const value = valueOf(tint, chip, shown);
      strength = strengthOf(tint, value);
      if (value < 0) name += ' av-less';
    }
    if (strength >= STRONG) name += ' av-strong';
  }
  name += mark;
  if (match) name += match > 1 ? ' av-match av-match-now' : ' av-match';
  return { name, strength, isSelected };
}
