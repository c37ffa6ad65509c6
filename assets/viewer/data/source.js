// @ts-check
/**
 * Where numbers come from: the HTTP routes of one run, or of a comparison of several, a cache of what they answered, and the order
 * of requests.
 *
 * A lane is a purpose (the row on screen, the atlas, what may be wanted next) and has one wish at a time: a new one aborts the
 * old. What was asked for in a lane arrives only while it is still that lane's wish, so nothing stale is ever painted. Knows
 * neither document nor colours.
 */
import { decodeHalf } from './float16.js';
import { LruCache } from './lru.js';

/**
 * @typedef {import('./run_info.js').RunInfo} RunInfo
 * @typedef {import('./run_info.js').Choice} Choice
 *
 * @typedef {object} Numbers
 * @property {Float32Array} values
 * @property {number[]} shape
 * @property {'float16' | 'float32'} dtype   as sent
 * @property {'stored' | 'factors' | 'forecast'} source
 * @property {string} [positions]            which queries a table's rows belong to
 * @property {number[]} [chance]             of a region: shares of a row that reads every cell alike, and of one that reads the middle
 *
 * @typedef {import('./selection.js').Direction} Direction
 * @typedef {{tower: string, direction?: Direction, layer: Choice, head: Choice, query: number, until?: number | null, source?: 'factors', effect?: string | null, isRatio?: boolean}} RowWish
 *   a row, or by its direction a column, or what keys receive; rows that are compared come from the factors; with `effect` the effects that
 *   this forecast says, of what keys receive those of all rows together
 * @typedef {{tower: string, direction?: Direction, query: number, until?: number | null, grid: number, max_cells?: number, effect?: string | null, isRatio?: boolean}} AtlasWish
 * @typedef {{tower: string, query: number, until?: number | null}} MassesWish
 * @typedef {{tower: string, name: string, direction?: Direction, query: number, until?: number | null, key?: number, region?: Place, effect?: string | null}} ScoresWish  of one row, in every layer and head; with `effect` of that forecast, of `received` of all rows
 * @typedef {{tower: string, name: string, layer: Choice, head: Choice}} LineWish  a score of every stored row, in one layer and head
 * @typedef {{tower: string, name: string}} TableWish  the same in every layer and head
 * @typedef {{place: number[], image: number}} Place
 * @typedef {{tower: string, query: number, until?: number | null, region: Place, effect?: string | null}} RegionWish  with `effect` the forecast of its knock-out
 * @typedef {{tower: string, measure: string, adapter: number, query: number | null, region?: Place, part?: string, floor?: string, effect?: string}} ChangeWish
 *   how far heads moved under an adapter, from 0; without a row the mean over those that are compared. `part`: by their layer's own weights
 *   (`direct`) or by what enters it (`inherited`); `floor`: of the base by itself, by the kind of a noise floor; `effect`: of the
 *   forecasts of this name, of which scores are asked for and not this
 */

/**
 * @typedef {object} Server  what answers, where that is not the server that a page came from
 * @property {string} address  of all that it holds: a ticket follows
 * @property {typeof globalThis.fetch} fetch
 * @property {(address: string) => string} pictureAddress  where a picture is, by what it would be called
 * @property {string} noFiles  why there are no files to keep
 * @property {boolean} oneHead  a row is asked for with its head, not with all
 */

/** How long to wait before asking again for what is still being computed. */
const ASK_AGAIN_MS = 200;
/** What takes long says how far it is, by RFC 7240. */
const ASYNC = { Prefer: 'respond-async' };

export class RequestFailed extends Error {
  /**
   * @param {string} message  a sentence for the person
   * @param {{status?: number, isExpired?: boolean, isLeftOut?: boolean}} [about]  left out: of the file that the page is
   */
  constructor(message, { status = 0, isExpired = false, isLeftOut = false } = {}) {
    super(message);
    this.status = status;
    this.isExpired = isExpired;
    this.isLeftOut = isLeftOut;
  }
}

/**
 * @param {object} options
 * @param {string} options.base      the address of the run: .../gradio_api/attention/<ticket>
 * @param {typeof fetch} [options.fetch]
 * @param {Server['pictureAddress']} [options.pictureAddress]
 * @param {string} [options.noFiles]
 * @param {boolean} [options.oneHead]
 * @param {number} [options.limitBytes]  what the cache may hold
 * @param {(done: number, total: number) => void} [options.onProgress]  of what is computed only when it is asked for
 */
