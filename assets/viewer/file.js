// @ts-check
/**
 * The page of a file: a run or a comparison and the viewer in one HTML file, which asks nobody for anything.
 *
 * Owns where the file's answers lie in its document, what is said above the viewer, and light or dark as the system has it. What is shown
 * is the business of `run.js` and `comparison.js`, whose `mount` it is given: they are other entries.
 */
import { createHeld } from './data/held.js';
import { leftOutWords } from './text/left_out.js';
import { followTheme } from './views/theme.js';

const BLOCKS_KEPT = 16; // that were unpacked, the last asked for
const PICTURE = /(^|\/)(image|preview)\/\d+$/;
const NO_FILES = 'This file makes no others: pictures, figures and tables are made by the app, where the run is open.';

/**
 * @typedef {object} Contents  what the file says of itself
 * @property {import('./state/fields.js').Manifest} manifest
 * @property {string} title
 * @property {string} holds      a sentence: what the file has
 * @property {string} leftOut    sentences: what it has not, '' where it has all
 * @property {boolean} oneHead   rows are held by heads
 *
 * @param {(component: any) => unknown} mount  of the entry that shows it
 * @param {Contents} contents
 */
export async function show(mount, { manifest, title, holds, leftOut, oneHead }) {
  const element = /** @type {HTMLElement} */ (document.getElementById('viewer'));
  document.title = title;
  /** @type {HTMLElement} */ (document.getElementById('holds')).textContent = holds;
  /** @type {HTMLElement} */ (document.getElementById('left-out')).textContent = leftOut;
  followTheme();

  const index = JSON.parse(new TextDecoder().decode(await unpacked('index')));
  const held = createHeld(index, { read: createBlocks(), refusal: (key) => leftOutWords(key, holds) });
  /** @type {Map<string, string>} */
  const pictures = new Map();
  for (const key of held.keys.filter((each) => PICTURE.test(each))) {
    const found = await held.find(key);
    if (found) pictures.set(key, URL.createObjectURL(new Blob([found.content], { type: found.headers['Content-Type'] })));
  }
  mount({
    element,
    props: { value: manifest },
    watch: () => {},
    trigger: () => {},
    server: {
      address: '', fetch: held.fetch, noFiles: NO_FILES, oneHead,
      pictureAddress: (/** @type {string} */ address) => pictures.get(address.replace(/^\/+/, '')) ?? 'data:,',
    },
  });
}

/** Blocks of answers, unpacked when they are asked for. */
function createBlocks() {
  /** @type {Map<number, Promise<ArrayBuffer>>} */
  const blocks = new Map();
  return (/** @type {number} */ number) => {
    const block = blocks.get(number) ?? unpacked(`block-${number}`);
    blocks.delete(number);
    blocks.set(number, block);
    if (blocks.size > BLOCKS_KEPT) blocks.delete(/** @type {number} */ (blocks.keys().next().value));
    return block;
  };
}

/** What lies in the document in base64, deflated. @param {string} id */
async function unpacked(id) {
  const text = document.getElementById(id)?.textContent ?? '';
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))).arrayBuffer();
}
