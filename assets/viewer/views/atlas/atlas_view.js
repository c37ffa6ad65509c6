// @ts-check
/**
 * All layers and heads as small maps on one canvas, one layer's heads as larger ones, or the best heads of all; with a ribbon of
 * masses. A click selects a map, a pointer that rests on one sees it larger.
 *
 * What is painted belongs together: the maps of one row in the order of that row's scores. Until all of it is there, the last
 * whole stays, pale.
 */
import { areSummed } from '../../numbers/ratios.js';
import { gainsOf, REDUCED, sharedHigh } from '../../numbers/atlas.js';
import { headCount, skippedLayers } from '../../data/run_info.js';
import { CAPTION_PX, isNarrow, LABEL_PX, layOutAtlas } from '../../paint/atlas_layout.js';
import { bandOf, barAt, mapAt, shelfOf } from '../../paint/map_layout.js';
import { blend, divergingPixels, pixel, solidPixels } from '../../paint/palette.js';
import { paintMaps } from '../../paint/small_maps.js';
import { atlasOf } from '../../state/follow.js';
import { atlasTitle, whyNoMaps } from '../../text/atlas.js';
import { withoutMaps } from '../../text/layers.js';
import { create, isDark, listen, part, snap, surfaceColour } from '../dom.js';
import { createAtlasControls } from './atlas_controls.js';
import { paintAxisLabels, paintBars } from './atlas_labels.js';
import { described, heldNow, makeItems, setRanges } from './atlas_maps.js';
import { createCloserLook } from './closer_look.js';
import { createFoundMarks } from './found_marks.js';
import { createRibbon } from './ribbon_view.js';

const STRIPE_PX = 2;
const BAR_PX = 3; // the bar of a map's share, at most
/** Nothing is laid out. @type {import('../../paint/atlas_layout.js').AtlasLayout} */
const NOWHERE = layOutAtlas({ width: 0, height: 0, density: 1, layers: 0, heads: 0, reduced: REDUCED, view: 'all', items: 0, aspect: null, hasRibbon: false });

