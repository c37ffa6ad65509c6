// @ts-check
/**
 * All layers and heads as small maps on one canvas, one layer's heads as larger ones, or the best heads of all; with a ribbon of
 * masses. A click selects a map, a pointer that rests on one sees it larger.
 *
 * What is painted belongs together: the maps of one row in the order of that row's scores. Until all of it is there, the last
 * whole stays, pale.
 */
import { gainsOf, REDUCED, sharedHigh } from '../../numbers/atlas.js';
import { createAtlasControls, viewOf } from './atlas_controls.js';
import { described, makeItems, setRanges } from './atlas_maps.js';
import { createCloserLook } from './closer_look.js';
import { create, listen, part, snap, surfaceColour } from '../dom.js';
import { atlasOf, wantedScores } from '../../state/follow.js';
import { isOfReaders, ORDERS, ranksOf } from '../../numbers/head_order.js';
import { countInLines, labelled, layOutAxes, layOutLines, layOutWithPanel, mapAt } from '../../paint/map_layout.js';
import { makeShades, paintMaps } from '../../paint/small_maps.js';
import { blend, pixel, solidPixels } from '../../paint/palette.js';
import { createRibbon, RIBBON_PX } from './ribbon_view.js';
import { headCount, layersOf } from '../../data/run_info.js';
import { scoresPath } from '../../data/source.js';

const LABEL_PX = { left: 34, bottom: 20 };
const CAPTION_PX = 18;
const GAP_PX = 6;
/** The ribbon beside the maps, in CSS pixels; `bar` is the most that a layer gets: few of them would drown the maps. */
const BESIDE_PX = { least: 170, most: 380, apart: 28, bars: 120, bar: 34 };
const THUMB_PX = 520; // on a narrower page maps are large enough for a thumb, and the atlas scrolls
const LINES_PX = { narrow: 300, narrowest: 60, thumb: 76, best: 76, fewest: 12 };
const STRIPE_PX = 2;

/**
 * @typedef {import('../../data/run_info.js').Choice} Choice
 * @typedef {import('../../state/look.js').Look} Look
 *
 * @typedef {import('./atlas_maps.js').Held} Held
 * @typedef {import('./atlas_maps.js').Item} Item
 */

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 * @param {Pick<import('../../state/actions.js').Actions, 'choose'>} actions
 */
