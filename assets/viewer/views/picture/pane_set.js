// @ts-check
/**
 * The panes of a page, and what all of them share: the picture, the zoom, the cells that are selected, pinned and pointed at. Which panes
 * there are, which map each has and what it says of a cell is the affair of who makes them.
 */
import { part } from '../dom.js';
import { createPane } from './pane.js';
import { placesOn, shownPicture } from '../../data/run_info.js';
import { placeOfMark, withPlaces } from '../../numbers/regions.js';
import { cellsOfSelection } from '../../data/selection.js';
import { placesApart, placesInCell, withNumbers } from '../../text/places.js';
import { createUnplaced } from './unplaced.js';
import { WHOLE } from '../../paint/zoom.js';
import { createZoomTools } from './zoom_tools.js';

/**
 * @typedef {ReturnType<typeof createPane>} Pane
 * @typedef {{grid: import('../../data/run_info.js').Grid, image: import('../../data/run_info.js').Picture, index: number, under: number}} Focus  the grid on screen, and its picture; `under` is the one that is shown, where frames share the grid
 *
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 * @param {Pick<import('../../state/actions.js').Actions, 'selectCell' | 'pinCell'> & {places: import('../../state/region_actions.js').RegionActions}} actions
 * @param {object} view
 * @param {() => {name: string, pane: Pane, isBare?: boolean}[]} view.panes  that there are; a bare one has no picture
 * @param {() => Pane} view.main   the one that the zoom's buttons move
 * @param {(name: string) => import('../../data/source.js').Source | null} [view.sourceOf]  whose picture a pane has, null for a plain ground; by default the run's
 * @param {(name: string) => import('../../data/run_info.js').RunInfo | null} view.infoOf  whose answer names places on a pane
 * @param {(cell: import('../../paint/marks.js').Cell, grid: import('../../data/run_info.js').Grid) => {readout: string, tip: (name: string, isPointed: boolean) => string}} view.words
 */
