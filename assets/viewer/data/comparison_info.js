// @ts-check
/**
 * What the page reads of comparison.json (formats 1 and 2), and small questions about it: who is compared, whose words were read, what all
 * have in common. Knows no document.
 *
 * @typedef {object} WeightChange  how much an adapter changes one module, at strength 1; what is not known is null or missing
 * @property {string} [name]      of the module
 * @property {string} part        the last word of it
 * @property {string} tower
 * @property {number | null} layer  null where it is in none
 * @property {number | null} [relative]  the change's Frobenius norm over the base weight's
 * @property {number | null} [dora_relative]  with DoRA, of all that changes
 * @property {number | null} [frobenius]
 * @property {number | null} [spectral]
 *
 * @typedef {object} Member
 * @property {string} folder
 * @property {{id: string, revision?: string | null, scale: number} | null} adapter  null for the base, which comes first
 * @property {string | null} [name]  of all but the base and adapters on it
 * @property {{id: string, revision?: string | null, dtype: string} | null} [model]  where it is another than the base's
 * @property {number | null} [step]  of a training, at which it was run
 * @property {string | null} answer  its own, also where it was not read
 * @property {WeightChange[] | null} [changes]
 * @property {boolean | null} [own_pictures]  it read other pictures than the base, of the same sizes
 * @property {boolean | null} [own_towers]  its towers have other layers or heads than the base's
 * @property {RunInfo['points']} [points]  of its own answer, where it read another's; boxes and unplaced likewise
 * @property {RunInfo['boxes']} [boxes]
 * @property {RunInfo['unplaced']} [unplaced]
 *
 * @typedef {object} AlignedRows  rows that stand for each other where words differ: of one word, of one field of a place, before the answers
 * @property {string} how         `text`, `field` or `start`
 * @property {string} name        of the field: x, y, x0, ..., action
 * @property {number[]} base      the first and the last row of the base's
 * @property {number[]} other     those of the member
 *
 * @typedef {object} ComparisonInfo
 * @property {string} id
 * @property {{id: string}} model
 * @property {string} [prompt]
 * @property {'base' | 'own' | 'typed' | number} words  whose answer was read by all; a number is that of an adapter, from 1
 * @property {Member[]} members
 * @property {number} shared_tokens
 * @property {number[]} answer_rows  first and last
 * @property {Record<string, AlignedRows[]>} [aligned]  by the folder of a member, beyond the shared tokens
 * @property {{kind: string, dtype?: string | null, prompt?: string, why?: string}[]} [floors]  noise floors; `why` one was not measured
 * @property {string[]} [floor_regions]  towers whose floors are known of any place
 * @property {string[]} [parts]  folders of members whose change is told apart
 * @property {Record<string, {unit: string}>} measures
 * @property {Record<string, number[]>} queries  rows that were compared beforehand, by tower
 * @property {Record<string, number[]>} layers
 *
 * @typedef {import('./run_info.js').RunInfo} RunInfo
 */
import { formatStrength } from './format.js';
import { answerTokens, promptLength } from './run_info.js';
import { quotedSpan } from './token_text.js';

/**
 * What the members are called: by their own name, else `base`, and of an adapter's id the last part, or as many of its parts as tell it from
 * others.
 * @param {Member[]} members
 */
export function memberNames(members) {
  const parts = members.map(({ adapter }) => (adapter?.id ?? '').split(/[/\\]/).filter(Boolean));
  const short = (/** @type {number} */ i, /** @type {number} */ count) => parts[i].slice(-count).join('/');
  return members.map(({ name, adapter }, i) => {
    if (name) return name;
    if (!adapter) return 'base';
    let count = 1;
    while (count < parts[i].length && members.some((other, j) => other.adapter && !other.name && other.adapter.id !== adapter.id && short(j, count) === short(i, count))) count++;
    return short(i, count) || adapter.id;
  });
}

/**
 * Whether no head of one stands for a head of another: then there is no change of heads and no difference of maps.
 * @param {ComparisonInfo | null} comparison
 */
export function isSideBySide(comparison) {
  return comparison !== null && comparison.members.some(({ own_towers: isOwn }) => isOwn);
}

const FLOORS = ['zero', 'dtype', 'paraphrase'];

/**
 * Those of the compared rows of a tower over which means are taken: the answer's, or all where none is.
 * @param {ComparisonInfo} comparison
 * @param {string} tower
 */
export function answeringRows(comparison, tower) {
  const rows = comparison.queries[tower] ?? [];
  const [first, last] = comparison.answer_rows;
  const answering = tower === 'vision' ? [] : rows.filter((row) => first <= row && row <= last);
  return answering.length ? answering : rows;
}

/** The kinds of noise floors that were measured, each once. @param {ComparisonInfo | null} comparison */
export function floorKinds(comparison) {
  const kinds = new Set((comparison?.floors ?? []).filter(({ why }) => why === undefined).map(({ kind }) => kind));
  return [...kinds].sort((a, b) => FLOORS.indexOf(a) - FLOORS.indexOf(b));
}

