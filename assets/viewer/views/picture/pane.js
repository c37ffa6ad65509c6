// @ts-check
/**
 * A picture, a map, or a map on a picture, in a box that it fills: what is shown can be pointed at, zoomed and dragged.
 *
 * The picture is an ordinary image element; the map is a canvas over the part of it that is seen, so its memory is that of the
 * box however far one zooms. The canvas holds the colours that it is given and nothing else; borders of cells are whole device
 * pixels, and what is outlined and hit is read from the same ones. Lines and labels are an SVG above it. What is shown comes by
 * `show`, what a person does goes out by `does`: a pane knows neither the run nor the state of the page.
 */
import { create, listen, placeTip, setBox } from '../dom.js';
import { cellAt, cellBorders, cellBox } from '../../paint/geometry.js';
import { listenToGestures, STEP } from './gestures.js';
import { hatch, mapImage } from '../map_canvas.js';
import { boxOfCell, markAt, marksOf } from '../../paint/marks.js';
import { createPaneMarks } from './pane_marks.js';
import { createPanePicture } from './pane_picture.js';
import { createState } from '../../state/state.js';
import { moved, placeOf, pointAt, revealing, seenOf, WHOLE, zoomedAt } from '../../paint/zoom.js';

/**
 * @typedef {import('../../paint/marks.js').Cell} Cell
 * @typedef {import('../../paint/zoom.js').Zoom} Zoom
 *
 * @typedef {object} Content
 * @property {import('../../paint/geometry.js').Size | null} size   of the picture, also where only its map is shown
 * @property {import('./pane_picture.js').Addresses | null} picture  null for the map alone on a plain ground
 * @property {import('../../paint/geometry.js').Cells | null} grid
 * @property {import('../../paint/cells.js').Coloured | null} map
 * @property {import('../../paint/cells.js').Coloured | null} other  a second map of the same grid, to the right of the line at `split`
 * @property {number} split    0 to 1 of what is seen
 * @property {boolean} smooth
 * @property {number} opacity
 * @property {Zoom} zoom
 * @property {Cell | null} hover
 * @property {string} tip      what is said of it
 * @property {Cell[]} here     the cells that are selected
 * @property {Cell | null} pinned
 * @property {{points: import('../../paint/marks.js').Point[], boxes: import('../../paint/marks.js').Rectangle[]} | null} places
 * @property {boolean} marking  a press draws
 * @property {string} label    for who does not see it
 * @property {number} refit     counts changes of size or theme
 *
 * @typedef {object} Does
 * @property {(cell: Cell | null, how: 'pointer' | 'keys') => void} hover
 * @property {(cell: Cell) => void} select
 * @property {(cell: Cell) => void} pin
 * @property {(zoom: Zoom) => void} zoom
 * @property {(place: number[]) => void} draw  a box or a point: x0, y0, x1, y1 or x, y in pixels of the picture
 * @property {(mark: import('../../paint/marks.js').Point | import('../../paint/marks.js').Rectangle) => void} choose  one of the places
 * @property {() => () => void} begin  a box by keys; what comes back gives it up
 * @property {(isThere: boolean) => void} [loaded]  the picture came, or cannot be had
 */

/**
 * @param {Element} parent
 * @param {Does} does
 */
