// @ts-check
/**
 * The maps that are compared, on the picture: one member's, another's, their difference, and both in one with a line between them. They
 * share what is pointed at, the zoom and the outlines; each can be seen alone.
 */
import { memberName, memberNames, strengthOf } from './comparison_info.js';
import { signedPosition } from './comparison_maps.js';
import { cellWords } from './comparison_words.js';
import { createWipe } from './comparison_wipe.js';
import { create, part } from './dom.js';
import { columnsFor } from './geometry.js';
import { createPane } from './pane.js';
import { divergingPixels, overlayPixels, solidPixels } from './palette.js';
import { createPictureStrip, shareOf } from './picture_strip.js';
import { position } from './scale.js';
import { cellsOfSelection } from './selection.js';
import { WHOLE } from './zoom.js';
import { createZoomTools } from './zoom_tools.js';

/** CSS pixels: between panes, and the line above each. */
const GAP_PX = 10;
const TITLE_PX = 24;
const STACKED_PX = 860; // as in comparison.css
const NAMES = /** @type {const} */ (['before', 'after', 'difference', 'wipe']);

/** @typedef {typeof NAMES[number]} PaneName */

/** What stands over each while there is nothing. @type {Record<PaneName, string>} */
const NOTHING = { before: 'base', after: 'adapter', difference: 'difference', wipe: 'wipe' };

/**
 * @param {Element} root
 * @param {import('./comparison.js').ComparisonState} state
 * @param {Pick<import('./actions.js').Actions, 'focusGrid' | 'selectCell' | 'pinCell'> & {compare: (two: {left?: number, right?: number}) => void}} actions
 */
