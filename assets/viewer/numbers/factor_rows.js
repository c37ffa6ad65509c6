// @ts-check
/**
 * Rows and columns of one layer from its queries and keys, by the formula of attention/runs/FORMAT.md: a row is the softmax of
 * scaling x query . key over the keys that the mask shows, capped where the layer does so, with its learned sink logits where it has them.
 * Pure: knows no run and no file.
 *
 * @typedef {object} Layer
 * @property {number} heads
 * @property {number} kvHeads
 * @property {number} keys      how many
 * @property {number} headDim
 * @property {number} scaling
 * @property {number} softcap   0 where scores are not capped
 * @property {ArrayLike<number> | null} sinkLogits  one a head
 */

/**
 * The row of one query: [heads, keys].
 * @param {Layer} layer
 * @param {Float32Array} query  [heads, head_dim]
 * @param {Float32Array} key    [kv_heads, keys, head_dim]
 * @param {(key: number) => boolean} isRead  by this query
 * @param {[first: number, last: number]} reach  keys outside are not read
 */
export function rowOf(layer, query, key, isRead, [first, last]) {
  const { heads, keys: n, sinkLogits } = layer;
  const row = new Float32Array(heads * n);
  const scores = new Float64Array(last - first);
  for (let head = 0; head < heads; head++) {
    let peak = sinkLogits ? sinkLogits[head] : -Infinity;
    for (let j = first; j < last; j++) {
      const score = isRead(j) ? scoreOf(layer, query, head * layer.headDim, key, keyStart(layer, head, j)) : -Infinity;
      scores[j - first] = score;
      if (score > peak) peak = score;
    }
    if (!Number.isFinite(peak)) continue; // it reads nothing
    let total = sinkLogits ? Math.exp(sinkLogits[head] - peak) : 0;
    for (let j = 0; j < scores.length; j++) total += scores[j] = Math.exp(scores[j] - peak);
    for (let j = 0; j < scores.length; j++) row[head * n + first + j] = scores[j] / total;
  }
  return row;
}

/**
 * The column of one key: [heads, queries], each value of its query's own row.
 * @param {Layer} layer
 * @param {Float32Array} queries  [queries, heads, head_dim]
 * @param {Float32Array} key      [kv_heads, keys, head_dim]
 * @param {Float64Array} logSums  [heads, queries]: of every row's denominator
 * @param {number} at             the key
 * @param {(query: number) => boolean} reads  this key
 */
export function columnOf(layer, queries, key, logSums, at, reads) {
  const { heads, headDim } = layer;
  const n = logSums.length / heads;
  const column = new Float32Array(heads * n);
  for (let head = 0; head < heads; head++) {
    const start = keyStart(layer, head, at);
    for (let i = 0; i < n; i++) {
      if (!reads(i)) continue;
      column[head * n + i] = Math.exp(scoreOf(layer, queries, (i * heads + head) * headDim, key, start) - logSums[head * n + i]);
    }
  }
  return column;
}

/**
 * Effects of the forecast that stand for a row or a column of attention: -A (pull . value - pull_output), in nats.
 * @param {Layer} layer
 * @param {Float32Array} attention  [heads, places]: of one query the keys, of one key the queries
 * @param {(head: number, place: number) => number} seen  pull . value
 * @param {(head: number, place: number) => number} own   pull . output
 */
export function effectsOf({ heads }, attention, seen, own) {
  const n = attention.length / heads;
  return attention.map((weight, i) => {
    const [head, place] = [Math.floor(i / n), i % n];
    return weight === 0 ? 0 : 0 - weight * (seen(head, place) - own(head, place));
  });
}

/** The sum of products of two vectors of some width. @param {Float32Array} a @param {number} from @param {Float32Array} b @param {number} start @param {number} width */
export function product(a, from, b, start, width) {
  let sum = 0;
  for (let d = 0; d < width; d++) sum += a[from + d] * b[start + d];
  return sum;
}

/** @param {Layer} layer @param {number} head @param {number} at */
function keyStart({ heads, kvHeads, keys, headDim }, head, at) {
  return (Math.floor(head / (heads / kvHeads)) * keys + at) * headDim;
}

/** @param {Layer} layer @param {Float32Array} query @param {number} from @param {Float32Array} key @param {number} at */
function scoreOf({ headDim, scaling, softcap }, query, from, key, at) {
  const score = scaling * product(query, from, key, at, headDim);
  return softcap ? softcap * Math.tanh(score / softcap) : score;
}

/**
 * The mean of several arrays of one size, or their largest values.
 * @param {Float32Array[]} arrays
 * @param {'mean' | 'max'} by
 */
export function reduced(arrays, by) {
  const result = new Float32Array(arrays[0].length);
  for (let i = 0; i < result.length; i++) {
    let value = by === 'max' ? -Infinity : 0;
    for (const array of arrays) value = by === 'max' ? Math.max(value, array[i]) : value + array[i];
    result[i] = by === 'max' ? value : value / arrays.length;
  }
  return result;
}

/** The same of effects: the largest is that of the largest size, with its sign. @param {Float32Array[]} arrays @param {'mean' | 'max'} by */
export function reducedEffects(arrays, by) {
  if (by === 'mean') return reduced(arrays, by);
  const [high, low] = [reduced(arrays, 'max'), reduced(arrays.map((array) => array.map((value) => -value)), 'max')];
  return high.map((value, i) => (value >= low[i] ? value : -low[i]));
}

/**
 * One head of [heads, n], or what they are reduced to; all where none is named.
 * @param {Float32Array} values @param {number} heads @param {import('../data/run_info.js').Choice | null} head @param {(arrays: Float32Array[], by: 'mean' | 'max') => Float32Array} by
 */
export function chosenHead(values, heads, head, by) {
  if (head === null) return values;
  const each = split(values, values.length / heads);
  return typeof head === 'string' ? by(each, head) : each[head];
}

/** Parts of [parts, size] as arrays. @param {Float32Array} values @param {number} size */
export function split(values, size) {
  return Array.from({ length: values.length / size }, (_, i) => values.subarray(i * size, (i + 1) * size));
}
