// @ts-check
/**
 * The menu "Keep": its button, where it opens, what it says, and how a file or a text leaves the page. What there is to keep is said by
 * who fills it.
 */
import { create, listen, part } from '../dom.js';
import { expiredWords } from '../../text/expired.js';

const EDGE_PX = 8;
const SCALES = [1, 2, 4];

/**
 * @param {Element} root
 * @param {object} about
 * @param {string} about.title  of the button
 * @param {string} about.text   what the text is that can be copied
 * @param {(isOpen: boolean) => void} about.toggled
 */
export function createKeepMenu(root, { title, text, toggled }) {
  const place = part(root, 'keep');
  const menu = create('div', { class: 'av-keep-menu', popover: 'auto', role: 'group', 'aria-label': 'Keep what was found' });
  const button = create('button', { type: 'button', class: 'av-toggle', text: 'Keep', title, 'aria-expanded': false });
  button.popoverTargetElement = menu;
  const copied = create('textarea', { class: 'av-keep-code', readonly: '', rows: 6, spellcheck: false, 'aria-label': text, hidden: '' });
  const said = create('p', { class: 'av-keep-said', role: 'status' });
  menu.append(copied, said);
  place.replaceChildren(button, menu);

  const isOpen = () => menu.matches(':popover-open');

  /** @param {string} words @param {boolean} [isFailure] */
  function say(words, isFailure = false) {
    said.textContent = words;
    said.classList.toggle('av-failed', isFailure);
  }

  /** Below its button, or above it where there is more room; never off the page's sides. */
  function arrange() {
    const { left, right, top, bottom } = button.getBoundingClientRect();
    const most = document.documentElement.clientWidth - menu.offsetWidth - EDGE_PX;
    const at = Math.max(EDGE_PX, Math.min(right - menu.offsetWidth, most, left));
    menu.style.left = `${Math.round(at + window.scrollX)}px`;
    const below = bottom + 4;
    const isAbove = below + menu.offsetHeight > document.documentElement.clientHeight && top > document.documentElement.clientHeight - bottom;
    menu.style.top = `${Math.round((isAbove ? Math.max(0, top - 4 - menu.offsetHeight) : below) + window.scrollY)}px`;
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
      keydown: leave,
      beforetoggle: () => { menu.style.opacity = '0'; }, // it is in the page's corner until it has its place
      toggle: () => {
        button.setAttribute('aria-expanded', String(isOpen()));
        copied.hidden = true;
        say('');
        toggled(isOpen());
        if (isOpen()) arrange();
        menu.style.opacity = '';
      },
    }),
    listen(button, { keydown: leave }),
  ];

  return {
    menu,
    isOpen,
    say,

    /** Lines of a label and what can be kept. @param {HTMLElement[]} rows */
    fill: (...rows) => copied.before(...rows),

    /** There is something to keep. @param {boolean} isThere */
    enable(isThere) {
      button.disabled = !isThere;
      if (!isThere && isOpen()) menu.hidePopover();
    },

    /** The page has another size. */
    refit: () => { if (isOpen()) arrange(); },

    /** @param {string} href @param {string} name */
    save(href, name) {
      const link = create('a', { href, download: name, hidden: '' });
      menu.append(link);
      link.click();
      link.remove();
    },

    /** @param {Blob} blob @param {string} name */
    saveBlob(blob, name) {
      const own = URL.createObjectURL(blob);
      this.save(own, name);
      window.setTimeout(() => URL.revokeObjectURL(own), 60_000);
    },

    /** Into the clipboard, or where a browser does not let a page, to be copied by hand. @param {string} words @param {string} [done] */
    async copy(words, done = 'Copied.') {
      try {
        await navigator.clipboard.writeText(words);
        copied.hidden = true;
        say(done);
      } catch {
        copied.value = words;
        copied.hidden = false;
        copied.focus();
        copied.select();
        copied.scrollTop = 0;
        say('The browser does not let a page copy: copy it from here.');
      }
    },

    /** What was offered for copying is of another view now. @param {string} words */
    recopy(words) {
      copied.value = words;
    },

    dispose() {
      undo.forEach((end) => end());
      place.replaceChildren();
    },
  };
}

/** @param {string} label @param {HTMLElement[]} content @param {string} [more]  a class */
export function keepRow(label, content, more = '') {
  return create('div', { class: `av-keep-row ${more}`.trim() }, [create('span', { class: 'av-label', text: label }), ...content]);
}

/** How large a PNG is, and whether it has a caption. @param {() => void} [changed] */
export function createPngSize(changed = () => {}) {
  const scale = create('select', { 'aria-label': 'Size of the PNG' }, SCALES.map((value) => create('option', { value, text: `${value}×` })));
  const caption = create('input', { type: 'checkbox' });
  caption.checked = true;
  for (const control of [scale, caption]) control.addEventListener('change', changed);
  return {
    row: keepRow('PNG', [scale, create('label', { class: 'av-control' }, [caption, 'colour bar and caption'])], 'av-keep-size'),
    get: () => ({ scale: Number(scale.value), caption: caption.checked }),
  };
}

/**
 * A file of the server, or what went wrong as a sentence.
 * @param {string} address
 * @param {AbortSignal} [signal]
 */
export async function fetched(address, signal) {
  const response = await fetch(address, { signal });
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  throw Object.assign(new Error(answer.error ?? `The server answered ${response.status}. Try again.`), { isExpired: Boolean(answer.expired) });
}

/** @param {any} error @param {'run' | 'comparison'} kind */
export function failureWords(error, kind) {
  if (error instanceof TypeError) return 'The server cannot be reached. Try again.';
  return error.isExpired ? expiredWords(kind) : error.message;
}
