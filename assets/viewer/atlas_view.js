// @ts-check
/** All layers and heads as small maps on one canvas; a click or an arrow key selects one. */
import { labelled, layOut, mapAt, paintMaps, sharedHigh } from './atlas.js';
import { listen, part, placeTip, snap, surfaceColour } from './dom.js';
import { formatPercent, formatValue } from './format.js';
import { blend, pixel, solidPixels } from './palette.js';
import { headsOf, layersOf } from './run_info.js';
import { atlasPlace, choiceAt } from './selection.js';

const SHADES = 32; // steps of faintness
const LABEL_PX = { left: 34, bottom: 20 };
const THUMB_PX = 520; // on a narrower page maps are large enough for a thumb, and the atlas scrolls

/**
 * @param {Element} root
 * @param {import('./viewer.js').ViewerState} state
 * @param {{choose: (change: Partial<import('./selection.js').Selection>) => void}} actions
 */
export function createAtlasView(root, state, { choose }) {
  const place = part(root, 'atlas-place');
  const frame = part(root, 'atlas-frame');
  const canvas = part(root, 'atlas-canvas');
  const selected = part(root, 'atlas-selected');
  const hovered = part(root, 'atlas-hover');
  const tip = part(frame, 'tip');
  const title = part(root, 'atlas-title');
  const context = canvas.getContext('2d');
  /** @type {import('./atlas.js').AtlasLayout | null} */
  let layout = null;
  let density = 1;
  /** @type {Uint32Array[]} */
  let shades = [];

  const axes = () => {
    const { info, tower } = state.get;
    return info ? { layers: layersOf(info, tower), heads: headsOf(info, tower) } : { layers: [], heads: [] };
  };

  function fit() {
    const { info, grid } = state.get;
    layout = null;
    frame.hidden = !info || grid === null;
    if (!info || grid === null) return;
    density = window.devicePixelRatio || 1;
    const pixels = (/** @type {number} */ css) => Math.round(css * density);
    const [x0, y0, x1, y1] = info.grids[grid].box_px;
    const { layers, heads } = axes();
    layout = layOut({
      layers: layers.length, heads: heads.length, aspect: (x1 - x0) / (y1 - y0),
      width: pixels(place.clientWidth), height: pixels(place.clientHeight - LABEL_PX.bottom),
      left: pixels(LABEL_PX.left), gap: pixels(layers.length > 12 ? 1 : 2), apart: pixels(6), narrowest: pixels(place.clientWidth < THUMB_PX ? 20 : 10),
    });
    canvas.width = layout.width;
    canvas.height = layout.height + pixels(LABEL_PX.bottom);
    canvas.style.width = `${canvas.width / density}px`;
    canvas.style.height = `${canvas.height / density}px`;
    snap(frame, density);
  }

  function paint() {
    const { atlas, scale, clip } = state.get;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!layout) return;
    if (atlas && atlas.layers + 1 === layout.x.length && atlas.heads + 1 === layout.y.length) {
      const begun = performance.now();
      const image = new ImageData(layout.width - layout.left, layout.height);
      const shared = scale === 'atlas' ? sharedHigh(atlas, clip) : null;
      paintMaps(atlas, layout, { shades, shared, clip }, new Uint32Array(image.data.buffer));
      context.putImageData(image, layout.left, 0);
      state.get.perf.atlas_ms = performance.now() - begun;
    }
    paintLabels(layout);
  }

  /** The palette from nearly the colour of the page to its own. */
  function makeShades() {
    const colours = solidPixels(state.get.palette);
    const [red, green, blue] = surfaceColour(root);
    const surface = pixel(red, green, blue, 255);
    shades = Array.from({ length: SHADES + 1 }, (_, i) => colours.map((colour) => blend(surface, colour, i / SHADES)));
  }

  /** @param {import('./atlas.js').AtlasLayout} layout */
  function paintLabels(layout) {
    const { layers, heads } = axes();
    const style = getComputedStyle(canvas);
    context.fillStyle = style.color;
    context.font = `${11 * density}px ${style.fontFamily}`;
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    const edge = layout.left - 6 * density;
    const step = { x: layout.x[1] - layout.x[0], y: layout.y[1] - layout.y[0] };
    for (const i of labelled(heads.length, step.y, 13 * density)) {
      context.fillText(String(heads[i]), edge, layout.y[i] + layout.mapHeight / 2);
    }
    if (layout.mapHeight >= 9 * density) context.fillText('mean', edge, layout.y[heads.length] + layout.mapHeight / 2);
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
    const centre = Math.min(layout.x[layers.length] + layout.mapWidth / 2, layout.width - 14 * density);
    context.fillText('mean', centre, below);
  }

  /** @param {number} layer @param {number} head  places on the axes */
  function boxOf(layer, head) {
    if (!layout) return { x: 0, y: 0, width: 0, height: 0 };
    return {
      x: layout.x[layer] / density, y: layout.y[head] / density,
      width: layout.mapWidth / density, height: layout.mapHeight / density,
    };
  }

  /** @param {HTMLElement} element @param {{layer: number, head: number} | null} at */
  function outline(element, at) {
    element.hidden = !layout || !at || at.layer < 0 || at.head < 0;
    if (element.hidden || !at) return;
    const box = boxOf(at.layer, at.head);
    Object.assign(element.style, { left: `${box.x}px`, top: `${box.y}px`, width: `${box.width}px`, height: `${box.height}px` });
  }

  /** @returns {{layer: number, head: number} | null} places on the axes */
  function selectedPlace() {
    const { selection } = state.get;
    const { layers, heads } = axes();
    return selection && { layer: atlasPlace(layers, selection.layer), head: atlasPlace(heads, selection.head) };
  }

  function showSelected() {
    const at = selectedPlace();
    outline(selected, at);
    const { selection } = state.get;
    canvas.setAttribute('aria-label', selection
      ? `Maps of all layers and heads. Selected: layer ${selection.layer}, head ${selection.head}. Arrow keys select another.`
      : 'Maps of all layers and heads');
    if (!layout || !at || at.layer < 0) return;
    const { x, width } = boxOf(at.layer, Math.max(0, at.head));
    if (x < place.scrollLeft) place.scrollLeft = x - LABEL_PX.left;
    else if (x + width > place.scrollLeft + place.clientWidth) place.scrollLeft = x + width - place.clientWidth;
  }

  function showTitle() {
    const { atlas, shown, scale, info, grid } = state.get;
    const isStale = Boolean(atlas && shown && (atlas.query !== shown.query || atlas.grid !== shown.grid));
    const what = shown?.direction === 'read by' ? 'column' : 'row';
    frame.classList.toggle('av-stale', isStale);
    if (!info || grid === null) title.textContent = '';
    else if (!atlas) title.textContent = 'layers → heads ↓';
    else title.textContent = `layers → heads ↓ · ${what} ${atlas.query} · ${scale === 'map' ? 'each on its own scale, fainter with less on the picture' : 'all on one scale'}`;
  }

  /** @param {{layer: number, head: number} | null} at */
  function showHover(at) {
    const { atlas, info } = state.get;
    outline(hovered, at);
    tip.hidden = !at || !atlas;
    if (!at || !atlas || !info) return;
    const { layers, heads } = axes();
    const layer = choiceAt(layers, at.layer);
    const head = choiceAt(heads, at.head);
    const mass = atlas.masses[at.layer * (atlas.heads + 1) + at.head];
    const name = `${layer === 'mean' ? 'mean over layers' : `layer ${layer}`} · ${head === 'mean' ? 'mean over heads' : `head ${head}`}`;
    const isRow = state.get.selection?.direction === 'reads';
    tip.textContent = `${name} · ${isRow ? `image mass ${formatPercent(mass)}` : `sum ${formatValue(mass)}`}`;
    placeTip(tip, boxOf(at.layer, at.head), Math.max(frame.clientWidth, place.clientWidth));
  }

  /** @param {PointerEvent | MouseEvent} event */
  function under(event) {
    if (!layout) return null;
    const box = canvas.getBoundingClientRect();
    return mapAt(layout, (event.clientX - box.left) * density, (event.clientY - box.top) * density);
  }

  /** @param {{layer: number, head: number}} at */
  function chooseAt(at) {
    const { layers, heads } = axes();
    choose({ layer: choiceAt(layers, at.layer), head: choiceAt(heads, at.head) });
  }

  /** @param {KeyboardEvent} event */
  function step(event) {
    const move = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    const at = selectedPlace();
    if (!move || !at || !layout || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    showHover(null);
    chooseAt({
      layer: Math.min(layout.x.length - 1, Math.max(0, at.layer + move[0])),
      head: Math.min(layout.y.length - 1, Math.max(0, at.head + move[1])),
    });
  }

  const undo = [
    listen(canvas, {
      pointermove: (/** @type {PointerEvent} */ event) => showHover(under(event)),
      pointerleave: () => showHover(null),
      click: (/** @type {MouseEvent} */ event) => {
        const at = under(event);
        if (at) chooseAt(at);
      },
      keydown: step,
    }),
    state.on(['palette', 'theme'], makeShades),
    state.on(['info', 'tower', 'grid', 'size', 'theme'], fit),
    state.on(['info', 'grid', 'size', 'theme', 'atlas', 'palette', 'scale', 'clip'], paint),
    state.on(['info', 'grid', 'size', 'selection'], showSelected),
    state.on(['info', 'grid', 'atlas', 'shown', 'scale'], showTitle),
    state.on(['info', 'atlas'], () => showHover(null)),
  ];
  makeShades();
  fit();

  return {
    /** Where a map lies, in CSS pixels from the canvas's corner. For tests. */
    boxOf,
    dispose: () => undo.forEach((end) => end()),
  };
}