export function createSource({
  base, fetch = globalThis.fetch.bind(globalThis), pictureAddress = (address) => address, noFiles = '', oneHead = false, limitBytes = 96 * 2 ** 20,
  onProgress = () => {},
}) {
  /** @type {LruCache<Numbers>} */
  const cache = new LruCache(limitBytes);
  /** @type {Map<string, {name: string, controller: AbortController, promise: Promise<any>}>} */
  const lanes = new Map();

  /** @param {string} path @param {AbortSignal} signal @param {RequestPriority} [priority] */
  async function get(path, signal, priority) {
    let response;
    try {
      response = await fetch(`${base}/${path}`, { signal, priority, credentials: 'same-origin', headers: ASYNC });
    } catch (error) {
      if (signal.aborted) throw error;
      throw new RequestFailed('The server cannot be reached.');
    }
    if (response.ok) return response;
    const body = await response.json().catch(() => ({}));
    throw new RequestFailed(body.error ?? `The server answered with status ${response.status}.`, {
      status: response.status,
      isExpired: Boolean(body.expired),
      isLeftOut: Boolean(body.left_out),
    });
  }

  /** @param {string} path @param {AbortSignal} signal @param {RequestPriority} [priority] @returns {Promise<Numbers>} */
  async function numbers(path, signal, priority) {
    const kept = cache.get(path);
    if (kept) return kept;
    let response = await get(path, signal, priority);
    while (response.status === 202) {
      const { done, total } = await response.json();
      if (signal.aborted) throw new RequestFailed('not wanted any more');
      onProgress(done, total);
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      response = await get(path, signal, priority);
    }
    const content = await response.arrayBuffer();
    const dtype = response.headers.get('X-Attention-Dtype') === 'float16' ? 'float16' : 'float32';
    const result = /** @type {Numbers} */ ({
      values: dtype === 'float16' ? decodeHalf(new Uint16Array(content)) : new Float32Array(content),
      shape: (response.headers.get('X-Attention-Shape') ?? '').split(',').map(Number),
      dtype,
      source: response.headers.get('X-Attention-Source'),
      positions: response.headers.get('X-Attention-Positions') ?? undefined,
    });
    const chance = response.headers.get('X-Attention-Chance');
    if (chance) result.chance = chance.split(',').map(Number);
    if (result.values.length !== result.shape.reduce((product, count) => product * count, 1)) {
      throw new RequestFailed('The server sent less than it said. Try again.');
    }
    cache.set(path, result, result.values.byteLength);
    return result;
  }

  /**
   * Make a lane's wish. Resolves with null when it is no longer wanted; the same wish again joins the first.
   * @template T
   * @param {string} lane
   * @param {string} name  of the wish
   * @param {(signal: AbortSignal) => Promise<T>} wish
   * @returns {Promise<T | null>}
   */
  function wanted(lane, name, wish) {
    const before = lanes.get(lane);
    if (before?.name === name) return before.promise;
    before?.controller.abort();
    const controller = new AbortController();
    const { signal } = controller;
    const promise = wish(signal)
      .then((result) => (signal.aborted ? null : result), (error) => {
        if (signal.aborted) return null;
        throw error;
      })
      .finally(() => {
        if (lanes.get(lane)?.controller === controller) lanes.delete(lane);
      });
    lanes.set(lane, { name, controller, promise });
    return promise;
  }

  /** @param {RowWish} wish */
  const pathOfRow = (wish) => rowPath(wish, oneHead);

  return {
    base,
    /** Why it gives no files to keep, '' where it does. */
    noFiles,

    /** What the cache holds, in bytes, and may hold. */
    get bytes() {
      return cache.bytes;
    },
    limitBytes,

    /** @returns {Promise<RunInfo | null>} */
    runInfo: () => wanted('run', 'run.json', async (signal) => (await get('run.json', signal)).json()),

    /** @param {RowWish} wish */
    keptRow: (wish) => cache.get(pathOfRow(wish)),

    /** @param {RowWish} wish */
    row: (wish) => wanted('row', pathOfRow(wish), (signal) => numbers(pathOfRow(wish), signal)),

    /** @param {AtlasWish} wish */
    keptAtlas: (wish) => cache.get(atlasPath(wish)),

    /** @param {AtlasWish} wish */
    atlas: (wish) => wanted('atlas', atlasPath(wish), (signal) => numbers(atlasPath(wish), signal)),

    /** @param {MassesWish} wish */
    masses: (wish) => wanted('masses', massesPath(wish), (signal) => numbers(massesPath(wish), signal)),

    /** @param {ScoresWish} wish */
    keptScores: (wish) => cache.get(scoresPath(wish)),

    /** @param {ScoresWish} wish */
    scores: (wish) => wanted('scores', scoresPath(wish), (signal) => numbers(scoresPath(wish), signal)),

    /** The readings that were made of the run, the newest first. @returns {Promise<import('../state/readings.js').MadeReading[] | null>} */
    readings: () => wanted('readings', 'readings.json', async (signal) => (await (await get('readings.json', signal)).json()).readings),

    /** All of a small one, by its name. @param {string} name @returns {Promise<any>} */
    reading: (name) => wanted(`reading ${name}`, `reading/${name}`, async (signal) => (await get(`reading/${name}`, signal)).json()),

    /** All that is measured of a region. @param {RegionWish} wish */
    region: (wish) => wanted('region', regionPath(wish), (signal) => numbers(regionPath(wish), signal)),

    /** @param {LineWish} wish */
    line: (wish) => wanted('line', linePath(wish), (signal) => numbers(linePath(wish), signal)),

    /** @param {TableWish} wish */
    table: (wish) => wanted(`table ${wish.name}`, tablePath(wish), (signal) => numbers(tablePath(wish), signal)),

    /** The answer's places, with its numbers read in a space. @param {string} coordinates @returns {Promise<import('./run_info.js').Places | null>} */
    places: (coordinates) => {
      const path = `places?${new URLSearchParams({ coordinates })}`;
      return wanted('places', path, async (signal) => (await get(path, signal)).json());
    },

    /** What every token reads as after a layer, by a lens. @param {string} name @param {number} layer @param {string} [lane] @returns {Promise<import('../text/lens.js').Words | null>} */
    words: (name, layer, lane = 'words') => {
      const path = wordsPath(name, layer);
      return wanted(lane, path, async (signal) => (await get(path, signal)).json());
    },

    // Of a comparison

    /** @returns {Promise<import('./comparison_info.js').ComparisonInfo | null>} */
    comparison: () => wanted('run', 'comparison.json', async (signal) => (await get('comparison.json', signal)).json()),

    /** @param {ChangeWish} wish */
    keptChange: (wish) => cache.get(changePath(wish)),

    /** @param {ChangeWish} wish */
    change: (wish) => wanted('change', changePath(wish), (signal) => numbers(changePath(wish), signal)),

    /** Several, one after the other. @param {ChangeWish[]} wishes @returns {Promise<Numbers[] | null>} */
    changes: (wishes) => wanted('changes', wishes.map(changePath).join(' '), async (signal) => {
      const found = [];
      for (const wish of wishes) found.push(await numbers(changePath(wish), signal, 'low'));
      return found;
    }),

    /** How far the base moves by itself, one kind of floor after the other. @param {ChangeWish[]} wishes @returns {Promise<Numbers[] | null>} */
    floors: (wishes) => wanted('floors', wishes.map(changePath).join(' '), (signal) => Promise.all(wishes.map((wish) => numbers(changePath(wish), signal, 'low')))),

    /** How far the log-probability of each token of the answer moves by itself. @param {string[]} kinds @returns {Promise<Numbers[] | null>} */
    logprobFloors: (kinds) => wanted('logprob floors', kinds.join(' '), (signal) => Promise.all(kinds.map((kind) => numbers(`logprobs?floor=${kind}`, signal, 'low')))),

    /** Of each token of the answer, by each member. */
    logprobs: () => wanted('logprobs', 'logprobs', (signal) => numbers('logprobs', signal)),

    /** All heads of a layer, for a closer look at one of them. @param {RowWish} wish */
    look: (wish) => wanted('look', rowPath(wish), (signal) => numbers(rowPath(wish), signal)),

    /**
     * Fetch what may be wanted next, one after the other; a failure ends it silently, as nobody has asked.
     * @param {RowWish[]} rows
     * @param {AtlasWish[]} atlases
     */
    prefetch(rows, atlases) {
      const paths = [...rows.map(pathOfRow), ...atlases.map(atlasPath)];
      return wanted('next', paths.join(' '), async (signal) => {
        for (const path of paths) {
          if (signal.aborted) return;
          await numbers(path, signal, 'low');
        }
      }).catch(() => null);
    },

    /**
     * Give up a lane's wish.
     * @param {string} lane
     * @param {string} [except]  the wish that is still wanted
     */
    drop(lane, except) {
      const now = lanes.get(lane);
      if (!now || now.name === except) return;
      now.controller.abort();
      lanes.delete(lane);
    },

    /** @param {number} index */
    previewAddress: (index) => pictureAddress(`${base}/preview/${index}`),

    /** The picture in its own resolution. @param {number} index */
    imageAddress: (index) => pictureAddress(`${base}/image/${index}`),

    dispose() {
      for (const { controller } of lanes.values()) controller.abort();
      lanes.clear();
    },
  };
}

