// @ts-check
/**
 * "Try without it": a button, how far the trial is with a button that stops it, and what came of it, for a place or for a head. Hidden where
 * nothing can be tried.
 */
import { towerOfPictures } from '../data/run_info.js';
import { regionOf } from '../numbers/regions.js';
import { nameOf } from '../state/trials.js';
import { triedWords } from '../text/tried.js';
import { create, listen, part } from './dom.js';
import { hearKept } from './kept_events.js';

/**
 * @param {import('../state/fields.js').ViewerState} state
 * @param {import('../state/trials.js').Trials} trials
 * @param {object} about
 * @param {import('../state/trials.js').Of} about.of
 * @param {string} about.text   of the button
 * @param {string} about.title
 * @param {{label: string, options: [value: string, text: string][], isLater?: boolean}} about.how  as a choice, whose value is passed on; later: once one was tried
 * @param {(how: string) => import('../state/trials.js').Asked | null} about.asked  what is on screen, null where it is nothing to try
 */
function createTrialView(state, trials, { of, text, title, how, asked }) {
  const button = create('button', { type: 'button', class: 'av-toggle av-try', text, title });
  const choice = create('select', { 'aria-label': how.label, title: how.label }, how.options.map(([value, words]) => create('option', { value, text: words })));
  const stop = create('button', { type: 'button', class: 'av-toggle av-try-stop', text: 'Stop', hidden: '' });
  const ask = create('span', { class: 'av-try-ask', hidden: '' }, [button, choice, stop]);
  const said = create('div', { class: 'av-tried', role: 'status', 'aria-live': 'polite', hidden: '' });

  function show() {
    const { trial } = state.get;
    const wish = trials.isPossible() ? asked(choice.value) : null;
    const isWorking = Boolean(trial?.working);
    ask.hidden = !wish;
    choice.hidden = Boolean(how.isLater) && trial?.of !== of;
    button.setAttribute('aria-disabled', String(isWorking));
    stop.hidden = !(isWorking && trial?.of === of);
    // what is shown belongs to what is on screen
    const isOfThis = trial?.of === of && wish && trial.name === nameOf(wish);
    const words = !isOfThis ? [] : trial.tried ? triedWords(trial.tried, of) : [trial.text];
    said.hidden = !words.length;
    const now = [...said.children].map(({ textContent }) => textContent);
    if (String(now) !== String(words)) said.replaceChildren(...words.map((each) => create('p', { text: each })));
  }

  const undo = [
    listen(button, {
      click: () => {
        const wish = asked(choice.value);
        if (wish) trials.ask(of, wish);
      },
    }),
    listen(stop, {
      click: () => {
        trials.stop();
        button.focus();
      },
    }),
    listen(choice, { change: show }),
    state.on(['trial', 'info', 'selection', 'region', 'marking'], show),
  ];
  show();
  return { ask, said, dispose: () => { undo.forEach((end) => end()); ask.remove(); said.remove(); } };
}

/**
 * Both on the page of a run, in their places: below what is measured of a place, and beside the choice of the head.
 * @param {Element} root
 * @param {import('../state/fields.js').ViewerState} state
 * @param {import('../state/trials.js').Trials} trials
 */
export function createRunTrials(root, state, trials) {
  const [place, head] = [createPlaceTrial(state, trials), createHeadTrial(state, trials)];
  part(root, 'mark').append(place.ask, place.said);
  part(root, 'tower-choice').before(head.ask);
  part(root, 'selects').after(head.said);
  const undo = hearKept('run', { tried: ({ told }) => trials.hear(told) });
  return {
    dispose() {
      undo();
      trials.stop(); // nobody would see what comes of it
      place.dispose();
      head.dispose();
    },
  };
}

/**
 * The place that is measured: hidden from every token outside of it.
 * @param {import('../state/fields.js').ViewerState} state
 * @param {import('../state/trials.js').Trials} trials
 */
function createPlaceTrial(state, trials) {
  return createTrialView(state, trials, {
    of: 'place', text: 'Try without it', title: 'read the prompt and the answer again with this place hidden: how probable the answer is then, beside other places',
    how: { label: 'Paint it over as well', options: [['none', 'hidden'], ['mean', 'hidden, and painted over'], ['blur', 'hidden, and blurred']] },
    asked(paint) {
      const { info, region, marking } = state.get;
      const found = info && marking ? regionOf(info, region) : null;
      if (!found) return null;
      return { [found.place.length === 4 ? 'box' : 'point']: found.place, image: found.image, paint };
    },
  });
}

/**
 * The head on screen, where it is one.
 * @param {import('../state/fields.js').ViewerState} state
 * @param {import('../state/trials.js').Trials} trials
 */
function createHeadTrial(state, trials) {
  return createTrialView(state, trials, {
    of: 'head', text: 'Silence this head', title: 'read the prompt and the answer again without what this head adds: how probable the answer is then, beside other heads',
    how: { label: 'What it gives instead', isLater: true, options: [['zero', 'gives 0'], ['mean', 'gives its mean']] },
    asked(silence) {
      const { info, selection } = state.get;
      if (!info || selection?.tower !== towerOfPictures(info) || typeof selection.layer !== 'number' || typeof selection.head !== 'number') return null;
      return { heads: [[selection.layer, selection.head]], silence };
    },
  });
}
