// @ts-check
/**
 * The run's picture with the map on it, or the two apart: panes that share what is pointed at, the zoom and the outlines.
 * From the state of the page to what a pane shows, and back.
 */
import { wordsOfCell } from './cell_words.js';
import { part } from './dom.js';
import { stacksBetter } from './geometry.js';
import { createPane } from './pane.js';
import { overlayPixels, solidPixels } from './palette.js';
import { createPictureStrip } from './picture_strip.js';
import { position } from './scale.js';
import { cellsOfSelection } from './selection.js';
import { WHOLE } from './zoom.js';
import { createZoomTools } from './zoom_tools.js';

const GAP_PX = 12;

/**
 * @param {Element} root
 * @param {import('./viewer.js').ViewerState} state
 * @param {Pick<import('./actions.js').Actions, 'focusGrid' | 'selectCell' | 'pinCell'>} actions
 */
export function createImageView(root, state, { focusGrid, selectCell, pinCell }) {
  const stage = part(root, 'stage');
  const place = part(root, 'panes');
  const readout = part(root, 'readout');
  const strip = createPictureStrip(root, state, { focusGrid });
  const zoomTools = createZoomTools(stage, { zoomBy: (factor) => first.zoomBy(factor), fit: () => state.set({ zoom: WHOLE }) });
  const first = addPane(0);
  /** @type {ReturnType<typeof createPane> | null} the map alone, while it is beside the picture */
  let alone = null;
  let refits = 0;
  let pointed = 0; // the pane that says what is pointed at
  /** @type {{address: string, size: import('./geometry.js').Size | null}} */
  let picture = { address: '', size: null };
  /** @type {{drawn: import('./drawn.js').Drawn, palette: string, beside: boolean, map: import('./overlay_paint.js').Coloured} | null} */
  let coloured = null;

  /** @param {number} index */
  function addPane(index) {
    return createPane(place, {
      hover: (cell, how) => {
        pointed = index;
        readout.setAttribute('aria-live', how === 'keys' ? 'polite' : 'off');
        state.set({ hover: cell });
      },
      select: ({ row, col }) => selectCell(row, col),
      pin: ({ row, col }) => pinCell(row, col),
      zoom: (zoom) => state.set({ zoom }),
      loaded: index ? undefined : (isThere) => state.set({ pictureReady: true, pictureFailed: !isThere }),
    });
  }

  const panes = () => (alone ? [first, alone] : [first]);
  const show = (/** @type {Partial<import('./pane.js').Content>} */ content) => panes().forEach((pane) => pane.show(content));

  /** @returns {{grid: import('./run_info.js').Grid, image: import('./run_info.js').Picture, index: number} | null} */
  function focus() {
    const { info, selection } = state.get;
    if (!info || selection?.grid == null) return null;
    const grid = info.grids[selection.grid];
    return { grid, image: info.images[grid.image], index: grid.image };
  }

  /** One pane or two, and which way those lie. */
  function arrange() {
    const { beside } = state.get;
    refits++;
    const now = focus();
    if (beside && !alone) alone = addPane(1);
    else if (!beside && alone) {
      alone.dispose();
      alone = null;
      pointed = 0;
    }
    stage.toggleAttribute('data-beside', beside);
    const box = { width: place.clientWidth, height: place.clientHeight };
    place.style.flexDirection = beside && now && stacksBetter(now.image, box, GAP_PX) ? 'column' : 'row';
    place.style.gap = `${GAP_PX}px`;
  }

  /** All that panes show, at once: cells belong to their grid. */
  function showAll() {
    arrange();
    const { source } = state.get;
    const now = focus();
    const address = now && source ? source.previewAddress(now.index) : '';
    const isOther = address !== picture.address;
    if (isOther) {
      // Frames keep the zoom, so that a place can be followed through them.
      const isAlike = now && picture.size && now.image.width === picture.size.width && now.image.height === picture.size.height;
      picture = { address, size: now?.image ?? null };
      state.set({ pictureReady: false, ...(isAlike ? {} : { zoom: WHOLE }) });
    }
    show({ size: now?.image ?? null, grid: now?.grid ?? null, zoom: state.get.zoom, refit: refits, map: null, hover: null, ...selected(), ...named() });
    if (isOther) first.show({ picture: now && source ? { preview: address, full: source.imageAddress(now.index), alt: `image ${now.index + 1} of this run` } : null });
    showMap();
    showHover();
  }

  function showMap() {
    const { smooth, opacity, beside, perf } = state.get;
    const label = 'Shift and arrow keys point at a cell, Enter selects it, P pins it, plus and minus zoom.';
    const map = colouredMap();
    first.show({ map: beside ? null : map, smooth, opacity, label: `${beside ? 'Picture without the map' : 'Attention on the picture'}. ${label}` });
    alone?.show({ map, smooth, opacity: 1, label: `Attention without the picture. ${label}` });
    perf.map_ms = (alone ?? first).paint_ms;
  }

  /** The same object while nothing of it has changed, so that it is not painted again. */
  function colouredMap() {
    const { shown, drawn, palette, selection, beside } = state.get;
    if (!shown || !drawn || shown.grid !== selection?.grid) return null;
    if (coloured?.drawn !== drawn || coloured.palette !== palette || coloured.beside !== beside) {
      const { values, hidden, range } = drawn;
      const colours = beside ? solidPixels(palette) : overlayPixels(palette);
      coloured = { drawn, palette, beside, map: { values, hidden, place: (/** @type {number} */ value) => position(range, value), colours } };
    }
    return coloured.map;
  }

  /** The cells that are selected, and the one that is pinned. */
  function selected() {
    const { info, selection, pinned } = state.get;
    const isPinned = pinned && selection && pinned.grid === selection.grid;
    return { here: info && selection ? cellsOfSelection(info, selection) : [], pinned: isPinned ? pinned : null };
  }

  function showZoom() {
    zoomTools.show(focus() ? state.get.zoom.scale : null);
  }

  /** What the answer names on this picture. */
  function named() {
    const { info, places } = state.get;
    const now = focus();
    const isHere = (/** @type {{image: number}} */ place) => place.image === now?.index;
    return { places: places && info && now ? { points: (info.points ?? []).filter(isHere), boxes: (info.boxes ?? []).filter(isHere) } : null };
  }

  /** The cell under the pointer or the cursor: outlined, and said in words. */
  function showHover() {
    const { hover, shown, drawn, selection, sinks } = state.get;
    const now = focus();
    const cell = hover && shown && now && shown.grid === selection?.grid ? hover : null;
    const words = cell && shown && now ? wordsOfCell(shown, drawn, now.grid, cell, sinks) : null;
    root.toggleAttribute('data-hover', Boolean(cell));
    if (cell) root.setAttribute('data-cell', `${cell.row},${cell.col}`);
    else root.removeAttribute('data-cell');
    readout.textContent = words?.readout ?? '';
    panes().forEach((pane, index) => pane.show({ hover: cell, tip: index === pointed ? words?.tip ?? '' : '' }));
  }

  const undo = [
    state.on(['info', 'source', 'grid', 'size', 'theme', 'beside'], showAll),
    state.on(['zoom'], () => show({ zoom: state.get.zoom })),
    state.on(['drawn', 'palette', 'smooth', 'opacity', 'selection'], showMap),
    state.on(['selection', 'pinned'], () => show(selected())),
    state.on(['places'], () => show(named())),
    state.on(['hover', 'shown', 'drawn', 'selection', 'sinks'], showHover),
    state.on(['zoom', 'info', 'grid'], showZoom),
  ];
  showAll();
  showZoom();

  return {
    /** The colour painted at a place of what is seen of the picture, in CSS pixels from its corner. For tests. */
    sample: first.sample,
    dispose: () => {
      undo.forEach((end) => end());
      strip.dispose();
      panes().forEach((pane) => pane.dispose());
      zoomTools.dispose();
    },
  };
}
