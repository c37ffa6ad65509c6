// @ts-check
/**
 * The view in the fragment of the page's address: which run by its public id, what is selected, how it looks. The ticket, which
 * gives access to the run, is never in it. A run and a comparison stand in one address, each by fields of its own. Knows no document.
 *
 * @typedef {import('./selection.js').Selection} Selection
 * @typedef {import('./look.js').Look} Look
 */
import { LOOK_NAMES, readSetting, startingLook } from './look.js';

const WORDS = /** @type {const} */ (['tower', 'direction', 'reading']);
const NUMBERS = /** @type {const} */ (['token', 'until', 'grid']);
const CHOICES = /** @type {const} */ (['layer', 'head']);

/**
 * @param {string} run
 * @param {Selection} selection
 * @param {Look} look
 * @param {string} [old]  the fragment of which what is said of a comparison stays
 */
export function writeFragment(run, selection, look, old = '') {
  const fields = new URLSearchParams({ run });
  for (const name of [...WORDS, ...CHOICES, ...NUMBERS]) if (selection[name] !== null) fields.set(name, String(selection[name]));
  const start = startingLook();
  for (const name of LOOK_NAMES) if (look[name] !== start[name]) fields.set(name, String(look[name]));
  for (const [name, text] of new URLSearchParams(old.replace(/^#/, ''))) if (isOfComparison(name)) fields.append(name, text);
  return `#${fields}`;
}

/**
 * What a fragment says; what it does not say, or says wrongly, is left out. Null when it names no run.
 * @param {string} fragment
 * @returns {{run: string, selection: Partial<Selection>, look: Partial<Look>} | null}
 */
export function readFragment(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ''));
  const run = fields.get('run');
  if (!run) return null;
  /** @type {any} */
  const selection = {};
  for (const name of WORDS) if (fields.has(name)) selection[name] = fields.get(name);
  for (const name of NUMBERS) if (/^\d{1,9}$/.test(fields.get(name) ?? '')) selection[name] = Number(fields.get(name));
  for (const name of CHOICES) {
    const text = fields.get(name) ?? '';
    if (/^\d{1,9}$/.test(text)) selection[name] = Number(text);
    else if (text === 'mean' || text === 'max') selection[name] = text;
  }
  /** @type {any} */
  const look = {};
  for (const name of LOOK_NAMES) {
    const value = fields.has(name) ? readSetting(name, /** @type {string} */ (fields.get(name))) : undefined;
    if (value !== undefined) look[name] = value;
  }
  return { run, selection, look };
}

const COMPARED = 'compare';

/** @param {string} name  of a field */
function isOfComparison(name) {
  return name === COMPARED || name.startsWith(`${COMPARED}.`);
}

/**
 * The same of a comparison, beside what is said of a run.
 * @param {string} id
 * @param {Record<string, string | number | null>} fields  what is chosen
 * @param {Selection} selection
 * @param {string} old  the fragment
 */
export function writeComparison(id, fields, selection, old) {
  const found = new URLSearchParams(old.replace(/^#/, ''));
  for (const name of [...found.keys()]) if (isOfComparison(name)) found.delete(name);
  found.set(COMPARED, id);
  const chosen = { ...Object.fromEntries([...WORDS, ...CHOICES, ...NUMBERS].map((name) => [name, selection[name]])), ...fields };
  for (const [name, value] of Object.entries(chosen)) if (value !== null) found.set(`${COMPARED}.${name}`, String(value));
  return `#${found}`;
}

/**
 * What a fragment says of a comparison, null when it names none. Of `fields` only texts; they are checked by who knows the comparison.
 * @param {string} fragment
 * @returns {{id: string, selection: Partial<Selection>, fields: Record<string, string>} | null}
 */
export function readComparison(fragment) {
  const all = new URLSearchParams(fragment.replace(/^#/, ''));
  const id = all.get(COMPARED);
  if (!id) return null;
  const own = [...all].filter(([name]) => name.startsWith(`${COMPARED}.`)).map(([name, text]) => [name.slice(COMPARED.length + 1), text]);
  const wish = readFragment(`run=${encodeURIComponent(id)}&${new URLSearchParams(own)}`);
  return { id, selection: wish?.selection ?? {}, fields: Object.fromEntries(own) };
}
