// @ts-check
/**
 * Readings of a published run: effects of a forecast from its values and pulls, and rows over those of a general question. By the formulas of
 * attention/runs/FORMAT.md, upon the run's own rows and columns. Knows no document.
 *
 * @typedef {import('../data/tensor_file.js').TensorFile} TensorFile
 * @typedef {{positions: number[], layers: Record<string, TensorFile>, scores: TensorFile}} PublishedEffects
 *   of a tower of a forecast; positions: of the rows whose effects lie there whole
 *
 * @typedef {object} PublishedReadings
 * @property {import('../state/readings.js').MadeReading[]} records
 * @property {Record<string, Record<string, PublishedEffects>>} effects  of forecasts, by name and tower
 * @property {Record<string, TensorFile>} general  rows of a general question by tower, by the name of the relative attention
 *
 * @typedef {object} Attention  of the same run
 * @property {(tower: string, layer: number, signal: AbortSignal | null) => Promise<import('./factor_rows.js').Layer>} formulaOf
 * @property {(tower: string, layer: number, query: number, signal: AbortSignal | null) => Promise<Float32Array>} rowAt  from the factors
 * @property {(tower: string, layer: number, key: number, signal: AbortSignal | null) => Promise<Float32Array>} columnAt
 */
import { RequestFailed } from '../data/source.js';
import { effectsOf, product } from './factor_rows.js';

const NO_READING = 'This page does not hold that reading: a run is published with those that were made of it before.';

/**
 * @param {PublishedReadings} published
 * @param {Attention} attention
 * @param {import('../data/tensor_file.js').TensorReader} tensors
 */
export function createEffects(published, attention, tensors) {
  /** @param {string} name @param {string} tower */
  function forecastOf(name, tower) {
    const found = Object.hasOwn(published.effects, name) ? published.effects[name] : null;
    if (!found) throw new RequestFailed(NO_READING, { status: 404, isLeftOut: true });
    if (!Object.hasOwn(found, tower)) throw new RequestFailed(`This forecast has no ${tower} tower; it has ${Object.keys(found).join(', ')}.`, { status: 404 });
    return found[tower];
  }

  /** @param {string} name @param {string} tower @param {number} number */
  function layerOf(name, tower, number) {
    const file = forecastOf(name, tower).layers[number];
    if (!file) throw new RequestFailed(`Layer ${number} of the ${tower} tower has no forecast here.`, { status: 404 });
    return file;
  }

  return {
    /**
     * Effects of one row reading each key a little less, or without a row of all of them: [heads, keys].
     * @param {string} name @param {string} tower @param {number} number @param {number | null} query @param {AbortSignal | null} signal
     */
    async rowAt(name, tower, number, query, signal) {
      const file = layerOf(name, tower, number);
      if (query === null) return /** @type {Float32Array} */ (await tensors.read(file, 'all_rows', { signal }));
      const at = forecastOf(name, tower).positions.indexOf(query);
      if (at >= 0) return /** @type {Float32Array} */ (await tensors.read(file, 'effect', { first: at, last: at + 1, signal }));
      const one = { first: query, last: query + 1, signal };
      const [layer, row, ...parts] = await Promise.all([
        attention.formulaOf(tower, number, signal), attention.rowAt(tower, number, query, signal),
        tensors.read(file, 'pull_by_token', one), tensors.read(file, 'pull_output_by_token', one), tensors.read(file, 'value', { signal }),
      ]);
      const [pull, own, value] = /** @type {Float32Array[]} */ (parts);
      const [, [groups, keys, width]] = file.tensors.value;
      const group = (/** @type {number} */ head) => Math.floor(head / (layer.heads / groups));
      return effectsOf(layer, row, (head, key) => product(pull, head * width, value, (group(head) * keys + key) * width, width), (head) => own[head]);
    },

    /**
     * Effects of each row reading one key a little less: [heads, queries].
     * @param {string} name @param {string} tower @param {number} number @param {number} key @param {AbortSignal | null} signal
     */
    async columnAt(name, tower, number, key, signal) {
      const file = layerOf(name, tower, number);
      const [layer, column, ...parts] = await Promise.all([
        attention.formulaOf(tower, number, signal), attention.columnAt(tower, number, key, signal),
        tensors.read(file, 'pull_by_token', { signal }), tensors.read(file, 'pull_output_by_token', { signal }), tensors.read(file, 'value', { signal }),
      ]);
      const [pull, own, value] = /** @type {Float32Array[]} */ (parts);
      const [, [groups, keys, width]] = file.tensors.value;
      const { heads } = layer;
      const start = (/** @type {number} */ head) => (Math.floor(head / (heads / groups)) * keys + key) * width;
      return effectsOf(layer, column, (head, query) => product(pull, (query * heads + head) * width, value, start(head), width), (head, query) => own[query * heads + head]);
    },

    /** What silencing each head does: [layers, heads]; null for another score. @param {string} name @param {string} tower @param {string} score @param {AbortSignal | null} signal */
    async silenced(name, tower, score, signal) {
      const { scores } = forecastOf(name, tower);
      if (!Object.hasOwn(scores.tensors, score)) return null;
      return { values: /** @type {Float32Array} */ (await tensors.read(scores, score, { signal })), shape: scores.tensors[score][1] };
    },
  };
}

/** Rows of a general question, [layers, heads, cells of all grids]. @param {PublishedReadings} published @param {import('../data/tensor_file.js').TensorReader} tensors @param {string} name @param {string} tower @param {AbortSignal | null} signal */
export async function generalRows(published, tensors, name, tower, signal) {
  const file = Object.hasOwn(published.general, name) ? published.general[name] : null;
  if (!file || !Object.hasOwn(file.tensors, tower)) throw new RequestFailed(file ? `Text reads no picture in the ${tower} tower: there is nothing to set it over.` : NO_READING, { status: 404, isLeftOut: !file });
  return /** @type {Float32Array} */ (await tensors.read(file, tower, { signal }));
}
