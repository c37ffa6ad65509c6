// @ts-check
/**
 * The maps that are compared, on the picture: one member's, another's, their difference, and both in one with a line between them. They
 * share what is pointed at, the zoom and the outlines; each can be seen alone.
 */
import { isSideBySide, memberName, memberNames, strengthOf } from '../../data/comparison_info.js';
import { commandOf } from '../../state/keys.js';
import { OWN_PANES, PANES } from '../../state/comparison_view.js';
import { cellWords } from '../../text/pair.js';
import { createHeadChoice } from './head_choice.js';
import { createWipe } from './wipe.js';
import { create, isDark, part } from '../dom.js';
import { columnsFor } from '../../paint/geometry.js';
import { divergingPixels, overlayPixels, solidPixels } from '../../paint/palette.js';
import { createPaneSet } from '../picture/pane_set.js';
import { createPictureStrip, shareOf } from '../picture/picture_strip.js';
import { isSigned, placeIn, signedPosition } from '../../numbers/colour_range.js';
import { isRatio } from '../../numbers/ratios.js';

/** CSS pixels: between panes, and the line above each. */
const GAP_PX = 10;
const TITLE_PX = 24;
const CHOICE_PX = 38; // of a layer and a head of its own
const STACKED_PX = 860; // as in comparison.css

/** @typedef {import('../../state/comparison_view.js').PaneName} PaneName */

/** What stands over each while there is nothing. @type {Record<PaneName, string>} */
const NOTHING = { before: 'base', after: 'adapter', difference: 'difference', wipe: 'wipe' };

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ComparisonState} state
 * @param {Pick<import('../../state/actions.js').Actions, 'focusGrid' | 'stepPicture' | 'play' | 'selectCell' | 'pinCell'> & {places: import('../../state/region_actions.js').RegionActions, compare: (two: {left?: number, right?: number}) => void,
 *   chooseOf: (member: number, change: Partial<import('../../state/own_heads.js').OwnHead>) => void}} actions
 */
