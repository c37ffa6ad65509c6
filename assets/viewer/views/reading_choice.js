// @ts-check
/** "Show: Read | Forecast | Relative", in a sentence each; how far one is that is being made, with a button that stops it; and of what it is. */
import { whyNoRelative } from '../state/reading.js';
import { FORECAST_ANSWERS, READ_ANSWERS, targetName } from '../text/effect.js';
import { RELATIVE_ANSWERS } from '../text/relative.js';
import { create, listen, part } from './dom.js';

/** A document may have several viewers, and a list is found by its name. */
let lists = 0;
const RATHER = 'one token rather than another: type a word that is one token of this model, or choose one of its likeliest, which “Reads as” finds. Empty: by itself.';

/**
 * @typedef {Pick<import('../state/reading.js').ReadingChoice, 'uncover' | 'read' | 'forecast' | 'relative' | 'look' | 'stop'>
 *   & {whole: () => {tokens: number[], name: string}, why: () => string, opposes?: boolean, others?: (token: number) => Promise<string[]>, whose?: () => string, cost?: () => {short: string, long: string} | null}} Choice  `whose`: who is asked, of several
 *
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 * @param {Choice} choice
 * @param {boolean} canAsk
 */
export function createReadingSwitch(root, state, choice, canAsk) {
  const read = create('button', { type: 'button', class: 'av-toggle', text: 'Read', title: READ_ANSWERS, 'data-show': 'read' });
  const forecast = create('button', { type: 'button', class: 'av-toggle', text: 'Forecast', 'data-show': 'forecast' });
  const relative = create('button', { type: 'button', class: 'av-toggle', text: 'Relative', 'data-show': 'relative' });
  const of = create('select', { 'aria-label': 'Forecast of', title: 'whose log-probability: the whole answer’s, or that of the token that is chosen' });
  const list = `av-rather-${(lists += 1)}`;
  const rather = create('input', { type: 'text', class: 'av-rather-input', list, size: 9, autocomplete: 'off', spellcheck: false, placeholder: 'no other', 'aria-label': 'rather than which other token', title: RATHER });
  const others = create('datalist', { id: list });
  const opposed = create('label', { class: 'av-rather', hidden: '' }, [create('span', { class: 'av-label', text: 'rather than' }), rather, others]);
  const stop = create('button', { type: 'button', class: 'av-toggle', text: 'Stop', hidden: '' });
  const said = create('span', { class: 'av-show-said', role: 'status' });
  const cost = create('span', { class: 'av-show-said' });
  const refused = create('span', { class: 'av-show-said av-only-narrow', hidden: '' }); // there the line of all notices may be far above
  const element = create('span', { class: 'av-show', role: 'group', 'aria-label': 'Show' }, [create('span', { class: 'av-label', text: 'Show' }), read, forecast, of, opposed, relative, stop, said, cost, refused]);
  part(root, 'choices').prepend(element);

  /** Whole answer, the token on screen, and what was made before. @returns {(number[] | null)[]} */
  function targets() {
    const { info, selection, forecasts, reading } = state.get;
    if (!info) return [];
    const all = choice.whole().tokens;
    const one = selection && all.includes(selection.token) ? [[selection.token]] : [];
    const made = forecasts.flatMap(({ target }) => (target && target.against === null ? [target.tokens] : []));
    const wanted = [...(reading?.kind === 'forecast' ? [reading.tokens] : []), ...one, ...made].filter((tokens) => String(tokens) !== String(all));
    return [null, ...wanted.filter((tokens, i) => wanted.findIndex((other) => String(other) === String(tokens)) === i).sort((a, b) => a[0] - b[0])];
  }

  /** The one token of the answer that another may be set against, null where it is several. */
  function one() {
    const { reading } = state.get;
    return choice.opposes && reading?.kind === 'forecast' && reading.tokens.length === 1 ? reading.tokens[0] : null;
  }

  /** What could stand in its place, for whoever is about to name it. */
  async function suggest() {
    const token = one();
    const texts = token === null ? [] : await choice.others?.(token);
    if (one() === token) others.replaceChildren(...(texts ?? []).map((value) => create('option', { value })));
  }

  function oppose() {
    const token = one();
    if (token !== null && rather.value !== otherOf()) void choice.forecast(rather.value.trim() || !isWholeOf(token) ? [token] : null, rather.value.trim() ? rather.value : null);
  }

  const otherOf = () => state.get.reading?.other ?? '';
  const isWholeOf = (/** @type {number} */ token) => String(choice.whole().tokens) === String(token);

  function show() {
    const { info, reading, readings, forecasts, relatives, tower, cellsShown, notice } = state.get;
    const [isForecasting, isDividing] = [Boolean(readings.forecast?.working), Boolean(readings.relative?.working)];
    const working = isForecasting || isDividing;
    element.hidden = !info || !(canAsk || forecasts.length || relatives.length);
    if (!info || element.hidden) return;
    const why = choice.why();
    read.setAttribute('aria-pressed', String(!reading && !working && !cellsShown));
    forecast.setAttribute('aria-pressed', String(((reading?.kind === 'forecast' && !isDividing) || isForecasting) && !cellsShown));
    relative.setAttribute('aria-pressed', String(((reading?.kind === 'relative' && !isForecasting) || isDividing) && !cellsShown));
    relative.hidden = !(canAsk || relatives.length || reading?.kind === 'relative');
    forecast.hidden = !(canAsk || forecasts.length);
    const whyNot = whyNoRelative(info, tower);
    relative.disabled = Boolean(whyNot);
    relative.title = whyNot || RELATIVE_ANSWERS;
    const costs = working ? null : choice.cost?.() ?? null;
    forecast.disabled = Boolean(why);
    forecast.title = why || [`${FORECAST_ANSWERS} (e)`, costs?.long].filter(Boolean).join('\n');
    stop.hidden = !working;
    said.textContent = working ? `${choice.whose?.() ?? ''}${readings[isForecasting ? 'forecast' : 'relative'].text}` : '';
    [cost.textContent, cost.title] = [costs?.short ?? '', costs?.long ?? ''];
    refused.textContent = [readings.forecast, readings.relative].some((asked) => asked?.text && !asked.working && !asked.made && notice.includes(asked.text)) ? notice : '';
    refused.hidden = !refused.textContent;
    opposed.hidden = one() === null;
    const isRefused = readings.forecast && !readings.forecast.working && !readings.forecast.made; // why is said where all notices are
    rather.setAttribute('aria-invalid', String(Boolean(isRefused) && rather.value !== otherOf()));
    const offered = targets();
    of.hidden = reading?.kind !== 'forecast' || offered.length < 2;
    const name = (/** @type {number[] | null} */ tokens) => (tokens === null ? choice.whole().name : `of ${targetName(info, { tokens })}`);
    of.replaceChildren(...offered.map((tokens) => create('option', { value: String(tokens ?? ''), text: name(tokens) })));
    of.value = reading && offered.some((tokens) => String(tokens) === String(reading.tokens)) ? String(reading.tokens) : '';
  }

  const undo = [
    listen(read, { click: choice.read }),
    listen(forecast, { click: () => void (state.get.reading?.kind === 'forecast' ? choice.uncover() : choice.forecast()) }),
    listen(relative, { click: () => void (state.get.reading?.kind === 'relative' ? choice.uncover() : choice.relative()) }),
    listen(of, { change: () => void choice.forecast(of.value ? of.value.split(',').map(Number) : null) }),
    listen(rather, { change: oppose, focus: () => void suggest() }),
    state.on(['reading'], () => { rather.value = otherOf(); }),
    listen(stop, { click: () => { choice.stop(); read.focus(); } }),
    state.on(['info', 'tower', 'selection', 'reading', 'readings', 'forecasts', 'relatives', 'cellsShown', 'notice'], show),
    ...(canAsk ? [] : [state.on(['info'], () => void choice.look())]), // a file shows what it holds
  ];
  show();
  return { dispose: () => { undo.forEach((end) => end()); element.remove(); } };
}
