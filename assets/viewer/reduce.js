// @ts-check
/** Rows of attention to the one map on screen: choosing a head or reducing over heads, taking a grid's cells. Knows no document. */

/** @typedef {import('./run_info.js').Choice} Choice */

/**
 * One head of a row, or the mean or maximum over its heads. The mean is summed in double precision.
 * @param {Float32Array} row  [heads, keys]
 * @param {number} heads
 * @param {Choice} head
 * @returns {Float32Array} [keys]
 */
export function chooseHead(row, heads, head) {
  const keys = row.length / heads;
  if (heads === 1) return row;
  if (typeof head === 'number') return row.subarray(head * keys, (head + 1) * keys);
  const result = new Float32Array(keys);
  for (let key = 0; key < keys; key++) {
    let sum = 0;
    let maximum = 0;
    for (let i = key; i < row.length; i += keys) {
      sum += row[i];
      if (row[i] > maximum) maximum = row[i];
    }
    result[key] = head === 'mean' ? sum / heads : maximum;
  }
  return result;
}

/**
 * The values of a grid's cells.
 * @param {Float32Array} row  [keys]
 * @param {Int32Array} keys   the key of each cell
 */
export function takeCells(row, keys) {
  return Float32Array.from(keys, (key) => row[key]);
}

/** @param {ArrayLike<number>} values */
export function sum(values) {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i];
  return total;
}

/** @param {ArrayLike<number>} values */
export function indexOfLargest(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/**
 * An atlas with one more layer and one more head, the means: maps [layers + 1, heads + 1, cells]. The map at the end of both
 * is the mean over heads, then layers. Means are of the maps as they came.
 * @param {Float32Array} maps  [layers, heads, cells]
 * @param {number} layers
 * @param {number} heads
 */
export function withMeans(maps, layers, heads) {
  const cells = maps.length / (layers * heads);
  const result = new Float32Array((layers + 1) * (heads + 1) * cells);
  const place = (/** @type {number} */ layer, /** @type {number} */ head) => (layer * (heads + 1) + head) * cells;
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < heads; head++) {
      const map = maps.subarray((layer * heads + head) * cells, (layer * heads + head + 1) * cells);
      result.set(map, place(layer, head));
      accumulate(result, place(layer, heads), map, 1 / heads);
      accumulate(result, place(layers, head), map, 1 / layers);
    }
    const mean = result.subarray(place(layer, heads), place(layer, heads) + cells);
    accumulate(result, place(layers, heads), mean, 1 / layers);
  }
  return result;
}

/** @param {Float32Array} into @param {number} at @param {Float32Array} map @param {number} share */
function accumulate(into, at, map, share) {
  for (let i = 0; i < map.length; i++) into[at + i] += share * map[i];
}

/**
 * The places of the largest values, the largest first.
 * @param {ArrayLike<number>} values
 * @param {number} count
 */
export function topCells(values, count) {
  return Array.from(values, (_, place) => place).sort((a, b) => values[b] - values[a]).slice(0, count);
}

/**
 * How many cells, the largest first, together hold half of the sum.
 * @param {ArrayLike<number>} values
 */
export function cellsOfHalf(values) {
  const ordered = Float32Array.from(values).sort();
  const half = sum(ordered) / 2;
  let [held, count] = [0, 0];
  for (let i = ordered.length - 1; i >= 0 && held < half; i--, count++) held += ordered[i];
  return count;
}
