// @ts-check
/**
 * Layer, head and tower beside the maps, direction and row beside the tokens, as labelled controls: what can be pointed at can be reached
 * by keyboard and thumb too.
 */
import { areSummed } from '../numbers/ratios.js';
import { create, part } from './dom.js';
import { headsOf, layersOf } from '../data/run_info.js';
import { reducedBy } from '../numbers/effects.js';
import { choices, directionsOf, offersTwoRows } from '../data/selection.js';
import { wordsBetween } from '../text/layers.js';

/** @type {Record<string, string>} */
const TOWERS = {
  language: 'text and pictures, token by token',
  cross: 'what text reads of the pictures, by cross-attention',
  resampler: 'what the tokens of a picture read of its patches',
  vision: 'what patches of the pictures read of each other',
};
/** Of a model that reads with an encoder and answers with a decoder. @type {Record<string, string>} */
const OF_TWO_PARTS = {
  language: 'what the answer reads of itself',
  encoder: 'what picture and question read of each other, before the answer',
  cross: 'what the answer reads of picture and question',
};

/** What is asked of effects. @type {Record<import('../data/selection.js').Direction, [string, string]>} */
const EFFECT_WAYS = {
  reads: ['one row', 'what changes if the row of the selected token or patch reads a cell less'],
  'read by': ['one key', 'what changes if a row reads the selected token or patch less'],
  received: ['all rows', 'what changes if everybody reads a cell less'],
};

/**
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 * @param {{choose: (change: Partial<import('../data/selection.js').Selection>) => void, enter: (tower: string) => void, turn: (direction: import('../data/selection.js').Direction) => void}} actions
 */
export function createChoices(root, state, { choose, enter, turn }) {
  const layer = stepper('Layer', 'layer', (value) => choose({ layer: value }));
  const head = stepper('Head', 'head', (value) => choose({ head: value }));
  const reading = create('span', { class: 'av-choice av-reading-choice', role: 'group', 'aria-label': 'Row' });
  /** @type {[import('../data/selection.js').Selection['reading'], string, string][]} */
  const rows = [
    ['predicting', 'predicting row', 'the row that predicted this token'],
    ['own', 'own row', 'what this token reads when the next one is predicted'],
  ];
  const buttons = rows.map(([name, text, title]) => {
    const button = create('button', { type: 'button', class: 'av-toggle', text, title });
    button.addEventListener('click', () => choose({ reading: name }));
    reading.append(button);
    return button;
  });
  const towers = create('span', { class: 'av-choice av-tower-choice', role: 'group', 'aria-label': 'Tower' });
  const directions = create('span', { class: 'av-choice', role: 'group', 'aria-label': 'Direction' });
  /** @type {[import('../data/selection.js').Selection['direction'], string, string][]} */
  const ways = [
    ['reads', 'reads from', 'what the selected token or patch reads: its row'],
    ['read by', 'is read by', 'who reads the selected token or patch: its column'],
    ['received', 'received', 'what each patch receives: the mean over all that read it'],
  ];
  const turns = ways.map(([name, text, title]) => {
    const button = create('button', { type: 'button', class: 'av-toggle', text, title });
    button.addEventListener('click', () => turn(name));
    directions.append(button);
    return button;
  });
  part(root, 'selects').replaceChildren(layer.element, head.element, towers);
  part(root, 'choices').replaceChildren(reading, directions, create('span', { class: 'av-choice av-play', role: 'group', 'aria-label': 'Play' }));

  function offer() {
    const { info, tower, reading: forecast } = state.get;
    const isEffect = areSummed(forecast);
    const names = info ? Object.keys(info.towers).filter((name) => layersOf(info, name).length) : [];
    const unread = Object.entries(info?.unread_towers ?? {});
    towers.classList.toggle('av-off', names.length + unread.length < 2);
    towers.replaceChildren(...names.map((name) => {
      const button = create('button', { type: 'button', class: 'av-toggle', text: name, 'aria-pressed': name === tower, title: { ...TOWERS, ...(info?.towers.encoder ? OF_TWO_PARTS : {}) }[name] ?? '' });
      button.addEventListener('click', () => enter(name));
      if (forecast && !forecast.towers.includes(name)) Object.assign(button, { disabled: true, title: isEffect ? `This forecast is not of the ${name} tower: choose Read, go there, and choose Forecast.` : `Relative attention is not of the ${name} tower: choose Read, and go there.` });
      return button;
    }), ...unread.map(([name, { layers, why }]) => create('button', {
      type: 'button', class: 'av-toggle', text: name, disabled: true, title: `Its ${layers} layers make no map: ${why}.`,
    })));
    layer.offer(info ? choices(layersOf(info, tower)) : [], info ? wordsBetween(info, tower) : [], isEffect);
    head.offer(info ? choices(headsOf(info, tower)) : [], [], isEffect);
    show();
  }

  function show() {
    const { info, selection, reading: forecast } = state.get;
    const isEffect = forecast !== null;
    layer.show(selection?.layer);
    head.show(selection?.head);
    const isOffered = Boolean(info && selection && offersTwoRows(info, selection));
    reading.classList.toggle('av-off', !isOffered);
    reading.hidden = isEffect && !isOffered; // there is more to choose
    ways.forEach(([name], i) => {
      turns[i].setAttribute('aria-pressed', String(selection?.direction === name));
      [turns[i].textContent, turns[i].title] = areSummed(forecast) ? EFFECT_WAYS[name] : ways[i].slice(1);
      turns[i].hidden = !info || !selection || !directionsOf(info, selection.tower, forecast?.kind).includes(name);
    });
    rows.forEach(([name], i) => buttons[i].setAttribute('aria-pressed', String(selection?.reading === name)));
  }

  const undo = [state.on(['info', 'tower', 'reading'], offer), state.on(['selection'], show)];
  offer();
  return { dispose: () => undo.forEach((end) => end()) };
}