export function createComparisonPanes(root, state, { focusGrid, stepPicture, play, selectCell, pinCell, places, compare, chooseOf }) {
  const stage = part(root, 'stage');
  const place = part(root, 'quad');
  const strip = createPictureStrip(root, state, { focusGrid, stepPicture, play }, {
    fields: /** @type {any} */ (['pair']),
    of: (grid) => [state.get.pair?.before, state.get.pair?.after].map((shown) => shareOf(shown ?? null, grid)).filter(Boolean).join(' → '),
  });
  const set = createPaneSet(root, state, { selectCell, pinCell, places }, {
    panes: () => panes,
    main: () => (panes.find(({ figure }) => !figure.hidden) ?? panes[0]).pane,
    sourceOf: (name) => sourceOf(/** @type {PaneName} */ (name)),
    infoOf: (name) => (name === 'before' ? state.get.infos[state.get.left] : name === 'after' ? state.get.infos[state.get.right] : null) ?? null,
    words: (cell, grid) => {
      const { pair, maps, comparison } = state.get;
      const words = pair && comparison ? cellWords(comparison.members, pair, maps, grid, cell) : { before: '', after: '', difference: '', readout: '' };
      const both = words.before && `${words.before} | ${words.after}`;
      return { readout: words.readout, tip: (name, isPointed) => (name !== 'wipe' ? words[/** @type {'before'} */ (name)] : isPointed ? both : '') };
    },
  });
  const panes = PANES.map(addPane);
  const wipe = createWipe(panes[3].pane.frame, (split) => state.set({ split }));
  /** @type {any[]} what `coloured` was made of */
  let made = [];
  let areRatios = false; // by the titles
  /** @type {Record<PaneName, {map: import('../../paint/cells.js').Coloured, other?: import('../../paint/cells.js').Coloured}> | null} */
  let coloured = null;

  /** @param {PaneName} name @param {number} index */
  function addPane(name, index) {
    const title = create('span', { class: 'av-figure-name' });
    const large = create('button', { type: 'button', class: 'av-large', text: '⤢' });
    const caption = create('figcaption', {}, [title, large]);
    const choice = index < OWN_PANES.length ? createHeadChoice(state, index ? 'right' : 'left', chooseOf) : null;
    const figure = create('figure', { class: 'av-figure', 'data-pane': name }, [caption, ...(choice ? [choice.element] : [])]);
    place.append(figure);
    if (name === 'after' && choice) figure.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => stepByKey(event, choice.step)); // its arrow keys are of its own head
    large.addEventListener('click', () => state.set({ alone: state.get.alone === name ? null : name }));
    return { name, figure, title, large, choice, pane: set.add(figure, name, index === 0) };
  }

  /** @param {KeyboardEvent} event @param {(what: 'layer' | 'head', by: number) => boolean} step */
  function stepByKey(event, step) {
    const { target } = event;
    if (event.defaultPrevented || event.shiftKey || !(target instanceof Element) || target.tagName === 'SELECT') return;
    const command = commandOf(event, { tag: target.tagName });
    if ((command?.command === 'layer' || command?.command === 'head') && step(command.command, command.by ?? 1)) event.preventDefault();
  }

  /** Each map on the picture that its member read; what is of both has one only where it is the same. @param {PaneName} name */
  function sourceOf(name) {
    const { comparison, sources, left, right } = state.get;
    const [first, second] = [left, right].map((member) => sources[comparison?.members[member]?.own_pictures ? member : 0] ?? null);
    return name === 'after' ? second : name === 'before' || first === second ? first : null;
  }

  // Who they are of

  function nameAll() {
    const { comparison, left, right, alone, pair } = state.get;
    areRatios = isRatio(pair?.before.effect);
    const members = comparison?.members ?? [];
    const isOwn = isSideBySide(comparison);
    for (const { name, title, large, figure } of panes) {
      title.replaceChildren(...(members.length ? titleOf(name, members, left, right) : [NOTHING[name]]));
      const isAlone = alone === name;
      large.setAttribute('aria-pressed', String(isAlone));
      large.title = isAlone ? (isOwn ? 'both again' : 'all four again') : 'this one alone, as large as it fits';
      large.setAttribute('aria-label', `${{ before: 'first map', after: 'second map', difference: 'difference', wipe: 'wipe' }[name]} alone`);
      figure.hidden = (alone !== null && !isAlone) || (isOwn && !OWN_PANES.includes(name));
    }
    if (members.length) wipe.show(state.get.split, memberName(members, left), memberName(members, right));
    const host = panes.find(({ name }) => name === (alone ?? 'after'));
    host?.large.before(set.tools);
  }

  /** @param {PaneName} name @param {import('../../data/comparison_info.js').Member[]} members @param {number} left @param {number} right @returns {(Node | string)[]} */
  function titleOf(name, members, left, right) {
    const [first, second] = [left, right].map((member) => memberName(members, member));
    if (name === 'difference') return areRatios ? [create('b', { text: 'ratio' }), ` ${second} ÷ ${first}`] : [create('b', { text: 'difference' }), ` ${second} − ${first}`];
    if (name === 'wipe') return [create('b', { text: 'wipe' }), ` ${first} | ${second}`];
    const member = name === 'before' ? left : right;
    const offered = members.map((_, i) => i).filter((i) => i !== (name === 'before' ? right : left) && (name === 'before' ? i === left || !isSideBySide(state.get.comparison) : i > 0));
    const strength = create('span', { class: 'av-strength', text: strengthOf(members[member]) });
    if (offered.length < 2) return [create('b', { text: memberNames(members)[member], title: members[member].adapter?.id ?? members[member].model?.id ?? '' }), ' ', strength];
    const select = create('select', { 'aria-label': name === 'before' ? 'What it is compared with' : 'What is compared' }, offered.map((i) =>
      create('option', { value: i, text: `${memberNames(members)[i]} ${strengthOf(members[i])}`, ...whyNot(i) })));
    select.selectedIndex = offered.indexOf(member);
    select.addEventListener('change', () => compare({ [name === 'before' ? 'left' : 'right']: offered[select.selectedIndex] }));
    return [select];
  }

  /** A member that has not what is shown is not set against another. @param {number} member */
  function whyNot(member) {
    const why = state.get.reading?.members?.[member]?.why;
    return why ? { disabled: '', title: why } : {};
  }

  // What they show

  /** In as many columns as makes the picture largest. A narrow page has two by two, as high as the picture needs, and scrolls. */
  function arrange() {
    const now = set.focus();
    const isAlone = state.get.alone !== null;
    const isStacked = root.clientWidth <= STACKED_PX;
    const box = { width: place.clientWidth, height: place.clientHeight };
    const isOwn = isSideBySide(state.get.comparison);
    const [count, title] = isOwn ? [OWN_PANES.length, TITLE_PX + CHOICE_PX] : [PANES.length, TITLE_PX];
    const columns = isAlone || (isOwn && isStacked) ? 1 : isStacked || !now || !box.width ? 2 : columnsFor(now.image, box, count, GAP_PX, title);
    place.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    if (isStacked && now) {
      const each = ((box.width - GAP_PX * (columns - 1)) / columns) * (now.image.height / now.image.width) + title;
      stage.style.setProperty('--av-quad-height', `${Math.round(isAlone ? each : 2 * each + GAP_PX)}px`);
    }
  }

  function showAll() {
    arrange();
    set.showAll();
    showMaps();
    set.showHover();
  }

  function showMaps() {
    const { smooth, opacity, beside, perf, pair } = state.get;
    const begun = performance.now();
    const found = colouredMaps();
    place.toggleAttribute('data-plain', beside);
    const effect = pair?.before.effect ?? null;
    const what = isRatio(effect) ? 'Ratios to a general question' : effect ? 'Forecast effects' : 'Attention';
    const label = 'Shift and arrow keys point at a cell, Enter selects it, P pins it, B begins a box, plus and minus zoom.';
    for (const { name, pane, title } of panes) {
      const content = found?.[name];
      pane.show({ map: content?.map ?? null, other: content?.other ?? null, smooth, opacity: beside ? 1 : opacity, label: `${what}, ${title.textContent}. ${label}` });
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
    const colours = isSigned(maps.before.range) ? divergingPixels(isDark(), !beside) : beside ? solidPixels(palette) : overlayPixels(palette);
    const map = (/** @type {import('../../numbers/coloured_map.js').Drawn} */ { values, hidden, range }) => ({ values, hidden, place: (/** @type {number} */ value) => placeIn(range, value), colours });
    const [before, after] = [map(maps.before), map(maps.after)];
    const { values, hidden, range } = maps.difference;
    const signed = (/** @type {number} */ value) => signedPosition(range, value);
    const difference = { values, hidden, place: signed, colours: divergingPixels(isDark(), !beside) };
    coloured = { before: { map: before }, after: { map: after }, difference: { map: difference }, wipe: { map: before, other: after } };
    return coloured;
  }

  function showSplit() {
    const { split, comparison, left, right } = state.get;
    panes[3].pane.show({ split });
    if (comparison) wipe.show(split, memberName(comparison.members, left), memberName(comparison.members, right));
  }

  const undo = [
    state.on(['comparison', 'left', 'right', 'alone', 'reading'], nameAll),
    state.on(['pair'], () => { if (isRatio(state.get.pair?.before.effect) !== areRatios) nameAll(); }),
    state.on(['info', 'source', 'comparison', 'grid', 'size', 'theme', 'beside', 'alone'], showAll),
    state.on(['maps', 'palette', 'smooth', 'opacity', 'selection', 'left', 'right'], showMaps),
    state.on(['left', 'right'], () => { if (state.get.comparison?.members.some(({ own_pictures: isOwn }) => isOwn)) showAll(); }),
    state.on(['places', 'left', 'right', 'infos'], set.showPlaces),
    state.on(['split'], showSplit),
  ];
  nameAll();
  showAll();
  showSplit();

  return {
    /** Where the line of the wipe is, 0 to 1 of the whole picture's width, however much of it is seen. */
    lineOnPicture: () => panes[3].pane.acrossPicture(state.get.split),
    /** The colour painted at a place of a pane, in CSS pixels from the corner of what is seen. For tests. @param {PaneName} name @param {number} x @param {number} y */
    sample: (name, x, y) => panes[PANES.indexOf(name)].pane.sample(x, y),
    dispose: () => {
      undo.forEach((end) => end());
      strip.dispose();
      wipe.dispose();
      set.dispose();
      panes.forEach(({ figure, choice }) => { choice?.dispose(); figure.remove(); });
    },
  };
}
