// @ts-check
/** The items of scores in rows: each cell a button that opens a kept run, or sets it beside the base's. Texts go in as text. */
import { keptWords, OUTCOMES, percent, placeWords, points } from '../../text/scores.js';
import { create, listen } from '../dom.js';

/**
 * @typedef {import('../../data/scores_source.js').ScoredItem} ScoredItem
 * @typedef {import('../../data/scores_source.js').ItemOfModel} ItemOfModel
 * @typedef {import('../../data/scores_source.js').ScoreTable} ScoreTable
 * @typedef {import('../../numbers/score_items.js').Column} Column
 */

/**
 * @param {HTMLElement} place  a table
 * @param {{open: (item: number, model: number) => void, compare: (item: number, model: number) => void, order: (column: Column) => void, picture: (item: number, digest: string | null) => string}} does
 */
export function createItems(place, { open, compare, order, picture }) {
  const head = create('thead');
  const body = create('tbody');
  place.replaceChildren(head, body);
  listen(body, { keydown: (event) => step(body, event) });
  /** @type {{column: Column, cell: HTMLElement}[]} */
  let columns = [];
  /** @type {ScoreTable | null} */
  let table = null;

  /** @param {string} text @param {Column} column @param {string} title */
  function heading(text, column, title) {
    const button = create('button', { type: 'button', text, title });
    button.addEventListener('click', () => order(column));
    const cell = create('th', { scope: 'col' }, [button]);
    columns.push({ column, cell });
    return cell;
  }

  /** @param {number} i */
  function rowOf(i) {
    const { items, models } = /** @type {ScoreTable} */ (table);
    const item = items[i];
    const image = create('img', { alt: '', loading: 'lazy', src: picture(i, item.picture) });
    image.addEventListener('error', () => { image.style.visibility = 'hidden'; });
    const named = create('td', { class: 'av-sc-words' }, [
      create('div', { text: item.prompt ?? item.name }),
      create('div', { class: 'av-sc-quiet', text: [item.name, fileOf(item.image), keptWords(item)].filter(Boolean).join(' · ') }),
    ]);
    const line = create('tr', { 'data-item': i }, [create('td', {}, item.picture ? [image] : []), named, create('td', { class: 'av-sc-number', text: placeWords(item.place) })]);
    item.models.forEach((own, model) => {
      line.append(create('td', {}, [cellOf(own, () => open(i, model), `Open in Explore: ${item.prompt ?? item.name}, ${models[model].name}`)]));
      if (model) line.append(changeOf(item, model, () => compare(i, model), `Compare ${models[0].name} and ${models[model].name}: ${item.prompt ?? item.name}`));
    });
    return line;
  }

  return {
    /** Another set: its columns. @param {ScoreTable} next */
    begin(next) {
      table = next;
      columns = [];
      const hasOutcomes = next.models.map((_, model) => next.items.some(({ models }) => models[model].outcome));
      const cells = [
        heading('Picture', { of: 'set' }, 'in the order of the set'), heading('Words', { of: 'words' }, 'by their words'), heading('Place', { of: 'place' }, 'by its area: the smallest first'),
      ];
      next.models.forEach(({ name }, model) => {
        const cell = heading(`${name}: share`, { of: 'share', model }, 'the least share at the place first');
        if (hasOutcomes[model]) {
          const button = create('button', { type: 'button', text: 'answer', title: 'the worst answers first', 'aria-label': `${name}: answer` });
          button.addEventListener('click', () => order({ of: 'outcome', model }));
          cell.append(' ', button);
        }
        cells.push(cell);
        if (model) cells.push(heading(`change at ${next.models[0].name}’s head`, { of: 'change', model }, 'of the share, in points, at the head of the base; the largest first'));
      });
      head.replaceChildren(create('tr', {}, cells));
    },

    /** @param {number[]} numbers  of the items on this page @param {Column} column @param {boolean} isReversed */
    show(numbers, column, isReversed) {
      for (const { column: own, cell } of columns) {
        const isSorted = JSON.stringify(own) === JSON.stringify(column) || (column.of === 'outcome' && own.of === 'share' && own.model === column.model);
        if (isSorted) cell.setAttribute('aria-sort', isReversed ? 'descending' : 'ascending');
        else cell.removeAttribute('aria-sort');
      }
      body.replaceChildren(...numbers.map(rowOf));
    },
  };
}

/** Steps of arrow keys, in rows down and cells across. @type {Record<string, [number, number]>} */
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/**
 * From button to button with the arrow keys; cells without one are stepped over.
 * @param {HTMLElement} body @param {KeyboardEvent} event
 */
function step(body, event) {
  const by = STEPS[event.key];
  const cell = /** @type {HTMLElement} */ (event.target).closest('td');
  if (!by || !cell) return;
  const rows = /** @type {HTMLTableRowElement[]} */ ([...body.children]);
  let [row, column] = [rows.indexOf(/** @type {any} */ (cell.parentElement)), cell.cellIndex];
  do [row, column] = [row + by[0], column + by[1]];
  while (rows[row]?.cells[column] && !rows[row].cells[column].querySelector('button'));
  const next = rows[row]?.cells[column]?.querySelector('button');
  event.preventDefault();
  next?.focus();
}

/** An item as a model read it. @param {ItemOfModel} own @param {() => void} open @param {string} label */
function cellOf(own, open, label) {
  if (own.error !== undefined) return create('div', { class: 'av-sc-error', text: own.error });
  const bar = create('span', { class: 'av-sc-share' }, [create('span')]);
  bar.firstChild.style.width = `${100 * Math.min(1, own.share ?? 0)}%`;
  const said = [percent(own.share), own.peak ? 'peak' : '', OUTCOMES[own.outcome ?? ''] ?? ''].filter(Boolean).join(' · ');
  const parts = [bar, create('span', { class: 'av-sc-number', text: said }), create('span', { class: 'av-sc-quiet', text: own.answer ?? '' })];
  const at = own.layer === null ? '' : `by head ${own.layer}.${own.head}`;
  if (!own.run) return create('div', { class: 'av-sc-cell', title: at }, parts);
  const button = create('button', { type: 'button', class: 'av-sc-cell', title: at, 'aria-label': `${label}: ${said}` }, parts);
  button.addEventListener('click', open);
  return button;
}

/** How far a model is from the base. @param {ScoredItem} item @param {number} model @param {() => void} compare @param {string} label */
function changeOf(item, model, compare, label) {
  const [base, own] = [item.models[0], item.models[model]];
  const text = points(own.change);
  if (!base.run || !own.run) return create('td', { class: 'av-sc-number', text: own.error === undefined && base.error === undefined ? text : '' });
  const button = create('button', { type: 'button', class: 'av-sc-cell', 'aria-label': `${label}: ${text} points` }, [
    create('span', { class: 'av-sc-number', text }), create('span', { class: 'av-sc-quiet', text: 'compare' }),
  ]);
  button.addEventListener('click', compare);
  return create('td', {}, [button]);
}

/** @param {string | null} path */
const fileOf = (path) => (path ?? '').split(/[\\/]/).at(-1) ?? '';
