// @ts-check
/**
 * The page of scores over a set: what is said of models and pairs of them, and the items in pages, each of which opens what was kept of it.
 *
 * All items are held here, and only those of one page are in the document. What opening leads to, Gradio is told.
 */
import { createScoresSource, headsFile } from './data/scores_source.js';
import { isBad, orderedItems, PAGE } from './numbers/score_items.js';
import { itemCount, itemRange, keptWords, notKept } from './text/scores.js';
import { create, part } from './views/dom.js';
import { giveHeads } from './views/kept_events.js';
import { createItems } from './views/scores/items.js';
import { showModels, showPairs } from './views/scores/models.js';

const TYPED_MS = 150; // a search waits until a person has stopped for a moment

/**
 * @param {object} component
 * @param {HTMLElement} component.element
 * @param {{value: {names: string[]} | null}} component.props
 * @param {(name: string, data: object) => void} component.trigger
 */
export function mount({ element, props, trigger }) {
  const root = part(element, 'scores');
  const [folder, head, search, bad, said, note, range] = ['folder', 'head', 'search', 'bad', 'said', 'note', 'range'].map((name) => part(root, `sc-${name}`));
  const source = createScoresSource(new URL('../..', import.meta.url).href);
  const names = props.value?.names ?? [];
  let number = 0; // of the folder that is shown
  let offset = 0;
  /** @type {import('./numbers/score_items.js').ItemWish} */
  let wish = { search: '', isBad: false, column: { of: 'set' }, isReversed: false };
  /** @type {import('./data/scores_source.js').ScoreTable | null} */
  let table = null;
  /** @type {number[]} */
  let found = [];
  /** @type {number | undefined} */
  let later;
  const items = createItems(part(root, 'sc-table'), {
    open: (item, model) => trigger('select', { scores: number, item, model }),
    compare: (item, model) => trigger('expand', { scores: number, item, model }),
    order(column) {
      const isSame = JSON.stringify(column) === JSON.stringify(wish.column);
      again({ column, isReversed: isSame && !wish.isReversed });
    },
    picture: (item, digest) => source.picture(number, item, digest),
  });

  async function read() {
    const asked = number;
    try {
      const next = await source.table(number);
      if (asked !== number) return;
      table = next;
      head.textContent = `${names[number]}: ${table.items.length.toLocaleString('en')} items, ${table.models.length} model${table.models.length === 1 ? '' : 's'}`;
      showModels(part(root, 'sc-models'), table, (model) => {
        giveHeads({ text: headsFile(/** @type {any} */ (table), model), name: `${names[number]}, ${model.name}` });
        head.textContent = `The heads of ${model.name} are ringed on the small maps of Explore, and order them.`;
      });
      showPairs(part(root, 'sc-pairs'), table);
      note.hidden = !table.items.some(keptWords);
      note.textContent = notKept(table.items.some(({ models }) => models.some(({ run }) => run)));
      bad.hidden = !table.items.some(isBad);
      part(root, 'sc-items').hidden = false;
      items.begin(table);
      again({});
      root.dataset.scores = 'ready';
    } catch (error) {
      head.textContent = /** @type {Error} */ (error).message;
      root.dataset.scores = 'failed';
    }
  }

  /** What is wished has changed: from the first page on. @param {Partial<typeof wish>} change */
  function again(change) {
    wish = { ...wish, ...change };
    offset = 0;
    if (!table) return;
    found = orderedItems(table.items, wish);
    show();
  }

  function show() {
    if (!table) return;
    const page = found.slice(offset, offset + PAGE);
    items.show(page, wish.column, wish.isReversed);
    bad.setAttribute('aria-pressed', String(wish.isBad));
    said.textContent = itemCount({ all: table.items.length, bad: table.items.filter(isBad).length, found: found.length, isSearched: Boolean(wish.search.trim()) || wish.isBad });
    range.textContent = itemRange(offset, page.length, found.length);
    for (const button of root.querySelectorAll('.av-sc-page')) button.disabled = Number(button.dataset.by) < 0 ? !offset : offset + PAGE >= found.length;
    part(root, 'sc-pages').hidden = found.length <= PAGE;
  }

  folder.append(...names.map((name, i) => create('option', { value: i, text: name })));
  folder.hidden = names.length < 2;
  folder.addEventListener('change', () => {
    number = Number(folder.value);
    wish = { ...wish, column: { of: 'set' }, isReversed: false };
    void read();
  });
  search.addEventListener('input', () => {
    window.clearTimeout(later);
    later = window.setTimeout(() => again({ search: search.value }), TYPED_MS);
  });
  bad.addEventListener('click', () => again({ isBad: !wish.isBad }));
  for (const button of root.querySelectorAll('.av-sc-page')) {
    button.addEventListener('click', () => {
      offset = Math.max(0, offset + Number(button.dataset.by) * PAGE);
      show();
    });
  }
  void read();
}
