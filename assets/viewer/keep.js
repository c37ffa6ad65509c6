// @ts-check
/**
 * The menu "Keep": this view as a picture, a figure or numbers, its layer, the whole run, and the view as Python.
 *
 * Its links are ordinary ones, with addresses of the view on screen. A file is fetched first, so that what goes wrong is said here and
 * does not arrive as a file; one that is large is only asked for, and then left to the browser.
 */
import { create, listen, part } from './dom.js';
import { exportPath, fileName, keptView, LARGE, reasonAgainst } from './keep_files.js';
import { pythonCode } from './python_code.js';

const EDGE_PX = 8;
const SCALES = [1, 2, 4];

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
  const place = part(root, 'keep');
  const menu = create('div', { class: 'av-keep-menu', popover: 'auto', role: 'group', 'aria-label': 'Keep what was found' });
  const button = create('button', { type: 'button', class: 'av-toggle', text: 'Keep', title: 'this view as a file, or as Python', 'aria-expanded': false });
  button.popoverTargetElement = menu;

  const scale = create('select', { 'aria-label': 'Size of the PNG' }, SCALES.map((value) => create('option', { value, text: `${value}×` })));
  const caption = create('input', { type: 'checkbox' });
  caption.checked = true;
  /** @type {Map<import('./keep_files.js').Format, any>} */
  const links = new Map([...PICTURES, ...NUMBERS, ...WHOLE].map(([format, text, title]) =>
    [format, create('a', { class: 'av-toggle av-keep-file', text, title, 'data-format': format, 'data-title': title, download: '' })]));
  const copy = create('button', { type: 'button', class: 'av-toggle', text: 'Copy as Python', title: 'code that reads what is on screen, and runs as pasted' });
  const code = create('textarea', { class: 'av-keep-code', readonly: '', rows: 6, spellcheck: false, 'aria-label': 'This view as Python', hidden: '' });
  const said = create('p', { class: 'av-keep-said', role: 'status' });
  const row = (/** @type {string} */ label, /** @type {typeof PICTURES} */ files, /** @type {HTMLElement[]} */ ...more) =>
    create('div', { class: 'av-keep-row' }, [create('span', { class: 'av-label', text: label }), ...files.map(([format]) => links.get(format)), ...more]);
  menu.append(
    row('Picture', PICTURES),
    create('div', { class: 'av-keep-row av-keep-size' }, [
      create('span', { class: 'av-label', text: 'PNG' }), scale, create('label', { class: 'av-control' }, [caption, 'colour bar and caption']),
    ]),
    row('Numbers', NUMBERS), row('Files', WHOLE), row('Code', [], copy), code, said,
  );
  place.replaceChildren(button, menu);
  /** @type {AbortController | null} */
  let loading = null;

  const isOpen = () => menu.matches(':popover-open');

  /** Links for what is on screen now. */
  function address() {
    const view = keptView(state.get);
    const { source, info } = state.get;
    button.disabled = !view || !source;
    if (button.disabled && isOpen()) menu.hidePopover();
    if (!isOpen() || !view || !source) return;
    for (const [format, link] of links) {
      const why = reasonAgainst(view, format);
      if (why) link.removeAttribute('href');
      else link.href = `${source.base}/${exportPath(view, format, { scale: Number(scale.value), caption: caption.checked })}`;
      link.setAttribute('aria-disabled', String(Boolean(why)));
      link.title = why ?? link.dataset.title;
    }
    const bytes = /** @type {any} */ (info)?.bytes;
    links.get('zip').textContent = `whole run (zip${bytes ? `, ${Math.max(1, Math.round(bytes / 1e6)).toLocaleString('en')}\u202fMB` : ''})`;
    code.value = written();
  }

  function written() {
    const view = keptView(state.get);
    const { source, manifest } = state.get;
    return view && source ? pythonCode(view, { folder: manifest?.folder, address: source.base }) : '';
  }

  /** @param {string} text @param {boolean} [isFailure] */
  function say(text, isFailure = false) {
    said.textContent = text;
    said.classList.toggle('av-failed', isFailure);
  }

  /** @param {any} event */
  async function follow(event) {
    const link = event.target.closest('a[data-format]');
    if (!link?.href || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    loading?.abort();
    const now = (loading = new AbortController());
    say('Preparing …');
    try {
      const response = await fetch(link.href, { signal: now.signal });
      if (!response.ok) {
        const answer = await response.json().catch(() => ({}));
        throw new Error(answer.error ?? `The server answered ${response.status}. Try again.`);
      }
      const name = fileName(response.headers.get('Content-Disposition'));
      if (LARGE.includes(link.dataset.format)) {
        save(link.href, name);
        now.abort(); // it was asked for only to learn whether it is there
      } else {
        const own = URL.createObjectURL(await response.blob());
        if (!now.signal.aborted) save(own, name);
        window.setTimeout(() => URL.revokeObjectURL(own), 60_000);
      }
      if (loading === now) say(name);
    } catch (error) {
      if (loading !== now) return; // another one was asked for
      say(error instanceof TypeError ? 'The server cannot be reached. Try again.' : /** @type {Error} */ (error).message, true);
    }
  }

  /** @param {string} href @param {string} name */
  function save(href, name) {
    const link = create('a', { href, download: name, hidden: '' });
    menu.append(link);
    link.click();
    link.remove();
  }

  async function copyCode() {
    try {
      await navigator.clipboard.writeText(written());
      code.hidden = true;
      say('Copied.');
    } catch {
      code.value = written();
      code.hidden = false;
      code.focus();
      code.select();
      code.scrollTop = 0;
      say('The browser does not let a page copy: copy it from here.');
    }
  }

  /** Below its button, never off the page's sides. */
  function arrange() {
    const { left, right, bottom } = button.getBoundingClientRect();
    const most = document.documentElement.clientWidth - menu.offsetWidth - EDGE_PX;
    const at = Math.max(EDGE_PX, Math.min(right - menu.offsetWidth, most, left));
    menu.style.left = `${Math.round(at + window.scrollX)}px`;
    menu.style.top = `${Math.round(bottom + 4 + window.scrollY)}px`;
  }

  /** @param {KeyboardEvent} event */
  function leave(event) {
    if (event.key !== 'Escape' || !isOpen()) return;
    event.preventDefault();
    event.stopPropagation(); // it closes the menu and clears nothing
    menu.hidePopover();
    button.focus();
  }

  const undo = [
    listen(menu, {
      click: (/** @type {MouseEvent} */ event) => void follow(event),
      keydown: leave,
      toggle: () => {
        button.setAttribute('aria-expanded', String(isOpen()));
        code.hidden = true;
        say('');
        address();
        if (isOpen()) arrange();
        else loading?.abort();
      },
    }),
    listen(button, { keydown: leave }),
    listen(copy, { click: () => void copyCode() }),
    listen(scale, { change: address }),
    listen(caption, { change: address }),
    state.on(['shown', 'drawn', 'palette', 'opacity', 'sinks', 'smooth', 'places', 'source', 'info', 'manifest'], address),
    state.on(['size'], () => { if (isOpen()) arrange(); }),
  ];
  address();

  return {
    dispose() {
      loading?.abort();
      undo.forEach((end) => end());
      place.replaceChildren();
    },
  };
}