export function createPaneSet(root, state, { selectCell, pinCell, places: regions }, { panes, main, infoOf, words, sourceOf = () => state.get.source }) {
  const readout = part(root, 'readout');
  const tools = createZoomTools(part(root, 'stage'), { zoomBy: (factor) => main().zoomBy(factor), fit: () => state.set({ zoom: WHOLE }), mark: () => regions.toggle() });
  const unplaced = createUnplaced(part(root, 'stage'), {
    choose: () => state.set({ lookAsked: state.get.lookAsked + 1 }),
    draw: (isWished) => state.set({ unplacedOn: isWished ? focus()?.index ?? null : null, ...(isWished ? { places: true } : {}) }),
  });
  let pointed = ''; // the pane that the pointer, or the cursor, is in
  let refits = 0;
  /** @type {number | null | undefined} */
  let gridShown; // the panes' own: a selection of another one has no cells here yet
  /** @type {{address: string, size: import('../../paint/geometry.js').Size | null}} */
  let picture = { address: '', size: null };

  /** @returns {Focus | null} */
  function focus() {
    const { info, selection } = state.get;
    if (!info || selection?.grid == null) return null;
    const grid = info.grids[selection.grid];
    return { grid, image: info.images[grid.image], index: grid.image, under: shownPicture(info, selection.grid, state.get.frame) };
  }

  const each = (/** @type {(name: string) => Partial<import('./pane.js').Content>} */ content) => panes().forEach(({ name, pane }) => pane.show(content(name)));

  /** All that panes show but for their maps, at once: cells belong to their grid. */
  function showAll() {
    refits++;
    const { selection } = state.get;
    const now = focus();
    gridShown = selection?.grid;
    const address = addresses();
    const isOther = address !== picture.address;
    if (isOther) {
      // Frames keep the zoom, so that a place can be followed through them.
      const isAlike = now && picture.size && now.image.width === picture.size.width && now.image.height === picture.size.height;
      picture = { address, size: now?.image ?? null };
      state.set({ pictureReady: false, ...(isAlike ? {} : { zoom: WHOLE }) });
    }
    const common = { marking: state.get.marking, size: now?.image ?? null, grid: now?.grid ?? null, zoom: state.get.zoom, refit: refits, map: null, other: null, hover: null, ...selected() };
    each((name) => ({ ...common, places: named(name) }));
    showUnplaced();
    if (isOther) showPictures();
  }

  function showPictures() {
    const now = focus();
    for (const { name, pane, isBare } of panes()) {
      const source = sourceOf(name);
      const content = now && source ? { preview: source.previewAddress(now.under), full: source.imageAddress(now.under), alt: `image ${now.under + 1} of this run` } : null;
      if (!isBare) pane.show({ picture: content });
    }
  }

  /** Another of the frames that share the grid: all but the picture stays. */
  function showFrame() {
    const address = addresses();
    if (address === picture.address || state.get.selection?.grid !== gridShown) return; // with another grid, all is shown anew
    picture = { ...picture, address };
    state.set({ pictureReady: false });
    showPictures();
  }

  /** The addresses of all panes' pictures. */
  function addresses() {
    const now = focus();
    return now ? panes().map(({ name, isBare }) => (isBare ? '' : sourceOf(name)?.previewAddress(now.under) ?? '')).join(' ').trim() : '';
  }

  /** The cells that are selected, and the one that is pinned. */
  function selected() {
    const { info, selection, pinned } = state.get;
    const isHere = selection?.grid === gridShown;
    const isPinned = pinned && isHere && pinned.grid === gridShown;
    return { here: info && selection && isHere ? cellsOfSelection(info, selection) : [], pinned: isPinned ? pinned : null };
  }

  /** What the answer names on this picture, what was loaded, and the place that is drawn or chosen. @param {string} name */
  function named(name) {
    const { places, unplacedOn, region, loaded } = state.get;
    const info = places ? infoOf(name) : null;
    const now = focus();
    const found = info && now ? withNumbersOf(placesOn(info, now.index, now.index === unplacedOn), now.image) : null;
    const own = [...loaded, ...(region ? [region] : [])].filter(({ image }) => image === now?.index);
    return own.length ? withPlaces(found ?? { points: [], boxes: [] }, own, region) : found;
  }

  /** @param {ReturnType<typeof placesOn>} places @param {import('../../data/run_info.js').Picture} picture */
  function withNumbersOf({ points, boxes }, picture) {
    const said = /** @type {Set<string>} */ (new Set());
    return { boxes: withNumbers(boxes, picture, said), points: withNumbers(points, picture, said) };
  }

  /** Places that the answer names on no picture: how many, why, and whether they are drawn on this one. */
  function showUnplaced() {
    const infos = [...new Set(panes().map(({ name }) => infoOf(name)))].filter((info) => info !== null);
    const now = focus();
    const { places, unplacedOn, coordinates } = state.get;
    const apart = infos.map((info) => placesApart(info, coordinates));
    unplaced.show(infos.flatMap((info) => info.unplaced ?? []), now && { index: now.index, isChosen: places && now.index === unplacedOn }, {
      words: [...new Set(apart.map(({ words: said }) => said))].filter(Boolean).join(' · '), why: [...new Set(apart.flatMap(({ why }) => why))],
    }, infos.some(({ place_habit, named_places }) => place_habit && named_places));
  }

  function showPlaces() {
    each((name) => ({ places: named(name) }));
    showUnplaced();
  }

  /** What is said of places that are drawn in a cell. @param {string} name @param {import('../../paint/marks.js').Cell} cell */
  function placesAt(name, cell) {
    const [info, now] = [state.get.places ? infoOf(name) : null, focus()];
    return info && now ? placesInCell(info, now.grid, cell, now.index === state.get.unplacedOn) : '';
  }

  /** The cell under the pointer or the cursor: outlined in all, and said in words. */
  function showHover() {
    const { hover, shown, selection } = state.get;
    const now = focus();
    const cell = hover && shown && now && shown.grid === selection?.grid ? hover : null;
    const said = cell && now ? words(cell, now.grid) : null;
    root.toggleAttribute('data-hover', Boolean(cell));
    if (cell) root.setAttribute('data-cell', `${cell.row},${cell.col}`);
    else root.removeAttribute('data-cell');
    readout.textContent = said?.readout ?? '';
    each((name) => ({ hover: cell, tip: [said?.tip(name, name === pointed) ?? '', cell && name === pointed ? placesAt(name, cell) : ''].filter(Boolean).join(' · ') }));
  }

  const undo = [
    state.on(['zoom'], () => each(() => ({ zoom: state.get.zoom }))),
    state.on(['selection', 'pinned'], () => each(selected)),
    state.on(['hover', 'shown', 'drawn', 'selection', 'sinks'], showHover),
    state.on(['unplacedOn', 'region', 'loaded'], showPlaces),
    state.on(['marking'], showMarking),
    state.on(['frame'], showFrame),
    state.on(['zoom', 'info', 'grid'], () => tools.show(focus() ? state.get.zoom.scale : null)),
  ];
  function showMarking() {
    const { marking } = state.get;
    tools.showMarking(marking);
    each(() => ({ marking }));
  }

  tools.show(null);

  return {
    focus,
    showAll,
    showHover,
    /** The buttons of the zoom. */
    tools: tools.element,
    /** Places are named, or not any more. */
    showPlaces,

    /** @param {Element} parent @param {string} name @param {boolean} [isFirst]  it says when the picture is there */
    add: (parent, name, isFirst = false) => createPane(parent, {
      hover: (cell, how) => {
        pointed = name;
        readout.setAttribute('aria-live', how === 'keys' ? 'polite' : 'off');
        state.set({ hover: cell });
      },
      select: ({ row, col }) => selectCell(row, col),
      pin: ({ row, col }) => pinCell(row, col),
      zoom: (zoom) => state.set({ zoom }),
      draw: (place) => {
        const now = focus();
        if (now) regions.mark(now.index, place);
      },
      choose: (mark) => {
        const place = placeOfMark(/** @type {import('../../data/run_info.js').Box} */ (mark));
        regions.choose(state.get.loaded.find((each) => String(each.place) === String(place.place)) ?? { ...place, isDrawn: false });
      },
      begin: () => {
        const { region } = state.get;
        return () => state.set({ region });
      },
      loaded: isFirst ? (isThere) => state.set({ pictureReady: true, pictureFailed: !isThere }) : undefined,
    }),

    dispose() {
      undo.forEach((end) => end());
      tools.dispose();
      unplaced.dispose();
      panes().forEach(({ pane }) => pane.dispose());
    },
  };
}
