// @ts-check
/**
 * Answers of a published run or comparison, in place of a server that computes them: by the same addresses, from the run's own queries and keys. What only
 * the app can compute is refused in words. Knows no document.
 *
 * @typedef {import('../data/tensor_file.js').TensorFile} TensorFile
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 * @typedef {import('../data/run_info.js').Choice} Choice
 *
 * @typedef {object} Formula  of one layer
 * @property {number} scaling
 * @property {number | null} softcap
 * @property {string} mask  causal, full, segments, or the name of a packed mask
 *
 * @typedef {object} PublishedRun  a run, as site.json says it
 * @property {Record<string, {positions: number[], layers: Record<string, TensorFile & Formula>}>} towers  positions: of the stored rows
 * @property {TensorFile | null} masks   packed, eight keys a byte
 * @property {TensorFile | null} scores  tables of the stored rows: [layers, heads, rows], by tower and name
 * @property {import('./site_readings.js').PublishedReadings} [readings]
 */
import { keyOf } from '../data/held.js';
import { RequestFailed } from '../data/source.js';
import { keysOfGrid, layersOf } from '../data/run_info.js';
import { chosenHead, columnOf, reduced, reducedEffects, rowOf, split } from './factor_rows.js';
import { pooled, pooledShape } from './pooling.js';
import { createEffects, generalRows } from './site_readings.js';
import { createRelative } from './site_relative.js';

const NOT_HERE = 'This page computes rows, columns and maps. For this number open the run in the app.';
const NONE = { records: [], effects: {}, general: {} };

/**
 * @param {PublishedRun} site
 * @param {RunInfo} info
 * @param {object} reading
 * @param {import('../data/tensor_file.js').TensorReader} reading.tensors
 * @param {import('../data/tensor_file.js').TensorReader} [reading.ofReadings]  another of the same files, with a cache of its own
 * @param {typeof globalThis.fetch} reading.file  a file of the run's, by its path below it
 */
