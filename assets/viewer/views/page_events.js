// @ts-check
/** The page around the viewer: its keys, its size, its theme. */
import { listen, part } from './dom.js';
import { actionOf } from '../state/commands.js';

/**
 * @param {HTMLElement} root
 * @param {Pick<import('../state/fields.js').ViewerState, 'get' | 'set'>} state
 * @param {object} page
 * @param {string[]} page.parts  whose size counts
 * @param {ReturnType<typeof import('../state/commands.js').createCommands>} page.commands
 * @param {() => void} page.gone   the viewer has left the page
 */
export function createPageEvents(root, state, { parts, commands, gone }) {
  /** @param {KeyboardEvent} event */
  function press(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.defaultPrevented || target.closest('dialog')) return;
    const act = actionOf(commands, event, { tag: target.tagName, isText: target.isContentEditable });
    if (!act || !state.get.info) return;
    event.preventDefault();
    act();
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
