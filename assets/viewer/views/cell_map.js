// @ts-check
/**
 * "Tried without" beside what is read and its forecast, and "Try every cell" where a place can be tried: a map that is measured, shown as it
 * comes in, with a button that stops it.
 */
import { askedWords, OF_OTHERS, TRIED_ANSWERS } from '../text/cell_map.js';
import { create, listen, part } from './dom.js';
import { waysOf } from '../state/trials.js';
import { createHowChoice } from './how_choice.js';

/**
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 * @param {import('../state/cell_map.js').CellMapState} cellMap
 */
export function createCellMapView(root, state, cellMap) {
  const tried = create('button', { type: 'button', class: 'av-toggle', text: 'Tried without', title: TRIED_ANSWERS, 'data-show': 'tried' });
  const how = createHowChoice(state, cellMap.choose);
  const howHere = createHowChoice(state, (chosen) => state.set({ how: chosen })); // for what is asked next
  const [stop, stopHere] = [0, 1].map(() => create('button', { type: 'button', class: 'av-toggle', text: 'Stop', hidden: '' }));
  stopHere.classList.add('av-try-stop');
  const far = create('span', { class: 'av-show-said', role: 'status' });
  const switched = create('span', { class: 'av-show-tried' }, [tried, how.element, stop, far]);
  part(root, 'show').append(switched);

  const button = create('button', { type: 'button', class: 'av-toggle av-try', text: 'Try every cell', title: TRIED_ANSWERS });
  const ask = create('span', { class: 'av-try-ask', hidden: '' }, [button, howHere.element, stopHere]);
  const said = create('div', { class: 'av-try-far', role: 'status', 'aria-live': 'polite', hidden: '' });
  const mark = part(root, 'mark');
  mark.insertBefore(ask, mark.querySelector(':scope > .av-tried')); // beside "Try without it": the way is of both
  mark.append(said);

  function show() {
    const { info, readings, cells, cellsShown, marking, shown, drawn } = state.get;
    const asked = readings.cells;
    const working = Boolean(asked?.working);
    switched.hidden = !info || !(cellMap.canAsk() || cells);
    ask.hidden = !cellMap.canAsk();
    tried.setAttribute('aria-pressed', String(cellsShown));
    for (const other of root.querySelectorAll('[data-show=read], [data-show=forecast], [data-show=relative]')) other.classList.toggle('av-beside-tried', cellsShown);
    button.setAttribute('aria-disabled', String(working));
    stopHere.hidden = !working;
    stop.hidden = !working || marking; // the other one is on screen
    howHere.element.hidden = waysOf(info).length < 2;
    how.element.hidden = howHere.element.hidden || !cellsShown || !cellMap.canAsk();
    const words = askedWords(cells, asked);
    const isOfOthers = cellsShown && cells && drawn && !drawn.measured && shown?.grid != null;
    far.textContent = isOfOthers ? OF_OTHERS : marking ? '' : words;
    said.hidden = !words;
    if (said.textContent !== words) said.textContent = words;
  }

  const undo = [
    listen(tried, { click: () => void cellMap.show() }),
    listen(button, { click: () => cellMap.ask() }),
    listen(stop, { click: () => { cellMap.stop(); tried.focus(); } }),
    listen(stopHere, { click: () => { cellMap.stop(); button.focus(); } }),
    state.on(['info', 'readings', 'cells', 'cellsShown', 'marking', 'drawn'], show),
  ];
  show();
  return { dispose: () => { [...undo, how.dispose, howHere.dispose].forEach((end) => end()); switched.remove(); ask.remove(); said.remove(); } };
}