/**
 * A layer's row has all heads; over all layers the order of the reductions matters (heads first), so the server does both.
 * @param {RowWish} wish
 * @param {boolean} [oneHead]  the row of the wish's head alone
 */
export function rowPath({ tower, direction, layer, head, query, until, source, effect, isRatio }, oneHead = false) {
  const reduced = oneHead || isRatio || (typeof layer === 'string' && typeof head === 'string') ? `&head=${head}` : '';
  if (effect && direction === 'received') return `row?tower=${tower}&layer=${layer}${reduced}${of(effect)}`;
  if (direction === 'received') return `received?tower=${tower}&layer=${layer}`;
  const [route, name] = direction === 'read by' ? ['column', 'key'] : ['row', 'query'];
  const exact = source && route === 'row' ? `&source=${source}` : '';
  return `${route}?tower=${tower}&layer=${layer}&${name}=${query}${span(until)}${reduced}${exact}${of(effect)}`;
}

/** @param {AtlasWish} wish */
export function atlasPath({ tower, direction, query, until, grid, max_cells, effect, isRatio }) {
  const name = direction === 'read by' ? 'key' : 'query';
  const which = effect && direction === 'received' ? '' : `&${name}=${query}${span(until)}`;
  return `atlas?tower=${tower}${which}&grid=${grid}${max_cells ? `&max_cells=${max_cells}` : ''}${of(effect)}${isRatio ? '&reduced=1' : ''}`;
}