export function createComparisonPanes(root, state, { focusGrid, selectCell, pinCell, compare }) {
  const stage = part(root, 'stage');
  const place = part(root, 'quad');
  const readout = part(root, 'readout');
  const strip = createPictureStrip(root, state, { focusGrid }, {
    fields: /** @type {any} */ (['pair']),
    of: (grid) => [state.get.pair?.before, state.get.pair?.after].map((shown) => shareOf(shown ?? null, grid)).filter(Boolean).join(' → '),
  });
  const panes = NAMES.map(addPane);
  const zoomTools = createZoomTools(stage, {
    zoomBy: (factor) => (panes.find(({ figure }) => !figure.hidden) ?? panes[0]).pane.zoomBy(factor),
    fit: () => state.set({ zoom: WHOLE }),
  });
  const wipe = createWipe(panes[3].pane.frame, (split) => state.set({ split }));
  let refits = 0;
  /** @type {PaneName} the pane that says what is pointed at */
  let pointed = 'before';
  /** @type {{address: string, size: import('./geometry.js').Size | null}} */
  let picture = { address: '', size: null };
  /** @type {any[]} what `coloured` was made of */
  let made = [];
  /** @type {Record<PaneName, {map: import('./overlay_paint.js').Coloured, other?: import('./overlay_paint.js').Coloured}> | null} */
  let coloured = null;

  /** @param {PaneName} name @param {number} index */
  function addPane(name, index) {
    const title = create('span', { class: 'av-figure-name' });
    const large = create('button', { type: 'button', class: 'av-large', text: '⤢' });
    const caption = create('figcaption', {}, [title, large]);
    const figure = create('figure', { class: 'av-figure', 'data-pane': name }, [caption]);
    place.append(figure);
    large.addEventListener('click', () => state.set({ alone: state.get.alone === name ? null : name }));
    const pane = createPane(figure, {
      hover: (cell, how) => {
        pointed = name;
        readout.setAttribute('aria-live', how === 'keys' ? 'polite' : 'off');
        state.set({ hover: cell });
      },
      select: ({ row, col }) => selectCell(row, col),
      pin: ({ row, col }) => pinCell(row, col),
      zoom: (zoom) => state.set({ zoom }),
      loaded: index ? undefined : (isThere) => state.set({ pictureReady: true, pictureFailed: !isThere }),
    });
    return { name, figure, title, large, pane };
  }

  const show = (/** @type {Partial<import('./pane.js').Content>} */ content) => panes.forEach(({ pane }) => pane.show(content));

  /** @returns {{grid: import('./run_info.js').Grid, image: import('./run_info.js').Picture, index: number} | null} */
  function focus() {
    const { info, selection } = state.get;
    if (!info || selection?.grid == null) return null;
    const grid = info.grids[selection.grid];
    return { grid, image: info.images[grid.image], index: grid.image };
  }

  // Who they are of

  function nameAll() {
    const { comparison, left, right, alone } = state.get;
    const members = comparison?.members ?? [];
    for (const { name, title, large, figure } of panes) {
      title.replaceChildren(...(members.length ? titleOf(name, members, left, right) : [NOTHING[name]]));
      const isAlone = alone === name;
      large.setAttribute('aria-pressed', String(isAlone));
      large.title = isAlone ? 'all four again' : 'this one alone, as large as it fits';
      large.setAttribute('aria-label', `${{ before: 'first map', after: 'second map', difference: 'difference', wipe: 'wipe' }[name]} alone`);
      figure.hidden = alone !== null && !isAlone;
    }
    if (members.length) wipe.show(state.get.split, memberName(members, left), memberName(members, right));
    const host = panes.find(({ name }) => name === (alone ?? 'after'));
    host?.large.before(zoomTools.element);
  }

  /** @param {PaneName} name @param {import('./comparison_info.js').Member[]} members @param {number} left @param {number} right @returns {(Node | string)[]} */
  function titleOf(name, members, left, right) {
    const [first, second] = [left, right].map((member) => memberName(members, member));
    if (name === 'difference') return [create('b', { text: 'difference' }), ` ${second} − ${first}`];
    if (name === 'wipe') return [create('b', { text: 'wipe' }), ` ${first} | ${second}`];
    const member = name === 'before' ? left : right;
    const offered = members.map((_, i) => i).filter((i) => i !== (name === 'before' ? right : left) && (name === 'before' || i > 0));
    const strength = create('span', { class: 'av-strength', text: strengthOf(members[member]) });
    if (offered.length < 2) return [create('b', { text: memberNames(members)[member], title: members[member].adapter?.id ?? '' }), ' ', strength];
    const select = create('select', { 'aria-label': name === 'before' ? 'What it is compared with' : 'What is compared' }, offered.map((i) =>
      create('option', { value: i, text: `${memberNames(members)[i]} ${strengthOf(members[i])}` })));
    select.selectedIndex = offered.indexOf(member);
    select.addEventListener('change', () => compare({ [name === 'before' ? 'left' : 'right']: offered[select.selectedIndex] }));
    return [select];
  }

  // What they show

  /** In as many columns as makes the picture largest. A narrow page has two by two, as high as the picture needs, and scrolls. */
  function arrange() {
    const now = focus();
    refits++;
    const isAlone = state.get.alone !== null;
    const isStacked = root.clientWidth <= STACKED_PX;
    const box = { width: place.clientWidth, height: place.clientHeight };
    const columns = isAlone ? 1 : isStacked || !now || !box.width ? 2 : columnsFor(now.image, box, NAMES.length, GAP_PX, TITLE_PX);
    place.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    if (isStacked && now) {
      const each = ((box.width - GAP_PX * (columns - 1)) / columns) * (now.image.height / now.image.width) + TITLE_PX;
      stage.style.setProperty('--av-quad-height', `${Math.round(isAlone ? each : 2 * each + GAP_PX)}px`);
    }
  }

  /** All that panes show, at once: cells belong to their grid. */
  function showAll() {
    arrange();
    const now = focus();
    const { source } = state.get;
    const address = now && source ? source.previewAddress(now.index) : '';
    const isOther = address !== picture.address;
    if (isOther) {
      const isAlike = now && picture.size && now.image.width === picture.size.width && now.image.height === picture.size.height;
      picture = { address, size: now?.image ?? null };
      state.set({ pictureReady: false, ...(isAlike ? {} : { zoom: WHOLE }) });
    }
    show({ size: now?.image ?? null, grid: now?.grid ?? null, zoom: state.get.zoom, refit: refits, map: null, other: null, hover: null, ...selected() });
    showPlaces();
    if (isOther) show({ picture: now && source ? { preview: address, full: source.imageAddress(now.index), alt: `image ${now.index + 1}` } : null });
    showMaps();
    showHover();
  }

  function showMaps() {
    const { smooth, opacity, beside, perf } = state.get;
    const begun = performance.now();
    const found = colouredMaps();
    place.toggleAttribute('data-plain', beside);
    const label = 'Shift and arrow keys point at a cell, Enter selects it, P pins it, plus and minus zoom.';
    for (const { name, pane, title } of panes) {
      const content = found?.[name];
      pane.show({ map: content?.map ?? null, other: content?.other ?? null, smooth, opacity: beside ? 1 : opacity, label: `Attention, ${title.textContent}. ${label}` });
    }
    perf.map_ms = performance.now() - begun;
  }

  /** The same objects while nothing of them has changed, so that they are not painted again. */
  function colouredMaps() {
    const { maps, pair, palette, selection, beside, theme } = state.get;
    if (!maps || !pair || pair.before.grid !== selection?.grid) return null;
    const now = [maps, palette, beside, theme];
    if (coloured && now.every((value, i) => value === made[i])) return coloured;
    made = now;
    const colours = beside ? solidPixels(palette) : overlayPixels(palette);
    const map = (/** @type {import('./drawn.js').Drawn} */ { values, hidden, range }) => ({ values, hidden, place: (/** @type {number} */ value) => position(range, value), colours });
    const [before, after] = [map(maps.before), map(maps.after)];
    const { values, hidden, range } = maps.difference;
    const isDark = document.body.classList.contains('dark');
    const signed = (/** @type {number} */ value) => signedPosition(range, value);
    const difference = { values, hidden, place: signed, colours: divergingPixels(isDark, !beside) };
    coloured = { before: { map: before }, after: { map: after }, difference: { map: difference }, wipe: { map: before, other: after } };
    return coloured;
  }

  /** The cells that are selected, and the one that is pinned. */
  function selected() {
    const { info, selection, pinned } = state.get;
    const isPinned = pinned && selection && pinned.grid === selection.grid;
    return { here: info && selection ? cellsOfSelection(info, selection) : [], pinned: isPinned ? pinned : null };
  }

  /** What each member's answer names on this picture, on its own map. */
  function showPlaces() {
    const { infos, places, left, right } = state.get;
    const now = focus();
    for (const { name, pane } of panes) {
      const info = infos[name === 'before' ? left : right];
      const isThere = places && now && info && (name === 'before' || name === 'after');
      const isHere = (/** @type {{image: number}} */ named) => named.image === now?.index;
      pane.show({ places: isThere ? { points: (info.points ?? []).filter(isHere), boxes: (info.boxes ?? []).filter(isHere) } : null });
    }
  }

  /** The cell under the pointer or the cursor: outlined in all, and said in words. */
  function showHover() {
    const { hover, pair, maps, selection, comparison } = state.get;
    const now = focus();
    const cell = hover && pair && now && pair.before.grid === selection?.grid ? hover : null;
    const words = cell && pair && now && comparison ? cellWords(comparison.members, pair, maps, now.grid, cell) : null;
    root.toggleAttribute('data-hover', Boolean(cell));
    if (cell) root.setAttribute('data-cell', `${cell.row},${cell.col}`);
    else root.removeAttribute('data-cell');
    readout.textContent = words?.readout ?? '';
    for (const { name, pane } of panes) {
      const tip = !words ? '' : name === 'wipe' ? (words.before && `${words.before} | ${words.after}`) : words[name];
      pane.show({ hover: cell, tip: name === pointed || name !== 'wipe' ? tip : '' });
    }
  }

  function showSplit() {
    const { split, comparison, left, right } = state.get;
    panes[3].pane.show({ split });
    if (comparison) wipe.show(split, memberName(comparison.members, left), memberName(comparison.members, right));
  }

  function showZoom() {
    zoomTools.show(focus() ? state.get.zoom.scale : null);
  }

  const undo = [
    state.on(['comparison', 'left', 'right', 'alone'], nameAll),
    state.on(['info', 'source', 'grid', 'size', 'theme', 'beside', 'alone'], showAll),
    state.on(['zoom'], () => show({ zoom: state.get.zoom })),
    state.on(['maps', 'palette', 'smooth', 'opacity', 'selection', 'left', 'right'], showMaps),
    state.on(['selection', 'pinned'], () => show(selected())),
    state.on(['places', 'left', 'right', 'infos'], showPlaces),
    state.on(['hover', 'pair', 'maps', 'selection'], showHover),
    state.on(['split'], showSplit),
    state.on(['zoom', 'info', 'grid'], showZoom),
  ];
  nameAll();
  showAll();
  showSplit();
  showZoom();

  return {
    /** The colour painted at a place of a pane, in CSS pixels from the corner of what is seen. For tests. @param {PaneName} name @param {number} x @param {number} y */
    sample: (name, x, y) => panes[NAMES.indexOf(name)].pane.sample(x, y),
    dispose: () => {
      undo.forEach((end) => end());
      strip.dispose();
      zoomTools.dispose();
      wipe.dispose();
      panes.forEach(({ pane, figure }) => {
        pane.dispose();
        figure.remove();
      });
    },
  };
}
