// @ts-check
/**
 * What is hidden until it is asked for: how the map looks, and all tokens with what belongs to them. Each has a button; what is open stays
 * open in this browser.
 */
import { create, listen, part } from './dom.js';

/** @type {['look' | 'tokens', string, string][]} */
const PANELS = [
  ['look', 'Look', 'opacity, colours, scale, clip, sinks'],
  ['tokens', 'All tokens', 'every token, control tokens too; search, ranges, who reads what, the order of heads, play'],
];
const KEPT = 'attention-open';
const NARROW_PX = 860; // as in the style sheets

/**
 * @param {HTMLElement} root
 * @param {Pick<import('../state/fields.js').ViewerState, 'get' | 'set' | 'on'>} state
 */
export function createPanels(root, state) {
  const buttons = new Map(PANELS.map(([name, text, title]) => [name, create('button', { type: 'button', class: 'av-toggle', text, title, 'data-panel': name })]));
  const [scale, foot] = [part(root, 'scale'), part(root, 'foot-buttons')];
  const ask = create('button', { type: 'button', class: 'av-toggle av-only-narrow', text: 'Ask', title: 'back to the question' });
  foot.prepend(ask, buttons.get('tokens'));
  const open = new Set(kept());

  /** Below the map; where all buttons lie under the thumb, among them. */
  function place() {
    const isNarrow = root.clientWidth <= NARROW_PX;
    const look = /** @type {HTMLElement} */ (buttons.get('look'));
    if (isNarrow && look.parentElement !== foot) ask.after(look);
    else if (!isNarrow && look.parentElement !== scale) scale.append(look);
  }

  /** The nearest question that one can ask here. */
  function goAsk() {
    const question = [...document.querySelectorAll('textarea')].find((each) => !root.contains(each) && each.checkVisibility());
    window.scrollTo({ top: 0 });
    question?.focus({ preventScroll: true });
  }

  function show() {
    for (const [name, button] of buttons) {
      button.setAttribute('aria-expanded', String(open.has(name)));
      root.toggleAttribute(`data-${name}-open`, open.has(name));
    }
    state.set({ size: state.get.size + 1 }); // what was hidden had none
  }

  /** @param {'look' | 'tokens'} name @param {boolean} [isOpen] */
  function toggle(name, isOpen = !open.has(name)) {
    if (isOpen) open.add(name);
    else open.delete(name);
    try {
      localStorage.setItem(KEPT, [...open].join(' '));
    } catch {
      // then it is open on this page alone
    }
    show();
  }

  const undo = [...buttons].map(([name, button]) => listen(button, { click: () => toggle(name) }));
  undo.push(listen(ask, { click: goAsk }), state.on(['size'], place), state.on(['lookAsked'], () => toggle('look', true)));
  place();
  show();
  return { toggle, dispose: () => undo.forEach((end) => end()) };
}

/** @returns {('look' | 'tokens')[]} */
function kept() {
  try {
    const names = (localStorage.getItem(KEPT) ?? '').split(' ');
    return PANELS.map(([name]) => name).filter((name) => names.includes(name));
  } catch {
    return [];
  }
}
