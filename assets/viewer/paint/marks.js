// @ts-check
/**
 * What is drawn over a map as thin lines: frames around cells, the places that an answer names. As paths of an SVG, in CSS
 * pixels of what is seen of the picture. Knows no document.
 *
 * @typedef {{row: number, col: number}} Cell
 * @typedef {{x: number, y: number, width: number, height: number}} Box
 * @typedef {{x: number, y: number, label?: string, ambiguous?: string, numbers?: string, image?: number, isChosen?: boolean}} Point            in the picture's pixels
 * @typedef {{x0: number, y0: number, x1: number, y1: number, label?: string, ambiguous?: string, numbers?: string, image?: number, isChosen?: boolean}} Rectangle
 * @typedef {{path: string, label: string, x: number, y: number, isRight: boolean, isGuess: boolean, isChosen: boolean}} Mark  a place, its label, and where that stands
 */

/** The arms of a crosshair begin and end so far from its point, which stays free. */
const ARM_PX = { from: 3, to: 11 };
const LABEL_PX = { height: 15, letter: 6.2, most: 32 };

/**
 * @param {import('./cells.js').Borders} borders
 * @param {number} density  device pixels of a CSS pixel
 * @param {Cell} cell
 * @returns {Box}
 */
export function boxOfCell({ rows, cols }, density, { row, col }) {
  const [x, y] = [cols[col] / density, rows[row] / density];
  return { x, y, width: cols[col + 1] / density - x, height: rows[row + 1] / density - y };
}

/**
 * The outline of several cells, and the borders that they share.
 * @param {Cell[]} cells
 * @param {import('./cells.js').Borders} borders
 * @param {number} density
 */
export function framesOf(cells, borders, density) {
  const count = borders.cols.length - 1;
  const chosen = new Set(cells.map(({ row, col }) => row * count + col));
  const has = (/** @type {number} */ row, /** @type {number} */ col) => col >= 0 && col < count && chosen.has(row * count + col);
  let [outer, inner] = ['', ''];
  for (const { row, col } of cells) {
    const { x, y, width, height } = boxOfCell(borders, density, { row, col });
    const top = `M${x} ${y}h${width}`;
    const left = `M${x} ${y}v${height}`;
    if (has(row - 1, col)) inner += top;
    else outer += top;
    if (has(row, col - 1)) inner += left;
    else outer += left;
    if (!has(row + 1, col)) outer += `M${x} ${y + height}h${width}`;
    if (!has(row, col + 1)) outer += `M${x + width} ${y}v${height}`;
  }
  return { outer, inner };
}

/**
 * The corners of a cell, just outside of it.
 * @param {Box} box
 */
export function cornersOf(box) {
  const [x, y, right, bottom] = [box.x - 2, box.y - 2, box.x + box.width + 2, box.y + box.height + 2];
  const arm = Math.min(8, (right - x) / 3, (bottom - y) / 3);
  return [
    `M${x} ${y + arm}V${y}H${x + arm}`, `M${right - arm} ${y}H${right}V${y + arm}`,
    `M${right} ${bottom - arm}V${bottom}H${right - arm}`, `M${x + arm} ${bottom}H${x}V${bottom - arm}`,
  ].join('');
}

/**
 * The places that an answer names, where they are seen.
 * @param {{points: Point[], boxes: Rectangle[]}} places
 * @param {import('./geometry.js').Size} picture
 * @param {import('./zoom.js').Place} place   of the picture, in CSS pixels
 * @param {import('./geometry.js').Size} seen
 * @returns {Mark[]}
 */
export function marksOf({ points, boxes }, picture, place, seen) {
  const across = (/** @type {number} */ x) => place.left + (x / picture.width) * place.width;
  const down = (/** @type {number} */ y) => place.top + (y / picture.height) * place.height;
  const { from, to } = ARM_PX;
  const crosses = points.map(({ x, y, label, ...said }) => {
    const [cx, cy] = [across(x), down(y)];
    const arms = [[1, 0], [-1, 0], [0, 1], [0, -1]].map(([dx, dy]) => `M${cx + dx * from} ${cy + dy * from}L${cx + dx * to} ${cy + dy * to}`);
    return { path: arms.join(''), box: { x: cx - to, y: cy - to, width: 2 * to, height: 2 * to }, label, ...said };
  });
  const frames = boxes.map(({ x0, y0, x1, y1, label, ...said }) => {
    const [left, right] = [across(Math.min(x0, x1)), across(Math.max(x0, x1))];
    const [top, bottom] = [down(Math.min(y0, y1)), down(Math.max(y0, y1))];
    return { path: `M${left} ${top}H${right}V${bottom}H${left}Z`, box: { x: left, y: top, width: right - left, height: bottom - top }, label, ...said };
  });
  return [...frames, ...crosses]
    .filter(({ box }) => box.x < seen.width && box.x + box.width > 0 && box.y < seen.height && box.y + box.height > 0)
    .map(({ path, box, label, ambiguous, numbers, isChosen }) => ({ path, isGuess: Boolean(ambiguous), isChosen: Boolean(isChosen), ...labelled(label ?? '', [numbers, ambiguous].filter(Boolean).join('; '), box, seen) }));
}

/** How near a pointer must come to a line, or to a point, in CSS pixels. */
const REACH_PX = { line: 5, point: 10 };

/**
 * The place whose line, or whose point, is near; of several the last that is drawn, and none that rests on a guess.
 * @param {{points: Point[], boxes: Rectangle[]}} places
 * @param {import('./geometry.js').Size} picture
 * @param {import('./zoom.js').Place} place   of the picture, in CSS pixels
 * @param {{x: number, y: number}} at
 * @returns {Point | Rectangle | null}
 */
export function markAt({ points, boxes }, picture, place, { x, y }) {
  const across = (/** @type {number} */ side) => place.left + (side / picture.width) * place.width;
  const down = (/** @type {number} */ side) => place.top + (side / picture.height) * place.height;
  const point = points.findLast((each) => !each.ambiguous && Math.hypot(across(each.x) - x, down(each.y) - y) <= REACH_PX.point);
  return point ?? boxes.findLast(({ x0, y0, x1, y1, ambiguous }) => {
    // how far inside of each side, below 0 outside
    const inside = Math.min(x - across(x0), across(x1) - x, y - down(y0), down(y1) - y);
    return !ambiguous && Math.abs(inside) <= REACH_PX.line;
  }) ?? null;
}

/** A label above what it names, or below where there is no room, and inside of what is seen; how it was read, and the guess that it rests on, are never cut. @param {string} text @param {string} read @param {Box} box @param {import('./geometry.js').Size} seen */
function labelled(text, read, box, seen) {
  const signs = [...text];
  const name = signs.length > LABEL_PX.most ? `${signs.slice(0, LABEL_PX.most - 1).join('')}…` : text;
  const label = [name, read && `(${read})`].filter(Boolean).join(' ');
  const width = LABEL_PX.letter * [...label].length;
  const above = box.y - 4;
  const below = box.y + box.height + LABEL_PX.height - 3;
  const y = above >= LABEL_PX.height ? above : below <= seen.height ? below : Math.max(box.y, 0) + LABEL_PX.height;
  const isRight = box.x + width > seen.width; // then it ends where the place ends
  return { label, isRight, x: isRight ? Math.min(seen.width, box.x + box.width) - 2 : Math.max(0, box.x) + 1, y: Math.round(y) };
}
