// @ts-check
/**
 * The ribbon as data: where a row's mass lies, by role, as parts of one stacked bar for each layer.
 *
 * Pictures lie at the bottom, so that they can be compared from layer to layer. Sinks are cells of pictures: their part is marked
 * inside those, never added. Knows no document.
 *
 * @typedef {{name: string, spans: number[][] | null}} Group
 * @typedef {{name: string, from: number, to: number, mass: number}} Part
 * @typedef {{parts: Part[], sink: number}} Bar  parts from the bottom up, 0 to 1
 */

/** From the bottom up; pictures come before them. */
const ROLES = ['prompt', 'answer', 'thinking', 'system', 'special'];

/**
 * The groups that have keys, in the order in which they are stacked.
 * @param {Group[]} groups
 */
export function stackedGroups(groups) {
  const isHeld = (/** @type {Group} */ { spans }) => spans?.some(([start, stop]) => stop > start);
  const rank = (/** @type {Group} */ { name }) => (name.startsWith('image') ? -1 : ROLES.indexOf(name));
  return groups.filter(isHeld).sort((a, b) => rank(a) - rank(b));
}

/**
 * One bar for each layer and one for the mean over them; of one head, or of the mean over heads.
 * @param {Float32Array} masses  [layers, heads, groups]
 * @param {Group[]} groups
 * @param {number} heads
 * @param {import('../data/run_info.js').Choice} head  of a maximum there is no such bar: the mean
 * @returns {Bar[]}
 */
export function barsOf(masses, groups, heads, head) {
  const layers = masses.length / (heads * groups.length);
  const chosen = typeof head === 'number' ? [head] : Array.from({ length: heads }, (_, i) => i);
  const order = stackedGroups(groups);
  const held = order.map((group) => groups.indexOf(group));
  const sink = groups.findIndex(({ name }) => name === 'sink');
  const meanOf = (/** @type {number} */ group, /** @type {number[]} */ among) => {
    let total = 0;
    for (const layer of among) for (const i of chosen) total += masses[(layer * heads + i) * groups.length + group];
    return total / (among.length * chosen.length);
  };
  const every = Array.from({ length: layers }, (_, layer) => layer);
  return [...every.map((layer) => [layer]), every].map((among) => {
    let from = 0;
    const parts = held.map((group, i) => {
      const mass = meanOf(group, among);
      const part = { name: order[i].name, from, to: from + mass, mass };
      from += mass;
      return part;
    });
    const onPictures = parts.reduce((total, { name, mass }) => total + (name.startsWith('image') ? mass : 0), 0);
    return { parts, sink: sink < 0 ? 0 : Math.min(meanOf(sink, among), onPictures) };
  });
}
