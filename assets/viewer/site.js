// @ts-check
/**
 * The page of a published run: the viewer, and files of the run beside it from which it computes every row, column and map itself. It needs
 * a server of files and nothing more.
 */
import { createTensorReader } from './data/tensor_file.js';
import { createComparisonAnswers, createRunAnswers } from './numbers/site_answers.js';
import { followTheme } from './views/theme.js';

const NO_FILES = 'This page makes no files: figures, tables and exports are made by the app, where the run is open.';
const FOLDER = 'run';
const BYTES = 384 * 2 ** 20; // kept of all runs together

/**
 * @typedef {import('./data/run_info.js').RunInfo} RunInfo
 *
 * @typedef {object} Site  site.json
 * @property {import('./state/fields.js').Manifest & {kind: 'run' | 'comparison'}} manifest
 * @property {string} title
 * @property {string} holds
 * @property {Record<string, import('./numbers/site_answers.js').PublishedRun>} runs  by their folders; that of a run alone is ''
 * @property {import('./data/tensor_file.js').TensorFile | null} prepared  of a comparison: what was measured between its members
 */

async function show() {
  const site = /** @type {Site} */ (await fetched('site.json'));
  const element = /** @type {HTMLElement} */ (document.getElementById('viewer'));
  document.title = site.title;
  /** @type {HTMLElement} */ (document.getElementById('holds')).textContent = site.holds;
  followTheme();
  const folders = Object.keys(site.runs);
  const [entry, ...infos] = await Promise.all([
    import(site.manifest.kind === 'run' ? './run.js' : './comparison.js'), ...folders.map((folder) => fetched(`${placeOf(folder)}/run.json`)),
  ]);
  const runs = folders.map((folder, i) => {
    const address = placeOf(folder);
    return createRunAnswers(site.runs[folder], infos[i], { tensors: createTensorReader({ address, limitBytes: BYTES / folders.length }), ofReadings: createTensorReader({ address, limitBytes: BYTES }), file: fileBelow(address) });
  });
  const members = Object.fromEntries(folders.map((folder, i) => [folder, runs[i]]));
  const { fetch: answer } = site.prepared
    ? createComparisonAnswers(site.prepared, members, { tensors: createTensorReader({ address: FOLDER }), file: fileBelow(FOLDER) }) : runs[0];
  entry.mount({
    element,
    props: { value: site.manifest },
    watch: () => {},
    trigger: () => {},
    server: { address: '', fetch: answer, noFiles: NO_FILES, oneHead: false, pictureAddress: (/** @type {string} */ address) => pictureAt(folders, infos, address) },
  });
}

/** @param {string} folder  of a member; '' of a run alone */
const placeOf = (folder) => (folder ? `${FOLDER}/${encodeURIComponent(folder)}` : FOLDER);

/** @param {string} address @returns {typeof globalThis.fetch} */
const fileBelow = (address) => (name, about) => fetch(`${address}/${name}`, about);

/** @param {string[]} folders @param {RunInfo[]} infos @param {string} address  image/0 or preview/0, of a member below its folder */
function pictureAt(folders, infos, address) {
  const parts = address.replace(/^\/+/, '').split('/');
  const [kind, index] = parts.slice(-2);
  const folder = decodeURIComponent(parts.length > 2 ? parts[0] : '');
  const picture = infos[folders.indexOf(folder)]?.images[Number(index)];
  const name = kind === 'preview' ? picture?.preview || picture?.file : picture?.file;
  return name ? `${placeOf(folder)}/${encodeURIComponent(name)}` : 'data:,';
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
