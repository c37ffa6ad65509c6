// @ts-check
/**
 * A place of the picture, marked: how to draw one, a line to type or load one, and all that is measured of it in the head on screen, beside
 * chance. Below the picture, while it is wanted.
 */
import { layersOf } from '../../data/run_info.js';
import { sidesOf } from '../../data/source.js';
import { regionOf } from '../../numbers/regions.js';
import { formatSigned } from '../../numbers/change_measures.js';
import { placeEffect } from '../../text/effect.js';
import { measuredWords } from '../../text/region.js';
import { create, listen, part } from '../dom.js';

const MOST_BYTES = 1_000_000;

/**
 * @param {Element} root
 * @param {import('../../state/fields.js').ViewerState} state
 * @param {Pick<import('../../state/region_actions.js').RegionActions, 'load' | 'toggle' | 'letGo'> & {select?: (change: {layer: number, head: number}, member: number) => void}} actions  `select`: another head, of a member on screen
 * @param {() => string[]} names  of the members on screen, '' of a run's own
 * @param {() => {shown: import('../../state/fields.js').Shown | null, info: import('../../data/run_info.js').RunInfo | null}[]} [members]  likewise: what is shown of each
 */
export function createPlacePanel(root, state, { load, toggle, letGo, select = () => {} }, names, members = () => [{ shown: state.get.shown, info: state.get.info }]) {
  const input = create('input', { type: 'text', class: 'av-mark-input', 'aria-label': 'A place: x0 y0 x1 y1, or JSON', placeholder: 'x0 y0 x1 y1, or JSON', spellcheck: false, autocomplete: 'off' });
  const measure = create('button', { type: 'submit', class: 'av-toggle', text: 'Measure' });
  const clear = create('button', { type: 'button', class: 'av-toggle', text: 'Clear' });
  const done = create('button', { type: 'button', class: 'av-toggle av-mark-done', text: 'Done' });
  const hint = create('span', { class: 'av-mark-hint', text: 'Drag a box on the picture, or tap a point.' });
  const form = create('form', { class: 'av-mark-form' }, [hint, input, measure, clear, done]);
  const wrong = create('p', { class: 'av-mark-wrong', role: 'alert' });
  const list = create('div', { class: 'av-mark-measures' });
  const element = create('div', { class: 'av-mark', role: 'group', 'aria-label': 'Mark a place', hidden: '' }, [form, wrong, list]);
  part(root, 'under').after(element);

  /** @param {string} text */
  function take(text) {
    wrong.textContent = load(text);
    input.setAttribute('aria-invalid', String(Boolean(wrong.textContent)));
  }

  /** A file that is dropped on the line. @param {DragEvent} event */
  async function drop(event) {
    const [file] = event.dataTransfer?.files ?? [];
    if (!file) return; // a text goes where texts go
    event.preventDefault();
    event.stopPropagation();
    if (file.size > MOST_BYTES) {
      wrong.textContent = `The file has ${(file.size / 1e6).toFixed(1)} MB; up to 1 MB are read.`;
      return;
    }
    take(await file.text());
  }

  function show() {
    const { marking, info } = state.get;
    element.hidden = !marking;
    root.toggleAttribute('data-marking', marking);
    if (!marking || !info) return;
    say();
  }

  /** The place in numbers, where nobody is typing. */
  function write() {
    const { info, region } = state.get;
    wrong.textContent = '';
    input.removeAttribute('aria-invalid');
    if (document.activeElement === input && input.value.trim().startsWith('{')) return;
    const place = info && regionOf(info, region);
    input.value = place ? sidesOf(place.place).replaceAll(',', ' ') : '';
    clear.disabled = !region;
  }

  function say() {
    const { measured } = state.get;
    const heads = members().map(({ shown, info }) => ({
      layer: info && shown ? layersOf(info, shown.tower).indexOf(/** @type {number} */ (shown.layer)) : -1, head: shown?.head,
    }));
    if (!measured || measured.why) {
      list.replaceChildren(...(measured ? [create('p', { text: measured.why })] : []));
      return;
    }
    if (measured.isEffect) return list.replaceChildren(...measured.members.flatMap(sayEffect));
    if (!heads.length || heads.some(({ layer, head }) => layer < 0 || typeof head !== 'number')) {
      list.replaceChildren(create('p', { text: 'Choose one layer and one head: a place is measured in one.' }));
      return;
    }
    const words = measured.members.map((member, i) => measuredWords(member, heads[i].layer, /** @type {number} */ (heads[i].head)));
    list.replaceChildren(
      ...words.map(({ said }, i) => create('p', {}, [...(names()[i] ? [create('b', { text: names()[i] }), ' '] : []), said])),
      create('p', { class: 'av-mark-chance', text: words[words.length - 1].chance }),
    );
  }

  /** The forecast of hiding the place, and the heads that have most of it: a press leads to one. @param {import('../../state/region_follow.js').Measured['members'][number]} member @param {number} i  of those on screen */
  function sayEffect(member, i) {
    const { info, shown } = members()[i] ?? {};
    if (!info || !shown) return [];
    const { said, strongest } = placeEffect(member, layersOf(info, shown.tower));
    return [create('p', {}, [...(names()[i] ? [create('b', { text: names()[i] }), ' '] : []), said]), create('p', { class: 'av-mark-heads' }, ['Most of it: ', ...strongest.flatMap(({ layer, head, effect }, place) => {
      const button = create('button', { type: 'button', class: 'av-link', text: `layer ${layer} head ${head}` });
      button.addEventListener('click', () => select({ layer, head }, i));
      return [place ? ', ' : '', button, ` ${formatSigned(effect)}`];
    })])];
  }

  const undo = [
    listen(form, {
      submit: (/** @type {Event} */ event) => {
        event.preventDefault();
        take(input.value);
      },
    }),
    listen(input, { drop: (/** @type {DragEvent} */ event) => void drop(event), dragover: (/** @type {DragEvent} */ event) => event.preventDefault() }),
    listen(clear, { click: letGo }),
    listen(done, { click: () => toggle(false) }),
    listen(element, {
      keydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault(); // it closes the line and clears nothing
        toggle(false);
      },
    }),
    state.on(['marking', 'info'], show),
    state.on(['region', 'info', 'marking'], write),
    state.on(['measured', 'shown'], say),
  ];
  show();

  return {
    /** Into the line, for who came by a key. */
    focus: () => input.focus(),
    dispose() {
      undo.forEach((end) => end());
      element.remove();
    },
  };
}
