// @ts-check
/**
 * Which run, or comparison, a page opens: what Gradio gives it, or at first what the address of the page names, if this tab or this browser
 * may. And the address, which follows what is on screen: the view is in its fragment, the ticket only in this tab's storage.
 *
 * @typedef {import('./fields.js').Manifest} Manifest
 */
import { createLibrarySource, findByAddress } from '../data/library_source.js';
import { rememberTicket } from '../data/tickets.js';

/** The address waits until a person has stopped for a moment. */
const SETTLED_MS = 250;

/**
 * @template {{id: string, selection?: object}} Wish  what an address says
 * @param {{get: {manifest: Manifest | null, selection: unknown}, set: (change: {notice: string, lost?: {kind: string, words: string} | null}) => void}} state
 * @param {object} page
 * @param {'run' | 'comparison'} page.kind
 * @param {string} page.base   the address of the routes
 * @param {{value: Manifest | null}} page.props
 * @param {(name: string, listener: () => void) => void} page.watch
 * @param {(fragment: string) => Wish | null} page.read   what a fragment says, null where it names nothing of this kind
 * @param {(id: string, fragment: string) => string} page.write  the fragment for what is on screen, from the one before
 * @param {(manifest: Manifest | null, wish?: Wish) => unknown} page.open
 */
export function createOpening(state, { kind, base, props, watch, read, write, open }) {
  const library = createLibrarySource(base);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  /** @type {Wish | null} */
  let lookedFor = null; // what the address names, until it is found or something else has come
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

  /** Open what the address says; one that says no more than the id leaves the view to the page. @param {Manifest} manifest @param {Wish} wish */
  function restore(manifest, wish) {
    const isOffered = props.value?.id === wish.id;
    restored = manifest.ticket;
    seen = JSON.stringify(manifest);
    opened(manifest, Object.keys(wish.selection ?? {}).length ? wish : { ...wish, selection: undefined });
    if (!isOffered) props.value = manifest; // the page around learns which it is
  }

  /** Look for what the address names; what Gradio gives meanwhile comes first. @param {Wish} wish */
  async function lookFor(wish) {
    const found = await findByAddress(base, kind, wish.id);
    if (!lookedFor) return;
    lookedFor = null;
    if ('manifest' in found) {
      restore(found.manifest, wish);
      return;
    }
    receive();
    state.set({ notice: found.words, lost: found.hasLibrary ? { kind, words: found.words } : null });
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
      const first = JSON.stringify(props.value ?? null);
      watch('value', () => {
        const wish = lookedFor;
        if (wish && JSON.stringify(props.value ?? null) === first) return;
        lookedFor = null;
        if (wish && props.value?.id === wish.id) restore(props.value, wish);
        else if (receive()) state.set({ notice: '' });
      });
      lookedFor = read(location.hash);
      if (!lookedFor) receive();
      else if (props.value?.id === lookedFor.id) {
        restore(props.value, lookedFor);
        lookedFor = null;
      } else void lookFor(lookedFor);
    },

    /** What the address is to say has changed. */
    follow() {
      clearTimeout(waiting);
      if (state.get.manifest?.id !== addressed) writeAddress(); // a reload at once finds what was just opened
      else waiting = setTimeout(writeAddress, SETTLED_MS);
    },

    /** Open the kept run before this one, or after it; where it was asked the same, with the same view. @param {number} by */
    async beside(by) {
      const { manifest } = state.get;
      try {
        const found = await library.beside(kind, manifest?.ticket ?? '', by);
        if (state.get.manifest !== manifest) return;
        const next = { ...found, keeps_view: true };
        restored = next.ticket;
        seen = JSON.stringify(next);
        opened(next);
        props.value = next;
        state.set({ notice: '' });
      } catch (error) {
        state.set({ notice: /** @type {Error} */ (error).message });
      }
    },

    /** The address of what is on screen now. */
    address() {
      writeAddress();
      return location.href;
    },

    dispose() {
      clearTimeout(waiting);
      lookedFor = null;
    },
  };
}
