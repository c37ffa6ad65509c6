// @ts-check
/**
 * Links to files, in the menu "Keep". They are ordinary ones, with addresses of the view on screen. A file is fetched first, so that what
 * goes wrong is said in the menu and does not arrive as a file; one that is large is only asked for, and then left to the browser.
 */
import { create, listen } from '../dom.js';
import { fileName, LARGE } from '../../numbers/export_paths.js';
import { failureWords, fetched } from './keep_menu.js';

/**
 * @typedef {import('../../numbers/export_paths.js').Format} Format
 * @typedef {[Format, string, string]} Offer  format, name, what it is
 */

/** @type {Offer[]} */
export const PICTURES = [
  ['png', 'PNG', 'the picture with the map on it, in pixels'],
  ['svg', 'SVG', 'a figure with a colour bar and a caption; its text can be edited'],
  ['pdf', 'PDF', 'a figure with a colour bar and a caption, for a paper'],
];

/**
 * @param {ReturnType<typeof import('./keep_menu.js').createKeepMenu>} keep
 * @param {Offer[]} offers
 * @param {'run' | 'comparison'} kind
 */
export function createKeepLinks(keep, offers, kind) {
  /** @type {Map<Format, any>} */
  const links = new Map(offers.map(([format, text, title]) =>
    [format, create('a', { class: 'av-toggle av-keep-file', text, title, 'data-format': format, 'data-title': title, download: '' })]));
  /** @type {AbortController | null} */
  let loading = null;

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
      keep.say(failureWords(error, kind), true);
    }
  }

  const undo = listen(keep.menu, { click: (/** @type {MouseEvent} */ event) => void follow(event) });

  return {
    /** @param {Format[]} formats */
    of: (...formats) => formats.map((format) => links.get(format)),

    /** Where a file is to be had now, or why it is not. @param {(format: Format) => {href: string} | {why: string}} find */
    address(find) {
      for (const [format, link] of links) {
        const found = find(format);
        if ('why' in found) link.removeAttribute('href');
        else link.href = found.href;
        link.setAttribute('aria-disabled', String('why' in found));
        link.title = 'why' in found ? found.why : link.dataset.title;
      }
    },

    /** @param {Format} format @param {string} text */
    name: (format, text) => { links.get(format).textContent = text; },

    /** What is on its way is not wanted any more. */
    stop: () => loading?.abort(),

    dispose() {
      loading?.abort();
      undo();
    },
  };
}
