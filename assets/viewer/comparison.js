// @ts-check
/**
 * The comparison: base and adapters on the same tokens, on one page.
 *
 * Owns the state, the views and what opening a comparison leads to. `comparison_follow.js` brings on screen what is selected; what a
 * person can do with a token, a layer or a head is the same as with a run (`actions.js`), and so are most of the views. Like
 * `viewer.js`, it knows Gradio.
 */
import { createActions } from './actions.js';
import { readComparison, writeComparison } from './address.js';
import { sharedHigh } from './atlas.js';
import { createChoices } from './choices.js';
import { createColourBar } from './colour_bar.js';
import { createDifferenceBar } from './comparison_bar.js';
import { createChangeChoices } from './comparison_choices.js';
import { changeWish, createComparisonFollower, isOf } from './comparison_follow.js';
import { createComparisonHeadline } from './comparison_headline.js';
import { cutInfo, memberName } from './comparison_info.js';
import { createLists } from './comparison_lists.js';
import { makeMaps } from './comparison_maps.js';
import { createMatrixView } from './comparison_matrix_view.js';
import { offeredMeasures } from './comparison_measures.js';
import { createMembers } from './comparison_members.js';
import { createComparisonPanes } from './comparison_panes.js';
import { comparisonReading } from './comparison_tokens.js';
import { createControls } from './controls.js';
import { create, listen, painted, part } from './dom.js';
import { createHelp } from './help.js';
import { commandOf } from './keys.js';
import { startingLook } from './look.js';
import { createPlayer } from './play.js';
import { firstTower } from './run_info.js';
import { checkedSelection, inTower, selectionOfQuery, startingSelection } from './selection.js';
import { changePath, createSource, RequestFailed } from './source.js';
import { createState } from './state.js';
import { recallTicket, rememberTicket } from './tickets.js';
import { createTokenStrip } from './token_strip.js';

const SETTLED_MS = 250;
const CACHE_BYTES = 128 * 2 ** 20; // of all members together

/** @type {import('./controls.js').Switch[]} */
const SWITCHES = [
  ['magnified', 'magnify difference', 'the difference on a scale of its own, so that small ones are seen; otherwise it has the scale of the maps'],
  ['beside', 'plain', 'the maps on a plain ground, without the picture: colours are read best there'],
  ['smooth', 'smoothed', 'colours flow from cell centre to cell centre: for looks; numbers stay those of the cells'],
  ['places', 'places', 'points and boxes that each answer names'],
];

/**
 * @typedef {import('./comparison_info.js').ComparisonInfo} ComparisonInfo
 * @typedef {import('./selection.js').Selection} Selection
 * @typedef {import('./viewer.js').Manifest & {view?: import('./selection.js').View & {adapter?: number, measure?: string}}} Manifest
 *
 * @typedef {object} ComparedFields
 * @property {import('./source.js').Source | null} whole   of the comparison itself; `source` is that of the base's run
 * @property {import('./source.js').Source[]} sources      by member
 * @property {ComparisonInfo | null} comparison
 * @property {import('./run_info.js').RunInfo[]} wholeInfos  by member
 * @property {import('./run_info.js').RunInfo[]} infos     less what they do not share; `info` is the base's
 * @property {number} left     the members that are set against each other
 * @property {number} right    always an adapter
 * @property {import('./comparison_maps.js').Pair | null} pair  what is on screen of them
 * @property {import('./comparison_maps.js').Maps | null} maps
 * @property {(import('./viewer.js').Shown | null)[]} rows  of all members, as far as they are here
 * @property {string} measure
 * @property {'mean' | 'token'} of   what the matrix is of
 * @property {import('./viewer.js').Table | null} change   [layers, heads]
 * @property {import('./viewer.js').Table | null} imageMasses  the smaller one of base and adapter, [layers, heads]
 * @property {import('./source.js').Numbers | null} logprobs   [members, tokens of the answer]
 * @property {import('./atlas.js').Atlas[]} atlases   of the two, while a scale needs them
 * @property {string} atlasesOf
 * @property {{name: string, tables: Float32Array[]} | null} steps
 * @property {import('./comparison_lists.js').ListName} list  that is open
 * @property {boolean} magnified  the difference is on a scale of its own
 * @property {number} split    where the line of the wipe is, 0 to 1
 * @property {import('./comparison_panes.js').PaneName | null} alone  the pane that has all the room
 *
 * @typedef {import('./viewer.js').Fields & ComparedFields} ComparisonFields
 * @typedef {ReturnType<typeof createState<ComparisonFields>>} ComparisonState
 */

