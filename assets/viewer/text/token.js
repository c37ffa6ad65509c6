// @ts-check
/**
 * What the tokens of a run are tinted by, and what is said of each: the attention on screen, and how probable the model found it.
 * Knows no document.
 *
 * @typedef {object} Reading
 * @property {(keyof import('../state/fields.js').Fields)[]} fields  what it depends on, beside the run
 * @property {(seen: number[]) => import('../numbers/token_tint.js').Tint | null} tint  `seen`: the tokens that are seen one by one
 * @property {(tint: import('../numbers/token_tint.js').Tint | null) => string} words  what the tint means, or why there is none
 * @property {(chip: Count, value: number, tint: import('../numbers/token_tint.js').Tint) => string} said  of tokens; `value` is theirs in the tint
 * @property {(chip: Count) => string} [untinted]  what is read of tokens where there is no tint
 * @property {(grid: number) => string} saidOfGrid
 * @property {(chip: Count) => string} odds
 * @property {(token: number) => string} [near]  what a token's state reads as
 * @property {(chip: Count) => string} mark  classes beside those of every token; '' for none
 * @property {() => boolean} isSigned
 *
 * @typedef {{token: number, count: number}} Count  the first token, and how many
 */
import { formatValue } from '../data/format.js';
import { numbersAreOfTokens } from '../data/selection.js';
import { gridName, logProbability, visible } from '../data/token_text.js';
import { ifReadLess, inNats } from './effect.js';
import { ALL_WORDS, readsAs } from './lens.js';
import { formatRatio, isRatio } from '../numbers/ratios.js';
import { makeTint, tintWords } from '../numbers/token_tint.js';

const LONG = 60; // signs of a token that are written out

/**
 * @param {import('../state/fields.js').ViewerState} state
 * @returns {Reading}
 */
export function attentionReading(state) {
  return {
    fields: ['shown', 'sinks', 'words'],
    isSigned: () => Boolean(state.get.shown?.effect),

    tint(seen) {
      const { info, shown, sinks } = state.get;
      return info && makeTint(info, shown, sinks, seen);
    },

    words: (tint) => tintWords(state.get.shown, tint),

    said({ token, count }, value, tint) {
      const { shown, sinks } = state.get;
      if (!shown) return '';
      if (isRatio(shown.effect)) return Number.isNaN(value) ? '' : ` · ${formatRatio(value)} what the general question reads`;
      if (shown.effect) return ` · ${inNats(value)} ${ifReadLess(shown, count > 1 ? 'these' : 'this')}`;
      let sum = 0;
      for (let i = token; i < token + count; i++) sum += shown.row[i];
      const attention = shown.direction === 'read by' ? sum / count : sum;
      const isSink = Boolean(tint.hidden?.[token]);
      const other = !isSink && sinks === 'renormalised' && tint.hidden ? `, renormalised ${formatValue(value)}` : '';
      return ` · attention ${formatValue(attention)}${other}${isSink ? ', a sink' : ''}`;
    },

    saidOfGrid(grid) {
      const { info, shown } = state.get;
      if (isRatio(shown?.effect)) return '';
      if (shown?.effect) return shown.masses.has(grid) ? ` · ${inNats(shown.masses.get(grid) ?? 0)} in all` : '';
      return info && shown && numbersAreOfTokens(info, shown) && shown.direction === 'reads' ? ` · attention ${formatValue(shown.masses.get(grid) ?? 0)} in all` : '';
    },

    odds({ token, count }) {
      const { info } = state.get;
      const log = info && logProbability(info, token, count);
      return log === null ? '' : ` · log-probability ${formatLog(log)}`;
    },

    near(token) {
      const said = readsAs(state.get.words, token, ALL_WORDS);
      return said && ` · ${said}`;
    },

    mark: () => '',
  };
}

/**
 * A chip in words: index, text, role, what is read of it, how probable it was.
 * @param {import('../data/run_info.js').RunInfo} info
 * @param {import('../data/token_text.js').Chip} chip
 * @param {Pick<Reading, 'saidOfGrid' | 'odds' | 'near'>} reading
 * @param {{read: string, isUnfolded: boolean}} is  `read`: what is said to be read of it
 */
export function chipWords(info, chip, reading, { read, isUnfolded }) {
  const { token, count } = chip;
  const which = count > 1 ? `tokens ${token}–${token + count - 1}` : `token ${token}`;
  if (chip.kind === 'image') {
    const grid = /** @type {number} */ (chip.grid);
    return `${which} · ${gridName(info, grid)}, a token for each cell${reading.saidOfGrid(grid)} · ${isUnfolded ? 'click: fold' : 'click: unfold'}`;
  }
  const { text, role } = info.tokens[token];
  const seen = visible(text);
  return `${which} · “${seen.length > LONG ? `${seen.slice(0, LONG)}…` : seen}” · ${role}${read}${reading.odds(chip)}${reading.near?.(token + count - 1) ?? ''}`;
}

/** A natural logarithm of a probability: −1.40, −0.0012. @param {number} log */
export function formatLog(log) {
  return log.toFixed(Math.abs(log) < 0.1 ? 4 : 2).replace('-', '−');
}
