// @ts-check
/** What is said of kept runs: one in its row, how many there are, which of them a page has. Knows no document. */

/**
 * @typedef {import('../data/library_source.js').KeptRow} KeptRow
 * @typedef {import('../data/library_source.js').KeptPage} KeptPage
 */

/** @param {number} number */
const count = (number) => number.toLocaleString('en');

/** What was asked, or what of a folder cannot be read. @param {KeptRow} row */
export function keptTitle({ prompt, id, error }) {
  return error ? `${id} cannot be read` : prompt || 'no question';
}

/** The second line of a row. @param {KeptRow} row */
export function keptFacts({ model, adapter, folder, created, tokens, bytes, error }) {
  const when = whenOf(created);
  if (error) return [error, folder, when].join(' · ');
  const name = (model ?? '').split(/[\\/]/).filter(Boolean).at(-1) ?? '';
  const size = bytes ? `, ${(bytes / 1e6).toLocaleString('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 })} MB` : '';
  return [name, adapter, folder, when, `${count(tokens)} tokens${size}`].filter(Boolean).join(' · ');
}

/** A time as here, to the minute. @param {string} created */
export function whenOf(created) {
  const time = new Date(created);
  const two = (/** @type {number} */ number) => String(number).padStart(2, '0');
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** @param {KeptPage} page @param {string} kind @param {string} search */
export function keptCount({ total, all, looking, notes }, kind, search) {
  const named = `kept ${kind}${all === 1 ? '' : 's'}`;
  const many = search.trim() ? `${count(total)} of ${count(all)} ${named}` : all ? `${count(all)} ${named}` : `No kept ${kind}s yet`;
  const how = !looking ? '' : looking.total ? `reading new folders: ${count(looking.done)} of ${count(looking.total)} ...` : 'looking through the folders ...';
  return [many, how, ...notes].filter(Boolean).join(' · ');
}

/** @param {number} offset @param {number} length @param {number} total */
export function keptRange(offset, length, total) {
  return length ? `${count(offset + 1)} to ${count(offset + length)} of ${count(total)}` : '';
}
