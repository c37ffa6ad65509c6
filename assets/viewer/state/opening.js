// @ts-check
/**
 * Which run, or comparison, a page opens: what Gradio gives it, or at first what the address of the page names, if this tab may. And the
 * address, which follows what is on screen: the view is in its fragment, the ticket only in this tab's storage.
 *
 * @typedef {import('./fields.js').Manifest} Manifest
 */
import { recallTicket, rememberTicket } from '../data/tickets.js';

/** The address waits until a person has stopped for a moment. */
const SETTLED_MS = 250;

/**
 * @template {{id: string}} Wish  what an address says
 * @param {{get: {manifest: Manifest | null, selection: unknown}, set: (change: {notice: string}) => void}} state
 * @param {object} page
 * @param {'run' | 'comparison'} page.kind
 * @param {{value: Manifest | null}} page.props
 * @param {(name: string, listener: () => void) => void} page.watch
 * @param {(fragment: string) => Wish | null} page.read   what a fragment says, null where it names nothing of this kind
 * @param {(id: string, fragment: string) => string} page.write  the fragment for what is on screen, from the one before
 * @param {(manifest: Manifest | null, wish?: Wish) => unknown} page.open
 */
export function createOpening(state, { kind, props, watch, read, write, open }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  let addressed = ''; // what the page's address names
  let seen = '';
  let restored = ''; // the ticket that the address led to: the server may send the same once more, without the view

  function writeAddress() {
    clearTimeout(waiting);
    const { manifest, selection } = state.get;
    if (!manifest || !selection) return;
    addressed = manifest.id;
    const { pathname, search, hash } = location;
    const fragment = write(manifest.id, hash);
    if (fragment === hash) return;
    try {
      history.replaceState(history.state, '', pathname + search + fragment);
    } catch {
      // a document in a frame of a notebook has no address of its own
    }
  }

  /** @param {Manifest} manifest @param {Wish} [wish] */
  function opened(manifest, wish) {
    rememberTicket(manifest);
    void open(manifest, wish);
  }

  /** Open what the address says, if this tab may. @returns {boolean} whether it does */
  function openAddress() {
    const wish = read(location.hash);
    if (!wish) return false;
    const offered = props.value?.id === wish.id ? props.value : null;
    const manifest = offered ?? recallTicket(wish.id);
    if (!manifest || manifest.kind !== kind) {
      state.set({ notice: `The ${kind} ${wish.id} of this address is not open in this tab: only who made a ${kind} can open it.` });
      return false;
    }
    restored = manifest.ticket;
    seen = JSON.stringify(manifest);
    opened(manifest, wish);
    if (!offered) props.value = manifest; // the page around learns which it is
    return true;
  }

  /** @returns {boolean} whether Gradio's value is another one */
  function receive() {
    const text = JSON.stringify(props.value ?? null);
    if (text === seen) return false;
    seen = text;
    const isRestored = restored && props.value?.ticket === restored;
    restored = '';
    if (isRestored) return false;
    if (props.value) opened(props.value);
    else void open(null);
    return true;
  }

  return {
    begin() {
      watch('value', () => { if (receive()) state.set({ notice: '' }); });
      if (!openAddress()) receive();
    },

    /** What the address is to say has changed. */
    follow() {
      clearTimeout(waiting);
      if (state.get.manifest?.id !== addressed) writeAddress(); // a reload at once finds what was just opened
      else waiting = setTimeout(writeAddress, SETTLED_MS);
    },

    /** The address of what is on screen now. */
    address() {
      writeAddress();
      return location.href;
    },

    dispose: () => clearTimeout(waiting),
  };
}
