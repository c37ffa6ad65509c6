// @ts-check
/**
 * What tests/bench/viewer.py and comparison.py measure inside the page, as window.bench.
 *
 * Times are milliseconds by performance.now(). Nothing sleeps: what the viewer shows is read from the attributes of its
 * root element when they change, and what the browser shows from its own frames. Runs before the page's scripts, to see
 * every request.
 */
(() => {
  const now = () => performance.now();
  const root = () => /** @type {any} */ (document.querySelector('.av-root'));
  const canvas = (/** @type {string} */ name) => /** @type {HTMLCanvasElement} */ (root().querySelector(name));
  const PHASES = 0.618 * (1000 / 60); // spread over a frame, as the moments at which a person acts are
  const state = () => root().__attn.state;
  let samples = 0;

  /** @type {{address: string, isAborted: boolean, isDone: boolean}[]} */
  const requests = [];
  const { fetch } = window;
  window.fetch = async (address, options) => {
    if (!String(address).includes('/attention/')) return fetch(address, options);
    const request = { address: String(address), isAborted: false, isDone: false };
    requests.push(request);
    options?.signal?.addEventListener('abort', () => { request.isAborted = !request.isDone; });
    const response = await fetch(address, options);
    for (const name of /** @type {const} */ (['arrayBuffer', 'json'])) {
      const read = response[name].bind(response);
      response[name] = async () => {
        const content = await read();
        request.isDone = true;
        return content;
      };
    }
    return response;
  };

  /** The time at which the viewer says so. @param {() => boolean} isSo */
  function until(isSo) {
    return new Promise((resolve, reject) => {
      const end = (/** @type {() => void} */ how) => {
        observer.disconnect();
        window.clearTimeout(limit);
        how();
      };
      const check = () => { if (isSo()) end(() => resolve(now())); };
      const observer = new MutationObserver(check);
      const limit = window.setTimeout(() => end(() => reject(new Error(`It never came: ${JSON.stringify(root().dataset)}`))), 20000);
      observer.observe(root(), { attributes: true });
      check();
    });
  }

  /** Whether the root says that it shows this. @param {Record<string, any>} change @param {string[]} states */
  const says = (change, states) => states.includes(root().dataset.state)
    && Object.entries(change).every(([name, value]) => root().dataset[name] === String(value));

  const startOfFrame = () => new Promise((resolve) => { window.requestAnimationFrame(resolve); });

  /** The time at which the main thread has done the next frame: style, layout, painting. */
  async function frame() {
    await startOfFrame();
    return restOfFrame();
  }

  /** From the start of a frame to its end: before anything else that waits for it. */
  const restOfFrame = () => /** @type {any} */ (window).scheduler.postTask(now, { priority: 'user-blocking' });

  /** Begin at another part of a frame each time. */
  async function anyPhase() {
    await frame();
    const end = now() + ((samples++ * PHASES) % (1000 / 60));
    while (now() < end);
  }

  /** Let what was drawn be rastered. @param {string} name */
  function flush(name) {
    const begun = now();
    canvas(name).getContext('2d')?.getImageData(0, 0, 1, 1);
    return now() - begun;
  }

  /** @param {string} name @param {number} parts  the height of the canvas is divided in */
  function lines(name, parts) {
    const { width, height } = canvas(name);
    const context = /** @type {CanvasRenderingContext2D} */ (canvas(name).getContext('2d'));
    return Array.from({ length: parts }, (_, i) => hash(context.getImageData(0, Math.floor(((i + 0.5) * height) / parts), width, 1).data)).join();
  }

  /** @param {{buffer: ArrayBufferLike, byteOffset: number, byteLength: number}} values */
  function hash({ buffer, byteOffset, byteLength }) {
    const words = new Uint32Array(buffer, byteOffset, byteLength >> 2);
    let result = 2166136261;
    for (const word of words) result = Math.imul(result ^ word, 16777619);
    return result;
  }

  /** The map on screen: its values and a line of its pixels. */
  const painted = () => `${hash(state().shown.cells)} ${lines('.av-overlay', 1)}`;

  /**
   * What the time until something was shown was spent on, where it was asked of the server.
   * @param {string} route
   * @param {number} begun
   * @param {number} shown
   */
  function parts(route, begun, shown) {
    const entries = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType('resource'));
    const entry = entries.find(({ name, startTime }) => name.includes(`/${route}?`) && startTime >= begun);
    return entry && {
      sent: entry.startTime - begun, answered: entry.responseStart - entry.startTime,
      arrived: entry.responseEnd - entry.responseStart, drawn: shown - entry.responseEnd,
    };
  }

  /**
   * Select, and follow what becomes of it until all of it is shown.
   * @param {Record<string, any>} change
   */
  async function select(change) {
    await anyPhase();
    performance.clearResourceTimings();
    const asked = requests.length;
    const begun = now();
    root().__attn.select(change);
    await until(() => says(change, ['row', 'ready']));
    const wasWhole = root().dataset.state === 'ready';
    flush('.av-overlay');
    const overlay = now();
    const presented = frame();
    await until(() => says(change, ['ready']));
    const flushed = flush('.av-atlas-canvas');
    const atlas = now();
    const paint = (state().perf.atlas_ms ?? NaN) + flushed;
    const shown = await presented;
    await frame();
    return {
      overlay: overlay - begun, presented: shown - begun, atlas: atlas - begun, paint, isOverlayFirst: !wasWhole,
      asked: requests.slice(asked).map(({ address }) => address.split('/').pop()),
      rowParts: parts('row', begun, overlay), atlasParts: parts('atlas', begun, atlas),
    };
  }

  /**
   * Select in a comparison, and follow what becomes of it until every panel shows it: the maps, the matrix, everyone's small map.
   * @param {Record<string, any>} change
   */
  async function compare(change) {
    await anyPhase();
    const asked = requests.length;
    const begun = now();
    root().__attn.select(change);
    await until(() => says(change, ['row', 'ready']));
    for (const name of ['before', 'after', 'difference', 'wipe']) flush(`[data-pane=${name}] .av-overlay`);
    const maps = now();
    await until(() => says(change, ['ready']));
    flush('.av-matrix-canvas');
    if (root().querySelector('.av-member-map')) flush('.av-member-map');
    const panels = now();
    const shown = await frame();
    return {
      maps: maps - begun, panels: panels - begun, presented: shown - begun,
      asked: requests.slice(asked).map(({ address }) => address.split('/').pop()),
    };
  }

  /** @param {Record<string, any>[]} changes */
  const selectAll = (changes) => oneByOne(changes, select);

  /** @param {Record<string, any>[]} changes */
  const compareAll = (changes) => oneByOne(changes, compare);

  /** @param {Record<string, any>[]} changes @param {(change: Record<string, any>) => Promise<any>} how */
  async function oneByOne(changes, how) {
    const results = [];
    for (const change of changes) results.push(await how(change));
    return results;
  }

  /** A control that offers these values, with those of them that it offers. @param {string[]} values */
  function control(values) {
    for (const element of root().querySelectorAll('select')) {
      const offered = values.filter((value) => [...element.options].some((option) => option.value === value));
      if (offered.length > 1) return { element, offered };
    }
    return null;
  }

  /**
   * Change a control to each of some values in turn, and wait until other pixels are there.
   * @param {string[]} values
   * @param {number} count
   */
  async function turn(values, count) {
    const found = control(values);
    if (!found) return null;
    const { element, offered } = found;
    const results = [];
    const pixels = () => `${lines('.av-overlay', 3)} ${lines('.av-atlas-canvas', 7)}`;
    for (let i = 0; i < count; i++) {
      await anyPhase();
      const before = pixels();
      const begun = now();
      element.value = offered[(offered.indexOf(element.value) + 1) % offered.length];
      element.dispatchEvent(new Event('change', { bubbles: true }));
      while (pixels() === before) await startOfFrame();
      results.push(now() - begun);
    }
    return results;
  }

  /** What is painted for each token, at rest. @param {number[]} tokens */
  async function known(tokens) {
    /** @type {Record<string, string>} */
    const result = {};
    for (const token of tokens) {
      root().__attn.select({ token });
      await until(() => says({ token }, ['ready']));
      await frame();
      result[token] = painted();
    }
    return result;
  }

  /**
   * Select one token after the other, and look at every frame that the browser made meanwhile.
   * @param {number[]} tokens
   * @param {number} every  milliseconds
   * @param {Record<string, string>} expected  what is painted for each token
   */
  async function scrub(tokens, every, expected) {
    const asked = requests.length;
    const last = { token: tokens[tokens.length - 1] };
    const result = { frames: 0, stale: 0, behind: 0, unmarked: 0, longest: 0 };
    const begun = /** @type {number} */ (await startOfFrame());
    let [next, before, ended, settled] = [0, begun, 0, 0];
    /** @type {Error | null} */
    let failure = null;
    for (let time = begun; !settled && !failure; time = /** @type {number} */ (await startOfFrame())) {
      result.longest = Math.max(result.longest, time - before);
      before = time;
      if (next < tokens.length && time - begun >= next * every) {
        root().__attn.select({ token: tokens[next++] });
        if (next === tokens.length) {
          ended = now();
          until(() => says(last, ['ready'])).then((then) => { settled = then; }, (error) => { failure = error; });
        }
      }
      await restOfFrame();
      const { shown, atlas, selection } = state();
      result.frames++;
      if (expected[root().dataset.token] && painted() !== expected[root().dataset.token]) result.stale++;
      if (shown.token !== selection.token) result.behind++;
      const isMarked = canvas('.av-atlas-canvas').closest('.av-stale');
      if (atlas && atlas.query !== undefined && atlas.query !== shown.query && !isMarked) result.unmarked++;
    }
    if (failure) throw failure;
    await frame();
    const made = requests.slice(asked);
    return {
      ...result, settled: settled - ended, isRight: painted() === expected[last.token],
      made: made.length, aborted: made.filter(({ isAborted }) => isAborted).length,
    };
  }

  /** Scroll the tokens from the first to the last. @param {number} step  pixels a frame */
  async function scroll(step) {
    const strip = root().querySelector('.av-tokens');
    /** @type {number[]} */
    const tasks = [];
    const observer = new PerformanceObserver((list) => { tasks.push(...list.getEntries().map(({ duration }) => duration)); });
    observer.observe({ type: 'longtask' });
    strip.scrollTop = 0;
    await frame();
    const gaps = [];
    let before = /** @type {number} */ (await startOfFrame());
    while (strip.scrollTop + strip.clientHeight < strip.scrollHeight - 1) {
      strip.scrollTop += step;
      const time = /** @type {number} */ (await startOfFrame());
      gaps.push(time - before);
      before = time;
    }
    await frame();
    observer.disconnect();
    return { frames: gaps.length, longest: Math.max(...gaps), task: Math.max(0, ...tasks), pixels: strip.scrollHeight };
  }

  /** What the viewer says that it holds of the server's numbers, where it says so. */
  function held() {
    const source = root().__attn.source ?? state().source;
    return { bytes: source?.bytes ?? null, limit: source?.limitBytes ?? null, heap: /** @type {any} */ (performance).memory?.usedJSHeapSize ?? null };
  }

  /** @type {any} */ (window).bench = { select, selectAll, compareAll, turn, known, scrub, scroll, held };
})();
