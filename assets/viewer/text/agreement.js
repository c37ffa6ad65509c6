// @ts-check
/** What is said of how far maps agree with hiding and painting on this input. It does not oversell: one input says little. Knows no document. */
import { answerTokens } from '../data/run_info.js';
import { formatSigned } from '../numbers/change_measures.js';
import { agreementOnScreen } from '../numbers/agreement.js';
import { quantityOf } from './effect.js';
import { headName } from './map.js';

/**
 * @typedef {import('../numbers/agreement.js').KeptAgreement} KeptAgreement
 * @typedef {import('../numbers/agreement.js').Truth} Truth
 */

export const QUESTION = 'How far do these agree here?';
export const QUESTION_TITLE = 'hides each of 16 regions from all other tokens, paints each over, and says how maps order them: some 40 passes of the model';
const TRUTHS = /** @type {Truth[]} */ (['hidden', 'painted']);
const SAID = { hidden: 'with hiding', painted: 'with painting' };
export const DESCRIPTIVE = 'n = 1, descriptive: on one input a map may agree by chance, and no map is an explanation.';

/** @param {number | null} rank */
const rankWords = (rank) => (rank === null ? '–' : formatRank(rank));
/** @param {number} rank */
const formatRank = (rank) => rank.toFixed(2).replace('-', '−');

/**
 * Columns and rows of the table; the map on screen first, a random order last.
 * @param {KeptAgreement} kept
 * @param {import('../state/fields.js').Shown | null} shown
 */
export function agreementTable(kept, shown) {
  const truths = TRUTHS.filter((truth) => kept.measured[truth]);
  const own = agreementOnScreen(kept, shown);
  const cells = (/** @type {Partial<Record<Truth, import('../numbers/agreement.js').Agreement>>} */ row) => truths.flatMap((truth) => {
    const found = row[truth];
    return found ? [rankWords(found.rank), found.hits ? 'yes' : 'no'] : ['', ''];
  });
  const rows = Object.entries(kept.agreement).filter(([name]) => name !== 'random').map(([name, row]) => [kept.names[name] ?? name, ...cells(row)]);
  const chance = truths.flatMap((truth) => {
    const found = kept.chance[truth];
    return found ? [found.rank === null ? '–' : `±${found.rank.toFixed(2)}`, `1 in ${Math.round(1 / found.hits)}`] : ['', ''];
  });
  return {
    columns: ['map', ...truths.flatMap((truth) => [`rank ${SAID[truth]}`, 'worst found'])],
    rows: [...(own && shown ? [[`on screen: ${screenName(shown)}`, ...cells(own)]] : []), ...rows, ['a random order, 19 times of 20 within', ...chance]],
  };
}

/** @param {import('../state/fields.js').Shown} shown */
function screenName({ layer, head, effect, direction, until, query }) {
  const what = effect ? 'forecast' : 'attention';
  const row = direction === 'received' ? 'all rows' : until === null ? `row ${query}` : `rows ${query} to ${until}`;
  return `${what}, ${headName(layer, head)}, ${row}`;
}

/**
 * The sentences around it.
 * @param {KeptAgreement} kept
 * @param {import('../state/fields.js').Shown | null} shown
 * @param {import('../data/run_info.js').RunInfo} info
 */
export function agreementWords(kept, shown, info) {
  const { effect } = shown ?? {};
  const other = effect?.against === kept.target.against ? effect?.other : undefined;
  const target = quantityOf(info, { ...kept.target, other, isWhole: String(kept.target.tokens) === String(answerTokens(info)) });
  const isPaired = kept.measured.painted !== undefined;
  return {
    head: `${kept.n_regions} regions of this input${isPaired ? ', each hidden and each painted over' : ', each hidden'} (${target} is ${formatSigned(kept.value)}). ${DESCRIPTIVE}`,
    foot: [kept.caution, kept.note, kept.paths, !agreementOnScreen(kept, shown) && 'What is on screen is not judged: only what text reads of places is, and a forecast of that.'].filter(Boolean).join(' '),
  };
}
