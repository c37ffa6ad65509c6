// @ts-check
/** The matrix of change that is on screen: the last that is whole, until the one that is wished is there. Knows no document. */
import { highestOf, negligible } from '../numbers/change_matrix.js';
import { belowNoise } from '../numbers/noise.js';
import { changePath } from '../data/source.js';
import { changeWish, massesName } from './change_wish.js';
import { whyNoChange } from './effect_change.js';

/**
 * @typedef {object} HeldMatrix
 * @property {Float32Array} values        [layers x heads]
 * @property {Float32Array | null} masses the smaller image mass of the two; null where it does not count
 * @property {Uint8Array} faint           1 where next to nothing of the picture is read
 * @property {string} measure
 * @property {string} tower
 * @property {number} high                how far from no change the colours go
 * @property {Uint8Array | null} below    1 where the change is no more than noise; null without noise floors
 * @property {import('../numbers/noise.js').Floors | null} floors
 */

/**
 * @param {HeldMatrix | null} before
 * @param {Pick<import('./fields.js').ComparisonFields, 'info' | 'selection' | 'change' | 'imageMasses' | 'right' | 'measure' | 'of' | 'region' | 'part' | 'comparison' | 'floors'> & {reading?: import('./reading.js').Reading | null}} fields
 * @returns {{held: HeldMatrix | null, isStale: boolean}}  the same `held` where nothing of it has changed
 */
export function matrixNow(before, { info, selection, change, imageMasses, right, measure, of, region, part, comparison, floors: all, reading = null }) {
  if (!info || !selection || whyNoChange(reading)) return { held: null, isStale: false };
  const { tower } = selection;
  const massName = massesName(info, selection, { right, measure, of });
  const isMass = massName === null || imageMasses === null || imageMasses.name === massName;
  const isNow = change?.name === changePath(changeWish(info, selection, { right, measure, of, region, part, comparison, reading })) && isMass;
  if (!isNow || !change) return { held: before?.tower === tower ? before : null, isStale: true };
  const masses = massName === null ? null : imageMasses?.values ?? null;
  const { values } = change;
  const floors = all?.name === change.name ? all : null;
  const isSame = before && before.values === values && before.masses === masses && before.measure === measure && before.tower === tower && before.floors === floors;
  const made = () => ({ values, masses, faint: negligible(masses, values.length), measure, tower, high: highestOf(values), below: belowNoise(floors, values), floors });
  return { held: isSame ? before : made(), isStale: false };
}
