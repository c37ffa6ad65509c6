// @ts-check
/** The ribbon: for each layer where the row's mass lies, by role, as one stacked bar; a click goes to the layer. */
import { create, listen, part } from '../dom.js';
import { createFloating } from '../floating.js';
import { formatPercent } from '../../data/format.js';
import { headCount, layersOf } from '../../data/run_info.js';
import { barsOf, stackedGroups } from '../../numbers/ribbon.js';
import { massesPath } from '../../data/source.js';
import { choiceAt } from '../../numbers/atlas.js';
import { RIBBON_PX } from '../../paint/atlas_layout.js';
import { labelled } from '../../paint/map_layout.js';

const HATCH_PX = 4;

/** @typedef {import('../../paint/atlas_layout.js').Columns} Columns */

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 * @param {Pick<import('../../state/actions.js').Actions, 'choose'>} actions
 */
export function createRibbon(root, state, { choose }) {
  const place = part(root, 'ribbon');
  const canvas = part(place, 'ribbon-canvas');
  const legend = part(place, 'ribbon-legend');
  const context = canvas.getContext('2d');
  const heading = create('p', { class: 'av-ribbon-heading' });
  const list = create('dl');
  const floating = createFloating(place, 'av-ribbon-numbers', [heading, list]);
  let density = 1;
  /** @type {Columns | null} */
  let columns = null;
  /** @type {import('../../numbers/ribbon.js').Bar[]} */
  let bars = [];
  let hovered = -1;
  /** @type {Map<string, string>} of groups */
  let colours = new Map();
  /** @type {CanvasPattern | null} */
  let hatch = null;

  /** Whether a tower of the run has roles to tell apart: where one picture is all that is read, it holds everything. Effects are parts of no whole. */
  function isThere() {
    const { info, tower, reading } = state.get;
    return reading === null && stackedGroups(info?.groups?.[tower] ?? []).length > 1;
  }

  /** @param {import('../../paint/atlas_layout.js').RibbonPlace} where */
  function layOut({ columns: next, beside, hasLegendAside }) {
    place.hidden = !isThere();
    density = window.devicePixelRatio || 1;
    columns = next;
    const height = next.bars + (next.isLabelled ? Math.round(RIBBON_PX.labels * density) : 0);
    Object.assign(canvas, { width: Math.max(1, next.width), height });
    canvas.style.width = `${canvas.width / density}px`;
    canvas.style.height = `${height / density}px`;
    place.classList.toggle('av-beside', beside !== undefined);
    place.classList.toggle('av-legend-aside', hasLegendAside);
    Object.assign(place.style, beside ? { left: `${beside.left}px`, top: `${beside.top}px`, width: canvas.style.width } : { left: '', top: '', width: '' });
    label(next);
    paint();
  }

  /** The legend; its swatches are of the colours that are painted. */
  function explain() {
    const { info, tower } = state.get;
    const names = stackedGroups(info?.groups?.[tower] ?? []).map(({ name }) => name);
    const hasSinks = Object.values(info?.sinks?.[tower] ?? {}).some((keys) => keys.length);
    legend.replaceChildren(...[...names, ...(hasSinks ? ['sink'] : [])].map((name) => create('li', {}, [create('i', { class: classOf(name) }), name])));
    const entries = /** @type {HTMLElement[]} */ ([...legend.children]);
    colours = new Map(entries.map((entry) => [entry.textContent ?? '', getComputedStyle(/** @type {Element} */ (entry.firstChild)).backgroundColor]));
    hatch = hasSinks ? context.createPattern(hatching(), 'repeat') : null;
  }

  function count() {
    const { info, tower, masses, shown } = state.get;
    const groups = info?.groups?.[tower] ?? [];
    const isWhole = info && masses && masses.values.length === layersOf(info, tower).length * headCount(info, tower) * groups.length;
    bars = isWhole && shown ? barsOf(masses.values, groups, headCount(info, tower), shown.head) : [];
    place.classList.toggle('av-off', Boolean(shown && shown.direction !== 'reads'));
    place.classList.toggle('av-stale', Boolean(masses && shown && masses.name !== massesPath(shown)));
    paint();
    if (hovered >= 0) showNumbers(hovered);
  }

  /** The bars; their labels stay. */
  function paint() {
    if (!columns) return;
    const { x, barWidth, bars: height } = columns;
    context.clearRect(x[0], 0, canvas.width, height);
    if (x.length !== bars.length) return;
    const y = (/** @type {number} */ share) => Math.round(height * (1 - share));
    bars.forEach(({ parts, sink }, i) => {
      for (const { name, from, to } of parts) {
        context.fillStyle = colours.get(name) ?? '';
        context.fillRect(x[i], y(to), barWidth, y(from) - y(to));
      }
      if (!hatch || !(sink > 0)) return;
      context.fillStyle = hatch;
      context.fillRect(x[i], y(sink), barWidth, y(0) - y(sink));
    });
  }

  /** Text costs a look at the page's styles, so it is written once. @param {Columns} columns */
  function label({ x, barWidth, bars: height, isLabelled }) {
    const { info, tower } = state.get;
    const layers = info ? layersOf(info, tower) : [];
    const style = getComputedStyle(canvas);
    context.fillStyle = style.color;
    context.font = `${11 * density}px ${style.fontFamily}`;
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    if (x[0] >= 30 * density) context.fillText('mass', x[0] - 6 * density, height / 2);
    if (!isLabelled) return;
    context.textAlign = 'center';
    context.textBaseline = 'top';
    const last = layers.length;
    const room = Math.min(x[last] + barWidth / 2, canvas.width - 14 * density);
    for (const i of labelled(last, x.length > 1 ? x[1] - x[0] : barWidth, 22 * density)) {
      if (x[i] + barWidth / 2 < room - 30 * density) context.fillText(String(layers[i]), x[i] + barWidth / 2, height + 5 * density);
    }
    context.fillText('mean', room, height + 5 * density);
  }

  function name() {
    canvas.setAttribute('aria-label', `Where the mass of the row lies in each layer, by role. Selected: layer ${state.get.selection?.layer ?? ''}`);
  }

  /** Slanted lines of the page's colour, for sinks. */
  function hatching() {
    const size = Math.round(HATCH_PX * density);
    const tile = Object.assign(document.createElement('canvas'), { width: size, height: size });
    const ink = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'));
    ink.strokeStyle = getComputedStyle(place).backgroundColor;
    ink.lineWidth = density;
    for (const shift of [-size, 0, size]) {
      ink.moveTo(shift - 1, size + 1);
      ink.lineTo(shift + size + 1, -1);
    }
    ink.stroke();
    return tile;
  }

  /** @param {PointerEvent | MouseEvent} event @returns {number} the place of a layer, -1 for none */
  function under(event) {
    if (!columns || !bars.length) return -1;
    const at = (event.clientX - canvas.getBoundingClientRect().left) * density;
    const { x } = columns;
    let found = at >= x[0] ? 0 : -1;
    while (found >= 0 && found + 1 < x.length && x[found + 1] <= at) found++;
    return found;
  }

  /** @param {number} i */
  function showNumbers(i) {
    const { info, tower, shown } = state.get;
    hovered = bars[i] ? i : -1;
    if (!columns || !info || !shown || hovered < 0) return floating.hide();
    const layer = choiceAt(layersOf(info, tower), i);
    const { head } = shown;
    const heads = typeof head === 'number' ? `head ${head}` : `mean over heads${head === 'max' ? ' (masses have no maximum)' : ''}`;
    heading.textContent = `${layer === 'mean' ? 'mean over layers' : `layer ${layer}`} · ${heads}`;
    const { parts, sink } = bars[i];
    const lines = [...parts].reverse().map(({ name, mass }) => [name, mass]);
    const named = sink > 0 ? [...lines, ['sink', sink]] : lines;
    list.replaceChildren(...named.flatMap(([name, mass]) => [
      create('dt', {}, [create('i', { class: classOf(String(name)) }), name === 'sink' ? 'of that on sinks' : String(name)]),
      create('dd', { text: formatPercent(Number(mass)) }),
    ]));
    const box = canvas.getBoundingClientRect();
    floating.show({ left: box.left + columns.x[i] / density, top: box.top, width: columns.barWidth / density, height: columns.bars / density }, true);
  }

  const undo = [
    listen(canvas, {
      pointermove: (/** @type {PointerEvent} */ event) => event.pointerType !== 'touch' && showNumbers(under(event)),
      pointerleave: () => showNumbers(-1),
      click: (/** @type {MouseEvent} */ event) => {
        const { info, tower } = state.get;
        const i = under(event);
        if (info && i >= 0) choose({ layer: choiceAt(layersOf(info, tower), i) });
      },
    }),
    state.on(['info', 'tower', 'theme', 'size'], explain),
    state.on(['info', 'tower', 'shown', 'masses', 'theme'], count),
    state.on(['selection'], name),
  ];
  place.dataset.note = 'masses are of rows: choose “reads from”';
  explain();

  return {
    isThere,
    layOut,
    /** What it takes below the maps. */
    height: () => (place.hidden ? 0 : place.offsetHeight),
    /** What the bars show. For tests. */
    bars: () => bars,
    dispose() {
      undo.forEach((end) => end());
      floating.dispose();
    },
  };
}

/** @param {string} name  of a group */
function classOf(name) {
  const image = /^image (\d+)$/.exec(name);
  return `av-mass av-mass-${image ? `image-${(Number(image[1]) - 1) % 3}` : name}`;
}