/** @param {MassesWish} wish */
export function massesPath({ tower, query, until }) {
  return `masses?tower=${tower}&query=${query}${span(until)}`;
}

/** @param {ScoresWish} wish */
export function scoresPath({ tower, name, direction, query, until, key, region, effect }) {
  const which = effect && direction === 'received' ? '' : `&query=${query}${span(until)}`;
  return `scores?tower=${tower}&name=${name}${which}${key === undefined ? '' : `&key=${key}`}${region ? placed(region) : ''}${of(effect)}`;
}

/** @param {string} name  of a lens @param {number} layer */
export function wordsPath(name, layer) {
  return `words?reading=${name}&layer=${layer}`;
}

/** @param {LineWish} wish */
export function linePath({ tower, name, layer, head }) {
  return `scores?tower=${tower}&name=${name}&layer=${layer}&head=${head}`;
}

/** @param {TableWish} wish */
export function tablePath({ tower, name }) {
  return `scores?tower=${tower}&name=${name}`;
}

/** @param {ChangeWish} wish */
export function changePath({ tower, measure, adapter, query, region, part, floor, effect }) {
  const which = `${part ? `&part=${part}` : ''}${floor ? `&floor=${floor}` : ''}`;
  return `change?tower=${tower}&measure=${measure}&adapter=${adapter}${query === null ? '' : `&query=${query}`}${region ? placed(region) : ''}${which}${of(effect)}`;
}

/** @param {RegionWish} wish */
export function regionPath({ tower, query, until, region, effect }) {
  return effect ? `region?tower=${tower}${placed(region)}${of(effect)}` : `region?tower=${tower}&query=${query}${span(until)}${placed(region)}`;
}

/** A region as fields of an address. @param {Place} region */
function placed({ place, image }) {
  return `&${place.length === 4 ? 'box' : 'point'}=${sidesOf(place)}&image=${image}`;
}

/** The sides of a region as a text, to a millionth of a pixel. @param {number[]} place */
export function sidesOf(place) {
  return place.map((side) => Number(side.toFixed(6))).join();
}

/** The forecast that numbers are of, where they are not attention. @param {string | null} [effect] */
function of(effect) {
  return effect ? `&reading=${effect}` : '';
}

/** @param {number | null} [until] */
function span(until) {
  return until === null || until === undefined ? '' : `&until=${until}`;
}

/** @typedef {ReturnType<typeof createSource>} Source */
