// @ts-check
/**
 * The comparison: base and adapters on the same tokens, on one page.
 *
 * Owns the state, the views and what opening a comparison leads to. `state/comparison_follow.js` brings on screen what is selected; what a
 * person can do with a token, a layer or a head is the same as with a run (`state/actions.js`), and so are most of the views. Like
 * `run.js`, it knows Gradio.
 */
import { createActions } from './state/actions.js';
import { createCommands } from './state/commands.js';
import { readComparison, readShows, writeComparison } from './state/address.js';
import { sharedHigh } from './numbers/atlas.js';
import { createChoices } from './views/choices.js';
import { createColourBar } from './views/colour_bar.js';
import { createDifferenceBar } from './views/comparison/bar.js';
import { createCaution } from './views/caution.js';
import { createChangeChoices } from './views/comparison/choices.js';
import { changeWish } from './state/change_wish.js';
import { createComparisonFollower } from './state/comparison_follow.js';
import { createComparisonReading } from './state/comparison_reading.js';
import { whyNoChange } from './state/effect_change.js';
import { isOfEffect, offeredMeasures } from './numbers/change_measures.js';
import { createReadings } from './state/readings.js';
import { createReadingSwitch } from './views/reading_choice.js';
import { createComparisonHeadline } from './views/comparison/headline.js';
import { comparedInfo, isSideBySide, memberName, otherAnswers } from './data/comparison_info.js';
import { createComparisonKeep } from './views/comparison/keep.js';
import { createLists } from './views/comparison/lists.js';
import { makeMaps } from './numbers/pair.js';
import { createBestFollower } from './state/best_follow.js';
import { createBestHeads } from './views/comparison/best_heads.js';
import { readOwn, selectionOf } from './state/own_heads.js';
import { createMatrixView } from './views/comparison/matrix_view.js';
import { createMembers } from './views/comparison/members.js';
import { createComparisonPanes } from './views/comparison/panes.js';
import { comparisonReading } from './text/compared_tokens.js';
import { readView, writeView } from './state/comparison_view.js';
import { createControls } from './views/controls.js';
import { painted, part } from './views/dom.js';
import { createHelp } from './views/help.js';
import { LOOK_NAMES } from './state/look.js';
import { createPlacePanel } from './views/picture/place_panel.js';
import { createRegionActions } from './state/region_actions.js';
import { createRegionFollower } from './state/region_follow.js';
import { regionAsked } from './numbers/read_places.js';
import { isOfRegion, regionIn } from './numbers/regions.js';
import { createMessage } from './views/message.js';
import { hearKept, tellShown } from './views/kept_events.js';
import { createOpening } from './state/opening.js';
import { createPanels } from './views/panels.js';
import { createPlaceReading } from './state/place_reading.js';
import { createPlayer } from './views/play.js';
import { createReadWithLess } from './views/read_with_less.js';
import { createSaying } from './views/saying.js';
import { areSummed } from './numbers/ratios.js';
import { firstTower } from './data/run_info.js';
import { checkedSelection, isOf, startingSelection } from './data/selection.js';
import { changePath, createSource } from './data/source.js';
import { createSession, NOTHING, startingFields, statusOf } from './state/session.js';
import { createState } from './state/state.js';
import { createSwipe } from './views/swipe.js';
import { createPageEvents, describe } from './views/page_events.js';
import { createTokenStrip } from './views/tokens/token_strip.js';

const CACHE_BYTES = 128 * 2 ** 20; // of all members together

/** @type {import('./views/controls.js').Switch[]} */
const SWITCHES = [
  ['magnified', 'magnify difference', 'the difference on a scale of its own, so that small ones are seen; otherwise it has the scale of the maps'],
  ['beside', 'plain', 'the maps on a plain ground, without the picture: colours are read best there'],
  ['smooth', 'smoothed', 'colours flow from cell centre to cell centre: for looks; numbers stay those of the cells'],
  ['places', 'places', 'points and boxes that each answer names'],
];

