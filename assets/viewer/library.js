// @ts-check
/**
 * The library: what is kept, in rows that are searched, sorted, opened, deleted and brought back.
 *
 * The page holds the rows that it shows and no others; all else is asked of the server. What opening leads to, Gradio is told.
 */
import { createLibrarySource, listAs, listedAs } from './data/library_source.js';
import { keptCount, keptRange, keptTitle } from './text/kept.js';
import { create, part } from './views/dom.js';
import { askBeside, hearKept, isLibraryWished, shownTicket } from './views/kept_events.js';
import { reveal } from './views/library/reveal.js';
import { createRows } from './views/library/rows.js';

const LIMIT = 20; // rows of a page
const TYPED_MS = 150; // a search waits until a person has stopped for a moment
const AGAIN_MS = 500; // while folders are still being read

/**
 * @param {object} component
 * @param {HTMLElement} component.element
 * @param {{value: {kind: 'run' | 'comparison', changed: number} | null}} component.props
 * @param {(name: string, listener: () => void) => void} component.watch
 * @param {(name: string, data: object) => void} component.trigger
 */
export function mount({ element, props, watch, trigger }) {
  const root = part(element, 'library');
  const [search, order, said, range] = ['lib-search', 'lib-order', 'lib-said', 'lib-range'].map((name) => part(root, name));
  const kind = props.value?.kind ?? 'run';
  const source = createLibrarySource(new URL('../..', import.meta.url).href);
  const rows = createRows(part(root, 'lib-rows'), { open, compare: kind === 'run' ? beside : null, remove, picture: source.thumbnail });
  /** @type {import('./data/library_source.js').KeptRow[]} the last is the one that is brought back first */
  const deleted = [];
  let offset = 0;
  let asking = new AbortController();
  /** @type {number | undefined} */
  let later;
  root.setAttribute('aria-label', `Kept ${kind}s`);
  search.setAttribute('aria-label', `Search kept ${kind}s`);

  /**
   * Read the rows on screen again.
   * @param {boolean} [look]  through the folders first
   * @param {string} [around]  the ticket of a run that is to be among them
   */
  async function read(look = true, around = '') {
    window.clearTimeout(later);
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    try {
      const page = await source.list({ kind, offset, limit: LIMIT, look: Number(look), around }, signal);
      if (signal.aborted) return;
      if (!page.rows.length && offset) {
        offset = 0;
        void read(false);
        return;
      }
      ({ offset } = page);
      root.dataset.library = 'ready';
      rows.show(page.rows);
      rows.mark(shownTicket(kind));
      range.textContent = keptRange(offset, page.rows.length, page.total);
      say(keptCount(page, kind, search.value));
      for (const button of root.querySelectorAll('.av-lib-page')) {
        button.disabled = Number(button.dataset.by) < 0 ? !offset : offset + LIMIT >= page.total;
      }
      part(root, 'lib-pages').hidden = page.total <= LIMIT;
      if (page.looking) later = window.setTimeout(() => void read(false), AGAIN_MS);
    } catch (error) {
      if (!signal.aborted) refused(error);
    }
  }

  /** @param {string} words */
  function say(words) {
    const last = deleted.at(-1);
    if (!last) {
      said.textContent = words;
      return;
    }
    const undo = create('button', { type: 'button', class: 'av-lib-undo', text: 'Undo' });
    undo.addEventListener('click', () => void bringBack(last));
    said.replaceChildren(`${words} · Deleted: ${keptTitle(last)} `, undo);
  }

  /** @param {any} error */
  function refused(error) {
    if (error.isLocked) {
      root.dataset.library = 'locked';
      rows.show([]);
    }
    said.textContent = error.message;
  }

  /** @param {string} ticket */
  function open(ticket) {
    trigger('select', { ticket });
  }

  /** @param {string} ticket */
  function beside(ticket) {
    trigger('expand', { ticket });
  }

  /** @param {import('./data/library_source.js').KeptRow} row */
  async function remove(row) {
    try {
      await source.remove(row.ticket);
      deleted.push(row);
      trigger('delete', { ticket: row.ticket });
      await read(false);
      said.querySelector('.av-lib-undo')?.focus();
    } catch (error) {
      refused(error);
    }
  }

  /** @param {import('./data/library_source.js').KeptRow} row */
  async function bringBack(row) {
    deleted.splice(deleted.indexOf(row), 1);
    try {
      await source.restore(row.ticket);
      await read(false);
      rows.focus(row.ticket);
    } catch (error) {
      refused(error);
    }
  }

  /** What is wished has changed: from the first page on. */
  function again() {
    offset = 0;
    listAs(kind, { search: search.value, order: order.value });
    void read(false);
  }

  search.addEventListener('input', () => {
    window.clearTimeout(later);
    later = window.setTimeout(again, TYPED_MS);
  });
  order.addEventListener('change', again);
  part(root, 'lib-look').addEventListener('click', () => void read());
  for (const button of root.querySelectorAll('.av-lib-step')) button.addEventListener('click', () => askBeside(kind, Number(button.dataset.by)));
  for (const button of root.querySelectorAll('.av-lib-page')) {
    button.addEventListener('click', () => {
      offset = Math.max(0, offset + Number(button.dataset.by) * LIMIT);
      void read(false);
    });
  }
  const isSeen = () => root.getClientRects().length > 0;
  // what has come since is found when the list is unfolded
  const seen = new IntersectionObserver((entries) => { if (entries.at(-1)?.isIntersecting) void read(); });
  seen.observe(root);
  watch('value', () => { if (isSeen()) void read(); });
  function show() {
    reveal(root);
    window.setTimeout(() => search.focus());
  }

  const { search: before, order: orderBefore } = listedAs(kind);
  Object.assign(search, { value: before });
  Object.assign(order, { value: orderBefore });
  hearKept(kind, {
    shown({ ticket }) {
      if (!rows.mark(ticket) && ticket && isSeen()) void read(false, ticket);
    },
    library: show,
  });
  if (isLibraryWished(kind)) show();
}
