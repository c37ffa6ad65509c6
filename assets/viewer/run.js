// @ts-check
/**
 * The viewer: one run on one page.
 *
 * Owns the state, the views and what opening a run leads to. `state/follow.js` brings on screen what is selected, `state/actions.js` is what
 * a person can do, the views draw what the state holds. This is the one module that knows Gradio.
 */
import { createActions } from './state/actions.js';
import { createCommands } from './state/commands.js';
import { readFragment, readShows, writeFragment } from './state/address.js';
import { sharedHigh } from './numbers/atlas.js';
import { createAtlasView } from './views/atlas/atlas_view.js';
import { createCaution } from './views/caution.js';
import { createChoices } from './views/choices.js';
import { createColourBar } from './views/colour_bar.js';
import { createControls } from './views/controls.js';
import { painted, part } from './views/dom.js';
import { areSummed } from './numbers/ratios.js';
import { makeDrawn } from './numbers/coloured_map.js';
import { atlasOf, createFollower, wantedAtlas } from './state/follow.js';
import { createHeadline } from './views/headline.js';
import { takeFoundHeads } from './views/atlas/found_marks.js';
import { createHeadsLine } from './views/atlas/heads_line.js';
import { createHelp } from './views/help.js';
import { createImageView } from './views/picture/image_view.js';
import { createKeep } from './views/keep/keep.js';
import { LOOK_NAMES } from './state/look.js';
import { createPlacePanel } from './views/picture/place_panel.js';
import { createRegionActions } from './state/region_actions.js';
import { createRegionFollower } from './state/region_follow.js';
import { regionAsked } from './numbers/read_places.js';
import { createMapsFar } from './views/atlas/maps_far.js';
import { createMassLine } from './views/atlas/mass_line_view.js';
import { createMessage } from './views/message.js';
import { givenHeads, hearKept, tellShown } from './views/kept_events.js';
import { createOpening } from './state/opening.js';
import { createPanels } from './views/panels.js';
import { createPlaceReading } from './state/place_reading.js';
import { createPlayer } from './views/play.js';
import { createDirect } from './views/direct.js';
import { createLensSwitch } from './views/lens.js';
import { createReadWithLess } from './views/read_with_less.js';
import { asksTheSame, firstTower } from './data/run_info.js';
import { checkedSelection, isOf, startingSelection } from './data/selection.js';
import { createSaying } from './views/saying.js';
import { createSentence } from './views/sentence.js';
import { createSession, NOTHING, startingFields, statusOf } from './state/session.js';
import { atlasPath, createSource } from './data/source.js';
import { createState } from './state/state.js';
import { createSwipe } from './views/swipe.js';
import { createAgreementView } from './views/agreement.js';
import { createCellMap } from './state/cell_map.js';
import { createCellMapView } from './views/cell_map.js';
import { drawnCells } from './numbers/cell_map.js';
import { createPageEvents, describe } from './views/page_events.js';
import { createLens } from './state/lens.js';
import { createReadingChoice } from './state/reading.js';
import { createReadings } from './state/readings.js';
import { createReadingSwitch } from './views/reading_choice.js';
import { createRunTrials } from './views/trial.js';
import { createTrials, howOf, trialOnScreen } from './state/trials.js';
import { createTokenStrip } from './views/tokens/token_strip.js';

/**
 * @typedef {import('./data/selection.js').Selection} Selection
 * @typedef {import('./state/fields.js').Manifest} Manifest
 * @typedef {import('./state/fields.js').ViewerState} ViewerState
 */

