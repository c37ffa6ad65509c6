// @ts-check
/**
 * The layer and head of each member where towers have other layers or heads: there no head stands for another, and each pane has a choice
 * of its own. The base's is that of the selection. Knows no document.
 *
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 * @typedef {import('../data/run_info.js').Choice} Choice
 * @typedef {{layer: Choice, head: Choice}} OwnHead
 */
import { headsOf, layersOf } from '../data/run_info.js';
import { choices } from '../data/selection.js';

/**
 * The selection as a member has it: with its own layer and head, where it has any.
 * @param {import('../data/selection.js').Selection} selection
 * @param {OwnHead[]} own  by member
 * @param {number} member
 */
export function selectionOf(selection, own, member) {
  return member > 0 && own[member] ? { ...selection, ...own[member] } : selection;
}

/**
 * The same choices, with the mean where a member's tower lacks what was chosen. The same list where nothing changes.
 * @param {RunInfo[]} infos  by member
 * @param {string} tower
 * @param {OwnHead[]} own
 */
export function ownIn(infos, tower, own) {
  const has = (/** @type {number[]} */ offered, /** @type {Choice} */ choice) => (choices(offered).includes(choice) ? choice : 'mean');
  const next = own.map(({ layer, head }, member) => ({ layer: has(layersOf(infos[member], tower), layer), head: has(headsOf(infos[member], tower), head) }));
  return next.every(({ layer, head }, member) => layer === own[member].layer && head === own[member].head) ? own : next;
}

/**
 * As a text of the page's address, from the first after the base on: `3.5 mean.mean`.
 * @param {OwnHead[]} own
 */
export function writeOwn(own) {
  return own.slice(1).map(({ layer, head }) => `${layer}.${head}`).join(' ');
}

/**
 * What a text says, where the members have it; otherwise the mean over layers and heads.
 * @param {string | undefined} text
 * @param {RunInfo[]} infos
 * @param {string} tower
 */
export function readOwn(text, infos, tower) {
  const said = (text ?? '').split(' ');
  const choice = (/** @type {string | undefined} */ word) => (/^\d{1,6}$/.test(word ?? '') ? Number(word) : /** @type {Choice} */ (word));
  return ownIn(infos, tower, infos.map((_, member) => {
    const [layer, head] = member ? (said[member - 1] ?? '').split('.') : [];
    return { layer: choice(layer), head: choice(head) };
  }));
}
