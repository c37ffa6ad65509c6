// @ts-check
/** How the map is drawn, as labelled controls: what `state/look.js` offers, less what the atlas chooses for itself. */
import { create, part } from './dom.js';
import { OFFERED } from '../state/look.js';
import { placeCount } from '../data/run_info.js';

/** @type {Partial<Record<keyof import('../state/look.js').Look, {label: string, title?: string, texts?: string[]}>>} */
const SELECTS = {
  palette: { label: 'Colours' },
  scale: {
    label: 'Scale', texts: ['this map', 'all maps', 'absolute'],
    title: 'what gets the last colour: the largest value of this map, of all maps of this row, or 100 times even attention over the picture',
  },
  curve: { label: 'Curve', texts: ['linear', 'square root', 'log'], title: 'how colours follow values; log spans three powers of ten' },
  clip: {
    label: 'Clip', texts: ['top 1 %', 'top 5 %', 'nothing'],
    title: 'the highest values share the last colour, so that a few peaks do not hide the rest; the bar then says ≥ and how many',
  },
  sinks: {
    label: 'Sinks', texts: ['masked', 'raw', 'renormalised'],
    title: 'keys that draw attention whatever is asked: hatched and outside the colour range, drawn as they are, or hatched and the rest divided by what is left',
  },
  coordinates: {
    label: 'Answer’s numbers', texts: ['as the run has them', '0 to 1', '0 to 1000', 'pixels as read', 'pixels of the picture'],
    title: 'how the numbers of places that the answer names count; the places are drawn and measured anew',
  },
};

/** @typedef {[name: string, text: string, title: string]} Switch  a field that is on or off */

/** @type {Switch[]} */
const SWITCHES = [
  ['smooth', 'smoothed', 'colours flow from cell centre to cell centre: for looks; numbers stay those of the cells'],
  ['beside', 'map beside', 'the map beside the picture, without it: colours are read best on a plain ground'],
  ['toned', 'quiet picture', 'the picture in fainter colours, so that those of the map stand out; files keep its own'],
  ['places', 'places', 'points and boxes that the answer names'],
];

/**
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 * @param {Switch[]} [switchesOffered]
 */
export function createControls(root, state, switchesOffered = SWITCHES) {
  const place = part(root, 'controls');
  const opacity = create('input', { type: 'range', min: 0, max: 1, step: 0.05 });
  opacity.addEventListener('input', () => state.set({ opacity: Number(opacity.value) }));

  const selects = Object.entries(SELECTS).map(([name, { label, title, texts }]) => {
    const offered = OFFERED[/** @type {keyof import('../state/look.js').Look} */ (name)];
    const select = create('select', { 'aria-label': label }, offered.map((value, i) => create('option', { value: String(value), text: texts?.[i] ?? String(value) })));
    select.addEventListener('change', () => state.set({ [name]: offered[select.selectedIndex] }));
    return { name: /** @type {keyof import('../state/look.js').Look} */ (name), select, element: labelled(label, select, title) };
  });
  const switches = switchesOffered.map(([field, text, title]) => {
    const name = /** @type {'smooth' | 'beside' | 'toned' | 'places'} */ (field);
    const button = create('button', { type: 'button', class: 'av-toggle', 'data-switch': name, text, title });
    button.addEventListener('click', () => state.set({ [name]: !state.get[name] }));
    return { name, button };
  });
  place.replaceChildren(labelled('Opacity', opacity), ...selects.map(({ element }) => element), create('span', { class: 'av-control' }, switches.map(({ button }) => button)));

  function show() {
    opacity.value = String(state.get.opacity);
    for (const { name, select } of selects) select.selectedIndex = OFFERED[name].indexOf(state.get[name]);
    for (const { name, button } of switches) button.setAttribute('aria-pressed', String(state.get[name]));
    const { info, selection, reading } = state.get;
    // Of a column there is no even spread to compare with, and its cells are readers: no sink is among them. Of effects neither, and their colours are their own.
    const isColumn = selection?.direction === 'read by' || reading !== null;
    for (const { name, select } of selects) {
      if (name === 'scale') select.options[2].disabled = isColumn;
      if (name === 'sinks') select.disabled = isColumn;
      if (name === 'palette') [select.disabled, select.title] = reading ? [true, 'effects have colours of their own: blue loses, red gains'] : [false, ''];
    }
    for (const { name, button } of switches) if (name === 'places') button.hidden = !info || !placeCount(info);
    for (const { name, element } of selects) if (name === 'coordinates') element.hidden = !info?.named_places || !info.place_habit;
  }

  const numbers = selects.find(({ name }) => name === 'coordinates')?.select;
  const undo = [
    state.on(['info', 'selection', 'reading', 'opacity', 'palette', 'scale', 'curve', 'clip', 'sinks', 'coordinates', ...switches.map(({ name }) => name)], show),
    state.on(['lookAsked'], () => requestAnimationFrame(() => numbers?.focus())), // once it is seen
  ];
  show();
  return { dispose: () => { undo.forEach((end) => end()); place.replaceChildren(); } };
}

/** @param {string} text @param {HTMLElement} control @param {string} [title] */
function labelled(text, control, title = '') {
  return create('label', { class: 'av-control', title }, [create('span', { class: 'av-label', text }), control]);
}
