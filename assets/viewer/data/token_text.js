// @ts-check
/**
 * Tokens as a person reads them: white space made visible, pieces joined, an image's tokens as one chip. Knows no document.
 *
 * @typedef {import('./run_info.js').RunInfo} RunInfo
 *
 * @typedef {object} Chip
 * @property {'token' | 'image'} kind
 * @property {number} token   the first token it stands for
 * @property {number} count   how many tokens it stands for, one after the other
 * @property {string} text    to be shown; for an image "[image 14×21]"
 * @property {boolean} special
 * @property {boolean} breaks a line ends after it
 * @property {number} [grid]
 * @property {Chip[]} [inside]  of an image: what stands between its cells, as the ends of its rows
 *
 * @typedef {object} Segment
 * @property {'system' | 'prompt' | 'thinking' | 'answer'} role
 * @property {Chip[]} chips
 */
import { frameName, promptLength } from './run_info.js';

/** @type {Record<string, string>} */
const SPACES = { ' ': '·', '\n': '↵', '\r': '␍', '\t': '⇥', '\u00a0': '⍽' };
/** What shows nothing of its own, or turns the text around it: spaces, controls, marks of direction. */
const UNSEEN = /[\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200c\u200e\u200f\u2028-\u202f\u2066-\u2069\u3000\ufeff]/;
const UNSEEN_RUNS = new RegExp(`(${UNSEEN.source}+)`, 'g');
const LONG_QUOTE = 32;
const BLOCK = 120; // chips

/**
 * A text with its white space visible.
 * @param {string} text
 */
export function visible(text) {
  return text.replace(new RegExp(UNSEEN, 'g'), signOf);
}

/** @param {string} sign */
function signOf(sign) {
  const code = sign.charCodeAt(0);
  return SPACES[sign] ?? (code < 32 ? String.fromCharCode(0x2400 + code) : code === 127 ? '␡' : '␣');
}

/**
 * The same in pieces, so that the signs for white space can be told from the same signs in the text.
 * @param {string} text
 * @returns {{text: string, isSpace: boolean}[]}
 */
export function inked(text) {
  return text.split(UNSEEN_RUNS).filter(Boolean).map((piece) => ({ text: visible(piece), isSpace: UNSEEN.test(piece[0]) }));
}

/**
 * A token in quotation marks, as the headline names it: the space before a word is left out, line breaks are shown.
 * @param {RunInfo} info
 * @param {number} index
 */
export function quoted(info, index) {
  const token = info.tokens[index];
  if (token.role === 'image' && token.grid !== null) {
    const grid = info.grids[token.grid];
    return `${grid.kind === 'frame' ? frameName(grid) : `image ${grid.image + 1}`}, row ${token.row}, col ${token.col}`;
  }
  return `${inQuotes(info.tokens[token.part_of ?? index].text)}${token.part_of === undefined ? '' : ` (piece ${index - token.part_of + 1})`}`;
}

/**
 * Tokens from one to another, as one text where that is short enough to be read.
 * @param {RunInfo} info
 * @param {number} first
 * @param {number} last
 */
export function quotedSpan(info, first, last) {
  const tokens = info.tokens.slice(first, Math.min(last + 1, first + LONG_QUOTE));
  const text = tokens.map((token) => token.text).join('');
  const isText = tokens.every((token) => token.grid === null) && tokens[0].part_of === undefined;
  if (isText && last < first + LONG_QUOTE && text.length <= LONG_QUOTE) return inQuotes(text);
  return `${quoted(info, first)} to ${quoted(info, last)}`;
}

/** @param {string} text */
export function inQuotes(text) {
  const bare = text.trim() ? text.replace(/^ | $/g, '') : text;
  return `“${inked(bare).map((piece) => (piece.isSpace && bare.trim() ? piece.text.replaceAll('·', ' ') : piece.text)).join('')}”`;
}

/**
 * All tokens as chips in the parts of the conversation. Special tokens and image tokens belong to the part they stand in:
 * those between two parts to the later one, those before the answer to the prompt. What stands between two cells of one image,
 * as a sign that ends its row, is inside the image's chip.
 * @param {RunInfo} info
 * @returns {Segment[]}
 */
