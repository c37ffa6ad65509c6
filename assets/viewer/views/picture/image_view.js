// @ts-check
/** The run's picture with the map on it, or the two apart: from the state of the page to what panes show. */
import { keysAreTokens, keysOfGrid } from '../../data/run_info.js';
import { ALL_WORDS, readsAs } from '../../text/lens.js';
import { isRatio } from '../../numbers/ratios.js';
import { wordsOfCell } from '../../text/cell.js';
import { isDark, part } from '../dom.js';
import { stacksBetter } from '../../paint/geometry.js';
import { mapPixels } from '../../paint/palette.js';
import { createPaneSet } from './pane_set.js';
import { createPictureStrip } from './picture_strip.js';
import { isSigned, placeIn } from '../../numbers/colour_range.js';

const GAP_PX = 12;

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 * @param {Pick<import('../../state/actions.js').Actions, 'focusGrid' | 'stepPicture' | 'play' | 'selectCell' | 'pinCell'> & {places: import('../../state/region_actions.js').RegionActions}} actions
 */
export function createImageView(root, state, { focusGrid, stepPicture, play, selectCell, pinCell, places }) {
  const stage = part(root, 'stage');
  const place = part(root, 'panes');
  const strip = createPictureStrip(root, state, { focusGrid, stepPicture, play });
  const set = createPaneSet(root, state, { selectCell, pinCell, places }, {
    panes: () => [{ name: 'picture', pane: first }, ...(alone ? [{ name: 'map', pane: alone, isBare: true }] : [])],
    main: () => first,
    infoOf: () => state.get.info,
    words: (cell, grid) => {
      const { shown, drawn, sinks, words } = state.get;
      const { readout, tip } = wordsOfCell(/** @type {import('../../state/fields.js').Shown} */ (shown), drawn, grid, cell, sinks);
      const token = tokenOf(cell);
      const said = [tip, readsAs(words, token)].filter(Boolean).join(' · ');
      return { readout: [readsAs(words, token, ALL_WORDS), readout].filter(Boolean).join(' · '), tip: (name, isPointed) => (isPointed ? said : '') };
    },
  });
  const first = set.add(place, 'picture', true);
  /** @type {import('./pane_set.js').Pane | null} the map alone, while it is beside the picture */
  let alone = null;
  /** @type {{drawn: import('../../numbers/coloured_map.js').Drawn, palette: string, beside: boolean, theme: number, map: import('../../paint/cells.js').Coloured} | null} */
  let coloured = null;

  /** The token that a cell stands for, -1 where it is a patch and no token. @param {import('../../paint/marks.js').Cell} cell */
  function tokenOf({ row, col }) {
    const { info, shown } = state.get;
    if (!info || !shown || shown.grid === null || !keysAreTokens(info, info.grids[shown.grid].tower)) return -1;
    return keysOfGrid(info, shown.grid)[row * info.grids[shown.grid].cols + col];
  }

  /** One pane or two, and which way those lie. */
  function arrange() {
    const { beside } = state.get;
    const now = set.focus();
    if (beside && !alone) alone = set.add(place, 'map');
    else if (!beside && alone) {
      alone.dispose();
      alone = null;
    }
    stage.toggleAttribute('data-beside', beside);
    const box = { width: place.clientWidth, height: place.clientHeight };
    place.style.flexDirection = beside && now && stacksBetter(now.image, box, GAP_PX) ? 'column' : 'row';
    place.style.gap = `${GAP_PX}px`;
  }

  function showAll() {
    arrange();
    set.showAll();
    showMap();
    set.showHover();
  }

  function showMap() {
    const { smooth, opacity, beside, toned, perf } = state.get;
    root.toggleAttribute('data-quiet', toned && !beside && state.get.shown?.grid !== null);
    const label = 'Shift and arrow keys point at a cell, Enter selects it, P pins it, B begins a box, plus and minus zoom.';
    const map = colouredMap();
    const { shown, drawn } = state.get;
    root.toggleAttribute('data-signed', Boolean(drawn && isSigned(drawn.range))); // colours of either sign need a quieter picture
    const what = drawn?.measured ? 'Measured effects' : isRatio(shown?.effect) ? 'Ratios to a general question' : shown?.effect ? 'Forecast effects' : 'Attention';
    first.show({ map: beside ? null : map, smooth, opacity, label: `${beside ? 'Picture without the map' : `${what} on the picture`}. ${label}` });
    alone?.show({ map, smooth, opacity: 1, label: `${what} without the picture. ${label}` });
    perf.map_ms = (alone ?? first).paint_ms;
  }

  /** The same object while nothing of it has changed, so that it is not painted again. */
  function colouredMap() {
    const { shown, drawn, palette, selection, beside, theme } = state.get;
    if (!shown || !drawn || shown.grid !== selection?.grid) return null;
    if (coloured?.drawn !== drawn || coloured.palette !== palette || coloured.beside !== beside || coloured.theme !== theme) {
      const { values, hidden, range } = drawn;
      const colours = mapPixels(range, palette, { isDark: isDark(), isOver: !beside });
      coloured = { drawn, palette, beside, theme, map: { values, hidden, place: (/** @type {number} */ value) => placeIn(range, value), colours } };
    }
    return coloured.map;
  }

  const undo = [
    state.on(['info', 'source', 'grid', 'size', 'theme', 'beside'], showAll),
    state.on(['drawn', 'palette', 'smooth', 'opacity', 'toned', 'selection'], showMap),
    state.on(['places'], set.showPlaces),
    state.on(['words'], set.showHover),
  ];
  showAll();

  return {
    /** The colour painted at a place of what is seen of the picture, in CSS pixels from its corner. For tests. */
    sample: first.sample,
    dispose: () => {
      undo.forEach((end) => end());
      strip.dispose();
      set.dispose();
    },
  };
}