/**
 * Show comparisons in the element of the Gradio component until it leaves the page.
 * @param {object} component
 * @param {HTMLElement} component.element
 * @param {{value: Manifest | null}} component.props
 * @param {(name: string, listener: () => void) => void} component.watch
 * @param {(name: string, data: object) => void} component.trigger
 * @returns {() => void} dispose
 */
export function mount({ element, props, watch, trigger }) {
  const root = part(element, 'root');
  const address = new URL('../..', import.meta.url).href;
  /** @type {Partial<ComparisonFields>} */
  const nothing = {
    info: null, selection: null, grid: null, computing: null, shown: null, drawn: null, atlas: null, masses: null, scores: null, line: null, pinned: null,
    hover: null, failure: null, playing: null, zoom: { scale: 1, x: 0.5, y: 0.5 },
    whole: null, source: null, sources: [], comparison: null, wholeInfos: [], infos: [], left: 0, right: 1, pair: null, maps: null, rows: [], change: null,
    imageMasses: null, logprobs: null, atlases: [], atlasesOf: '', steps: null, alone: null,
  };
  /** @type {ComparisonState} */
  const state = createState(/** @type {ComparisonFields} */ ({
    ...nothing, ...startingLook(), status: 'empty', notice: '', manifest: null, tower: 'language', pictureReady: false, pictureFailed: false, cleared: 0,
    size: 0, theme: 0, perf: {}, measure: 'js_image', of: 'mean', list: 'heads', magnified: false, split: 0.5,
  }));
  /** @type {{announce?: number, address?: number}} */
  const timers = {};
  let addressed = ''; // the comparison that the page's address names

  const announceLater = () => {
    window.clearTimeout(timers.announce);
    timers.announce = window.setTimeout(announce, SETTLED_MS);
  };
  /** @type {import('./actions.js').Actions} */
  const actions = createActions(state, {
    select: (selection) => void follower.select(selection),
    announce: announceLater,
    tokenBeside: (token, by) => strip.beside(token, by),
  });

  /** Set others against each other: two different members, the second of them an adapter. @param {{left?: number, right?: number}} two */
  function compare({ left = state.get.left, right = state.get.right }) {
    const { comparison } = state.get;
    if (!comparison || right < 1 || right >= comparison.members.length || left < 0 || left >= comparison.members.length || left === right) return;
    if (left === state.get.left && right === state.get.right) return;
    state.set({ left, right, notice: '' });
    void follower.again();
    announceLater();
  }

  const strip = createTokenStrip(root, state, actions, comparisonReading(state));
  const follower = createComparisonFollower(state, { fail, painted, neighbours: (token) => strip.neighbours(token) });
  const help = createHelp(root, [['↵', 'on the matrix: open the head that arrow keys point at'], ['← →', 'on the line of the wipe: move it']]);
  const panes = createComparisonPanes(root, state, { ...actions, compare });
  const matrix = createMatrixView(root, state, actions);
  const views = [
    createMembers(root, state, { compare }), createComparisonHeadline(root, state), createChoices(root, state, actions), strip, panes, createColourBar(root, state),
    createDifferenceBar(root, state), createControls(root, state, SWITCHES), createChangeChoices(root, state), matrix,
    createLists(root, state, { ...actions, compare }), createPlayer(root, state, actions), help, follower,
  ];
  const undo = [
    state.on(['pair', 'scale', 'curve', 'clip', 'sinks', 'magnified', 'atlases'], redraw),
    state.on(['measure', 'of', 'scale', 'list'], () => void follower.about()),
    state.on(['status', 'failure', 'comparison', 'grid', 'computing'], showMessage),
    state.on(['info', 'pair', 'rows', 'change', 'selection', 'left', 'right', 'measure', 'of', 'pictureReady', 'failure', 'whole'], settle),
    state.on(['status', 'pair', 'measure', 'of', 'list', 'alone', 'split'], describe),
    state.on(['selection', 'left', 'right', 'measure', 'of'], () => {
      window.clearTimeout(timers.address);
      if (state.get.manifest?.id !== addressed) writeAddress();
      else timers.address = window.setTimeout(writeAddress, SETTLED_MS);
    }),
    listen(root, { keydown: press }),
  ];

  // What a manifest leads to

  /** @param {Manifest | null} next @param {{selection?: Partial<Selection>, fields?: Record<string, string>}} [wish]  what was chosen before */
  async function open(next, wish = {}) {
    closeSources();
    follower.dispose();
    if (!next) {
      state.set({ ...nothing, manifest: null });
      return;
    }
    rememberTicket(next);
    const base = `${address}${encodeURIComponent(next.ticket)}`;
    const whole = createSource({ base });
    state.set({ ...nothing, manifest: next, whole, pictureReady: false, pictureFailed: false });
    const isNow = () => state.get.whole === whole;
    try {
      const comparison = await whole.comparison();
      if (!comparison || !isNow()) return;
      const sources = comparison.members.map(({ folder }) => createSource({
        base: `${base}/${encodeURIComponent(folder)}`, limitBytes: CACHE_BYTES / comparison.members.length,
        onProgress: (done, total) => isNow() && state.set({ computing: { done, total } }),
      }));
      state.set({ sources });
      const wholeInfos = /** @type {import('./run_info.js').RunInfo[]} */ (await Promise.all(sources.map((source) => source.runInfo())));
      if (!isNow() || wholeInfos.some((info) => !info)) return;
      const infos = wholeInfos.map((info) => cutInfo(info, comparison.shared_tokens));
      const selection = beginning(infos[0], next, wish);
      state.set({
        comparison, wholeInfos, infos, info: infos[0], source: sources[0], ...chosenOf(comparison, infos[0], next, wish.fields ?? {}), rows: sources.map(() => null),
        tower: selection.tower, selection, grid: selection.grid,
      });
      await follower.select(selection);
    } catch (error) {
      fail(whole, error);
    }
  }

  /** @param {import('./run_info.js').RunInfo} info @param {Manifest} manifest @param {{selection?: Partial<Selection>}} wish */
  function beginning(info, manifest, { selection }) {
    return selection ? checkedSelection(info, selection) : startingSelection(info, firstTower(info), manifest.view);
  }

  /**
   * Who is compared, and by which measure: what was chosen before, else what the manifest says, else the first.
   * @param {ComparisonInfo} comparison
   * @param {import('./run_info.js').RunInfo} info
   * @param {Manifest} manifest
   * @param {Record<string, string>} fields
   */
  function chosenOf(comparison, info, { view = {} }, fields) {
    const measures = offeredMeasures(comparison);
    const count = comparison.members.length;
    const index = (/** @type {string | undefined} */ text, /** @type {number} */ least) => {
      const member = /^\d{1,3}$/.test(text ?? '') ? Number(text) : -1;
      return member >= least && member < count ? member : null;
    };
    const right = index(fields.right, 1) ?? index(String((view.adapter ?? -1) + 1), 1) ?? 1;
    const left = index(fields.left, 0) ?? 0;
    return {
      right, left: left === right ? 0 : left,
      measure: [fields.measure, view.measure, info.grids.length ? 'js_image' : 'js_row'].find((name) => name && measures.includes(name)) ?? measures[0],
      of: /** @type {'mean' | 'token'} */ (fields.of === 'token' ? 'token' : 'mean'), list: /** @type {const} */ ('heads'),
    };
  }

  function closeSources() {
    for (const source of [state.get.whole, ...state.get.sources]) source?.dispose();
  }

  /** How the maps on screen are painted, by what is chosen. */
  function redraw() {
    const { pair, scale, atlases } = state.get;
    const shared = scale === 'atlas' && atlases.length === 2 ? Math.max(...atlases.map((atlas) => sharedHigh(atlas, state.get))) : null;
    const maps = pair && makeMaps(pair, state.get, shared);
    state.set({ maps, drawn: maps && maps.before });
  }

  // What is said about it

  function settle() {
    const { whole, info, pair, rows, selection, change, pictureReady, failure, left, right, measure, of } = state.get;
    const isShown = info && selection && pair && pair.left === left && pair.right === right && isOf(info, selection, pair.before);
    const isWhole = isShown && (pair.before.grid === null || pictureReady) && rows.every((shown) => isOf(info, selection, shown))
      && change?.name === changePath(changeWish(info, selection, { right, measure, of }));
    state.set({ status: failure ? 'error' : !whole ? 'empty' : isWhole ? 'ready' : isShown ? 'row' : 'loading' });
  }

  /** State and selection on the root, for tests and for whoever scripts the page. */
  function describe() {
    const { status, pair, measure, of, list, alone, split } = state.get;
    root.dataset.state = status;
    const shown = pair?.before;
    for (const name of /** @type {const} */ (['tower', 'direction', 'layer', 'head', 'query', 'until', 'token', 'grid'])) {
      if (shown && shown[name] !== null) root.dataset[name] = String(shown[name]);
      else delete root.dataset[name];
    }
    const same = pair?.isSame ? 'yes' : 'no';
    const more = { left: pair?.left, right: pair?.right, measure: pair && measure, of: pair && of, same: pair && same };
    for (const [name, value] of Object.entries({ ...more, list, alone, split: Math.round(100 * split) })) {
      if (value === null || value === undefined) delete root.dataset[name];
      else root.dataset[name] = String(value);
    }
  }

  function showMessage() {
    const { status, failure, comparison, grid, computing } = state.get;
    const message = part(root, 'message');
    message.replaceChildren();
    const say = (/** @type {string} */ title, /** @type {string} */ text) => message.append(create('strong', { text: title }), create('span', { text }));
    if (status === 'empty') say('Compare a base model with its adapters', 'Choose one adapter or several and a question, and run: what each reads from is then set side by side, on the same tokens.');
    else if (failure?.isExpired) say('This comparison has expired', failure.message);
    else if (failure) {
      say('This could not be read', failure.message);
      const again = create('button', { type: 'button', class: 'av-again', text: 'Try again' });
      again.addEventListener('click', retry);
      message.append(again);
    } else if (computing) say('Computing what patches receive …', `${computing.done} of ${computing.total} rows`);
    else if (!comparison) say('Reading the comparison …', '');
    else if (grid === null) say('No picture in this comparison', 'It is text only; what each token reads of the others is on the tokens beside.');
  }

  function retry() {
    const { manifest, selection } = state.get;
    void open(manifest, selection ? { selection, fields: chosen() } : {});
  }

  /** @param {import('./source.js').Source | null} source @param {any} error */
  function fail(source, error) {
    if (source !== state.get.whole && !state.get.sources.includes(/** @type {any} */ (source))) return;
    if (!(error instanceof RequestFailed)) console.error(error); // a fault of ours, not an answer of the server
    state.set(error.isExpired ? { ...nothing, whole: state.get.whole, failure: error } : { failure: error, playing: null });
  }

  function chosen() {
    const { left, right, measure, of } = state.get;
    return { left: String(left), right: String(right), measure, of };
  }

  function announce() {
    const { pair, comparison, measure, of } = state.get;
    if (!pair || !comparison) return;
    const { tower, direction, layer, head, query, until, token } = pair.before;
    trigger('select', {
      tower, direction, layer, head, query, until, token, left: pair.left, right: pair.right, measure, of,
      names: [pair.left, pair.right].map((member) => memberName(comparison.members, member)),
    });
  }

  // The address of the page

  function writeAddress() {
    const { manifest, selection } = state.get;
    if (!manifest || !selection) return;
    addressed = manifest.id;
    const { pathname, search, hash } = window.location;
    const fragment = writeComparison(manifest.id, chosen(), selection, hash);
    if (fragment !== hash) window.history.replaceState(window.history.state, '', pathname + search + fragment);
  }

  /** Open what the address says, if this tab may. @returns {boolean} whether it does */
  function openAddress() {
    const wish = readComparison(window.location.hash);
    if (!wish) return false;
    const offered = props.value?.id === wish.id ? props.value : null;
    const manifest = offered ?? recallTicket(wish.id);
    if (!manifest || manifest.kind !== 'comparison') return false;
    restored = manifest.ticket;
    seen = JSON.stringify(manifest);
    void open(manifest, wish);
    if (!offered) props.value = manifest; // the page around learns which it is
    return true;
  }

  // The page around

  /** @param {KeyboardEvent} event */
  function press(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.defaultPrevented || target.closest('dialog')) return;
    const found = commandOf(event, { tag: target.tagName, isText: target.isContentEditable });
    if (!found || !state.get.info) return;
    event.preventDefault();
    const { command, by = 0 } = found;
    if (command === 'layer' || command === 'head' || command === 'token') actions.step(command, by);
    else if (command === 'range') actions.extendBy(by);
    else if (command === 'direction') actions.turn();
    else if (command === 'tower') actions.nextTower();
    else if (command === 'sinks') actions.nextSinks();
    else if (command === 'play') actions.play();
    else if (command === 'help') help.toggle();
    else {
      state.set({ alone: null });
      actions.clear();
    }
  }

  const sizes = new ResizeObserver(() => {
    if (root.isConnected) state.set({ size: state.get.size + 1 });
    else dispose(); // Gradio tells nobody that a component is gone
  });
  for (const name of ['stage', 'matrix', 'lists']) sizes.observe(part(root, name));
  const theme = new MutationObserver(() => state.set({ theme: state.get.theme + 1 }));
  theme.observe(document.body, { attributes: true, attributeFilter: ['class'] });

  function dispose() {
    sizes.disconnect();
    theme.disconnect();
    Object.values(timers).forEach((timer) => window.clearTimeout(timer));
    closeSources();
    undo.forEach((end) => end());
    views.forEach((view) => view.dispose());
  }

  let seen = '';
  let restored = ''; // the ticket that the address led to: the server may send the same once more, without the view
  function receive() {
    const text = JSON.stringify(props.value ?? null);
    if (text === seen) return;
    seen = text;
    const isRestored = restored && props.value?.ticket === restored;
    restored = '';
    if (isRestored) return;
    state.set({ notice: '' });
    void open(props.value || null);
  }

  root.__attn = {
    state: state.get,
    /** Change how things are drawn, or what is set beside the maps. @param {Partial<ComparisonFields>} look */
    look: (look) => state.set(look),
    actions,
    compare,
    sample: panes.sample,
    matrixBox: matrix.boxOf,
    get matrix() {
      return matrix.held;
    },
    /** @param {Partial<Selection> & {query?: number}} change */
    select({ query, ...change }) {
      const { info, selection } = state.get;
      if (info && selection && change.tower) actions.choose({ ...inTower(info, selection, change.tower), ...change });
      else if (info) actions.choose({ ...(query === undefined ? {} : selectionOfQuery(info, query)), ...change });
    },
  };
  showMessage();
  describe();
  watch('value', receive);
  if (!openAddress()) receive();
  return dispose;
}
