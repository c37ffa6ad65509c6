// @ts-check
/** The cost of a forecast of several members, before it is made. Knows no document. */
import { layersOf } from '../data/run_info.js';

/** @typedef {import('../data/run_info.js').RunInfo} RunInfo */

const WIDE = 4; // bytes of a number, where the model's are not of 16 bits

/**
 * The cost of a forecast of members: passes, and the bytes that come to lie beside them, as `attention.readings.cost` counts them.
 * @param {RunInfo[]} infos  whole, of those that lack it
 * @param {string[]} towers
 * @param {{members?: number, isKnown?: boolean}} [of]  how many there are in all, and whether it was looked who has it already
 */
export function forecastCost(infos, towers, { members = infos.length, isKnown = true } = {}) {
  const n_bytes = infos.reduce((total, info) => total + towers.reduce((sum, name) => sum + bytesOf(info, name), 0), 0);
  const size = (n_bytes / 1e6).toLocaleString('en', { maximumSignificantDigits: 2 });
  return {
    short: `Forecast: ${isKnown ? '' : 'up to '}${infos.length} × a pass forward and one back, ${size}\u202fMB`,
    long: `A forecast takes one pass forward and one back by the model of each of ${infos.length === members ? `the ${members} members` : `${infos.length} of ${members} members`}, one after the other, and ${size}\u202fMB beside the runs in all. Members that have it already are not asked again.`,
  };
}

/** @param {RunInfo} info @param {string} name  of a tower */
function bytesOf(info, name) {
  const tower = info.towers[name];
  if (!tower) return 0;
  const item = info.model.dtype === 'bfloat16' ? WIDE / 2 : WIDE;
  const keys = typeof tower.keys === 'number' ? tower.keys : tower.keys.length;
  const queries = tower.queries ?? keys;
  const read = new Set(layersOf(info, name));
  return tower.layers.reduce((sum, { index, kv_heads: groups, head_dim: width }) => {
    if (!read.has(index)) return sum;
    return sum + (groups ?? tower.heads) * keys * (width ?? 0) * item + tower.heads * queries * ((width ?? 0) * item + WIDE);
  }, 0);
}
