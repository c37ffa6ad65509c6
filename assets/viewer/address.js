// @ts-check
/**
 * The view in the fragment of the page's address: which run by its public id, what is selected, how it looks. The ticket, which
 * gives access to the run, is never in it. Knows no document.
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
 */
export function writeFragment(run, selection, look) {
  const fields = new URLSearchParams({ run });
  for (const name of [...WORDS, ...CHOICES, ...NUMBERS]) if (selection[name] !== null) fields.set(name, String(selection[name]));
  const start = startingLook();
  for (const name of LOOK_NAMES) if (look[name] !== start[name]) fields.set(name, String(look[name]));
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
