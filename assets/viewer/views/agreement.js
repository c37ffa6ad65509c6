// @ts-check
/** "How far do these agree here?": asked for by one press, answered under the map, with the map on screen among those that are judged. */
import { agreementTable, agreementWords, QUESTION, QUESTION_TITLE } from '../text/agreement.js';
import { isTarget, targetAsked, targetOf } from '../state/reading.js';
import { create, listen, part } from './dom.js';
import { linkHow } from './how_to_read.js';

const KIND = 'agreement';

/**
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 * @param {import('../state/readings.js').Readings | null} asking  null where there is nobody to ask
 * @param {() => boolean} canAsk
 */
export function createAgreementView(root, state, asking, canAsk) {
  const button = create('button', { type: 'button', class: 'av-toggle', text: QUESTION, title: QUESTION_TITLE, 'data-ask': 'agreement' });
  const stop = create('button', { type: 'button', class: 'av-toggle', text: 'Stop', hidden: '' });
  const asked = create('span', { class: 'av-show-agree' }, [button, stop]);
  part(root, 'choices').append(asked);

  const head = create('p', { class: 'av-agree-said' });
  const table = create('table', { class: 'av-agree-table' });
  const foot = create('span');
  const below = create('p', { class: 'av-agree-said' }, [foot, ' ', linkHow(root, KIND)]);
  const close = create('button', { type: 'button', class: 'av-toggle', text: 'Close' });
  const said = create('p', { class: 'av-agree-said' });
  const element = create('div', { class: 'av-agree', role: 'region', 'aria-label': QUESTION, hidden: '' }, [said, head, create('div', { class: 'av-agree-scroll' }, [table]), below, close]);
  part(root, 'sinks').after(element);
  /** @type {unknown} */
  let heard = null;
  let isClosed = false;

  /** @param {string} name */
  async function take(name) {
    const { source } = state.get;
    const found = await source?.reading(name).catch(({ message }) => state.set({ notice: message }));
    if (found && state.get.source === source) state.set({ agreement: { ...found, name } });
  }

  function hear() {
    const { made } = state.get.readings[KIND] ?? {};
    if (made && made !== heard) {
      heard = made;
      void take(made.name);
    }
    show();
  }

  /** @param {string[]} texts @param {'th' | 'td'} tag */
  const line = (texts, tag) => create('tr', {}, texts.map((text, i) => (i && tag === 'td' ? create('td', { text }) : create('th', { text, scope: tag === 'th' ? 'col' : 'row' }))));

  function show() {
    const { info, agreement, readings, shown, drawn } = state.get;
    const wish = readings[KIND];
    const working = Boolean(wish?.working);
    asked.hidden = !info || !(canAsk() || agreement);
    button.setAttribute('aria-disabled', String(working));
    stop.hidden = !working;
    const text = agreement ? '' : wish?.text ?? '';
    element.hidden = isClosed || !(agreement || text);
    if (element.hidden) return;
    said.textContent = text;
    for (const each of [head, table, below]) each.hidden = !agreement;
    if (!agreement || !info) return;
    const judged = drawn?.measured ? null : shown; // the map on screen, where it is not a measurement
    const { columns, rows } = agreementTable(agreement, judged);
    const words = agreementWords(agreement, judged, info);
    [head.textContent, foot.textContent] = [words.head, words.foot];
    table.replaceChildren(create('thead', {}, [line(columns, 'th')]), create('tbody', {}, rows.map((row) => line(row, 'td'))));
  }

  /** The answer that is here, else the one that was given before, else it is asked for. */
  async function press() {
    const { info, source } = state.get;
    isClosed = false;
    if (!info || state.get.readings[KIND]?.working) return;
    const isOfThese = (/** @type {{target: import('../state/reading.js').Target | null} | null} */ each) => isTarget(each?.target, targetOf(state.get));
    if (isOfThese(state.get.agreement)) return show();
    const made = await source?.readings().catch(() => null);
    if (state.get.source !== source) return;
    const found = (made ?? []).find((each) => each.kind === KIND && isOfThese(each));
    if (found) return take(found.name);
    state.set({ agreement: null });
    asking?.ask(KIND, targetAsked(state.get));
  }

  const undo = [
    listen(button, { click: () => void press() }),
    listen(stop, { click: () => { asking?.stop(KIND); button.focus(); } }),
    listen(close, { click: () => { isClosed = true; show(); button.focus(); } }),
    state.on(['readings'], hear),
    state.on(['info', 'agreement', 'shown', 'drawn'], show),
  ];
  show();
  return { dispose: () => { undo.forEach((end) => end()); asked.remove(); element.remove(); } };
}