/**
 * @typedef {import('./data/selection.js').Selection} Selection
 * @typedef {import('./state/fields.js').Manifest & {view?: import('./data/selection.js').View & {adapter?: number, measure?: string, heads?: string}}} Manifest
 * @typedef {import('./state/fields.js').ComparisonFields} ComparisonFields
 * @typedef {import('./state/fields.js').ComparisonState} ComparisonState
 */

/**
 * Show comparisons in the element of the Gradio component until it leaves the page.
 * @param {object} component
 * @param {HTMLElement} component.element
 * @param {{value: Manifest | null}} component.props
 * @param {(name: string, listener: () => void) => void} component.watch
 * @param {(name: string, data: object) => void} component.trigger
 * @param {import('./data/source.js').Server} [component.server]  what answers; by default the server of these modules
 * @returns {() => void} dispose
 */
export function mount({ element, props, watch, trigger, server }) {
  const root = part(element, 'root');
  const { address, ...answering } = server ?? { address: new URL('../..', import.meta.url).href };
  /** @satisfies {Partial<ComparisonFields>} */
  const nothing = {
    ...NOTHING, source: null, sources: [], comparison: null, wholeInfos: [], infos: [], left: 0, right: 1, pair: null, maps: null, rows: [], change: null,
    imageMasses: null, own: [], best: null, logprobs: null, floors: null, logprobFloors: null, atlases: [], atlasesOf: '', steps: null, alone: null,
  };
  /** @type {ComparisonState} */
  const state = createState(/** @type {ComparisonFields} */ ({
    ...startingFields(), ...nothing, whole: null, measure: 'js_image', of: 'mean', part: '', hidesNoise: false, list: 'heads', magnified: false, split: 0.5,
  }));
  const session = createSession(state, {
    nothing,
    sources: () => [state.get.whole, ...state.get.sources],
    reopen() {
      const { manifest, selection, reading } = state.get;
      const shows = reading ? { kind: reading.kind, tokens: reading.isWhole ? null : reading.tokens } : undefined;
      void open(manifest, selection ? { selection, more: writeView(state.get), region: state.get.region ?? undefined, shows } : {});
    },
    chosen() {
      const { pair, comparison, measure, of } = state.get;
      if (!pair || !comparison) return null;
      const { tower, direction, layer, head, query, until, token } = pair.before;
      const names = [pair.left, pair.right].map((member) => memberName(comparison.members, member));
      return { tower, direction, layer, head, query, until, token, left: pair.left, right: pair.right, measure, of, names };
    },
    trigger,
  });
  /** @type {import('./state/actions.js').Actions} */
  const actions = createActions(state, {
    select: (selection) => void follower.select(selection),
    announce: session.announce,
    tokenBeside: (token, by) => strip.beside(token, by),
  });

  /** Set others against each other: two different members, the second of them an adapter. @param {{left?: number, right?: number}} two */
  function compare({ left = state.get.left, right = state.get.right }) {
    const { comparison } = state.get;
    if (!comparison || right < 1 || right >= comparison.members.length || left < 0 || left >= comparison.members.length || left === right) return;
    if (left > 0 && isSideBySide(comparison)) return; // the selected head is the base's
    if (left === state.get.left && right === state.get.right) return;
    const lacks = [left, right].find((member) => state.get.reading?.members?.[member]?.why);
    if (lacks !== undefined) return state.set({ notice: `${memberName(comparison.members, lacks)}: ${state.get.reading?.members?.[lacks].why}` });
    state.set({ left, right, notice: '' });
    void follower.again();
    session.announce();
  }

  /** A layer or a head of one member, where no head stands for another. @param {number} member @param {Partial<import('./state/own_heads.js').OwnHead>} change */
  function chooseOf(member, change) {
    if (!member) return actions.choose(change);
    state.set({ own: state.get.own.map((one, i) => (i === member ? { ...one, ...change } : one)), notice: '' });
    void follower.again();
    session.announce();
  }

  const strip = createTokenStrip(root, state, actions, comparisonReading(state));
  const follower = createComparisonFollower(state, { fail: session.fail, painted, neighbours: (token) => strip.neighbours(token) });
  const help = createHelp(root, [['↵', 'on the matrix: open the head that arrow keys point at'], ['← →', 'on the line of the wipe: move it']]);
  const readings = server ? null : createReadings(state, trigger); // a file has nobody to ask
  const shows = createComparisonReading(state, { asking: readings, select: (selection) => void follower.select(selection), announce: session.announce });
  const panels = createPanels(root, state);
  const opening = createOpening(state, {
    kind: 'comparison', base: address, props, watch, open, read: readComparison,
    write: (id, old) => writeComparison(id, /** @type {Selection} */ (state.get.selection), state.get, writeView(state.get), old),
  });
  const places = createRegionActions(state, { infos: () => [state.get.left, state.get.right].flatMap((member) => state.get.infos[member] ?? []), focusGrid: actions.focusGrid });
  const panes = createComparisonPanes(root, state, { ...actions, places, compare, chooseOf });
  const pairOf = (/** @type {(member: number) => any} */ find) => [state.get.left, state.get.right].map(find).filter(Boolean);
  /** What is shown of each of the two, with the run that it is of. */
  const ofPair = () => {
    const { pair, infos } = state.get;
    return pair ? [{ shown: pair.before, info: infos[pair.left] }, { shown: pair.after, info: infos[pair.right] }] : [];
  };
  const chooseOfPair = (/** @type {{layer: number, head: number}} */ change, /** @type {number} */ i) => (i && isSideBySide(state.get.comparison) ? chooseOf(state.get.right, change) : actions.choose(change));
  const panel = createPlacePanel(root, state, { ...places, select: chooseOfPair }, () => pairOf((member) => state.get.comparison && memberName(state.get.comparison.members, member)), ofPair);
  const matrix = createMatrixView(root, state, actions);
  const views = [
    createSaying(root, state, actions, () => otherAnswers(state.get.comparison)), createReadWithLess(root, state, server ? null : trigger), createPlaceReading(state, {
      runs: () => ({ sources: state.get.sources, infos: state.get.infos }),
      show: (infos) => state.set({ infos, info: infos[0] }),
    }), createMembers(root, state, { compare }), createComparisonHeadline(root, state), createChoices(root, state, actions), createReadingSwitch(root, state, shows, readings !== null), shows, strip, panes, createColourBar(root, state, () => (state.get.pair?.isSideBySide && state.get.comparison ? memberName(state.get.comparison.members, state.get.pair.left) : '')),
    createDifferenceBar(root, state), createControls(root, state, SWITCHES), createChangeChoices(root, state), matrix,
    createLists(root, state, { ...actions, compare }), createPlayer(root, state, actions), createBestHeads(root, state, { chooseOf }), createBestFollower(state, { fail: session.fail }), createSwipe(root, actions, ['selects']), createComparisonKeep(root, state, { address: opening.address, lineOnPicture: panes.lineOnPicture }), createCaution(root, state), panels, panel, createRegionFollower(state, { sources: () => pairOf((member) => state.get.sources[member]), fail: session.fail }), help, follower, opening,
    createMessage(root, state, {
      kind: 'comparison', retry: session.retry,
      empty: ['Compare a base model with its adapters', 'Choose one adapter or several and a question, and run: what each reads from is then set side by side, on the same tokens.'],
      noPicture: ['No picture in this comparison', 'It is text only; what each token reads of the others is on the tokens beside.'],
    }),
    createPageEvents(root, state, {
      parts: ['stage', 'matrix', 'lists'], commands: createCommands(actions, { help: help.toggle, beside: (by) => void opening.beside(by), clear, mark, place: places.next, effect: showEffect }), gone: dispose,
    }),
  ];
  const undo = [
    hearKept('comparison', { beside: ({ by }) => void opening.beside(by), library: () => trigger('expand', {}), tried: ({ told }) => readings?.hear(told) }),
    () => shows.stop(), // nobody would see what comes of it
    state.on(['manifest'], () => tellShown('comparison', state.get.manifest?.ticket ?? null)),
    state.on(['pair', 'scale', 'curve', 'clip', 'sinks', 'magnified', 'atlases'], redraw),
    state.on(['info', 'selection', 'region', 'reading'], keepMeasure),
    state.on(['measure', 'of', 'part', 'scale', 'list', 'region'], () => void follower.about()),
    state.on(['comparison'], () => root.classList.toggle('av-side-by-side', isSideBySide(state.get.comparison))),
    state.on(['info', 'pair', 'rows', 'change', 'selection', 'own', 'left', 'right', 'measure', 'of', 'part', 'region', 'pictureReady', 'failure', 'whole', 'reading'], settle),
    state.on(['status', 'pair', 'measure', 'of', 'list', 'alone', 'split'], tell),
    state.on(['selection', 'own', 'left', 'right', 'measure', 'of', 'part', 'hidesNoise', 'list', 'alone', 'split', 'magnified', 'zoom', 'region', 'reading', ...LOOK_NAMES], opening.follow),
  ];

  // What a manifest leads to

  /**
   * @param {Manifest | null} next
   * @param {{selection?: Partial<Selection>, look?: Partial<import('./state/look.js').Look>, zoom?: import('./state/address.js').Zoom, region?: import('./state/address.js').Place, shows?: import('./state/address.js').Shows, more?: Record<string, string>}} [wish]  what was chosen before
   */
  async function open(next, wish = {}) {
    session.close();
    follower.dispose();
    shows.stop(); // of what was on screen
    if (!next) {
      state.set({ ...nothing, whole: null, manifest: null });
      return;
    }
    const base = `${address}${encodeURIComponent(next.ticket)}`;
    const whole = createSource({ base, ...answering });
    state.set({ ...nothing, manifest: next, whole, pictureReady: false, pictureFailed: false, ...wish.look, ...(wish.zoom && { zoom: wish.zoom }) });
    const isNow = () => state.get.whole === whole;
    try {
      const comparison = await whole.comparison();
      if (!comparison || !isNow()) return;
      const sources = comparison.members.map(({ folder }) => createSource({
        base: `${base}/${encodeURIComponent(folder)}`, ...answering, limitBytes: CACHE_BYTES / comparison.members.length,
        onProgress: (done, total) => isNow() && state.set({ computing: { done, total } }),
      }));
      state.set({ sources });
      const wholeInfos = /** @type {import('./data/run_info.js').RunInfo[]} */ (await Promise.all(sources.map((source) => source.runInfo())));
      if (!isNow() || wholeInfos.some((info) => !info)) return;
      const infos = wholeInfos.map((info, member) => comparedInfo(comparison, info, member));
      const [info] = infos;
      const shown = wish.shows ?? (wish.selection ? undefined : readShows(next.view?.show).shows);
      const restored = shown ? await shows.restore(shown, checkedSelection(info, wish.selection ?? {}).tower, { comparison, wholeInfos }) : null;
      if (!isNow()) return;
      const reading = restored?.reading ?? null;
      const start = startingSelection(info, firstTower(info), next.view);
      const selection = wish.selection ? checkedSelection(info, wish.selection, reading?.kind) : areSummed(reading) ? { ...start, direction: /** @type {const} */ ('received') } : start;
      const asked = wish.region ?? next.view?.region;
      const region = regionAsked(info, asked, selection.tower);
      const isMeasured = regionIn(info, region, selection.tower) !== null;
      const view = readView(comparison, info.grids.length > 0, next.view ?? {}, wish.more ?? {}, isMeasured, areSummed(reading));
      state.set({
        ...(asked && !region ? { notice: 'The address names a place that is on no picture of this comparison: it is left out.' } : restored?.notice ? { notice: restored.notice } : {}), region, reading,
        comparison, wholeInfos, infos, info, source: sources[0], ...view, ...(reading && restored?.two(view)), rows: sources.map(() => null),
        tower: selection.tower, selection, grid: selection.grid, own: isSideBySide(comparison) ? readOwn(wish.more?.heads ?? next.view?.heads, infos, selection.tower) : [],
      });
      await follower.select(selection);
    } catch (error) {
      session.fail(whole, error);
    }
  }

  /** Without a place there is nothing of it to measure, and forecasts have measures of their own. */
  function keepMeasure() {
    const { info, selection, region, measure, reading, comparison } = state.get;
    if (!info || !selection || !comparison || whyNoChange(reading)) return;
    const [onPicture, ofAll] = reading ? offeredMeasures(comparison, false, reading) : ['js_image', 'js_row'];
    const isOffered = reading ? isOfEffect(measure) : !isOfEffect(measure) && !(isOfRegion(measure) && !regionIn(info, region, selection.tower));
    if (!isOffered) state.set({ measure: info.grids.length ? onPicture : ofAll });
  }

  /** From what is read to what that does, by a key: where that has to be made first, it is seen how far it is. */
  function showEffect() {
    if (!state.get.reading && !state.get.forecasts.length) panels.toggle('tokens', true);
    shows.toggle();
  }

  /** Mark a place from the keyboard: the line to type in has the focus. */
  function mark() {
    places.toggle();
    if (state.get.marking) panel.focus();
  }

  /** How the maps on screen are painted, by what is chosen. */
  function redraw() {
    const { pair, scale, atlases } = state.get;
    const shared = scale === 'atlas' && atlases.length === 2 && atlases[0].isEffect === Boolean(pair?.before.effect) ? Math.max(...atlases.map((atlas) => sharedHigh(atlas, state.get))) : null;
    const maps = pair && makeMaps(pair, state.get, shared);
    state.set({ maps, drawn: maps && maps.before });
  }

  // What is said about it

  function settle() {
    const { whole, comparison, info, pair, rows, selection, own, change, pictureReady, failure, left, right, measure, of, region, part, reading } = state.get;
    const isNow = (/** @type {import('./state/fields.js').Shown | null} */ shown, /** @type {number} */ member) => info !== null && selection !== null && isOf(info, selectionOf(selection, own, member), shown, reading);
    const isShown = info !== null && selection !== null && pair !== null && pair.left === left && pair.right === right && isNow(pair.before, left) && isNow(pair.after, right);
    const isThere = (/** @type {import('./state/fields.js').Shown | null} */ shown, /** @type {number} */ member) => isNow(shown, member) || (shown === null && follower.lacks(member));
    const isWhole = isShown && (pair.before.grid === null || pictureReady) && rows.every(isThere)
      && (isSideBySide(comparison) || whyNoChange(reading) !== '' || change?.name === changePath(changeWish(info, selection, { right, measure, of, region, part, comparison, reading })));
    state.set({ status: statusOf({ failure, isOpen: whole !== null, isShown, isWhole }) });
  }

  function tell() {
    const { status, pair, measure, of, list, alone, split } = state.get;
    const shown = pair && { left: pair.left, right: pair.right, measure, of, same: pair.isSame ? 'yes' : 'no', own: pair.isSideBySide ? `${pair.after.layer}.${pair.after.head}` : null };
    describe(root, status, pair?.before, { left: null, right: null, measure: null, of: null, same: null, own: null, effect: pair?.before.effect?.name ?? null, ...shown, list, alone, split: Math.round(100 * split) });
  }

  /** Back to all maps, one token, no cell, the whole picture. */
  function clear() {
    state.set({ alone: null });
    actions.clear();
  }

  function dispose() {
    session.dispose(undo, views);
  }

  root.__attn = {
    state: state.get,
    get assets() {
      return new URL('.', import.meta.url).href;
    },
    /** Change how things are drawn, or what is set beside the maps. @param {Partial<ComparisonFields>} look */
    look: (look) => state.set(look),
    open: panels.toggle,
    actions,
    places,
    compare,
    sample: panes.sample,
    matrixBox: matrix.boxOf,
    get matrix() {
      return matrix.held;
    },
    select: actions.ask,
  };
  tell();
  opening.begin();
  return dispose;
}
