// @ts-check
/** Finished examples as small pictures: a click opens one. Their texts go in as text. */
import { create, part } from './views/dom.js';

/**
 * @typedef {{ticket: string, label: string, prompt: string}} Example
 *
 * @param {object} component
 * @param {HTMLElement} component.element
 * @param {{value: Example[] | null}} component.props
 * @param {(name: string, listener: () => void) => void} component.watch
 * @param {(name: string, data: object) => void} component.trigger
 */
export function mount({ element, props, watch, trigger }) {
  const address = new URL('../..', import.meta.url).href;

  function show() {
    const place = part(element, 'examples');
    place.replaceChildren(...(props.value ?? []).map(({ ticket, label, prompt }) => {
      const picture = create('img', { alt: '', src: `${address}${encodeURIComponent(ticket)}/preview/0`, decoding: 'async', fetchpriority: 'low', draggable: false });
      const button = create('button', { type: 'button', class: 'av-example', 'aria-label': `Example, ${label}: ${prompt}`, title: `${label}: ${prompt}` }, [picture]);
      button.addEventListener('click', () => trigger('select', { ticket }));
      return button;
    }));
  }

  watch('value', show);
  show();
}
