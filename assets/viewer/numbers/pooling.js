// @ts-check
/**
 * Maps made smaller by area, as attention/runs/pooling.py does: every cell of the result is the mean of the part of the map that it covers.
 */

/**
 * The largest shape of about the same proportions with at most so many cells; never larger than the map.
 * @param {number} rows
 * @param {number} cols
 * @param {number} maxCells
 * @returns {[rows: number, cols: number]}
 */
export function pooledShape(rows, cols, maxCells) {
  if (rows * cols <= maxCells) return [rows, cols];
  const shrink = Math.sqrt(maxCells / (rows * cols));
  if (rows <= cols) {
    const fewer = Math.max(1, Math.floor(rows * shrink));
    return [fewer, Math.min(cols, Math.floor(maxCells / fewer))];
  }
  const fewer = Math.max(1, Math.floor(cols * shrink));
  return [Math.min(rows, Math.floor(maxCells / fewer)), fewer];
}

/**
 * One map as area means.
 * @param {ArrayLike<number>} map  [rows, cols]
 * @param {[rows: number, cols: number]} from
 * @param {[rows: number, cols: number]} to
 */
export function pooled(map, [rows, cols], [fewerRows, fewerCols]) {
  const down = weights(rows, fewerRows);
  const across = weights(cols, fewerCols);
  const result = new Float32Array(fewerRows * fewerCols);
  down.forEach((ofRows, r) => across.forEach((ofCols, c) => {
    let sum = 0;
    for (const [row, share] of ofRows) for (const [col, part] of ofCols) sum += share * part * map[row * cols + col];
    result[r * fewerCols + c] = sum;
  }));
  return result;
}

/** Of each of `fewer` equal parts the ones of `count` that it covers, each with its share. @param {number} count @param {number} fewer */
function weights(count, fewer) {
  return Array.from({ length: fewer }, (_, part) => {
    const [start, stop] = [part * count / fewer, (part + 1) * count / fewer];
    /** @type {[number, number][]} */
    const found = [];
    for (let cell = Math.floor(start); cell < Math.min(count, Math.ceil(stop)); cell++) {
      const overlap = Math.min(stop, cell + 1) - Math.max(start, cell);
      if (overlap > 0) found.push([cell, overlap * fewer / count]);
    }
    return found;
  });
}
