// @ts-check
/**
 * What viewers and other components tell each other over the page: which run is on screen, that the one before or after it is wished, that
 * the library is to be looked at, which heads were found over a set, what came of a trial or a
 * reading. Neither needs the other to be there.
 *
 * @typedef {{shown: {kind: string, ticket: string | null}, beside: {kind: string, by: number}, library: {kind: string}, heads: {kind: string, given: GivenHeads}, tried: {kind: string, told: Told}}} KeptEvents
 * @typedef {import('../state/trials.js').Told | import('../state/readings.js').ToldOfReading} Told  of a trial or a reading
 * @typedef {{text: string, name: string}} GivenHeads  found heads as the text of a file of that name
 */

/** @type {Map<string, string | null>} the ticket that is on screen, by kind: whoever comes later may ask */
const onScreen = new Map();

/** @type {GivenHeads | null} what was given last: a viewer that comes later asks for it */
let given = null;

/** @type {{kind: string, until: number} | null} */
let wished = null;
/** How long after it was asked for the library is expected: Gradio unfolds what it lies in. */
const UNFOLDED_MS = 5000;

/** @template {keyof KeptEvents} Name @param {Name} name @param {KeptEvents[Name]} detail */
function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(`attention-${name}`, { detail }));
}

/** A run, or a comparison, is on screen; null for none. @param {string} kind @param {string | null} ticket */
export function tellShown(kind, ticket) {
  onScreen.set(kind, ticket);
  tell('shown', { kind, ticket });
}

/** @param {string} kind */
export const shownTicket = (kind) => onScreen.get(kind) ?? null;

/** @param {string} kind @param {number} by  -1 for the one before, 1 for the next */
export const askBeside = (kind, by) => tell('beside', { kind, by });

/** @param {string} kind */
export function askForLibrary(kind) {
  wished = { kind, until: Date.now() + UNFOLDED_MS };
  tell('library', { kind });
}

/** Whether somebody waits for the library, which came on the page for it. @param {string} kind */
export function isLibraryWished(kind) {
  const is = wished?.kind === kind && Date.now() < wished.until;
  if (is) wished = null;
  return is;
}

/** Give found heads to the viewer of runs, which may not be there yet. @param {GivenHeads} heads */
export function giveHeads(heads) {
  given = heads;
  tell('heads', { kind: 'run', given });
}

/** What the server tells of a trial or a reading, to the viewer that has asked. @param {Told & {viewer?: string}} told */
export const tellTried = (told) => tell('tried', { kind: told.viewer ?? 'run', told });

/** Found heads that were given before. */
export const givenHeads = () => given;

/**
 * Hear what is told of one kind; the function that comes back ends it.
 * @param {string} kind
 * @param {{[Name in keyof KeptEvents]?: (detail: KeptEvents[Name]) => void}} listeners
 */
export function hearKept(kind, listeners) {
  const undo = Object.entries(listeners).map(([name, listener]) => {
    const hear = (/** @type {any} */ { detail }) => detail.kind === kind && listener(detail);
    document.addEventListener(`attention-${name}`, hear);
    return () => document.removeEventListener(`attention-${name}`, hear);
  });
  return () => undo.forEach((end) => end());
}
