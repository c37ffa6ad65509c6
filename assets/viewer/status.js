// @ts-check
/** The line that says how far a run is: its text, a bar where steps are counted, and facts for who asks for them. */
import { part } from './views/dom.js';

/**
 * @param {object} component
 * @param {HTMLElement} component.element
 * @param {{value: {text?: string, done?: number, total?: number, facts?: string} | null}} component.props
 * @param {(name: string, listener: () => void) => void} component.watch
 */
export function mount({ element, props, watch }) {
  function show() {
    const { text = '', done = 0, total = 0, facts = '' } = props.value ?? {};
    const [said, bar, more] = ['status-text', 'status-bar', 'status-facts'].map((name) => part(element, name));
    if (said.textContent !== text) said.textContent = text;
    more.textContent = facts;
    bar.hidden = !total;
    if (total) Object.assign(bar, { max: total, value: done });
  }

  watch('value', show);
  show();
}