/**
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
  const marks = createFoundMarks(root, state);
  const look = createCloserLook(atlasPart, state, { colours: () => colours(), shared: () => sharedNow() });
  let density = 1;
  /** @type {Held | null} */
  let held = null;
  let isStale = false;
  /** @type {Item[]} */
  let items = [];
  let layout = NOWHERE;
  /** What was laid out and painted last. @type {any[]} */
  let fitted = [];
  /** @type {any[]} */
  let painted = [];
  let isLabelled = ''; // by ranks or numbers, of attention or effects
  let isWide = false; // wider than its place
  let brush = { palette: new Uint32Array(256), diverging: new Uint32Array(256), stripes: [0, 0], filled: 0, empty: 0, none: 0 };

  const pixels = (/** @type {number} */ css) => Math.round(css * density);

  /** Where the range of all maps of the row ends, null while that is not known. */
  function sharedNow() {
    const { info, shown, atlas } = state.get;
    return info && shown && atlas && atlas.name === atlasOf(info, shown) ? sharedHigh(atlas, state.get) : null;
  }

  /** Whether the maps are of effects. */
  const isOfEffects = () => Boolean(held?.shown?.effect);

  // Where it lies

  /** Lay everything out, unless it lies where it should. @param {Held} of @returns {boolean} whether that was needed */
  function fit({ info, tower, grid, view, layers }) {
    const isMaps = items.length > 0 || (view === 'all' && grid !== null && state.get.shown?.cells.length !== 0);
    const hasRibbon = ribbon.isThere() && root.hasAttribute('data-tokens-open');
    const next = [info, tower, grid, view, items.length, isMaps, hasRibbon, state.get.size, state.get.theme];
    if (next.every((value, i) => value === fitted[i]) && fitted.length) return false;
    fitted = next;
    painted = [];
    density = window.devicePixelRatio || 1;
    maps.hidden = !isMaps;
    const [x0, y0, x1, y1] = isMaps && grid !== null ? info.grids[grid].box_px : [];
    const room = { width: place.clientWidth, height: place.clientHeight, density };
    layout = layOutAtlas({
      ...room, layers: layers.length, skips: skippedLayers(info, tower).map((some) => some.length > 0), heads: headCount(info, tower), reduced: REDUCED, view, items: items.length, hasRibbon,
      aspect: isMaps && grid !== null ? (x1 - x0) / (y1 - y0) : null,
    });
    ribbon.layOut(layout.ribbon);
    if (layout.canvas) {
      Object.assign(canvas, layout.canvas);
      canvas.style.width = `${canvas.width / density}px`;
      canvas.style.height = `${canvas.height / density}px`;
    }
    // On a narrow page the lines are as long as they are; elsewhere the place has the height that is left.
    place.style.setProperty('--av-atlas-height', `${isNarrow(room) && layout.lines ? canvas.height / density + ribbon.height() : 0}px`);
    snap(maps, density);
    isWide = canvas.width > pixels(room.width);
    return true;
  }

  // Painting

  function update() {
    ({ held, isStale } = heldNow(held, state.get));
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
      isGained && masses, held.order, isOfEffects(), state.get.found, state.get.size, held.view === 'layer' ? state.get.atlas : null,
    ];
    if (next.every((value, i) => value === painted[i]) && painted.length) return showSelected();
    const begun = performance.now();
    const isRanked = held.ranks !== null;
    const isEffect = areSummed(held?.shown?.effect);
    items = makeItems(held, state.get);
    const isFitted = fit(held);
    const { axes, lines, most } = layout;
    const labels = `${isRanked} ${isEffect}`;
    if (axes && (isFitted || labels !== isLabelled)) paintAxisLabels(context, axes, { layers: held.layers, heads: headCount(held.info, held.tower), isRanked, isEffect, density });
    isLabelled = labels;
    if (lines) items.length = Math.min(items.length, most);
    placeItems();
    setRanges(items, held, state.get, shared);
    paint();
    painted = next;
    state.get.perf.atlas_ms = performance.now() - begun;
    writeCaptions();
    marks.show(maps.hidden ? [] : items, held.tower, boxOfItem);
    showTitle();
    say();
    showSelected();
    look.hide();
    hovered.hidden = true;
  }

  function placeItems() {
    const { axes, lines } = layout;
    const each = axes?.y.length ?? 1;
    items.forEach(({ map }, i) => {
      const layer = Math.floor(i / each);
      map.x = axes ? axes.x[layer] + bandOf(axes, i % each) - axes.left : lines?.x[i] ?? 0;
      map.y = axes ? axes.y[i % each] + shelfOf(axes, layer) : lines?.y[i] ?? 0;
    });
  }

  /** @returns {import('../../paint/small_maps.js').Colours} */
  function colours() {
    const { palette, diverging, stripes, filled, empty } = brush;
    const isSigned = isOfEffects();
    const height = Math.min(pixels(BAR_PX), Math.floor(layout.size.height / 6)); // of the smallest maps nothing is taken away
    return { palette: isSigned ? diverging : palette, isSigned, stripes, curve: state.get.curve, stripe: pixels(STRIPE_PX), bar: { height, filled, empty } };
  }

  /** The maps; beside them the labels stay. */
  function paint() {
    if (maps.hidden) return;
    const { axes, size } = layout;
    const left = axes?.left ?? 0;
    const image = new ImageData(canvas.width - left, axes?.height ?? canvas.height);
    if (items.length) {
      const { rows, cols } = items[0].shape;
      paintMaps(items.map(({ map }) => map), { rows, cols, ...size }, colours(), new Uint32Array(image.data.buffer), image.width);
    }
    // around them the labels stay, those between bands and below shelves too
    for (let band = 0; band < (axes?.bands ?? 1); band++) {
      for (let shelf = 0; shelf < (axes?.shelves ?? 1); shelf++) {
        const from = axes ? [band * axes.bandStep, shelf * axes.shelfStep] : [0, 0];
        context.putImageData(image, left, 0, from[0], from[1], axes ? axes.bandStep - left : image.width, axes?.shelfHeight ?? image.height);
      }
    }
    if (axes) paintBars(context, axes, brush.none);
  }

  /** The palette, and tones that are in none. */
  function mix() {
    const [red, green, blue] = surfaceColour(root);
    const surface = pixel(red, green, blue, 255);
    const ink = red + green + blue > 384 ? pixel(0, 0, 0, 255) : pixel(255, 255, 255, 255);
    brush = { palette: solidPixels(state.get.palette), diverging: divergingPixels(isDark(), false), stripes: [blend(surface, ink, 0.16), blend(surface, ink, 0.4)], filled: blend(surface, ink, 0.62), empty: blend(surface, ink, 0.1), none: blend(surface, ink, 0.24) };
  }

  function writeCaptions() {
    const { axes, size } = layout;
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
    atlasPart.dataset.view = held?.view ?? '';
    atlasPart.dataset.order = held?.ranks ? held.order : 'number';
    title.textContent = '';
    if (!held || !state.get.info || state.get.grid === null) return;
    const { text, hint } = atlasTitle(held, items.length, state.get);
    title.textContent = text;
    title.title = hint;
  }

  /** What stands in the place of maps. */
  function say() {
    note.hidden = !maps.hidden;
    note.textContent = whyNoMaps(held, state.get);
  }

  // Pointing and choosing

  /** @param {number} i @returns {{x: number, y: number, width: number, height: number}} CSS pixels from the canvas's corner */
  function boxOfItem(i) {
    const { axes, size } = layout;
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
    if (i < 0 || !layout.axes || !isWide) return; // asking where it stands costs a layout
    const { x, width } = boxOfItem(i);
    if (x < place.scrollLeft) place.scrollLeft = x - LABEL_PX.left;
    else if (x + width > place.scrollLeft + place.clientWidth) place.scrollLeft = x + width - place.clientWidth;
  }

  /** @param {PointerEvent | MouseEvent} event @returns {number} */
  function under(event) {
    const box = canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) * density;
    const y = (event.clientY - box.top) * density;
    const { axes, size } = layout;
    const bar = axes && held ? barAt(axes, x, y) : -1;
    canvas.title = held && bar >= 0 ? withoutMaps(skippedLayers(held.info, held.tower)[bar]) : '';
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
      'info', 'tower', 'grid', 'size', 'theme', 'shown', 'atlas', 'scores', 'masses', 'pinned', 'region', 'found', 'palette', 'scale', 'curve', 'clip', 'sinks', 'atlasView', 'order', 'selection', 'reading',
    ], update),
    state.on(['selection', 'info', 'size'], scroll),
  ];
  mix();
  update();

  return {
    /** Where a map lies, by its places on the axes, in CSS pixels from the canvas's corner. For tests. @param {number} layer @param {number} head */
    boxOf(layer, head) {
      const i = layout.axes ? layer * layout.axes.y.length + head : -1;
      return items[i] ? boxOfItem(i) : { x: 0, y: 0, width: 0, height: 0 };
    },
    /** Every map that is painted. For tests. */
    maps: () => items.map(({ layer, head, mass, caption, map }, i) => ({ layer, head, mass, caption, high: map.high, share: map.share, ...boxOfItem(i) })),
    dispose() {
      undo.forEach((end) => end());
      for (const view of [ribbon, controls, marks, look]) view.dispose();
    },
  };
}
