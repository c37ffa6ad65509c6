// @ts-check
/** What the matrix of change is of: a measure, the mean or one row; against whom; and all its numbers as a table to keep. */
import { hasParts, isSideBySide, memberName } from '../../data/comparison_info.js';
import { measureText, measureTitle, offeredMeasures } from '../../numbers/change_measures.js';
import { isOfRegion, regionIn } from '../../numbers/regions.js';
import { ONE_INPUT, ONE_INPUT_MEANS, OVER_A_SET, PARTS, partWords } from '../../text/noise.js';
import { changeWish, rowOfMatrix } from '../../state/change_wish.js';
import { whyNoChange } from '../../state/effect_change.js';
import { create, part } from '../dom.js';
import { pointsAtTokens } from '../../data/selection.js';

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ComparisonState} state
 */
export function createChangeChoices(root, state) {
  const title = part(root, 'change-title');
  const place = part(root, 'change-choices');
  const select = create('select', { 'aria-label': 'Measure' });
  const group = create('span', { class: 'av-choice', role: 'group', 'aria-label': 'Rows' });
  const table = create('a', {
    class: 'av-table', text: 'CSV ↓', download: '',
    title: 'save a table: every measure of every head under every adapter, means over the rows that are compared',
  });
  const buttons = /** @type {const} */ (['mean', 'token']).map((of) => {
    const button = create('button', { type: 'button', class: 'av-toggle' });
    button.addEventListener('click', () => state.set({ of }));
    group.append(button);
    return { of, button };
  });
  select.addEventListener('change', () => state.set({ measure: select.value }));
  const one = create('span', { class: 'av-one', text: ONE_INPUT, title: `${ONE_INPUT_MEANS} ${OVER_A_SET}` });
  const parts = create('select', { 'aria-label': 'Part of the change', hidden: '' }, PARTS.map((part) => {
    const { text, title: words } = partWords(part);
    return create('option', { value: part, text, title: words });
  }));
  parts.addEventListener('change', () => state.set({ part: PARTS.find((part) => part === parts.value) ?? '' }));
  place.replaceChildren(select, parts, group, table);

  function offer() {
    const { comparison, whole, tower, info, region, reading } = state.get;
    const names = comparison && info ? offeredMeasures(comparison, regionIn(info, region, tower) !== null, reading) : [];
    select.replaceChildren(...(names.length ? names : ['–']).map((name) => create('option', { value: name, text: measureText(name), title: measureTitle(name) })));
    select.disabled = !names.length;
    select.hidden = group.hidden = Boolean(whyNoChange(reading));
    table.hidden = Boolean(whole?.noFiles || reading); // it is of what is read
    if (whole && comparison) table.href = `${whole.base}/changes.csv?tower=${tower}`;
    else table.removeAttribute('href');
    table.setAttribute('aria-disabled', String(!comparison));
    show();
  }

  function show() {
    const { comparison, info, selection, measure, of, left, right, tower, part, reading } = state.get;
    parts.hidden = Boolean(reading) || !hasParts(comparison, right);
    parts.disabled = isOfRegion(measure);
    parts.value = parts.disabled ? '' : part;
    parts.title = partWords(part).title;
    place.classList.toggle('av-off', !comparison);
    select.value = measure;
    select.title = measureTitle(measure);
    const [first, last] = comparison?.answer_rows ?? [0, 0];
    const own = comparison?.queries[tower] ?? [];
    const rows = last - first + 1;
    const isAnswering = tower !== 'vision' && own.some((row) => first <= row && row <= last);
    const mean = reading ? 'all rows' : !isAnswering ? `mean of ${own.length} ${tower === 'vision' ? 'patches' : 'rows'}` : rows === 1 ? "answer's row" : `answer's ${rows} rows`;
    const isThere = info && selection && !whyNoChange(reading) && (reading ? changeWish(info, selection, { right, measure, of: 'token', region: null, part: '', comparison, reading }).query : rowOfMatrix(info, selection, 'token')) !== null;
    for (const { of: name, button } of buttons) {
      button.textContent = name === 'mean' ? mean : info && selection && !pointsAtTokens(info, selection) ? 'this patch' : 'this row';
      button.title = name === 'mean' ? (reading ? 'all rows together' : 'the mean over the rows that were compared') : 'the row of the token or patch that is selected; of several the first';
      button.disabled = name === 'token' && !isThere;
      button.setAttribute('aria-pressed', String(isThere ? of === name : name === 'mean'));
    }
    const names = comparison ? [memberName(comparison.members, right), memberName(comparison.members, 0)] : [];
    if (isSideBySide(comparison)) {
      title.replaceChildren(`${names[0]} beside ${names[1]} (`, one, ')');
      return;
    }
    const why = whyNoChange(reading);
    if (why) {
      title.textContent = title.title = why;
      return;
    }
    const isOther = left > 0;
    title.replaceChildren(...(names.length ? [reading ? 'How far forecasts of heads are apart (' : 'How far heads moved (', one, '): ', create('b', { text: names[0] }), ' against ', create('b', { text: names[1] })] : []));
    if (isOther) title.append(', not the first of the pair');
    if (names.length) title.append(' · layers →, heads ↓');
    title.title = title.textContent;
  }

  const undo = [
    state.on(['comparison', 'whole', 'tower', 'info', 'region', 'reading'], offer),
    state.on(['measure', 'of', 'selection', 'left', 'right', 'info', 'part'], show),
  ];
  offer();
  return { dispose: () => undo.forEach((end) => end()) };
}
