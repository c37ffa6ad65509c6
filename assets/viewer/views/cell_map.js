// @ts-check
/**
 * "Tried without" beside what is read and its forecast, and "Try every cell" where a place can be tried: a map that is measured, shown as it
 * comes in, with a button that stops it.
 */
import { measuresOf } from '../numbers/cell_map.js';
import { askedWords, MEASURES, OF_OTHERS, TRIED_ANSWERS } from '../text/cell_map.js';
import { create, listen, part } from './dom.js';

/**
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 * @param {import('../state/cell_map.js').CellMapState} cellMap
 */
export function createCellMapView(root, state, cellMap) {
  const tried = create('button', { type: 'button', class: 'av-toggle', text: 'Tried without', title: TRIED_ANSWERS, 'data-show': 'tried' });
  const measure = create('select', { 'aria-label': 'Each cell is', title: 'hidden from all other tokens, or painted over and the picture read again' });
  const [stop, stopHere] = [0, 1].map(() => create('button', { type: 'button', class: 'av-toggle', text: 'Stop', hidden: '' }));
  stopHere.classList.add('av-try-stop');
  const far = create('span', { class: 'av-show-said', role: 'status' });
  const switched = create('span', { class: 'av-show-tried' }, [tried, measure, stop, far]);
  part(root, 'show').append(switched);

  const button = create('button', { type: 'button', class: 'av-toggle av-try', text: 'Try every cell', title: TRIED_ANSWERS });
  const paint = create('select', { 'aria-label': 'Paint each over as well' }, [['none', 'hidden'], ['mean', 'hidden, and painted over'], ['blur', 'hidden, and blurred']].map(([value, text]) => create('option', { value, text })));
  const ask = create('span', { class: 'av-try-ask', hidden: '' }, [button, paint, stopHere]);
  const said = create('div', { class: 'av-try-far', role: 'status', 'aria-live': 'polite', hidden: '' });
  part(root, 'mark').append(ask, said);

  function show() {
    const { info, readings, cells, cellsShown, cellsMeasure, marking, shown, drawn } = state.get;
    const asked = readings.cells;
    const working = Boolean(asked?.working);
    switched.hidden = !info || !(cellMap.canAsk() || cells);
    ask.hidden = !cellMap.canAsk();
    tried.setAttribute('aria-pressed', String(cellsShown));
    for (const other of root.querySelectorAll('[data-show=read], [data-show=forecast], [data-show=relative]')) other.classList.toggle('av-beside-tried', cellsShown);
    button.setAttribute('aria-disabled', String(working));
    stopHere.hidden = !working;
    stop.hidden = !working || marking; // the other one is on screen
    paint.hidden = !info || info.images.some((image) => image.video !== undefined);
    const measures = cells ? measuresOf(cells) : [];
    measure.hidden = !cellsShown || measures.length < 2;
    if (String([...measure.options].map(({ value }) => value)) !== String(measures)) measure.replaceChildren(...measures.map((each) => create('option', { value: each, text: MEASURES[each] })));
    measure.value = cellsMeasure;
    const words = askedWords(cells, asked);
    const isOfOthers = cellsShown && cells && drawn && !drawn.measured && shown?.grid != null;
    far.textContent = isOfOthers ? OF_OTHERS : marking ? '' : words;
    said.hidden = !words;
    if (said.textContent !== words) said.textContent = words;
  }

  const undo = [
    listen(tried, { click: () => void cellMap.show() }),
    listen(button, { click: () => cellMap.ask(/** @type {'none' | 'mean' | 'blur'} */ (paint.hidden ? 'none' : paint.value)) }),
    listen(stop, { click: () => { cellMap.stop(); tried.focus(); } }),
    listen(stopHere, { click: () => { cellMap.stop(); button.focus(); } }),
    listen(measure, { change: () => state.set({ cellsMeasure: /** @type {import('../numbers/cell_map.js').Measure} */ (measure.value) }) }),
    state.on(['info', 'readings', 'cells', 'cellsShown', 'cellsMeasure', 'marking', 'drawn'], show),
  ];
  show();
  return { dispose: () => { undo.forEach((end) => end()); switched.remove(); ask.remove(); said.remove(); } };
}
