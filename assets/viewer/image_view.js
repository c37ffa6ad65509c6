// @ts-check
/**
 * The picture with the map on it, in cells.
 *
 * The picture is an ordinary image element; the map is a canvas of the same size above it, whose pixels are the palette's
 * entries with their alpha and nothing else. Borders of cells are whole device pixels; the outline uses the same ones.
 */
import { create, listen, part, placeTip, snap } from './dom.js';
import { formatPercent, formatTimes, formatValue } from './format.js';
import { cellAt, cellBorders, cellBox, fitInside } from './geometry.js';
import { entry, overlayPixels } from './palette.js';
import { gridsOf, readNote } from './run_info.js';
import { position } from './scale.js';

/**
 * @param {Element} root
 * @param {import('./viewer.js').ViewerState} state
 * @param {{focusGrid: (grid: number) => void, selectCell: (row: number, col: number) => void}} actions
 */
export function createImageView(root, state, { focusGrid, selectCell }) {
  const stage = part(root, 'stage');
  const frame = part(stage, 'frame');
  const picture = part(stage, 'picture');
  const canvas = part(stage, 'overlay');
  const outline = part(stage, 'outline');
  const here = part(stage, 'here');
  const tip = part(stage, 'tip');
  const strip = part(root, 'pictures');
  const readout = part(root, 'readout');
  const context = canvas.getContext('2d');
  /** Borders of the cells in device pixels, and how many of those make a CSS pixel. */
  let borders = { rows: new Int32Array(1), cols: new Int32Array(1) };
  let density = 1;

  /** @returns {{grid: any, image: any, index: number} | null} */
  function focus() {
    const { info, selection } = state.get;
    if (!info || selection?.grid == null) return null;
    const grid = info.grids[selection.grid];
    return { grid, image: info.images[grid.image], index: grid.image };
  }

  function fit() {
    const now = focus();
    frame.hidden = !now;
    if (!now) return;
    const { width, height } = fitInside(now.image.width, now.image.height, stage.clientWidth, stage.clientHeight);
    frame.style.width = `${width}px`;
    frame.style.height = `${height}px`;
    density = window.devicePixelRatio || 1;
    snap(frame, density);
    const size = { width: Math.round(width * density), height: Math.round(height * density) };
    if (canvas.width !== size.width || canvas.height !== size.height) Object.assign(canvas, size);
    borders = cellBorders(now.grid, now.image, size);
  }

  function paint() {
    const { shown, drawn, palette } = state.get;
    context.clearRect(0, 0, canvas.width, canvas.height);
    const now = focus();
    if (!now || !shown || !drawn || shown.grid !== state.get.selection?.grid) return;
    const { rows, cols } = borders;
    const width = cols[cols.length - 1] - cols[0];
    const height = rows[rows.length - 1] - rows[0];
    if (width < 1 || height < 1) return;
    const colours = overlayPixels(palette);
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let row = 0; row < now.grid.rows; row++) {
      const top = rows[row] - rows[0];
      const bottom = rows[row + 1] - rows[0];
      if (bottom === top) continue;
      for (let col = 0; col < now.grid.cols; col++) {
        const cell = row * now.grid.cols + col;
        const colour = drawn.hidden?.[cell] ? 0 : colours[entry(position(drawn.range, drawn.values[cell]))];
        pixels.fill(colour, top * width + cols[col] - cols[0], top * width + cols[col + 1] - cols[0]);
      }
      for (let y = top + 1; y < bottom; y++) pixels.copyWithin(y * width, top * width, (top + 1) * width);
    }
    context.putImageData(image, cols[0], rows[0]);
  }

  function showPicture() {
    const { info, source } = state.get;
    const now = focus();
    strip.replaceChildren();
    if (!info || !now || !source) {
      picture.removeAttribute('src');
      return;
    }
    const address = source.previewAddress(now.index);
    if (picture.getAttribute('src') !== address) {
      state.set({ pictureReady: false });
      picture.src = address;
      picture.alt = `image ${now.index + 1} of this run`;
    }
    const grids = gridsOf(info, now.grid.tower);
    if (grids.length > 1) {
      for (const index of grids) {
        const grid = info.grids[index];
        const name = `image ${grid.image + 1}` + (grid.kind === 'whole' ? '' : ` ${grid.kind}`);
        const chip = create('button', { class: 'av-picture-chip', type: 'button', 'aria-pressed': index === state.get.selection?.grid }, [
          name, create('span', { class: 'av-share', 'data-grid': index }),
        ]);
        chip.addEventListener('click', () => focusGrid(index));
        strip.append(chip);
      }
    }
    const { grid, image } = now;
    const size = readNote(image) ?? `${image.width}×${image.height} px`;
    strip.append(create('span', { class: 'av-size', text: `${size} · ${grid.rows}×${grid.cols} cells` }));
    showShares();
  }

  function showShares() {
    const { shown } = state.get;
    for (const place of strip.querySelectorAll('.av-share')) {
      place.textContent = shown ? formatPercent(shown.masses.get(Number(place.dataset.grid)) ?? 0) : '';
    }
  }

  /** The cell under the pointer or the cursor: outlined, and said in words. */
  function showHover() {
    const { hover, shown } = state.get;
    const now = focus();
    const isShown = Boolean(hover && shown && now && shown.grid === state.get.selection?.grid);
    outline.hidden = !isShown;
    tip.hidden = !isShown;
    root.toggleAttribute('data-hover', isShown);
    if (!isShown || !hover || !shown || !now) {
      root.removeAttribute('data-cell');
      readout.textContent = shown && now ? 'Point at a cell to read it, click to select it; arrow keys move from cell to cell.' : '';
      return;
    }
    const { row, col } = hover;
    const box = {
      x: borders.cols[col] / density, y: borders.rows[row] / density,
      width: (borders.cols[col + 1] - borders.cols[col]) / density, height: (borders.rows[row + 1] - borders.rows[row]) / density,
    };
    Object.assign(outline.style, { left: `${box.x}px`, top: `${box.y}px`, width: `${box.width}px`, height: `${box.height}px` });
    const value = shown.cells[row * now.grid.cols + col] ?? NaN;
    // Of a column the numbers are shares of many rows: there is no even spread to compare them with.
    const times = shown.direction === 'reads' ? formatTimes((value * shown.cells.length) / shown.mass) : '';
    const [x0, y0, x1, y1] = cellBox(now.grid, row, col).map((place) => Math.round(10 * place) / 10);
    root.setAttribute('data-cell', `${row},${col}`);
    const said = Number.isNaN(value) ? [] : [formatValue(value), ...(times ? [times] : [])];
    tip.textContent = said.join(' · ') || 'click: who reads this cell';
    placeTip(tip, box, frame.clientWidth);
    const words = [`row ${row}, col ${col}`, ...(times ? [said[0], `${times} uniform`] : said), `x ${x0}–${x1}, y ${y0}–${y1} px`];
    readout.textContent = words.join(' · ');
  }

  /** The cell that is pointed at, if it is one of the grid on screen. */
  function showHere() {
    const { info, selection } = state.get;
    const now = focus();
    const owners = info && selection && (selection.tower === 'language' ? info.tokens : info.towers[selection.tower].keys);
    const isCell = selection && (selection.tower !== 'cross' || selection.direction === 'read by');
    const cell = isCell && Array.isArray(owners) ? owners[selection.token] : null;
    here.hidden = !(now && cell && cell.grid === selection?.grid);
    if (here.hidden || !cell) return;
    const [x, y] = [borders.cols[cell.col] / density, borders.rows[cell.row] / density];
    Object.assign(here.style, {
      left: `${x}px`, top: `${y}px`, width: `${borders.cols[cell.col + 1] / density - x}px`, height: `${borders.rows[cell.row + 1] / density - y}px`,
    });
  }

  /** @param {PointerEvent} event */
  function point(event) {
    const box = canvas.getBoundingClientRect();
    const row = cellAt(borders.rows, (event.clientY - box.top) * density);
    const col = cellAt(borders.cols, (event.clientX - box.left) * density);
    const { hover } = state.get;
    if (row < 0 || col < 0) state.set({ hover: null });
    else if (hover?.row !== row || hover?.col !== col) state.set({ hover: { row, col } });
  }

  /** @param {KeyboardEvent} event */
  function step(event) {
    const now = focus();
    const { shown, hover } = state.get;
    if ((event.key === 'Enter' || event.key === ' ') && hover) {
      event.preventDefault();
      selectCell(hover.row, hover.col);
    }
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (event.key === 'Escape') state.set({ hover: null });
    if (!move || !now || !shown || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const from = hover ?? { row: Math.floor(shown.argmax / now.grid.cols), col: shown.argmax % now.grid.cols };
    const inside = (/** @type {number} */ place, /** @type {number} */ count) => Math.min(count - 1, Math.max(0, place));
    state.set({
      hover: hover
        ? { row: inside(from.row + move[0], now.grid.rows), col: inside(from.col + move[1], now.grid.cols) }
        : from, // the first key goes to the largest value
    });
  }

  const undo = [
    listen(canvas, {
      pointermove: point,
      pointerdown: point,
      pointerleave: (/** @type {PointerEvent} */ event) => { if (event.pointerType === 'mouse') state.set({ hover: null }); },
      click: () => { const { hover } = state.get; if (hover) selectCell(hover.row, hover.col); },
      keydown: step,
    }),
    listen(picture, {
      load: () => state.set({ pictureReady: true, pictureFailed: false }),
      error: () => picture.getAttribute('src') && state.set({ pictureReady: true, pictureFailed: true }),
    }),
    state.on(['info', 'grid'], () => { showPicture(); fit(); }),
    state.on(['size', 'theme'], fit),
    state.on(['info', 'grid', 'shown', 'drawn', 'palette', 'size', 'theme'], paint),
    state.on(['shown'], showShares),
    state.on(['info', 'grid', 'hover', 'shown', 'size'], showHover),
    state.on(['info', 'grid', 'selection', 'size', 'theme'], showHere),
    state.on(['opacity'], () => { canvas.style.opacity = String(state.get.opacity); }),
    state.on(['pictureFailed'], () => { picture.classList.toggle('av-missing', state.get.pictureFailed); }),
  ];
  canvas.style.opacity = String(state.get.opacity);
  fit();

  return {
    /** The colour painted at a place of the picture, in CSS pixels from its corner: [red, green, blue, alpha]. For tests. */
    sample: (/** @type {number} */ x, /** @type {number} */ y) =>
      [...context.getImageData(Math.floor(x * density), Math.floor(y * density), 1, 1).data],
    dispose: () => undo.forEach((end) => end()),
  };
}
