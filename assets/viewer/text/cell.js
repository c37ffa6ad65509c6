// @ts-check
/**
 * What is said of a cell that is pointed at: beside it in few words, and on the line under the map. Knows no document.
 *
 * A row's values are set beside even attention over the picture. Of a column they are shares of many rows, one of each cell, and
 * there is no even spread to compare them with.
 */
import { formatTimes, formatValue } from '../data/format.js';
import { cellBox } from '../paint/geometry.js';
import { isRatio } from '../numbers/ratios.js';
import { measuredCell } from './cell_map.js';
import { cellEffect } from './effect.js';
import { cellRatio } from './relative.js';

/**
 * @param {import('../state/fields.js').Shown} shown
 * @param {import('../numbers/coloured_map.js').Drawn | null} drawn
 * @param {import('../paint/geometry.js').Cells} grid
 * @param {import('../paint/marks.js').Cell} cell
 * @param {import('../state/look.js').Look['sinks']} mode
 */
export function wordsOfCell(shown, drawn, grid, { row, col }, mode) {
  const cell = row * grid.cols + col;
  const [x0, y0, x1, y1] = cellBox(grid, row, col).map((place) => Math.round(10 * place) / 10);
  const place = `row ${row}, col ${col}`;
  const box = `x ${x0}–${x1}, y ${y0}–${y1} px`;
  if (!shown.cells.length) return { tip: 'click: who reads this cell', readout: `${place} · ${box}` };
  if (drawn?.measured) return { tip: measuredCell({ ...drawn, measured: drawn.measured }, cell), readout: [place, measuredCell({ ...drawn, measured: drawn.measured }, cell), box].join(' · ') };
  if (isRatio(shown.effect)) return { tip: cellRatio(shown, cell), readout: [place, cellRatio(shown, cell), box].join(' · ') };
  if (shown.effect) return { tip: cellEffect(shown, cell), readout: [place, cellEffect(shown, cell), box].join(' · ') };
  const value = shown.cells[cell];
  const isSink = Boolean(shown.sinks.cells?.[cell]);
  const times = shown.direction === 'read by' || !(shown.mass > 0) ? '' : formatTimes((value * shown.cells.length) / shown.mass);
  const says = { reads: 'uniform', received: 'even', 'read by': '' }[shown.direction];
  const attention = shown.direction === 'read by' ? `${formatValue(value)} of its row` : formatValue(value);
  const left = mode === 'renormalised' && drawn && !drawn.hidden?.[cell] && drawn.values[cell] !== value ? `${formatValue(drawn.values[cell])} renormalised` : '';
  return {
    tip: [attention, times && (says === 'even' ? `${times} even` : times), isSink && 'sink'].filter(Boolean).join(' · '),
    readout: [place, attention, times && `${times} ${says}`, left, isSink && 'a sink', box].filter(Boolean).join(' · '),
  };
}
