// @ts-check
/** The rows of the library: each a button that opens a run, one that sets it beside another, and one that deletes it. Texts go in as text. */
import { create } from '../dom.js';
import { keptFacts, keptTitle } from '../../text/kept.js';

/**
 * @param {HTMLElement} list
 * @param {{open: (ticket: string) => void, compare: ((ticket: string) => void) | null, remove: (row: import('../../data/library_source.js').KeptRow) => void, picture: (ticket: string) => string}} does
 */
export function createRows(list, { open, compare, remove, picture }) {
  /** @type {Map<string, HTMLElement>} */
  const opens = new Map();

  /** @param {import('../../data/library_source.js').KeptRow} row */
  function rowOf(row) {
    const image = create('img', { class: 'av-lib-picture', alt: '', loading: 'lazy', src: picture(row.ticket) });
    image.addEventListener('error', () => { image.style.visibility = 'hidden'; });
    const title = create('span', { class: 'av-lib-title' }, [
      create('strong', { text: keptTitle(row) }), ...(row.answer ? [create('span', { text: ` → ${row.answer}` })] : []),
    ]);
    const facts = keptFacts(row);
    const opened = create('button', { type: 'button', class: 'av-lib-open', title: `${title.textContent}\n${facts}` }, [
      image, create('span', { class: 'av-lib-text' }, [title, create('span', { class: 'av-lib-facts', text: facts })]),
    ]);
    opened.addEventListener('click', () => open(row.ticket));
    const beside = create('button', { type: 'button', class: 'av-lib-beside', text: 'Compare', title: 'set it beside the run on screen', 'aria-label': `Compare with the run on screen: ${keptTitle(row)}` });
    beside.addEventListener('click', () => compare?.(row.ticket));
    const gone = create('button', { type: 'button', class: 'av-lib-delete', text: 'Delete', 'aria-label': `Delete: ${keptTitle(row)}` });
    gone.addEventListener('click', () => remove(row));
    opens.set(row.ticket, opened);
    return create('li', {}, [opened, ...(compare ? [beside] : []), gone]);
  }

  return {
    /** @param {import('../../data/library_source.js').KeptRow[]} rows */
    show(rows) {
      opens.clear();
      list.replaceChildren(...rows.map(rowOf));
    },

    /** Mark the run on screen. @param {string | null} ticket @returns {boolean} whether it is among them */
    mark(ticket) {
      for (const [each, button] of opens) {
        if (each === ticket) button.setAttribute('aria-current', 'true');
        else button.removeAttribute('aria-current');
      }
      return ticket !== null && opens.has(ticket);
    },

    /** @param {string} ticket */
    focus: (ticket) => opens.get(ticket)?.focus(),
  };
}