export function createPane(parent, does) {
  const canvas = create('canvas', { class: 'av-overlay', tabindex: 0, role: 'application', 'aria-roledescription': 'heat map' });
  const clip = create('div', { class: 'av-clip' }, [canvas]);
  const marks = createPaneMarks();
  const outline = create('div', { class: 'av-outline', hidden: '' });
  const tip = create('div', { class: 'av-tip', hidden: '' });
  const smoothed = create('div', { class: 'av-smoothed', text: 'smoothed', hidden: '', title: 'between the centres of cells; the numbers stay those of the cells' });
  const lines = create('div', { class: 'av-lines' }, [marks.element, outline]);
  const frame = create('div', { class: 'av-frame' }, [clip, lines, tip, smoothed]);
  const pane = create('div', { class: 'av-pane' }, [frame]);
  const context = canvas.getContext('2d');
  const image = createPanePicture(clip, (isThere) => does.loaded?.(isThere));
  parent.append(pane);

  /** @type {ReturnType<typeof createState<Content>>} */
  const content = createState(/** @type {Content} */ ({
    size: null, picture: null, grid: null, map: null, other: null, split: 0.5, smooth: false, opacity: 1, zoom: WHOLE, hover: null, tip: '', here: [], pinned: null,
    places: null, marking: false, label: '', refit: 0,
  }));
  /** In device pixels of the pane: where the whole picture lies, and what is seen of it. */
  let place = { left: 0, top: 0, width: 1, height: 1 };
  let seen = place;
  let box = { width: 1, height: 1 };
  let density = 1;
  let inks = { ink: '', ground: '' }; // of the page, read where the layout is read anyway
  /** In device pixels of the canvas. */
  let borders = { rows: new Int32Array(1), cols: new Int32Array(1) };
  let paint_ms = 0;
  /** What is painted of the map, and of the other one. @type {ImageData[]} */
  let painted = [];

  function layOut() {
    const { size, grid, zoom } = content.get;
    frame.hidden = !size;
    if (!size) return;
    density = window.devicePixelRatio || 1;
    const style = getComputedStyle(canvas);
    inks = { ink: style.color, ground: style.getPropertyValue('--background-fill-primary') };
    box = { width: Math.max(1, Math.floor(pane.clientWidth * density)), height: Math.max(1, Math.floor(pane.clientHeight * density)) };
    place = placeOf(zoom, { picture: size, box });
    seen = seenOf(place, box);
    // Its corner lies on a whole device pixel, or the canvas would be smeared.
    const { left, top } = pane.getBoundingClientRect();
    const off = (/** @type {number} */ start) => Math.round(start * density) / density - start;
    setBox(frame, { left: seen.left / density + off(left), top: seen.top / density + off(top), width: seen.width / density, height: seen.height / density });
    if (canvas.width !== seen.width || canvas.height !== seen.height) Object.assign(canvas, { width: seen.width, height: seen.height });
    canvas.style.touchAction = zoom.scale > 1 || content.get.marking ? 'none' : 'pan-x pan-y';
    frame.classList.toggle('av-movable', zoom.scale > 1);
    image.place(inCss(within()), zoom.scale === 1 ? 0 : place.width);
    borders = grid ? cellBorders(grid, size, within()) : { rows: new Int32Array(1), cols: new Int32Array(1) };
  }

  /** Where the picture lies on the canvas. */
  const within = () => ({ ...place, left: place.left - seen.left, top: place.top - seen.top });

  function paint() {
    const { map, other, grid, size, smooth } = content.get;
    const maps = map && grid && size && canvas.width && canvas.height && map.values.length === grid.rows * grid.cols ? [map, ...(other ? [other] : [])] : [];
    smoothed.hidden = !(smooth && maps.length);
    const begun = performance.now();
    painted = maps.map((each) => mapImage(each, {
      grid: /** @type {import('../../paint/geometry.js').Cells} */ (grid), picture: /** @type {import('../../paint/geometry.js').Size} */ (size),
      place: within(), borders, size: canvas, smooth,
    }));
    put();
    if (maps.length) paint_ms = performance.now() - begun;
  }

  /** What is painted onto the canvas: as the line between two maps moves, nothing is painted again. */
  function put() {
    const { map, other, grid, split } = content.get;
    const { width, height } = canvas;
    context.clearRect(0, 0, width, height);
    const [first, second] = painted;
    if (!first || !map || !grid) return;
    const line = second && other ? Math.round(split * width) : width;
    context.putImageData(first, 0, 0, 0, 0, line, height);
    if (map.hidden) stripe(map.hidden, grid.cols, 0, line);
    if (!second || !other) return;
    context.putImageData(second, 0, 0, line, 0, width - line, height);
    if (other.hidden) stripe(other.hidden, grid.cols, line, width);
  }

  /** In the page's text colour, edged with that of its ground. @param {Uint8Array} hidden @param {number} cols @param {number} from @param {number} to */
  function stripe(hidden, cols, from, to) {
    hatch(context, hidden, cols, borders, { density, ...inks, place: within(), from, to });
  }

  function mark() {
    const { here, pinned, grid, size, places } = content.get;
    marks.showCells(grid && size ? { here, pinned } : { here: [], pinned: null }, borders, density);
    marks.showPlaces(places && size ? marksOf(places, size, inCss(within()), { width: css(seen.width), height: css(seen.height) }) : []);
  }

  function showHover() {
    const { hover, grid, tip: words } = content.get;
    const at = hover && grid ? boxOfCell(borders, density, hover) : null;
    const isSeen = at && at.x < css(seen.width) && at.y < css(seen.height) && at.x + at.width > 0 && at.y + at.height > 0;
    outline.hidden = !isSeen;
    tip.hidden = !isSeen || !words;
    if (!at || !isSeen) return;
    setBox(outline, { left: at.x, top: at.y, width: at.width, height: at.height });
    tip.textContent = words;
    if (words) placeTip(tip, at, frame.clientWidth);
  }

  /** @param {number} pixels */
  const css = (pixels) => pixels / density;

  /** @param {typeof place} box */
  const inCss = ({ left, top, width, height }) => ({ left: css(left), top: css(top), width: css(width), height: css(height) });

  function loadPicture() {
    const { picture } = content.get;
    frame.classList.toggle('av-bare', !picture);
    image.load(picture);
  }

  // Pointing, choosing, moving

  /** @param {{clientX: number, clientY: number}} event  in device pixels of the canvas */
  function under({ clientX, clientY }) {
    const { left, top } = canvas.getBoundingClientRect();
    return { x: (clientX - left) * density, y: (clientY - top) * density };
  }

  /** @param {{clientX: number, clientY: number}} event @returns {Cell | null} */
  function cellUnder(event) {
    const { x, y } = under(event);
    const [row, col] = [cellAt(borders.rows, y), cellAt(borders.cols, x)];
    return row < 0 || col < 0 ? null : { row, col };
  }

  /**
   * @param {number} factor
   * @param {{clientX: number, clientY: number}} [event]  around which; without, around the cell that is pointed at, or the middle
   */
  function zoomBy(factor, event) {
    const { size, zoom } = content.get;
    if (!size) return false;
    const next = zoomedAt(zoom, factor, event ? inPane(under(event)) : middleOfHover() ?? { x: box.width / 2, y: box.height / 2 }, { picture: size, box });
    if (next.scale === zoom.scale) return false;
    does.zoom(next);
    return true;
  }

  /** From the canvas to the pane. @param {{x: number, y: number}} at */
  const inPane = ({ x, y }) => ({ x: x + seen.left, y: y + seen.top });

  function middleOfHover() {
    const { hover } = content.get;
    const middle = (/** @type {Int32Array} */ edges, /** @type {number} */ at) => (edges[at] + edges[at + 1]) / 2;
    return hover && inPane({ x: middle(borders.cols, hover.col), y: middle(borders.rows, hover.row) });
  }

  /** @param {number} dx @param {number} dy  in CSS pixels */
  function moveBy(dx, dy) {
    const { size, zoom } = content.get;
    if (size && zoom.scale > 1) does.zoom(moved(zoom, dx * density, dy * density, { picture: size, box }));
  }

  /**
   * A box between two places of the screen, in pixels of the picture, to a tenth; it ends where the picture does.
   * @param {{clientX: number, clientY: number}} from
   * @param {{clientX: number, clientY: number}} to
   */
  function drawBox(from, to) {
    const { size } = content.get;
    if (!size) return;
    const corners = [from, to].map((event) => pointAt(within(), under(event)));
    const sides = (/** @type {number[]} */ at, /** @type {number} */ length) => at.map((share) => Math.round(10 * length * Math.min(1, Math.max(0, share))) / 10).sort((a, b) => a - b);
    const [x0, x1] = sides(corners.map(({ x }) => x), size.width);
    const [y0, y1] = sides(corners.map(({ y }) => y), size.height);
    if (x0 < x1 && y0 < y1) does.draw([x0, y0, x1, y1]);
  }

  /** The point under the pointer, in pixels of the picture to a tenth. @param {{clientX: number, clientY: number}} event */
  function pointOf(event) {
    const { size } = content.get;
    const { x, y } = pointAt(within(), under(event));
    const side = (/** @type {number} */ share, /** @type {number} */ length) => Math.round(10 * length * Math.min(1, Math.max(0, share))) / 10;
    return size ? [side(x, size.width), side(y, size.height)] : [];
  }

  /** The place whose line is under the pointer. @param {{clientX: number, clientY: number}} event */
  function placeUnder(event) {
    const { places, size } = content.get;
    const { x, y } = under(event);
    return places && size ? markAt(places, size, inCss(within()), { x: css(x), y: css(y) }) : null;
  }

  /** The cell at which a box was begun by keys, and what gives that up. @type {{cell: Cell, giveUp: () => void} | null} */
  let begun = null;

  function beginBox() {
    if (!content.get.hover) pointBeside(0, 0);
    const { hover } = content.get;
    if (!hover) return;
    begun = { cell: hover, giveUp: does.begin() };
    drawCells();
  }

  /** From the cell at which the box was begun to the one that is pointed at. */
  function drawCells() {
    const { grid, hover } = content.get;
    if (!begun || !grid || !hover) return;
    const [a, b] = [begun.cell, hover].map(({ row, col }) => cellBox(grid, row, col));
    does.draw([Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])]);
  }

  /** While a box is begun every key is the box's. @param {KeyboardEvent} event @param {number[] | undefined} move */
  function extend(event, move) {
    if (move) {
      pointBeside(move[0], move[1]);
      drawCells();
    } else if (event.key === 'Enter' || event.key === 'b') begun = null;
    else if (event.key === 'Escape') {
      begun?.giveUp();
      begun = null;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** The cell beside the one that is pointed at; to begin with, the one with the largest value. @param {number} down @param {number} right */
  function pointBeside(down, right) {
    const { grid, map, hover, size, zoom } = content.get;
    if (!grid || !size) return;
    const inside = (/** @type {number} */ at, /** @type {number} */ count) => Math.min(count - 1, Math.max(0, at));
    const peak = map ? largestCell(map) : 0;
    const cell = hover
      ? { row: inside(hover.row + down, grid.rows), col: inside(hover.col + right, grid.cols) }
      : { row: Math.floor(peak / grid.cols), col: peak % grid.cols };
    does.hover(cell, 'keys');
    const { x, y } = inPane({ x: borders.cols[cell.col], y: borders.rows[cell.row] });
    const part = { left: x, top: y, width: borders.cols[cell.col + 1] - borders.cols[cell.col], height: borders.rows[cell.row + 1] - borders.rows[cell.row] };
    const next = revealing(zoom, part, { picture: size, box });
    if (next !== zoom) does.zoom(next);
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { hover } = content.get;
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (begun) return extend(event, move);
    if (event.key === 'b') beginBox();
    else if (move && event.shiftKey) pointBeside(move[0], move[1]);
    else if (event.key === 'Enter' && hover) does.select(hover);
    else if (event.key.toLowerCase() === 'p' && hover) does.pin(hover);
    else if (event.key === '+' || event.key === '=') zoomBy(STEP);
    else if (event.key === '-') zoomBy(1 / STEP);
    else if (event.key === '0') does.zoom(WHOLE);
    else return;
    event.preventDefault();
  }

  const undo = [
    listen(canvas, { keydown: press, blur: () => { begun = null; } }),
    listenToGestures(canvas, {
      point: (event) => {
        const cell = event && cellUnder(event);
        const { hover } = content.get;
        if (cell?.row !== hover?.row || cell?.col !== hover?.col) does.hover(cell, 'pointer');
      },
      choose: (event) => {
        const cell = cellUnder(event);
        if (!cell) return;
        does.hover(cell, 'pointer'); // a finger points where it taps
        const mark = event.shiftKey ? null : placeUnder(event);
        if (event.shiftKey) does.pin(cell);
        if (event.shiftKey || content.get.marking) does.draw(pointOf(event));
        else if (mark) does.choose(mark);
        else does.select(cell);
      },
      zoom: zoomBy,
      move: moveBy,
      draw: drawBox,
      isMarking: () => content.get.marking,
    }),
    content.on(['picture'], loadPicture),
    content.on(['size', 'grid', 'zoom', 'refit', 'marking'], layOut),
    content.on(['size', 'grid', 'zoom', 'refit', 'map', 'other', 'smooth'], paint),
    content.on(['split'], put),
    content.on(['size', 'grid', 'zoom', 'refit', 'here', 'pinned', 'places'], mark),
    content.on(['size', 'grid', 'zoom', 'refit', 'hover', 'tip'], showHover),
    content.on(['opacity'], () => { canvas.style.opacity = String(content.get.opacity); }),
    content.on(['label'], () => canvas.setAttribute('aria-label', content.get.label)),
  ];
  layOut();
  loadPicture();

  return {
    show: content.set,
    canvas,
    /** The part of the page that what is seen of the picture fills. */
    frame,
    zoomBy,
    /** How long the map took to paint, in milliseconds. */
    get paint_ms() {
      return paint_ms;
    },
    /** From a share of the width that is seen to one of the whole picture's. @param {number} share */
    acrossPicture: (share) => Math.min(1, Math.max(0, (seen.left + share * seen.width - place.left) / place.width)),
    /** The point of the picture, 0 to 1 each way, under the pointer. For tests. */
    pointUnder: (/** @type {{clientX: number, clientY: number}} */ event) => pointAt(within(), under(event)),
    /** The colour painted at a place, in CSS pixels from the corner of what is seen: [red, green, blue, alpha]. For tests. */
    sample: (/** @type {number} */ x, /** @type {number} */ y) => [...context.getImageData(Math.floor(x * density), Math.floor(y * density), 1, 1).data],
    dispose: () => {
      undo.forEach((end) => end());
      pane.remove();
    },
  };
}

/** The cell with the largest value of those that have a colour, of either sign. @param {import('../../paint/cells.js').Coloured} map */
function largestCell({ values, hidden }) {
  let found = -1;
  for (let cell = 0; cell < values.length; cell++) {
    if (!hidden?.[cell] && (found < 0 || Math.abs(values[cell]) > Math.abs(values[found]))) found = cell;
  }
  return Math.max(0, found);
}