export function createRunAnswers(site, info, { tensors, ofReadings = tensors, file }) {
  const readings = site.readings ?? NONE;
  const effects = createEffects(readings, {
    formulaOf: (tower, number, signal) => formulaOf(layerAt(tower, number), signal),
    rowAt: (tower, number, query, signal) => rowAt(tower, number, query, true, signal), columnAt,
  }, ofReadings);

  /** @param {string} tower @param {number} number */
  function layerAt(tower, number) {
    const layer = site.towers[tower]?.layers[number];
    if (!layer) throw new RequestFailed(`Layer ${number} of the ${tower} tower has no attention here.`, { status: 404 });
    return layer;
  }

  /** @param {TensorFile & Formula} layer @returns {Promise<import('./factor_rows.js').Layer>} */
  async function formulaOf(layer, /** @type {AbortSignal | null} */ signal) {
    const [, [, heads, headDim]] = layer.tensors.query_by_token;
    const [, [kvHeads, keys]] = layer.tensors.key;
    const sinkLogits = 'sink_logits' in layer.tensors ? await tensors.read(layer, 'sink_logits', { signal }) : null;
    return { heads, kvHeads, keys, headDim, scaling: layer.scaling, softcap: layer.softcap ?? 0, sinkLogits };
  }

  /** What a query reads: which keys, and between which two they lie. @param {TensorFile & Formula} layer @param {number} query @param {number} n */
  async function readBy(layer, query, n, /** @type {AbortSignal | null} */ signal) {
    const all = () => true;
    if (layer.mask === 'causal') return { isRead: all, reach: /** @type {[number, number]} */ ([0, query + 1]) };
    if (layer.mask === 'full') return { isRead: all, reach: /** @type {[number, number]} */ ([0, n]) };
    if (layer.mask === 'segments') {
      const ends = await tensors.read(layer, 'segments', { signal });
      const at = ends.findIndex((/** @type {number} */ end) => end > query);
      return { isRead: all, reach: /** @type {[number, number]} */ ([at ? ends[at - 1] : 0, ends[at]]) };
    }
    const bits = await tensors.read(/** @type {TensorFile} */ (site.masks), layer.mask, { first: query, last: query + 1, signal });
    return { isRead: (/** @type {number} */ key) => Boolean(bits[key >> 3] >> (key & 7) & 1), reach: /** @type {[number, number]} */ ([0, n]) };
  }

  /** Which queries read a key. @param {TensorFile & Formula} layer @param {number} key */
  async function readersOf(layer, key, /** @type {AbortSignal | null} */ signal) {
    if (layer.mask === 'full') return () => true;
    if (layer.mask === 'causal') return (/** @type {number} */ query) => query >= key;
    if (layer.mask === 'segments') {
      const ends = await tensors.read(layer, 'segments', { signal });
      const segment = (/** @type {number} */ at) => ends.findIndex((/** @type {number} */ end) => end > at);
      return (/** @type {number} */ query) => segment(query) === segment(key);
    }
    const bits = await tensors.read(/** @type {TensorFile} */ (site.masks), layer.mask, { signal });
    const bytes = /** @type {TensorFile} */ (site.masks).tensors[layer.mask][1][1];
    return (/** @type {number} */ query) => Boolean(bits[query * bytes + (key >> 3)] >> (key & 7) & 1);
  }

  /**
   * One row of a layer, [heads, keys]; stored where it is, unless it is to come from the factors.
   * @param {string} tower @param {number} number @param {number} query @param {boolean} isExact @param {AbortSignal | null} signal
   */
  async function rowAt(tower, number, query, isExact, signal) {
    const layer = layerAt(tower, number);
    const at = isExact ? -1 : site.towers[tower].positions.indexOf(query);
    if (at >= 0) return /** @type {Float32Array} */ (await tensors.read(layer, 'attention', { first: at, last: at + 1, signal }));
    const formula = await formulaOf(layer, signal);
    const [one, key, { isRead, reach }] = await Promise.all([
      tensors.read(layer, 'query_by_token', { first: query, last: query + 1, signal }), tensors.read(layer, 'key', { signal }),
      readBy(layer, query, formula.keys, signal),
    ]);
    return rowOf(formula, /** @type {Float32Array} */ (one), /** @type {Float32Array} */ (key), isRead, reach);
  }

  /** @param {string} tower @param {number} number @param {number} key @param {AbortSignal | null} signal */
  async function columnAt(tower, number, key, signal) {
    const layer = layerAt(tower, number);
    const [formula, queries, keys, sums, reads] = await Promise.all([
      formulaOf(layer, signal), tensors.read(layer, 'query_by_token', { signal }), tensors.read(layer, 'key', { signal }),
      tensors.read(layer, 'log_sum_exp', { signal }), readersOf(layer, key, signal),
    ]);
    return columnOf(formula, /** @type {Float32Array} */ (queries), /** @type {Float32Array} */ (keys), /** @type {Float64Array} */ (sums), key, reads);
  }

  /**
   * Values of one layer, [heads, places]: the mean over a span.
   * @param {Fields} asked @param {number} number @param {AbortSignal | null} signal
   */
  async function valuesAt(asked, number, signal) {
    const { tower, isRow, effect } = asked;
    if (effect !== null && isRow && asked.query === null) return effects.rowAt(effect, tower, number, null, signal);
    const [first, last] = spanOf(asked);
    const isStored = isRow && isWholeStored(tower, first, last) && !asked.isExact;
    const values = [];
    for (let at = first; at <= last; at++) {
      if (effect !== null) values.push(await effects[isRow ? 'rowAt' : 'columnAt'](effect, tower, number, at, signal));
      else values.push(await (isRow ? rowAt(tower, number, at, !isStored, signal) : columnAt(tower, number, at, signal)));
    }
    return values.length > 1 ? reduced(values, 'mean') : values[0];
  }

  /** @param {string} tower @param {number} first @param {number} last */
  function isWholeStored(tower, first, last) {
    const { positions } = site.towers[tower];
    const at = positions.indexOf(first);
    return at >= 0 && positions[at + last - first] === last;
  }

  /** Values of every layer, [heads, places] each. @param {Fields} asked @param {AbortSignal | null} signal */
  const allLayers = (asked, signal) => Promise.all(layersOf(info, asked.tower).map((number) => valuesAt(asked, number, signal)));

  /** @param {Fields} asked @param {AbortSignal | null} signal */
  async function reading(asked, signal) {
    const { tower, layer, head } = asked;
    const { heads } = info.towers[tower];
    const by = asked.effect === null ? reduced : reducedEffects;
    const chosen = (/** @type {Float32Array} */ values) => chosenHead(values, heads, head, by);
    const values = isReduced(layer) ? by((await allLayers(asked, signal)).map(chosen), layer) : chosen(await valuesAt(asked, /** @type {number} */ (layer), signal));
    const rows = head === null ? heads : 1;
    return { values, shape: [rows, values.length / rows], source: sourceOf(asked) };
  }

  /** @param {Fields} asked */
  function sourceOf(asked) {
    if (asked.effect !== null) return 'forecast';
    return asked.isRow && !asked.isExact && isWholeStored(asked.tower, ...spanOf(asked)) ? 'stored' : 'factors';
  }

  /** @param {Fields} asked @param {AbortSignal | null} signal */
  async function atlas(asked, signal) {
    const { rows, cols } = info.grids[asked.grid];
    const keys = keysOfGrid(info, asked.grid);
    const to = asked.maxCells ? pooledShape(rows, cols, asked.maxCells) : /** @type {[number, number]} */ ([rows, cols]);
    const layers = await allLayers(asked, signal);
    const { heads } = info.towers[asked.tower];
    const values = new Float32Array(layers.length * heads * to[0] * to[1]);
    layers.forEach((layer, i) => split(layer, layer.length / heads).forEach((row, head) => {
      values.set(pooled(Float32Array.from(keys, (key) => row[key]), [rows, cols], to), (i * heads + head) * to[0] * to[1]);
    }));
    return { values, shape: [layers.length, heads, ...to], source: sourceOf(asked) };
  }

  /** @param {Fields} asked @param {AbortSignal | null} signal */
  async function masses(asked, signal) {
    const groups = info.groups[asked.tower];
    const { heads } = info.towers[asked.tower];
    const layers = await allLayers({ ...asked, isExact: true }, signal);
    const numbers = layersOf(info, asked.tower);
    const values = new Float32Array(layers.length * heads * groups.length);
    layers.forEach((layer, i) => split(layer, layer.length / heads).forEach((row, head) => groups.forEach(({ spans }, j) => {
      const sinks = info.sinks?.[asked.tower]?.[numbers[i]] ?? [];
      let sum = 0;
      if (spans === null) for (const key of sinks) sum += row[key];
      else for (const [start, stop] of spans) for (let key = start; key < stop; key++) sum += row[key];
      values[(i * heads + head) * groups.length + j] = sum;
    })));
    return { values, shape: [layers.length, heads, groups.length], source: 'factors' };
  }

  /** A score of the stored rows: all of them, one row's, or one layer's and head's. @param {Fields} asked @param {AbortSignal | null} signal */
  async function scores(asked, signal) {
    if (asked.effect !== null) return effectScores(asked, asked.effect, signal);
    const name = `${asked.tower}.${asked.name}`;
    if (!site.scores || !(name in site.scores.tensors)) throw new RequestFailed(NOT_HERE, { status: 404, isLeftOut: true });
    const { positions } = site.towers[asked.tower];
    const table = /** @type {Float32Array} */ (await tensors.read(site.scores, name, { signal }));
    const [, [layers, heads, rows]] = site.scores.tensors[name];
    if (asked.query !== null) {
      const at = positions.indexOf(asked.query);
      if (at < 0 || asked.until !== null) throw new RequestFailed(NOT_HERE, { status: 404, isLeftOut: true });
      return { values: Float32Array.from({ length: layers * heads }, (_, i) => table[i * rows + at]), shape: [layers, heads], source: 'factors' };
    }
    const about = { source: 'factors', positions: rangesOf(positions) };
    if (asked.layer === null) return { values: table, shape: [layers, heads, rows], ...about };
    const { layer, head } = asked;
    const ofHeads = split(table, heads * rows).map((each) => {
      const lines = split(each, rows);
      return isReduced(head) ? reduced(lines, head) : lines[/** @type {number} */ (head)];
    });
    const values = isReduced(layer) ? reduced(ofHeads, layer) : ofHeads[layersOf(info, asked.tower).indexOf(layer)];
    return { values, shape: [rows], ...about };
  }

  /** What silencing each head does, or the effects at a key: [layers, heads]. @param {Fields} asked @param {string} effect @param {AbortSignal | null} signal */
  async function effectScores(asked, effect, signal) {
    const silenced = await effects.silenced(effect, asked.tower, asked.name, signal);
    if (silenced) return { ...silenced, source: 'forecast' };
    const { key } = asked;
    if (asked.name !== 'value' || key === null) throw new RequestFailed(NOT_HERE, { status: 404, isLeftOut: true });
    const layers = await allLayers(asked, signal);
    const { heads } = info.towers[asked.tower];
    const values = Float32Array.from(layers.flatMap((layer) => split(layer, layer.length / heads).map((row) => row[key])));
    return { values, shape: [layers.length, heads], source: 'forecast' };
  }

  /** What each key receives, the mean over all queries. @param {Fields} asked @param {AbortSignal | null} signal */
  async function received(asked, signal) {
    if (isReduced(asked.layer) || asked.effect !== null) throw new RequestFailed(NOT_HERE, { status: 404, isLeftOut: true });
    const layer = layerAt(asked.tower, /** @type {number} */ (asked.layer));
    const [, [heads, keys]] = layer.tensors.received;
    return { values: /** @type {Float32Array} */ (await tensors.read(layer, 'received', { signal })), shape: [heads, keys], source: 'factors' };
  }

  /** @type {Record<string, (asked: Fields, signal: AbortSignal | null) => Promise<Found>>} */
  const answers = { row: reading, column: reading, atlas, masses, scores, received };
  /** @type {Record<string, (asked: Fields, name: string, signal: AbortSignal | null) => Promise<Found>>} */
  const relative = createRelative(info, { reading, atlas, general: (name, tower, signal) => generalRows(readings, ofReadings, name, tower, signal) });

  /** @type {typeof globalThis.fetch} */
  async function fetch(address, { signal = null } = {}) {
    const [path, query = ''] = String(address).replace(/^\/+/, '').split('?');
    const fields = new URLSearchParams(query);
    if (path === 'run.json') return file('run.json', { signal });
    if (path === 'places') return file(`places_${fields.get('coordinates')}.json`, { signal });
    if (path === 'readings.json') return Response.json({ readings: readings.records, unread: [] });
    const name = fields.get('reading');
    const { kind, layers = [] } = readings.records.find((each) => each.name === name) ?? {};
    const layer = Number(fields.get('layer') ?? NaN);
    if (path === 'words' && kind === 'lens' && layers.includes(layer)) return file(`readings/${name}/words_${layer}.json`, { signal });
    if (!Object.hasOwn(answers, path) || fields.has('box') || fields.has('point')) return refused(NOT_HERE);
    if (name === null || kind !== 'relative') return answered(() => answers[path](fieldsOf(path, fields), signal));
    const asked = { ...fieldsOf(path, fields), effect: null };
    return Object.hasOwn(relative, path) && asked.isRow && asked.query !== null ? answered(() => relative[path](asked, name, signal)) : refused(NOT_HERE);
  }

  return { fetch };
}

