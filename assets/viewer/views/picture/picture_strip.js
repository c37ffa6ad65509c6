// @ts-check
/** The pictures of a run and their parts (tiles, a thumbnail, frames) as a strip: each with its share of the row, one in focus. */
import { create, part } from '../dom.js';
import { formatPercent } from '../../data/format.js';
import { gridNames, gridsOf, picturesOf, readNote, shownPicture, timeText, videoName } from '../../data/run_info.js';
import { formatSigned } from '../../numbers/change_measures.js';
import { isRatio } from '../../numbers/ratios.js';
import { areShares } from '../../data/selection.js';

const THUMB_PX = { height: 18, least: 10, most: 40 };

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 * @param {Pick<import('../../state/actions.js').Actions, 'focusGrid' | 'stepPicture' | 'play'>} actions
 * @param {{fields: (keyof import('../../state/fields.js').Fields)[], of: (grid: number) => string}} [shares]  what is said of each, and what it depends on
 */
export function createPictureStrip(root, state, { focusGrid, stepPicture, play }, shares = { fields: ['shown'], of: (grid) => shareOf(state.get.shown, grid) }) {
  const strip = part(root, 'pictures');
  const chips = create('div', { class: 'av-chips', role: 'group', 'aria-label': 'Pictures' });
  // what must be known at first sight, and all of it
  const [short, size] = [create('span', { class: 'av-size-short' }), create('span', { class: 'av-size' })];
  const [back, forward] = /** @type {const} */ ([['‹', 'previous picture', -1], ['›', 'next picture', 1]]).map(([text, label, by]) => {
    const button = create('button', { type: 'button', class: 'av-step', text, 'aria-label': label });
    button.addEventListener('click', () => stepPicture(by));
    return button;
  });
  const film = create('button', { type: 'button', class: 'av-step', text: '▶', 'aria-label': 'Play the frames', title: 'frame after frame; p stops', hidden: '' });
  film.addEventListener('click', () => play('frames'));
  const place = create('span', { class: 'av-picture-place' });
  const steps = create('span', { class: 'av-picture-steps', role: 'group', 'aria-label': 'Pictures, one after the other', hidden: '' }, [back, place, forward, film]);
  strip.replaceChildren(steps, chips, short, size);
  /** @type {Map<number, {chip: HTMLElement, share: HTMLElement, thumb: HTMLImageElement, image: number}>} */
  const offered = new Map();

  function offer() {
    const { info, tower } = state.get;
    steps.hidden = true;
    offered.clear();
    chips.replaceChildren();
    const grids = info ? gridsOf(info, tower) : [];
    if (!info || picturesOf(info, tower).length < 2) return; // two frames may share one grid
    const names = gridNames(info, tower);
    for (const index of grids) {
      const grid = info.grids[index];
      const thumb = create('img', { alt: '', draggable: false });
      const share = create('span', { class: 'av-share' });
      const of = videoName(info, grid.image);
      const name = [of, names.get(index) ?? ''].filter(Boolean).join(' · ');
      const isFrame = typeof grid.time_s === 'number'; // of many, each in few words
      const chip = create('button', { class: 'av-picture-chip', type: 'button', ...(isFrame ? { title: name, 'aria-label': name } : {}) }, [
        create('span', { class: 'av-thumb' }, [thumb]), isFrame ? [of, timeText(/** @type {number} */ (grid.time_s))].filter(Boolean).join(' · ') : name, share,
      ]);
      cut(/** @type {HTMLElement} */ (thumb.parentElement), thumb, grid.box_px, info.images[grid.image]);
      chip.addEventListener('click', () => focusGrid(index));
      chips.append(chip);
      offered.set(index, { chip, share, thumb, image: grid.image });
    }
    show();
    showShares();
    fillThumbs();
  }

  /** The part of a picture that a grid lies on. @param {HTMLElement} place @param {HTMLElement} thumb @param {number[]} box @param {import('../../data/run_info.js').Picture} picture */
  function cut(place, thumb, [x0, y0, x1, y1], picture) {
    const { height, least, most } = THUMB_PX;
    const scale = height / (y1 - y0);
    Object.assign(place.style, { width: `${Math.round(Math.min(most, Math.max(least, (x1 - x0) * scale)))}px`, height: `${height}px` });
    Object.assign(thumb.style, {
      width: `${picture.width * scale}px`, height: `${picture.height * scale}px`, left: `${-x0 * scale}px`, top: `${-y0 * scale}px`,
    });
  }

  /** Only once what was asked for is there: nobody waits for decoration. */
  function fillThumbs() {
    const { status, source } = state.get;
    if (status !== 'ready' || !source) return;
    for (const { thumb, image } of offered.values()) {
      if (thumb.hasAttribute('src')) continue;
      thumb.addEventListener('load', () => thumb.classList.add('av-there'));
      Object.assign(thumb, { loading: 'lazy', decoding: 'async', fetchPriority: 'low', src: source.previewAddress(image) });
    }
  }

  function show() {
    const { info, tower, grid, frame, pictureFailed, playing } = state.get;
    for (const [index, { chip }] of offered) chip.setAttribute('aria-pressed', String(index === grid));
    const chosen = grid === null ? undefined : offered.get(grid)?.chip;
    const pictures = info && offered.size ? picturesOf(info, tower) : [];
    const under = info && grid !== null ? shownPicture(info, grid, frame) : -1;
    const at = pictures.findIndex((each) => each.grid === grid && each.image === under);
    const time = info?.images[under]?.time_s;
    steps.hidden = pictures.length < 2;
    const count = create('span', { class: 'av-picture-count', text: `${time === undefined ? '' : ' · '}${at + 1} of ${pictures.length}` });
    place.replaceChildren(...(at < 0 ? [] : [time === undefined ? '' : timeText(time), count]));
    place.toggleAttribute('data-time', time !== undefined);
    back.disabled = at <= 0;
    forward.disabled = at < 0 || at === pictures.length - 1;
    film.hidden = !info?.images.some(({ video }) => video !== undefined);
    film.setAttribute('aria-pressed', String(playing === 'frames'));
    film.textContent = playing === 'frames' ? '❚❚' : '▶';
    // Never by scrollIntoView: that moves the page too.
    if (chosen) {
      const [left, right] = [chosen.offsetLeft - chips.offsetLeft, chosen.offsetLeft - chips.offsetLeft + chosen.offsetWidth];
      if (left < chips.scrollLeft) chips.scrollLeft = left;
      else if (right > chips.scrollLeft + chips.clientWidth) chips.scrollLeft = right - chips.clientWidth;
    }
    if (!info || grid === null) {
      size.textContent = short.textContent = '';
      return;
    }
    const { image, rows, cols } = info.grids[grid];
    const picture = info.images[image];
    const note = readNote(picture);
    const read = note ?? `${picture.width}×${picture.height} px`;
    size.textContent = [pictureFailed ? 'the picture could not be read' : '', read, `${rows}×${cols} cells`].filter(Boolean).join(' · ');
    size.title = size.textContent;
    short.textContent = pictureFailed ? 'the picture could not be read' : note ? `read at ${picture.read_width}×${picture.read_height}` : '';
    short.title = size.textContent;
  }

  function showShares() {
    for (const [index, { share }] of offered) share.textContent = shares.of(index);
  }

  const undo = [
    state.on(['info', 'tower', 'source'], offer),
    state.on(['info', 'tower', 'grid', 'frame', 'playing', 'pictureFailed', 'size'], show),
    state.on(['info', 'tower', ...shares.fields], showShares),
    state.on(['status'], fillThumbs),
  ];
  return { dispose: () => undo.forEach((end) => end()) };
}

/**
 * How much of a row is on a grid; of effects all of them there together. Of a column, or of the largest of many rows, the numbers have no sum worth naming.
 * @param {import('../../state/fields.js').Shown | null} shown
 * @param {number} grid
 */
export function shareOf(shown, grid) {
  if (isRatio(shown?.effect)) return ''; // ratios do not add up
  if (shown?.effect) return shown.masses.has(grid) && shown.direction !== 'read by' ? formatSigned(shown.masses.get(grid) ?? 0) : '';
  const mass = shown?.direction === 'reads' && areShares(shown) ? shown.masses.get(grid) : undefined;
  return mass === undefined ? '' : formatPercent(mass);
}
