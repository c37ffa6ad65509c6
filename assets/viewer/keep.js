// @ts-check
/**
 * The menu "Keep": this view as a picture, a figure or numbers, its layer, the whole run, and the view as Python.
 *
 * Its links are ordinary ones, with addresses of the view on screen. A file is fetched first, so that what goes wrong is said here and
 * does not arrive as a file; one that is large is only asked for, and then left to the browser.
 */
import { create, listen } from './dom.js';
import { exportPath, fileName, keptView, LARGE, reasonAgainst } from './keep_files.js';
import { createKeepMenu, createPngSize, failureWords, fetched, keepRow } from './keep_menu.js';
import { pythonCode } from './python_code.js';

/** @type {[import('./keep_files.js').Format, string, string][]} format, name, what it is */
const PICTURES = [
  ['png', 'PNG', 'the picture with the map on it, in pixels'],
  ['svg', 'SVG', 'a figure with a colour bar and a caption; its text can be edited'],
  ['pdf', 'PDF', 'a figure with a colour bar and a caption, for a paper'],
];
/** @type {typeof PICTURES} */
const NUMBERS = [
  ['npz', 'NPZ', 'the exact row and map in float32, with all that finds them again, for NumPy'],
  ['csv', 'CSV', 'the exact map as a table of cells and their pixels'],
];
/** @type {typeof PICTURES} */
const WHOLE = [
  ['safetensors', 'this layer (safetensors)', 'the queries, keys and stored rows of this layer, as safetensors'],
  ['zip', 'whole run (zip)', 'everything that was kept of the run, as a zip that can be opened here again'],
];

/**
 * @param {Element} root
 * @param {import('./viewer.js').ViewerState} state
 */
export function createKeep(root, state) {
  const keep = createKeepMenu(root, {
    title: 'this view as a file, or as Python', text: 'This view as Python',
    toggled: (isOpen) => {
      address();
      if (!isOpen) loading?.abort();
    },
  });
  /** @type {Map<import('./keep_files.js').Format, any>} */
  const links = new Map([...PICTURES, ...NUMBERS, ...WHOLE].map(([format, text, title]) =>
    [format, create('a', { class: 'av-toggle av-keep-file', text, title, 'data-format': format, 'data-title': title, download: '' })]));
  const size = createPngSize(address);
  const copy = create('button', { type: 'button', class: 'av-toggle', text: 'Copy as Python', title: 'code that reads what is on screen, and runs as pasted' });
  const row = (/** @type {string} */ label, /** @type {typeof PICTURES} */ files) => keepRow(label, files.map(([format]) => links.get(format)));
  keep.fill(row('Picture', PICTURES), size.row, row('Numbers', NUMBERS), row('Files', WHOLE), keepRow('Code', [copy]));
  /** @type {AbortController | null} */
  let loading = null;

  /** Links for what is on screen now. */
  function address() {
    const view = keptView(state.get);
    const { source, info } = state.get;
    keep.enable(Boolean(view && source));
    if (!keep.isOpen() || !view || !source) return;
    for (const [format, link] of links) {
      const why = reasonAgainst(view, format);
      if (why) link.removeAttribute('href');
      else link.href = `${source.base}/${exportPath(view, format, size.get())}`;
      link.setAttribute('aria-disabled', String(Boolean(why)));
      link.title = why ?? link.dataset.title;
    }
    const bytes = /** @type {any} */ (info)?.bytes;
    links.get('zip').textContent = `whole run (zip${bytes ? `, ${Math.max(1, Math.round(bytes / 1e6)).toLocaleString('en')}\u202fMB` : ''})`;
    keep.recopy(written());
  }

  function written() {
    const view = keptView(state.get);
    const { source, manifest } = state.get;
    return view && source ? pythonCode(view, { folder: manifest?.folder, address: source.base }) : '';
  }

  /** @param {any} event */
  async function follow(event) {
    const link = event.target.closest('a[data-format]');
    if (!link?.href || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    loading?.abort();
    const now = (loading = new AbortController());
    keep.say('Preparing …');
    try {
      const response = await fetched(link.href, now.signal);
      const name = fileName(response.headers.get('Content-Disposition'));
      if (LARGE.includes(link.dataset.format)) {
        keep.save(link.href, name);
        now.abort(); // it was asked for only to learn whether it is there
      } else {
        const content = await response.blob();
        if (!now.signal.aborted) keep.saveBlob(content, name);
      }
      if (loading === now) keep.say(name);
    } catch (error) {
      if (loading !== now) return; // another one was asked for
      keep.say(failureWords(error, 'run'), true);
    }
  }

  const undo = [
    listen(keep.menu, { click: (/** @type {MouseEvent} */ event) => void follow(event) }),
    listen(copy, { click: () => void keep.copy(written()) }),
    state.on(['shown', 'drawn', 'palette', 'opacity', 'sinks', 'smooth', 'places', 'source', 'info', 'manifest'], address),
    state.on(['size'], keep.refit),
  ];
  address();

  return {
    dispose() {
      loading?.abort();
      undo.forEach((end) => end());
      keep.dispose();
    },
  };
}