/**
 * Answers of a published comparison: its members', and what was measured between them.
 * @param {TensorFile} prepared  each number by its address
 * @param {Record<string, {fetch: typeof globalThis.fetch}>} members  by their folders
 * @param {object} reading
 * @param {import('../data/tensor_file.js').TensorReader} reading.tensors
 * @param {typeof globalThis.fetch} reading.file
 */
export function createComparisonAnswers(prepared, members, { tensors, file }) {
  /** @type {typeof globalThis.fetch} */
  async function fetch(address, about = {}) {
    const key = keyOf(String(address));
    const [member, ...rest] = key.split('/');
    if (rest.length) return Object.hasOwn(members, member) ? members[member].fetch(rest.join('/'), about) : refused(NOT_HERE);
    if (key === 'comparison.json') return file(key, about);
    if (!Object.hasOwn(prepared.tensors, key)) return refused(NOT_HERE);
    return answered(async () => {
      const values = /** @type {Float32Array} */ (await tensors.read(prepared, key, { signal: about.signal }));
      return { values, shape: prepared.tensors[key][1], source: 'factors' };
    });
  }

  return { fetch };
}

/** @param {() => Promise<Found>} find */
async function answered(find) {
  try {
    const { values, shape, source, positions } = await find();
    return new Response(new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice(), {
      headers: {
        'X-Attention-Dtype': 'float32', 'X-Attention-Shape': String(shape), 'X-Attention-Source': source,
        ...(positions === undefined ? {} : { 'X-Attention-Positions': positions }),
      },
    });
  } catch (error) {
    if (!(error instanceof RequestFailed)) throw error;
    return error.isLeftOut ? refused(error.message) : Response.json({ error: error.message }, { status: error.status || 502 });
  }
}

