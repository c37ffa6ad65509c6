// @ts-check
/** Which maps are shown, and in which order heads come: a switch and a list in the atlas's title row. */
import { isRatio } from '../../numbers/ratios.js';
import { gridsOf } from '../../data/run_info.js';
import { create, part } from '../dom.js';
import { orderOf, ORDERS, wordsOfOrder } from '../../numbers/head_order.js';
import { isOfRegion, regionIn } from '../../numbers/regions.js';
import { OFFERED } from '../../state/look.js';
import { viewOf } from './atlas_maps.js';
import { createFoundInput } from './found_marks.js';

/** @type {Record<import('../../state/look.js').Look['atlasView'], [string, string]>} */
const VIEWS = {
  all: ['all', 'every layer and head'],
  layer: ['one layer', 'the heads of the selected layer, larger, cell by cell'],
  best: ['best', 'the heads of all layers that come first in the chosen order, larger'],
};

/** Not an order, but the way to one. */
const LOAD = 'load';

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 */
export function createAtlasControls(root, state) {
  const place = part(root, 'atlas-controls');
  let isLent = false; // the order of "best", where nobody has chosen one: it ends with it
  const buttons = OFFERED.atlasView.map((view) => {
    const [text, title] = VIEWS[/** @type {keyof typeof VIEWS} */ (view)];
    const button = create('button', { type: 'button', class: 'av-toggle', text, title });
    button.addEventListener('click', () => {
      // The number of a head says nothing about which are best.
      const now = orderOf(state.get.order, state.get.reading?.kind ?? false);
      const needsOrder = view === 'best' && now === 'number';
      if (needsOrder) state.set({ atlasView: view, order: state.get.reading ? 'effect' : 'image_mass' });
      else if (isLent && view !== 'best' && ['image_mass', 'effect'].includes(state.get.order)) state.set({ atlasView: view, order: 'number' });
      else state.set({ atlasView: view });
      isLent = needsOrder || (isLent && view === 'best');
    });
    return { view, button };
  });
  const input = createFoundInput(state);
  const load = create('option', { value: LOAD, text: 'load found heads…' });
  const select = create('select', { 'aria-label': 'Order of heads' }, [...OFFERED.order.map((order) => create('option', { value: order })), load]);
  select.addEventListener('change', () => {
    isLent = false;
    if (select.value !== LOAD) return state.set({ order: OFFERED.order[select.selectedIndex] });
    select.selectedIndex = OFFERED.order.indexOf(state.get.order);
    input.click();
  });
  place.replaceChildren(
    create('span', { class: 'av-control', role: 'group', 'aria-label': 'Maps' }, buttons.map(({ button }) => button)),
    create('label', { class: 'av-control' }, [create('span', { class: 'av-label', text: 'Order' }), select]),
    input,
  );

  let told = '';
  function show() {
    const { info, selection, pinned, region, found, reading } = state.get;
    const isEffect = reading !== null;
    const order = orderOf(state.get.order, reading?.kind ?? false);
    const view = viewOf(state.get);
    const isPlaced = Boolean(info && selection && regionIn(info, region, selection.tower));
    const now = [selection?.direction, selection?.tower, view, order, pinned?.grid, isPlaced, found?.tower, reading?.kind].join();
    if (now === told) return;
    told = now;
    const isRow = selection?.direction === 'reads';
    for (const { view: own, button } of buttons) {
      button.setAttribute('aria-pressed', String(own === view));
      button.disabled = isRatio(reading) ? own === 'layer' : selection?.direction === 'received' && !isEffect && own !== 'layer';
    }
    select.disabled = Boolean(selection) && !isRow && !isEffect;
    select.title = select.disabled ? 'scores are of rows: choose “reads from”' : 'in which order the heads of each layer come';
    select.selectedIndex = OFFERED.order.indexOf(select.disabled ? 'number' : order);
    const isPinned = pinned && info && selection && gridsOf(info, selection.tower).includes(pinned.grid);
    for (const option of select.options) {
      if (option === load) continue;
      const { text } = wordsOfOrder(/** @type {keyof typeof ORDERS} */ (option.value), isRatio(reading));
      const isWithoutCell = option.value === 'value' && !isPinned;
      const isWithoutPlace = isOfRegion(option.value) && !isPlaced;
      const isWithoutFound = option.value === 'found' && found?.tower !== selection?.tower;
      option.hidden = orderOf(/** @type {any} */ (option.value), reading?.kind ?? false) !== option.value;
      option.disabled = option.hidden || isWithoutCell || isWithoutPlace || isWithoutFound || (option.value === 'number' && view === 'best');
      option.textContent = isWithoutCell ? 'value at a cell (pin one first)' : isWithoutPlace ? `${text} (the answer names none: mark one)` : text;
    }
  }

  const undo = state.on(['info', 'selection', 'atlasView', 'order', 'pinned', 'region', 'found', 'reading'], show);
  show();
  return {
    dispose() {
      undo();
      place.replaceChildren();
    },
  };
}