/** Whether a member's change is told apart: by a layer's own weights, and inherited. @param {ComparisonInfo | null} comparison @param {number} member */
export function hasParts(comparison, member) {
  return comparison?.parts?.includes(comparison.members[member]?.folder) ?? false;
}

/** Whether a row is of tokens that all have in common. @param {ComparisonInfo} comparison @param {number} query */
export function isShared({ shared_tokens: shared }, query) {
  return query < shared;
}

/** How strongly an adapter is switched on, as it is written; '' for the base, and where a member's own name says it. @param {Member} member */
export function strengthOf({ name, adapter }) {
  return adapter && !name ? formatStrength(adapter.scale) : '';
}

/**
 * A member's name in a sentence, with its strength where that is not 1.
 * @param {Member[]} members
 * @param {number} member
 */
export function memberName(members, member) {
  const { name, adapter } = members[member];
  return `${memberNames(members)[member]}${adapter && !name && adapter.scale !== 1 ? ` ${strengthOf(members[member])}` : ''}`;
}

/**
 * A member's run less what it does not share with the others, so that whatever is chosen is there in all of them.
 * @param {RunInfo} info
 * @param {number} shared  tokens
 * @returns {RunInfo}
 */
export function cutInfo(info, shared) {
  if (info.tokens.length <= shared) return info;
  const { language } = info.towers;
  const written = info.logprobs?.length ?? 0;
  const sinks = Object.fromEntries(Object.entries(info.sinks?.language ?? {}).map(([layer, keys]) => [layer, keys.filter((key) => key < shared)]));
  return {
    ...info,
    tokens: info.tokens.slice(0, shared),
    logprobs: info.logprobs?.slice(0, Math.max(0, written - (info.tokens.length - shared))),
    towers: { ...info.towers, ...(language ? { language: { ...language, keys: typeof language.keys === 'number' ? shared : language.keys } } : {}) },
    sinks: { ...info.sinks, ...(info.sinks?.language ? { language: sinks } : {}) },
  };
}

/**
 * A member's run as it is compared: less what it does not share, and of a member that read another's answer with the places of its own.
 * The base keeps the tokens whose rows stand for others'.
 * @param {ComparisonInfo} comparison
 * @param {RunInfo} info
 * @param {number} member
 * @returns {import('./run_info.js').ReadInfo}
 */
export function comparedInfo({ shared_tokens, aligned, members }, info, member) {
  const beyond = Object.values(aligned ?? {}).flatMap((groups) => groups.map(({ base }) => base[1] + 2));
  const cut = cutInfo(info, member === 0 ? Math.min(info.tokens.length, Math.max(shared_tokens, ...beyond)) : shared_tokens);
  const { points, boxes, unplaced } = members[member];
  return points || boxes || unplaced ? { ...cut, points: points ?? [], boxes: boxes ?? [], unplaced: unplaced ?? [], has_own_places: true } : cut;
}

/**
 * What stands for a row of the base's, beyond the shared tokens, in a member. Null for none.
 * @param {ComparisonInfo} comparison
 * @param {number} member
 * @param {number} row
 */
export function alignedAt({ aligned, members }, member, row) {
  return aligned?.[members[member].folder]?.find(({ base: [first, last] }) => row >= first && row <= last) ?? null;
}

/**
 * The rows of a member, of a pair, that stand for rows of the base's: first, and last where there are several. Null where it has none.
 * @param {ComparisonInfo} comparison
 * @param {number} member
 * @param {number} beside  the other of the pair: where the member is the base, its rows are those that stand for rows of that
 * @param {{query: number, until?: number | null}} rows  of the base's
 * @returns {{query: number, until: number | null} | null}
 */
export function rowsOf(comparison, member, beside, { query, until = null }) {
  const last = until ?? query;
  if (last < comparison.shared_tokens || (member === 0 && beside === 0)) return { query, until };
  const [begin, end] = [query, last].map((row) => {
    if (row < comparison.shared_tokens) return [row, row];
    const group = alignedAt(comparison, member || beside, row);
    return group && (member ? group.other : group.base);
  });
  return begin && end ? { query: begin[0], until: end[1] > begin[0] ? end[1] : null } : null;
}

/**
 * The tokens of the answer that all have in common, and whether that is the whole answer of each: what all can be asked about.
 * @param {ComparisonInfo} comparison
 * @param {RunInfo[]} infos  uncut
 */
export function commonAnswer({ shared_tokens: shared }, infos) {
  const answers = infos.map(answerTokens);
  const tokens = answers[0].filter((token) => token < shared);
  return { tokens, isWhole: answers.every((own) => String(own) === String(tokens)) };
}

/**
 * Whose words were read, and how much of them all have in common.
 * @param {ComparisonInfo} comparison
 * @param {RunInfo[]} infos  uncut
 */