/** @param {string} error */
function refused(error) {
  return Response.json({ error, left_out: true }, { status: 404 });
}

/**
 * @typedef {object} Fields  of an address
 * @property {string} tower
 * @property {Choice | null} layer  null where none is named
 * @property {Choice | null} head
 * @property {number | null} query  or the key, of what is no row
 * @property {number | null} until
 * @property {boolean} isRow
 * @property {boolean} isExact  from the factors
 * @property {number} grid
 * @property {number | null} maxCells
 * @property {string} name
 * @property {number | null} key  of a score at a key
 * @property {string | null} effect  the forecast whose effects are asked for
 * @property {boolean} withReduced
 *
 * @typedef {{values: Float32Array, shape: number[], source: string, positions?: string}} Found
 */

/** @param {string} path @param {URLSearchParams} fields @returns {Fields} */
function fieldsOf(path, fields) {
  const number = (/** @type {string} */ name) => (fields.has(name) ? Number(fields.get(name)) : null);
  const choice = (/** @type {string} */ name) => {
    const text = fields.get(name);
    return text === null ? null : text === 'mean' || text === 'max' ? text : Number(text);
  };
  const isRow = path === 'scores' || (path !== 'column' && !fields.has('key'));
  return {
    tower: fields.get('tower') ?? 'language', layer: choice('layer'), head: choice('head'),
    query: number(isRow ? 'query' : 'key'), until: number('until'), isRow, isExact: fields.get('source') === 'factors', grid: number('grid') ?? 0,
    maxCells: number('max_cells'), name: fields.get('name') ?? '', key: number('key'), effect: fields.get('reading'), withReduced: fields.get('reduced') === '1',
  };
}

/** @param {Fields} asked @returns {[first: number, last: number]} */
function spanOf({ query, until }) {
  const first = /** @type {number} */ (query);
  return [first, until ?? first];
}

/** Ascending positions as a header has them: 0-12,40. @param {number[]} positions */
function rangesOf(positions) {
  const parts = /** @type {[number, number][]} */ ([]);
  for (const at of positions) {
    const part = parts.at(-1);
    if (part && part[1] === at - 1) part[1] = at;
    else parts.push([at, at]);
  }
  return parts.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join();
}

/** @param {Choice | null} choice @returns {choice is 'mean' | 'max'} */
function isReduced(choice) {
  return typeof choice === 'string';
}
