// @ts-check
/** The page around the viewer: its keys, its size, its theme. */
import { listen, part } from './dom.js';
import { commandOf } from '../state/keys.js';

/**
 * @param {HTMLElement} root
 * @param {Pick<import('../state/fields.js').ViewerState, 'get' | 'set'>} state
 * @param {object} page
 * @param {string[]} page.parts  whose size counts
 * @param {import('../state/actions.js').Actions} page.actions
 * @param {{toggle: () => void}} page.help
 * @param {() => void} page.clear  what Escape does
 * @param {() => void} page.gone   the viewer has left the page
 */
export function createSurroundings(root, state, { parts, actions, help, clear, gone }) {
  /** @param {KeyboardEvent} event */
  function press(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.defaultPrevented || target.closest('dialog')) return;
    const found = commandOf(event, { tag: target.tagName, isText: target.isContentEditable });
    if (!found || !state.get.info) return;
    event.preventDefault();
    const { command, by = 0 } = found;
    if (command === 'layer' || command === 'head' || command === 'token') actions.step(command, by);
    else if (command === 'range') actions.extendBy(by);
    else if (command === 'direction') actions.turn();
    else if (command === 'tower') actions.nextTower();
    else if (command === 'sinks') actions.nextSinks();
    else if (command === 'play') actions.play();
    else if (command === 'help') help.toggle();
    else clear();
  }

  const sizes = new ResizeObserver(() => {
    if (root.isConnected) state.set({ size: state.get.size + 1 });
    else gone(); // Gradio tells nobody that a component is gone
  });
  for (const name of parts) sizes.observe(part(root, name));
  const theme = new MutationObserver(() => state.set({ theme: state.get.theme + 1 }));
  theme.observe(document.body, { attributes: true, attributeFilter: ['class'] });
  const undo = listen(root, { keydown: press });

  return {
    dispose() {
      sizes.disconnect();
      theme.disconnect();
      undo();
    },
  };
}

/**
 * State and selection on the root, for tests and for whoever scripts the page.
 * @param {HTMLElement} root
 * @param {string} status
 * @param {import('../state/fields.js').Shown | null | undefined} shown
 * @param {Record<string, string | number | null | undefined>} [more]
 */
export function describe(root, status, shown, more = {}) {
  root.dataset.state = status;
  const names = /** @type {const} */ (['tower', 'direction', 'layer', 'head', 'query', 'until', 'token', 'grid']);
  for (const [name, value] of [...names.map((each) => /** @type {const} */ ([each, shown?.[each]])), ...Object.entries(more)]) {
    if (value === null || value === undefined) delete root.dataset[name];
    else root.dataset[name] = String(value);
  }
}