export function createAtlasView(root, state, { choose }) {
  const atlasPart = part(root, 'atlas');
  const place = part(root, 'atlas-place');
  const frame = part(root, 'atlas-frame');
  const maps = part(root, 'atlas-maps');
  const canvas = part(root, 'atlas-canvas');
  const selected = part(root, 'atlas-selected');
  const hovered = part(root, 'atlas-hover');
  const captions = part(root, 'atlas-captions');
  const note = part(root, 'atlas-note');
  const title = part(root, 'atlas-title');
  const context = canvas.getContext('2d');
  const ribbon = createRibbon(root, state, { choose });
  const controls = createAtlasControls(root, state);
  const look = createCloserLook(atlasPart, state, { colours: () => colours(), shared: () => sharedNow() });
  let density = 1;
  /** @type {Held | null} */
  let held = null;
  let isStale = false;
  /** @type {Item[]} */
  let items = [];
  /** @type {import('../../paint/map_layout.js').AxesLayout | null} */
  let axes = null;
  /** Where maps with captions lie. @type {ReturnType<typeof layOutLines> | null} */
  let lines = null;
  let most = 0; // maps in lines
  let size = { width: 0, height: 0 };
  /** What was laid out and painted last. @type {any[]} */
  let fitted = [];
  /** @type {any[]} */
  let painted = [];
  let isLabelled = false; // by ranks
  let isWide = false; // wider than its place
  let brush = { shades: /** @type {Uint32Array[]} */ ([]), stripes: [0, 0] };

  const pixels = (/** @type {number} */ css) => Math.round(css * density);

  // What is painted

  function take() {
    const { info, tower, grid, shown, atlas, scores, order, pinned } = state.get;
    if (!info) {
      held = null;
      isStale = false;
      return;
    }
    const view = viewOf(state.get);
    const here = shown && shown.tower === tower && shown.grid === grid ? shown : null;
    const wish = here && wantedScores(info, here, order, pinned);
    // A run may have no such scores: then none arrive.
    const isOrdered = Boolean(here) && (!wish || !scores || scores.name === scoresPath(wish));
    const own = atlas && atlas.tower === tower && atlas.grid === grid ? atlas : null;
    const isWhole = isOrdered && here && (view === 'layer' || (own?.name ?? '') === atlasOf(info, here));
    isStale = !isWhole;
    const isSame = held && held.info === info && held.view === view && held.tower === tower && held.grid === grid && (held.atlas || held.shown);
    if (!isWhole && isSame) return;
    const values = isOrdered && wish && scores ? scores.values : null;
    if (isSame && held && held.atlas === own && held.shown === here && held.scores === values && held.order === order) return;
    const ranks = values && (held?.scores === values && held.order === order ? held.ranks : ranksOf(values, headCount(info, tower), order));
    // All maps of a row stay the same while another of them is selected.
    held = { view, info, tower, layers: layersOf(info, tower), grid, atlas: view === 'layer' ? null : own, shown: here, order, scores: values, ranks };
  }

  /** Where the range of all maps of the row ends, null while that is not known. */
  function sharedNow() {
    const { info, shown, atlas } = state.get;
    return info && shown && atlas && atlas.name === atlasOf(info, shown) ? sharedHigh(atlas, state.get) : null;
  }

  // Where it lies

  /** Lay everything out, unless it lies where it should. @param {Held} of @returns {boolean} whether that was needed */
  function fit(of) {
    const { info, tower, grid, view } = of;
    const isMaps = items.length > 0 || (view === 'all' && grid !== null && state.get.shown?.cells.length !== 0);
    const isThere = ribbon.isThere();
    const next = [info, tower, grid, view, items.length, isMaps, isThere, state.get.size, state.get.theme];
    if (next.every((value, i) => value === fitted[i]) && fitted.length) return false;
    fitted = next;
    painted = [];
    density = window.devicePixelRatio || 1;
    axes = lines = null;
    maps.hidden = !isMaps;
    const width = pixels(place.clientWidth);
    const isNarrow = place.clientWidth < THUMB_PX;
    if (isMaps && grid !== null) {
      const [x0, y0, x1, y1] = info.grids[grid].box_px;
      const aspect = (x1 - x0) / (y1 - y0);
      if (view === 'all') fitAxes(of, aspect, width, pixels(place.clientHeight - LABEL_PX.bottom), isNarrow);
      else fitLines(of, aspect, width, pixels(isNarrow ? LINES_PX.narrow : place.clientHeight), isNarrow);
      canvas.style.width = `${canvas.width / density}px`;
      canvas.style.height = `${canvas.height / density}px`;
    } else fitRibbonBelow(of, width, isNarrow);
    // On a narrow page the lines are as long as they are; elsewhere the place has the height that is left.
    place.style.setProperty('--av-atlas-height', `${isNarrow && lines ? canvas.height / density + ribbon.height() : 0}px`);
    snap(maps, density);
    isWide = canvas.width > width;
    return true;
  }

  /** @param {Held} of @param {number} aspect @param {number} width @param {number} height @param {boolean} isNarrow */
  function fitAxes(of, aspect, width, height, isNarrow) {
    const [layers, heads] = [of.layers.length, headCount(of.info, of.tower)];
    const room = {
      layers, heads, reduced: REDUCED, aspect, width, height, left: pixels(LABEL_PX.left), gap: pixels(layers > 12 ? 1 : 2), apart: pixels(6),
      narrowest: pixels(isNarrow ? 20 : 8),
    };
    const under = pixels(RIBBON_PX.above + RIBBON_PX.bars);
    const below = { height: under + pixels(RIBBON_PX.legend), width: 0 };
    const panels = isNarrow ? [below] : [below, { height: under, width: pixels(RIBBON_PX.beside) }, { height: 0, width: pixels(BESIDE_PX.least + BESIDE_PX.apart) }];
    const { layout, panel } = ribbon.isThere() ? layOutWithPanel(room, panels) : { layout: layOutAxes(room), panel: 0 };
    axes = layout;
    size = { width: layout.mapWidth, height: layout.mapHeight };
    Object.assign(canvas, { width: layout.width, height: layout.height + pixels(LABEL_PX.bottom) });
    if (panel < 2) {
      const columns = { x: layout.x, barWidth: layout.mapWidth, width: layout.width, bars: pixels(RIBBON_PX.bars), isLabelled: false };
      ribbon.layOut(columns, { hasLegendAside: panel === 1 });
      return;
    }
    fitRibbonBeside(of, layout.width, width, layout.height - pixels(3 * RIBBON_PX.legend));
  }

  /** @param {Held} of @param {number} aspect @param {number} width @param {number} height @param {boolean} isNarrow */
  function fitLines(of, aspect, width, height, isNarrow) {
    const room = { count: items.length, aspect, gap: pixels(GAP_PX), caption: pixels(CAPTION_PX), narrowest: 1 };
    const needed = ribbon.isThere() ? pixels(RIBBON_PX.above + RIBBON_PX.bars + RIBBON_PX.labels) : 0;
    const below = { width, height: isNarrow ? height : height - needed };
    const beside = { width: width - pixels(BESIDE_PX.least + BESIDE_PX.apart), height };
    const isBeside = !isNarrow && needed > 0 && layOutLines({ ...room, ...beside }).mapWidth > 1.1 * layOutLines({ ...room, ...below }).mapWidth;
    const free = { ...room, ...(isBeside ? beside : below) };
    most = of.view === 'best' ? countInLines(free, { fewest: LINES_PX.fewest, least: pixels(LINES_PX.best) }) : items.length;
    lines = layOutLines({ ...free, count: most, narrowest: pixels(isNarrow || of.view === 'best' ? LINES_PX.thumb : LINES_PX.narrowest) });
    size = { width: lines.mapWidth, height: lines.mapHeight };
    Object.assign(canvas, { width: lines.width, height: lines.height });
    if (isBeside) fitRibbonBeside(of, lines.width, width, height - pixels(4 * RIBBON_PX.legend));
    else fitRibbonBelow(of, width, isNarrow);
  }

  // The ribbon has columns and labels of its own where it does not go on where the maps' columns end.

  /** @param {Held} of @param {number} width @param {boolean} isNarrow */
  function fitRibbonBelow(of, width, isNarrow) {
    ribbon.layOut(barsIn(of, pixels(LABEL_PX.left), isNarrow ? width : width - pixels(RIBBON_PX.beside), pixels(RIBBON_PX.bars)), { hasLegendAside: !isNarrow });
  }

  /** @param {Held} of @param {number} right  end of the maps @param {number} width @param {number} height */
  function fitRibbonBeside(of, right, width, height) {
    const left = right + pixels(BESIDE_PX.apart);
    const bars = Math.min(pixels(BESIDE_PX.bars), Math.max(pixels(RIBBON_PX.bars), height));
    const most = Math.min(pixels(BESIDE_PX.most), pixels(BESIDE_PX.bar) * (of.layers.length + 1));
    ribbon.layOut(barsIn(of, 0, Math.min(width - left, Math.max(most, pixels(BESIDE_PX.least))), bars), { beside: { left: left / density, top: 0 } });
  }

  /** @param {Held} of @param {number} left @param {number} width @param {number} bars  their height */
  function barsIn({ layers: { length } }, left, width, bars) {
    const step = Math.floor((width - left - pixels(6)) / (length + 1));
    const x = Array.from({ length: length + 1 }, (_, i) => left + i * step + (i === length ? pixels(6) : 0));
    return { x, barWidth: Math.max(1, step - pixels(length > 12 ? 1 : 3)), width, bars, isLabelled: true };
  }

  // Painting

  function update() {
    take();
    frame.classList.toggle('av-stale', isStale);
    if (isStale) look.hide();
    if (!held) {
      items = [];
      fitted = painted = [];
      maps.hidden = true;
      part(root, 'ribbon').hidden = true;
      showTitle();
      say();
      look.hide();
      return;
    }
    const { palette, scale, curve, clip, sinks, masses } = state.get;
    const isGained = Boolean(held.atlas && gainsOf(held.atlas, state.get));
    const shared = scale === 'atlas' ? sharedNow() : null;
    const next = [
      held.view, held.info, held.grid, held.atlas, held.view === 'layer' ? held.shown : null, held.ranks, scale, curve, clip, sinks, palette, brush, shared,
      isGained && masses, held.order, state.get.size, held.view === 'layer' ? state.get.atlas : null,
    ];
    if (next.every((value, i) => value === painted[i]) && painted.length) return showSelected();
    const begun = performance.now();
    const isRanked = held.ranks !== null;
    items = makeItems(held, state.get);
    const isFitted = fit(held);
    if (axes && (isFitted || isRanked !== isLabelled)) paintLabels(axes, held);
    isLabelled = isRanked;
    if (lines) items.length = Math.min(items.length, most);
    placeItems();
    setRanges(items, held, state.get, shared);
    paint();
    painted = next;
    state.get.perf.atlas_ms = performance.now() - begun;
    writeCaptions();
    showTitle();
    say();
    showSelected();
    look.hide();
    hovered.hidden = true;
  }

  function placeItems() {
    const each = axes?.y.length ?? 1;
    items.forEach(({ map }, i) => {
      map.x = axes ? axes.x[Math.floor(i / each)] - axes.left : lines?.x[i] ?? 0;
      map.y = axes ? axes.y[i % each] : lines?.y[i] ?? 0;
    });
  }

  /** @returns {import('../../paint/small_maps.js').Colours} */
  function colours() {
    return { ...brush, curve: state.get.curve, stripe: pixels(STRIPE_PX) };
  }

  /** The maps; beside them the labels stay. */
  function paint() {
    if (maps.hidden) return;
    const left = axes?.left ?? 0;
    const image = new ImageData(canvas.width - left, axes?.height ?? canvas.height);
    if (items.length) {
      const { rows, cols } = items[0].shape;
      paintMaps(items.map(({ map }) => map), { rows, cols, ...size }, colours(), new Uint32Array(image.data.buffer), image.width);
    }
    context.putImageData(image, left, 0);
  }

  /** The palette from nearly the colour of the page to its own, and two tones that are in none. */
  function mix() {
    const [red, green, blue] = surfaceColour(root);
    const surface = pixel(red, green, blue, 255);
    const ink = red + green + blue > 384 ? pixel(0, 0, 0, 255) : pixel(255, 255, 255, 255);
    brush = { shades: makeShades(solidPixels(state.get.palette), surface), stripes: [blend(surface, ink, 0.16), blend(surface, ink, 0.4)] };
  }

  /** @param {import('../../paint/map_layout.js').AxesLayout} layout @param {Held} of */
  function paintLabels(layout, of) {
    const { layers } = of;
    const heads = headCount(of.info, of.tower);
    const style = getComputedStyle(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = style.color;
    context.font = `${11 * density}px ${style.fontFamily}`;
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    const edge = layout.left - 6 * density;
    const step = { x: layout.x[1] - layout.x[0], y: layout.y[1] - layout.y[0] };
    const middle = (/** @type {number} */ row) => Math.max(6 * density, layout.y[row] + layout.mapHeight / 2);
    for (const i of labelled(heads, step.y, 13 * density)) context.fillText(String(of.ranks ? i + 1 : i), edge, middle(i));
    if (step.y >= 11 * density) {
      context.fillText('mean', edge, middle(heads));
      context.fillText('max', edge, middle(heads + 1));
    } else context.fillText('mean', edge, middle(heads) + step.y / 2);
    context.textAlign = 'center';
    context.textBaseline = 'top';
    const below = layout.height + 5 * density;
    const written = labelled(layers.length, step.x, 22 * density);
    // The last map is the mean over layers; a number too near to its label gives way.
    const room = layout.x[layers.length] + layout.mapWidth / 2 - 32 * density;
    for (const i of written) {
      const centre = layout.x[i] + layout.mapWidth / 2;
      if (centre < room) context.fillText(String(layers[i]), centre, below);
    }
    context.fillText('mean', Math.min(layout.x[layers.length] + layout.mapWidth / 2, layout.width - 14 * density), below);
  }

  function writeCaptions() {
    const isCaptioned = !axes && items.length > 0 && !maps.hidden;
    while (captions.children.length > (isCaptioned ? items.length : 0)) captions.lastChild.remove();
    if (!isCaptioned) return;
    items.forEach(({ caption, map }, i) => {
      const line = captions.children[i] ?? captions.appendChild(create('span'));
      line.textContent = caption;
      Object.assign(line.style, { left: `${map.x / density}px`, top: `${(map.y + size.height) / density}px`, width: `${size.width / density}px` });
    });
  }

  // What is said

  function showTitle() {
    const { scale, info, grid, selection, clip } = state.get;
    const order = held?.order ?? 'number';
    atlasPart.dataset.view = held?.view ?? '';
    atlasPart.dataset.order = held?.ranks ? held.order : 'number';
    if (!info || grid === null || !held) return void (title.textContent = '');
    const isColumn = selection?.direction === 'read by';
    const how = scale === 'map' || (scale === 'uniform' && isColumn) ? 'each on its own scale, fainter with less on the picture'
      : scale === 'atlas' ? 'all on one scale' : 'multiples of even attention, each on its picture';
    const { text, unit, isLowFirst } = ORDERS[order];
    const by = held.ranks ? `${text}, ${isLowFirst ? 'lowest' : 'highest'} first` : '';
    const inUnit = unit && ` (${unit})`;
    const [layers, heads] = [layersOf(info, held.tower).length, headCount(info, held.tower)];
    const readers = isOfReaders(order) ? ' among the half with most image mass' : '';
    const what = held.view === 'all' ? `layers → ${by ? `heads by ${by}` : 'heads'} ↓`
      : held.view === 'best' ? `${items.length ? `${items.length} of ${layers * heads} · ` : ''}${isLowFirst ? 'lowest' : 'highest'} ${text}${inUnit}${readers}`
        : `heads of ${named(held.shown?.layer)}${by ? ` by ${by}${inUnit}` : ''}, cell by cell`;
    title.textContent = `${what} · ${how}`;
    title.title = `${title.textContent}${clip < 100 && scale !== 'uniform' ? `; the top ${100 - clip} % share the last colour` : ''}`;
  }

  /** @param {Choice | undefined} layer */
  function named(layer) {
    return typeof layer === 'number' ? `layer ${layer}` : `the ${layer} over layers`;
  }

  /** What stands in the place of maps. */
  function say() {
    note.hidden = !maps.hidden;
    note.textContent = held ? reason(held) : 'Every layer and head appears here as a small map.';
  }

  /** @param {Held} of */
  function reason({ view, grid, shown, order }) {
    if (grid === null) return 'No picture in this run, so there are no maps.';
    if (!shown) return '';
    if (!shown.cells.length) return 'Cells of this tower read nothing: there are no maps of who reads.';
    if (view === 'layer') return 'Choose a layer: its heads are then shown here, cell by cell.';
    if (shown.direction !== 'reads') return 'Scores are of rows: choose “reads from” to see the best heads.';
    if (state.get.order !== 'number' && (order !== 'value' || state.get.pinned)) return 'The heads’ scores are not here yet.';
    return order === 'value' ? 'Pin a cell of the picture: the heads that read most of it are then shown here.' : 'Choose an order: the heads that come first in it are then shown here.';
  }

  // Pointing and choosing

  /** @param {number} i @returns {{x: number, y: number, width: number, height: number}} CSS pixels from the canvas's corner */
  function boxOfItem(i) {
    const { x, y } = items[i].map;
    return { x: (x + (axes?.left ?? 0)) / density, y: y / density, width: size.width / density, height: size.height / density };
  }

  /** @param {HTMLElement} element @param {number} i */
  function outline(element, i) {
    element.hidden = maps.hidden || !items[i];
    if (element.hidden) return;
    const box = boxOfItem(i);
    Object.assign(element.style, { left: `${box.x}px`, top: `${box.y}px`, width: `${box.width}px`, height: `${box.height}px` });
  }

  function showSelected() {
    const { selection } = state.get;
    canvas.setAttribute('aria-label', selection
      ? `Maps of layers and heads. Selected: layer ${selection.layer}, head ${selection.head}. Arrow keys select another.`
      : 'Maps of layers and heads');
    const i = selection ? items.findIndex(({ layer, head }) => layer === selection.layer && head === selection.head) : -1;
    outline(selected, i);
  }

  /** Bring the selected layer into sight where the maps scroll. */
  function scroll() {
    const { selection } = state.get;
    const i = selection ? items.findIndex(({ layer }) => layer === selection.layer) : -1;
    if (i < 0 || !axes || !isWide) return; // asking where it stands costs a layout
    const { x, width } = boxOfItem(i);
    if (x < place.scrollLeft) place.scrollLeft = x - LABEL_PX.left;
    else if (x + width > place.scrollLeft + place.clientWidth) place.scrollLeft = x + width - place.clientWidth;
  }

  /** @param {PointerEvent | MouseEvent} event @returns {number} */
  function under(event) {
    const box = canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) * density;
    const y = (event.clientY - box.top) * density;
    if (axes) {
      const at = mapAt(axes, x, y);
      return at && items.length ? at.layer * axes.y.length + at.head : -1;
    }
    return items.findIndex(({ map }) => x >= map.x && x < map.x + size.width && y >= map.y && y < map.y + size.height + pixels(CAPTION_PX));
  }

  /** @param {number} i */
  function showHover(i) {
    outline(hovered, i);
    if (!held || !items[i] || isStale) return look.hide();
    const { left, top } = canvas.getBoundingClientRect();
    const { x, y, width, height } = boxOfItem(i);
    look.show(described(held, items[i]), { left: left + x, top: top + y, width, height });
  }

  const undo = [
    listen(canvas, {
      pointermove: (/** @type {PointerEvent} */ event) => event.pointerType !== 'touch' && showHover(under(event)),
      pointerleave: () => showHover(-1),
      click: (/** @type {MouseEvent} */ event) => {
        const item = items[under(event)];
        if (item) choose({ layer: item.layer, head: item.head });
      },
    }),
    listen(place, { scroll: () => showHover(-1) }),
    state.on(['palette', 'theme'], mix),
    state.on([
      'info', 'tower', 'grid', 'size', 'theme', 'shown', 'atlas', 'scores', 'masses', 'pinned', 'palette', 'scale', 'curve', 'clip', 'sinks', 'atlasView', 'order', 'selection',
    ], update),
    state.on(['selection', 'info', 'size'], scroll),
  ];
  mix();
  update();

  return {
    /** Where a map lies, by its places on the axes, in CSS pixels from the canvas's corner. For tests. @param {number} layer @param {number} head */
    boxOf(layer, head) {
      const i = axes ? layer * axes.y.length + head : -1;
      return items[i] ? boxOfItem(i) : { x: 0, y: 0, width: 0, height: 0 };
    },
    /** Every map that is painted. For tests. */
    maps: () => items.map(({ layer, head, mass, caption, map }, i) => ({ layer, head, mass, caption, high: map.high, strength: map.strength, ...boxOfItem(i) })),
    dispose() {
      undo.forEach((end) => end());
      for (const view of [ribbon, controls, look]) view.dispose();
    },
  };
}
