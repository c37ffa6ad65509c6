// @ts-check
/** In which way a place is left out: one choice, wherever it stands. What follows from another one is the map's and the trial's business. */
import { MEASURES } from '../text/cell_map.js';
import { howOf, waysOf } from '../state/trials.js';
import { create, listen } from './dom.js';

const TITLE = 'hidden: no other token may read it. Painted over, or blurred: its pixels are changed and the picture is read again; what hiding does is measured too.';

/**
 * @param {import('../state/fields.js').ViewerState} state
 * @param {(how: import('../numbers/cell_map.js').Measure) => void} choose
 */
export function createHowChoice(state, choose) {
  const select = create('select', { 'aria-label': 'How a place is left out', title: TITLE });

  function show() {
    const ways = waysOf(state.get.info);
    if (String([...select.options].map(({ value }) => value)) !== String(ways)) select.replaceChildren(...ways.map((each) => create('option', { value: each, text: MEASURES[each] })));
    select.value = howOf(state.get);
  }

  const undo = [
    listen(select, { change: () => choose(/** @type {import('../numbers/cell_map.js').Measure} */ (select.value)) }),
    state.on(['info', 'how'], show),
  ];
  show();
  return { element: select, dispose: () => { undo.forEach((end) => end()); select.remove(); } };
}