/**
 * A select with a step back and a step forward.
 * @param {string} label
 * @param {string} what
 * @param {(choice: import('../data/run_info.js').Choice) => void} choose
 * @param {boolean} [isNamed]  each choice says what it is of: there is no label beside it
 */
export function stepper(label, what, choose, isNamed = false) {
  const select = create('select', { 'aria-label': label });
  const back = create('button', { type: 'button', class: 'av-step', 'aria-label': `previous ${what}`, text: '‹' });
  const forward = create('button', { type: 'button', class: 'av-step', 'aria-label': `next ${what}`, text: '›' });
  /** @type {import('../data/run_info.js').Choice[]} */
  let offered = [];
  /** Of what is offered: between them stand words that cannot be chosen. @type {HTMLOptionElement[]} */
  let options = [];

  const selected = () => options.indexOf(select.selectedOptions[0]);
  const step = (/** @type {number} */ by) => {
    const next = offered[selected() + by];
    if (next !== undefined) choose(next);
  };
  select.addEventListener('change', () => choose(offered[selected()]));
  back.addEventListener('click', () => step(-1));
  forward.addEventListener('click', () => step(1));

  return {
    element: create('span', { class: 'av-choice' }, [...(isNamed ? [] : [create('span', { class: 'av-label', text: label })]), back, select, forward]),
    /**
     * @param {import('../data/run_info.js').Choice[]} choices
     * @param {string[]} [before]  what is said before each number, and after the last, of what cannot be chosen
     * @param {boolean} [isEffect]
     */
    offer(choices, before = [], isEffect = false) {
      offered = choices;
      options = (choices.length ? choices : ['–']).map((choice) =>
        create('option', { value: choice, text: choice === 'mean' || choice === 'max' ? `${reducedBy(choice, isEffect)} over ${what}s` : isNamed && choices.length ? `${what} ${choice}` : `${choice}` }));
      const first = options.length - before.length + 1; // the numbers come last
      const words = (/** @type {number} */ i) => (before[i] ? [create('option', { disabled: '', value: '', text: before[i] })] : []);
      select.replaceChildren(...options.flatMap((option, i) => [...words(i - first), option]), ...words(before.length - 1));
    },
    /** @param {import('../data/run_info.js').Choice | undefined} choice */
    show(choice) {
      const index = choice === undefined ? -1 : offered.indexOf(choice);
      if (options.length) options[Math.max(0, index)].selected = true;
      select.disabled = !offered.length;
      back.disabled = index <= 0;
      forward.disabled = index < 0 || index === offered.length - 1;
    },
  };
}
