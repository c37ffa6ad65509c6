// @ts-check
/**
 * The page of a published run: the viewer, and files of the run beside it from which it computes every row, column and map itself. It needs
 * a server of files and nothing more.
 */
import { createTensorReader } from './data/tensor_file.js';
import { createSiteAnswers } from './numbers/site_answers.js';
import { mount } from './run.js';
import { followTheme } from './views/theme.js';

const NO_FILES = 'This page makes no files: figures, tables and exports are made by the app, where the run is open.';
const FOLDER = 'run';

/** @typedef {import('./numbers/site_answers.js').Site & {manifest: import('./state/fields.js').Manifest, title: string, holds: string}} Page */

async function show() {
  const [site, info] = await Promise.all(['site.json', `${FOLDER}/run.json`].map(fetched));
  const element = /** @type {HTMLElement} */ (document.getElementById('viewer'));
  document.title = site.title;
  /** @type {HTMLElement} */ (document.getElementById('holds')).textContent = site.holds;
  followTheme();
  const tensors = createTensorReader({ address: FOLDER });
  const { fetch: answer } = createSiteAnswers(site, info, { tensors, file: (name, about) => fetch(`${FOLDER}/${name}`, about) });
  mount({
    element,
    props: { value: site.manifest },
    watch: () => {},
    trigger: () => {},
    server: { address: '', fetch: answer, noFiles: NO_FILES, oneHead: false, pictureAddress: (/** @type {string} */ address) => pictureAt(info, address) },
  });
}

/** @param {import('./data/run_info.js').RunInfo} info @param {string} address  image/0 or preview/0 */
function pictureAt(info, address) {
  const [kind, index] = address.replace(/^\/+/, '').split('/');
  const picture = info.images[Number(index)];
  const name = kind === 'preview' ? picture?.preview || picture?.file : picture?.file;
  return name ? `${FOLDER}/${encodeURIComponent(name)}` : 'data:,';
}

/** @param {string} address */
async function fetched(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: status ${response.status}`);
  return response.json();
}

show().catch((error) => {
  const place = document.querySelector('.av-message') ?? document.body;
  place.textContent = `This page cannot be shown (${error.message}). Its folder is read through a web server, such as: python -m http.server`;
  console.error(error);
});