export function segments(info) {
  const roles = segmentRoles(info, promptLength(info));
  /** @type {Segment[]} */
  const result = [];
  info.tokens.forEach((token, index) => {
    let segment = result[result.length - 1];
    if (!segment || segment.role !== roles[index]) {
      segment = { role: roles[index], chips: [] };
      result.push(segment);
    }
    const { chips } = segment;
    const last = chips[chips.length - 1];
    if (token.part_of !== undefined && last && last.token <= token.part_of && last.token + last.count === index) {
      last.count++;
    } else if (token.grid !== null) {
      const begun = chips.findLastIndex((chip) => chip.kind === 'image');
      const image = chips[begun];
      if (image?.grid === token.grid) {
        const between = chips.splice(begun + 1).map((chip) => ({ ...chip, breaks: false }));
        image.inside = [...(image.inside ?? []), ...between];
        image.count = index - image.token + 1;
      } else {
        chips.push({ kind: 'image', token: index, count: 1, text: `[${gridName(info, token.grid)}]`, special: false, breaks: false, grid: token.grid });
      }
    } else {
      const special = token.role === 'special';
      chips.push({ kind: 'token', token: index, count: 1, text: visible(token.text), special, breaks: !special && token.text.endsWith('\n') });
    }
  });
  return result;
}

/**
 * Chips in blocks that can be laid out and left out each for itself: cut where a line ends, or else where a word begins.
 * @param {Chip[]} chips
 * @returns {Chip[][]}
 */
export function blocksOf(chips) {
  /** @type {Chip[][]} */
  const blocks = [];
  chips.forEach((chip, i) => {
    const block = blocks[blocks.length - 1];
    const isLine = i > 0 && chips[i - 1].breaks;
    const isWord = chip.text.startsWith('·') || chip.kind === 'image';
    const isFull = !block || block.length >= 2 * BLOCK || (block.length >= BLOCK && isWord) || (block.length >= BLOCK / 2 && isLine);
    if (isFull) blocks.push([chip]);
    else block.push(chip);
  });
  return blocks;
}

/**
 * "image 14×21", or which of several pictures, tiles or frames it is.
 * @param {RunInfo} info
 * @param {number} grid
 */
export function gridName(info, grid) {
  const { image, kind, tower, rows, cols } = info.grids[grid];
  if (kind === 'frame') return `${frameName(info.grids[grid])} ${rows}×${cols}`;
  const alike = info.grids.flatMap((other, i) => (other.image === image && other.tower === tower && other.kind === kind ? [i] : []));
  const names = info.images.length > 1 || kind === 'whole' ? [info.images.length > 1 ? `image ${image + 1}` : 'image'] : [];
  if (kind !== 'whole') names.push(alike.length > 1 ? `${kind} ${alike.indexOf(grid) + 1}` : kind);
  return `${names.join(' ')} ${rows}×${cols}`;
}

/**
 * The tokens that steps go through, ascending: all but those of images that are folded.
 * @param {Segment[]} parts
 * @param {Set<number>} unfolded  grids
 * @returns {number[]}
 */
export function stops(parts, unfolded) {
  return parts.flatMap(({ chips }) => chips).flatMap(({ kind, grid, token, count }) =>
    kind === 'token' || unfolded.has(/** @type {number} */ (grid)) ? Array.from({ length: count }, (_, i) => token + i) : []);
}

/**
 * The stop some steps beside a token, which need be none itself; the token where there is none.
 * @param {number[]} all  ascending
 * @param {number} token
 * @param {number} by
 */
export function stopBeside(all, token, by) {
  if (!all.length) return token;
  let here = placeOf(all, token);
  if (all[here] !== token && by > 0) here--; // it lies between two
  return all[Math.min(all.length - 1, Math.max(0, here + by))];
}

/**
 * The place of the first that is not below a number.
 * @param {ArrayLike<number>} ascending
 * @param {number} number
 */
export function placeOf(ascending, number) {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle] < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * How probable the model found tokens that it wrote, as a natural logarithm; null for what it did not write.
 * @param {RunInfo} info
 * @param {number} token
 * @param {number} count
 */
export function logProbability(info, token, count) {
  const known = info.logprobs ?? [];
  const first = token - (info.tokens.length - known.length); // there is one for each token that the model wrote
  return first < 0 || !known.length ? null : known.slice(first, first + count).reduce((total, value) => total + value, 0);
}

/**
 * @param {RunInfo} info
 * @param {number} written
 * @returns {Segment['role'][]}
 */
function segmentRoles(info, written) {
  const roles = /** @type {Segment['role'][]} */ (new Array(info.tokens.length));
  /** @type {Segment['role'] | undefined} */
  let following;
  for (let i = info.tokens.length - 1; i >= 0; i--) {
    const { role } = info.tokens[i];
    if (i === written - 1) following = 'prompt';
    if (role === 'image') following = 'prompt';
    else if (role !== 'special') following = role;
    roles[i] = following ?? (i >= written ? 'answer' : 'prompt');
  }
  // What ends the answer has nothing after it: it stays with what is before it.
  for (let i = written + 1; i < roles.length; i++) if (info.tokens[i].role === 'special' && !follows(info, i)) roles[i] = roles[i - 1];
  return roles;
}

/** @param {RunInfo} info @param {number} index */
function follows(info, index) {
  return info.tokens.slice(index + 1).some((token) => token.role !== 'special');
}