/**
 * Show runs in the element of the Gradio component until it leaves the page.
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
  /** @type {ViewerState} */
  const state = createState(startingFields());
  /** What is on screen, as the address says it. @param {string} id @param {string} [old] */
  const fragment = (id, old) => writeFragment(id, /** @type {Selection} */ (state.get.selection), { ...state.get, trial: trialOnScreen(state.get) }, old);
  const session = createSession(state, {
    nothing: NOTHING,
    sources: () => [state.get.source],
    reopen() {
      const { manifest, selection } = state.get;
      void open(manifest, (manifest && selection && readFragment(fragment(manifest.id))) || {});
    },
    chosen() {
      const { shown } = state.get;
      if (!shown) return null;
      const { tower, direction, layer, head, query, until, token } = shown;
      return { tower, direction, layer, head, query, until, token };
    },
    trigger,
  });
  /** @type {import('./state/actions.js').Actions} */
  const actions = createActions(state, {
    select: (selection) => void follower.select(selection),
    announce: session.announce,
    tokenBeside: (token, by) => strip.beside(token, by),
  });
  const strip = createTokenStrip(root, state, actions);
  const follower = createFollower(state, { fail: session.fail, painted, neighbours: (token) => strip.neighbours(token) });
  const places = createRegionActions(state, { infos: () => (state.get.info ? [state.get.info] : []), focusGrid: actions.focusGrid });
  const image = createImageView(root, state, { ...actions, places });
  const panel = createPlacePanel(root, state, { ...places, select: actions.choose }, () => []);
  const atlas = createAtlasView(root, state, actions);
  const trials = server ? null : createTrials(state, trigger); // a file has nobody to ask
  const readings = server ? null : createReadings(state, trigger);
  const shows = createReadingChoice(state, { asking: readings, select: (selection) => void follower.select(selection), announce: session.announce });
  const lens = createLens(state, { asking: readings, fail: session.fail });
  const cellMap = createCellMap(state, readings);
  const help = createHelp(root);
  const panels = createPanels(root, state);
  const opening = createOpening(state, {
    kind: 'run', base: address, props, watch, open, read: readFragment,
    write: (id, old) => fragment(id, old),
  });
  const views = [
    createSaying(root, state, actions), createReadWithLess(root, state, server ? null : trigger), createPlaceReading(state, {
      runs: () => ({ sources: state.get.source ? [state.get.source] : [], infos: state.get.info ? [state.get.info] : [] }),
      show: ([info]) => {
        state.set({ info });
        void follower.reorder();
      },
    }), createHeadline(root, state), createChoices(root, state, actions), createReadingSwitch(root, state, shows, readings !== null), shows, ...(readings ? [createDirect(root, state, readings, actions.choose)] : []), createLensSwitch(root, state, lens), lens, cellMap, strip, createMassLine(root, state, actions), image, createSentence(root, state), createColourBar(root, state),
    createControls(root, state), atlas, createHeadsLine(root, state), createCaution(root, state), panels, createPlayer(root, state, actions), createSwipe(root, actions, ['under', 'selects']), createKeep(root, state), panel, createRegionFollower(state, { sources: () => (state.get.source ? [state.get.source] : []), fail: session.fail }), help, follower, opening, ...(trials ? [createRunTrials(root, state, trials)] : []), createCellMapView(root, state, cellMap), createAgreementView(root, state, readings, cellMap.canAsk),
    createMapsFar(root, state, oneRow), createMessage(root, state, {
      kind: 'run', retry: session.retry, stop: oneRow, empty: ['Run a prompt or open an example', 'What the model reads from is then drawn on the picture, for every layer, head and token.'],
      noPicture: ['No picture in this run', 'It is text only; its tokens are listed beside.'],
    }),
    createPageEvents(root, state, {
      parts: ['stage', 'atlas-place'], commands: createCommands(actions, { help: help.toggle, beside: (by) => void opening.beside(by), clear: actions.clear, mark, place: places.next, effect: showEffect }), gone: dispose,
    }),
  ];
  const undo = [
    hearKept('run', { beside: ({ by }) => void opening.beside(by), library: () => trigger('expand', {}), heads: ({ given }) => takeFoundHeads(state, given, false), tried: ({ told }) => readings?.hear(told) }),
    () => readings?.stopAll(), // nobody would see what comes of it
    state.on(['manifest'], () => tellShown('run', state.get.manifest?.ticket ?? null)),
    state.on(['shown', 'scale', 'curve', 'clip', 'sinks', 'atlas', 'masses', 'cells', 'cellsShown', 'how'], redraw),
    state.on(['order', 'pinned', 'region'], () => void follower.reorder()),
    state.on(['info', 'shown', 'atlas', 'selection', 'reading', 'pictureReady', 'failure', 'source'], settle),
    state.on(['status', 'shown'], () => describe(root, state.get.status, state.get.shown, { effect: state.get.shown?.effect?.name ?? null })),
    state.on(['selection', 'reading', 'zoom', 'region', 'marking', 'trial', 'cellsShown', 'how', 'silence', ...LOOK_NAMES], opening.follow),
  ];

  // What a manifest leads to

  /**
   * @param {Manifest | null} next
   * @param {{selection?: Partial<Selection>, look?: Partial<import('./state/look.js').Look>, zoom?: import('./state/address.js').Zoom, region?: import('./state/address.js').Place, shows?: import('./state/address.js').Shows} & import('./state/address.js').TriedWish} [wish]  what was chosen before
   */
  async function open(next, wish = {}) {
    const before = next?.keeps_view ? { ...state.get } : null;
    session.close();
    follower.dispose();
    trials?.stop(); // of what was on screen
    readings?.stopAll();
    if (!next) {
      state.set({ ...NOTHING, source: null, manifest: null });
      return;
    }
    const source = createSource({
      base: `${address}${encodeURIComponent(next.ticket)}`, ...answering,
      onProgress: (done, total) => state.get.source === source && state.set({ computing: { done, total } }),
    });
    state.set({ ...NOTHING, manifest: next, source, pictureReady: false, pictureFailed: false, ...wish.look, ...(wish.zoom && { zoom: wish.zoom }) });
    try {
      const info = await source.runInfo();
      if (!info || state.get.source !== source) return;
      const asked = wish.region ?? next.view?.region;
      const isSame = before?.info && before.selection && asksTheSame(before.info, info);
      const chosen = isSame ? before.selection : wish.selection;
      const tower = checkedSelection(info, chosen ?? {}).tower;
      const shown = wish.shows ?? (wish.selection ? undefined : readShows(next.view?.show).shows);
      const { reading, notice: missing } = shown ? await shows.restore(info, shown.tokens, tower, shown.kind, shown.against) : { reading: null, notice: '' };
      if (state.get.source !== source) return;
      const start = startingSelection(info, firstTower(info), next.view);
      const selection = chosen ? checkedSelection(info, chosen, reading?.kind) : areSummed(reading) ? { ...start, direction: /** @type {const} */ ('received') } : start;
      const region = isSame ? before.region : regionAsked(info, asked, selection.tower);
      const notice = asked && !region ? 'The address names a place that is on no picture of this run: it is left out.' : missing;
      state.set({ info, reading, tower: selection.tower, selection, grid: selection.grid, region, ...(notice && { notice }) });
      if (isSame) state.set({ zoom: before.zoom, pinned: before.pinned, loaded: before.loaded });
      offerTried(wish, !asked || region !== null);
      await follower.select(selection);
    } catch (error) {
      session.fail(source, error);
    }
  }

  /** What an address says was tried: a map over cells is found, a trial is offered and computed by nobody. @param {import('./state/address.js').TriedWish} wish @param {boolean} isPlaced  the place that it names is there, where it names one */
  function offerTried({ tried, cells }, isPlaced) {
    if (tried && trials) {
      state.set(tried.of === 'place' ? { how: tried.how, marking: isPlaced } : { silence: tried.silence });
      trials.offer(tried.of);
    }
    if (cells) void cellMap.restore(cells);
  }

  /** What is computed over all rows takes too long: one of them instead. */
  function oneRow() {
    actions.turn('reads');
  }

  /** Mark a place from the keyboard: the line to type in has the focus. */
  function mark() {
    places.toggle();
    if (state.get.marking) panel.focus();
  }

  /** From what is read to what that does, by a key: where that has to be made first, it is seen how far it is. */
  function showEffect() {
    if (!state.get.reading && !state.get.forecasts.length) panels.toggle('tokens', true);
    shows.toggle();
  }

  /** How the map on screen is painted, by what is chosen. */
  function redraw() {
    const { info, shown, atlas, scale, drawn: old } = state.get;
    const shared = scale === 'atlas' && info && shown && atlas && atlas.name === atlasOf(info, shown) ? sharedHigh(atlas, state.get) : null;
    const { cells, cellsShown } = state.get;
    const measured = cells && cellsShown && info && shown && shown.grid !== null ? drawnCells(cells, howOf(state.get), shown.grid, info.grids[shown.grid], state.get) : null;
    const drawn = measured ?? (shown && makeDrawn(shown, state.get, shared));
    const isSame = old && drawn && !old.measured && !drawn.measured && old.values === drawn.values && old.hidden === drawn.hidden && JSON.stringify(old.range) === JSON.stringify(drawn.range);
    if (!isSame) state.set({ drawn });
  }

  // What is said about it

  function settle() {
    const { source, info, shown, selection, reading, atlas, pictureReady, failure } = state.get;
    const isShown = info !== null && selection !== null && isOf(info, selection, shown, reading);
    const wanted = isShown && wantedAtlas(info, selection, reading);
    const isWhole = isShown && (shown.grid === null || pictureReady) && (!wanted || atlas?.name === atlasPath(wanted));
    state.set({ status: statusOf({ failure, isOpen: source !== null, isShown, isWhole }) });
  }

  function dispose() {
    session.dispose(undo, views);
  }

  root.__attn = {
    state: state.get,
    /** Change how things are drawn. @param {Partial<import('./state/look.js').Look>} look */
    look: (look) => state.set(look),
    open: panels.toggle,
    actions,
    places,
    /** The values of the map on screen, row by row. */
    get values() {
      return [...(state.get.shown?.cells ?? [])];
    },
    sample: image.sample,
    atlasBox: atlas.boxOf,
    /** The small maps on screen. */
    get maps() {
      return atlas.maps();
    },
    select: actions.ask,
  };
  describe(root, state.get.status, null);
  const heads = givenHeads();
  if (heads) takeFoundHeads(state, heads, false);
  opening.begin();
  return dispose;
}