export function wordsRead({ words, members, shared_tokens, aligned }, infos) {
  const written = infos.map((info) => info.tokens.length - promptLength(info));
  const shared = Math.max(0, shared_tokens - promptLength(infos[0]));
  if (!Math.max(...written)) return 'The prompt alone was read; there is no answer.';
  const tokens = (/** @type {number} */ count) => (count === 1 ? '1 token' : `${count} tokens`);
  if (words === 'own') {
    if (written.every((count) => count === shared)) return `Each read its own answer; they are the same, ${tokens(shared)}.`;
    const also = alignedWords(aligned);
    if (also) return `Each read its own answer. Compared are ${shared > 0 ? `the ${tokens(shared)} that all begin with, and ` : ''}${also}.`;
    if (!shared) return 'Each read its own answer, and these differ from the first token: what is compared is the prompt.';
    const first = promptLength(infos[0]);
    return `Each read its own answer. Only what all have in common is compared: ${tokens(shared)}, ${quotedSpan(infos[0], first, first + shared - 1)}.`;
  }
  const whose = words === 'typed' ? 'the answer that was given' : words === 'base' ? "the base's answer" : `the answer of ${memberName(members, Number(words))}`;
  return `All read ${whose}, ${tokens(shared)}.`;
}

/**
 * What stands for each other beyond the shared tokens, in words. @param {ComparisonInfo['aligned']} aligned
 */
function alignedWords(aligned) {
  const groups = Object.values(aligned ?? {}).flat();
  const fields = [...new Set(groups.flatMap(({ how, name }) => (how === 'field' ? [name] : [])))];
  const words = groups.some(({ how }) => how === 'text');
  const starts = groups.some(({ how }) => how === 'start');
  return [
    starts && 'the rows that predict the answers', fields.length && `the fields ${fields.join(', ')} of the places that they name, each the mean over its tokens`,
    words && 'words that are the same',
  ].filter(Boolean).join('; ');
}

/**
 * What is said of each member's own answer.
 * @param {ComparisonInfo} comparison
 * @returns {{text: string, isSame: boolean, note: string, common: number}[]}  `isSame`: as the base's; `common`: with how many signs of it a different one begins
 */
export function answersOf({ members, words }) {
  return members.map(({ answer }, i) => {
    const isSame = i > 0 && answer === members[0].answer;
    const isRead = typeof words === 'number' ? answer === members[words]?.answer : words !== 'base' || answer === members[0].answer;
    const text = answer ?? '';
    return { text, isSame, note: isRead ? '' : 'not what was read', common: i > 0 && !isSame ? commonLength(members[0].answer ?? '', text) : 0 };
  });
}

/**
 * What the adapters answered, where it is not what the base answered.
 * @param {ComparisonInfo | null} comparison
 * @returns {{name: string, text: string}[]}
 */
export function otherAnswers(comparison) {
  if (!comparison || comparison.words === 'typed') return []; // none of them answered
  const answers = answersOf(comparison);
  const others = answers.slice(1).map(({ text, isSame }, i) => ({ name: memberName(comparison.members, i + 1), text: isSame ? 'answers the same' : text || 'no answer' }));
  return others.length > 2 ? [] : others;
}

/** How many signs two texts begin with alike, up to the end of a word. @param {string} a @param {string} b */
function commonLength(a, b) {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  const words = b.slice(0, length).match(/^.*\s/s);
  return words ? words[0].length : 0;
}

/**
 * Members that are steps of one thing: of one training, checkpoints of one, or one adapter at several strengths. Ascending, the base as 0.
 * @param {Member[]} members
 * @returns {{axis: 'step' | 'strength', points: {member: number, at: number}[]} | null}
 */
export function seriesOf(members) {
  /** @type {Map<string, {member: number, at: number}[]>} */
  const families = new Map();
  const add = (/** @type {string} */ name, /** @type {number} */ member, /** @type {number} */ at) => families.set(name, [...(families.get(name) ?? []), { member, at }]);
  members.forEach(({ adapter, step }, i) => {
    if (typeof step === 'number') add('step', i, step);
    if (!adapter || typeof step === 'number') return;
    const checkpoint = adapter.id.match(/^(.*?)[/\\]?checkpoint-(\d+)[/\\]?$/);
    if (checkpoint) add(`step ${adapter.scale} ${checkpoint[1]}`, i, Number(checkpoint[2]));
    add(`strength ${adapter.id}`, i, adapter.scale);
  });
  const [name, points] = [...families].sort((a, b) => b[1].length - a[1].length)[0] ?? ['', []];
  const isThere = new Set(points.map(({ at }) => at)).size > 1;
  if (!isThere) return null;
  const sorted = [...points].sort((a, b) => a.at - b.at);
  return { axis: name.startsWith('step') ? 'step' : 'strength', points: sorted.some(({ at }) => at === 0) ? sorted : [{ member: 0, at: 0 }, ...sorted] };
}
