// @ts-check
/** The menu "Keep": this view as a picture, a figure or numbers, its layer, the whole run, and the view as Python. */
import { create, listen } from '../dom.js';
import { exportPath, keptView, reasonAgainst } from '../../numbers/export_paths.js';
import { createKeepLinks, PICTURES } from './keep_links.js';
import { createKeepMenu, createPngSize, keepRow } from './keep_menu.js';
import { pythonCode } from '../../numbers/python_code.js';

/** @type {import('./keep_links.js').Offer[]} */
const NUMBERS = [
  ['npz', 'NPZ', 'the exact row and map in float32, with all that finds them again, for NumPy'],
  ['csv', 'CSV', 'the exact map as a table of cells and their pixels'],
  ['region', 'the place in all heads', 'what every layer and head puts in the place, beside what chance would, as a table'],
];
/** @type {import('./keep_links.js').Offer[]} */
const CARD = [['card', 'Share card', 'one picture to show others: the map, question and answer, and the maps of all layers and heads']];
/** @type {import('./keep_links.js').Offer[]} */
const WHOLE = [
  ['html', 'HTML', 'one file that shows this in any browser, without the app and without a network; it says what it leaves out'],
  ['safetensors', 'this layer (safetensors)', 'the queries, keys and stored rows of this layer, as safetensors'],
  ['zip', 'whole run (zip)', 'everything that was kept of the run, and the readings that were made of it, as a zip that can be opened here again; so many MB are the run alone'],
];

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 */
export function createKeep(root, state) {
  const keep = createKeepMenu(root, {
    title: 'this view as a file, or as Python', text: 'This view as Python',
    toggled: (isOpen) => {
      address();
      if (!isOpen) links.stop();
      else keep.say(state.get.source?.noFiles ?? '');
    },
  });
  const links = createKeepLinks(keep, [...PICTURES, ...CARD, ...NUMBERS, ...WHOLE], 'run');
  const size = createPngSize(address);
  const copy = create('button', { type: 'button', class: 'av-toggle', text: 'Copy as Python', title: 'code that reads what is on screen, and runs as pasted' });
  const row = (/** @type {string} */ label, /** @type {import('./keep_links.js').Offer[]} */ offers) => keepRow(label, links.of(...offers.map(([format]) => format)));
  const files = [row('Picture', [...PICTURES, ...CARD]), size.row, row('Numbers', NUMBERS), row('Files', WHOLE)];
  keep.fill(...files, keepRow('Code', [copy]));

  /** Links for what is on screen now. */
  function address() {
    const view = keptView(state.get);
    const { source, info } = state.get;
    keep.enable(Boolean(view && source));
    if (!keep.isOpen() || !view || !source) return;
    for (const each of files) each.hidden = Boolean(source.noFiles);
    links.address((format) => {
      const why = reasonAgainst(view, format);
      return why ? { why } : { href: `${source.base}/${exportPath(view, format, size.get())}` };
    });
    const bytes = /** @type {any} */ (info)?.bytes;
    links.name('zip', `whole run (zip${bytes ? `, ${Math.max(1, Math.round(bytes / 1e6)).toLocaleString('en')}+\u202fMB` : ''})`);
    keep.recopy(written());
  }

  function written() {
    const view = keptView(state.get);
    const { source, manifest } = state.get;
    return view && source ? pythonCode(view, { folder: manifest?.folder, address: source.base }) : '';
  }

  const undo = [
    listen(copy, { click: () => void keep.copy(written()) }),
    state.on(['shown', 'drawn', 'palette', 'opacity', 'clip', 'sinks', 'smooth', 'places', 'unplacedOn', 'coordinates', 'region', 'source', 'info', 'manifest'], address),
    state.on(['size'], keep.refit),
  ];
  address();

  return {
    dispose() {
      links.dispose();
      undo.forEach((end) => end());
      keep.dispose();
    },
  };
}
