// @ts-check
/** The chip, or the cell of an unfolded image, that is pointed at, and what is said of it in a tip beside it. */
import { placeTip } from '../dom.js';

let tips = 0;

/**
 * @typedef {import('./chips.js').Entry} Entry
 * @typedef {{row: number, col: number}} Cell
 *
 * @param {HTMLElement} frame
 * @param {HTMLElement} tip
 * @param {(entry: Entry, cell: Cell | null) => string} wordsOf
 */
export function createTokenTip(frame, tip, wordsOf) {
  /** @type {{entry: Entry, cell: Cell | null} | null} */
  let pointed = null;
  tip.id = `av-token-tip-${tips++}`;

  function show() {
    if (!pointed) return;
    const { entry, cell } = pointed;
    const corner = frame.getBoundingClientRect();
    const box = cell && entry.unfolded ? entry.unfolded.cells.boxOf(cell.row, cell.col) : entry.element.getBoundingClientRect();
    tip.textContent = wordsOf(entry, cell);
    placeTip(tip, { x: box.x - corner.x, y: box.y - corner.y, width: box.width, height: box.height }, frame.clientWidth);
  }

  return {
    id: tip.id,
    show,

    /** @param {{entry: Entry, cell: Cell | null} | null} at @returns {boolean} whether cells have to be painted again */
    point(at) {
      const hadCell = pointed?.cell;
      pointed = at;
      if (at) show();
      else tip.hidden = true;
      return Boolean(hadCell || at?.cell);
    },

    /** Whether this is what is pointed at. @param {Entry} entry @param {Cell | null} cell */
    isAt: (entry, cell) => pointed?.entry === entry && pointed.cell?.row === cell?.row && pointed.cell?.col === cell?.col,
    /** The cell that is pointed at, of this chip's. @param {Entry} entry */
    cellOf: (entry) => (pointed?.entry === entry ? pointed.cell : null),
    /** The chip. */
    entry: () => pointed?.entry ?? null,
  };
}
