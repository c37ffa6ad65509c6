// @ts-check
/**
 * "How to read this": the page of the template in a dialog, which opens at what is said of one reading. Whoever describes a reading asks for
 * it by the event that `linkHow` sends; nobody needs to know whether there is such a page.
 */
import { create, part } from './dom.js';

const ASK = 'av-how';

/** A link to what the page says about something. @param {Element} root @param {string | (() => string)} about  the name of a heading, by `attention/markdown_html.py` @param {string} [text] */
export function linkHow(root, about, text = 'How to read this') {
  const link = create('button', { type: 'button', class: 'av-link', text });
  link.addEventListener('click', () => root.dispatchEvent(new CustomEvent(ASK, { detail: typeof about === 'string' ? about : about() })));
  return link;
}

/** @param {Element} root */
export function createHowToRead(root) {
  const dialog = part(root, 'how');
  const close = part(root, 'how-close');
  const shut = () => dialog.close();

  /** @param {Event} event */
  function open(event) {
    const { detail } = /** @type {CustomEvent<string>} */ (event);
    if (!dialog.open) dialog.showModal();
    const heading = dialog.querySelector(`[data-about="${CSS.escape(detail)}"]`);
    dialog.scrollTop = heading ? heading.offsetTop - close.offsetHeight - 16 : 0;
  }

  root.addEventListener(ASK, open);
  close.addEventListener('click', shut);
  return { dispose: () => { root.removeEventListener(ASK, open); close.removeEventListener('click', shut); } };
}
