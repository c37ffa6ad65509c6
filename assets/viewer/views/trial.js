// @ts-check
/**
 * "Try without it": a button, how far the trial is with a button that stops it, and what came of it, for a place or for a head. Hidden where
 * nothing can be tried.
 */
import { askedOf, nameOf, SILENCES } from '../state/trials.js';
import { triedWords } from '../text/tried.js';
import { create, listen, part } from './dom.js';
import { hearKept } from './kept_events.js';

/** @type {Record<import('../state/trials.js').Silence, string>} */
const GIVES = { zero: 'gives 0', mean: 'gives its mean' };

/**
 * @param {import('../state/fields.js').ViewerState} state
 * @param {import('../state/trials.js').Trials} trials
 * @param {object} about
 * @param {import('../state/trials.js').Of} about.of
 * @param {string} about.text   of the button
 * @param {string} about.title
 * @param {HTMLElement} [about.choice]  how, where it stands beside the button once one was tried
 */
function createTrialView(state, trials, { of, text, title, choice }) {
  const button = create('button', { type: 'button', class: 'av-toggle av-try', text, title });
  const stop = create('button', { type: 'button', class: 'av-toggle av-try-stop', text: 'Stop', hidden: '' });
  const ask = create('span', { class: 'av-try-ask', hidden: '' }, [button, ...(choice ? [choice] : []), stop]);
  const said = create('div', { class: 'av-tried', role: 'status', 'aria-live': 'polite', hidden: '' });

  function show() {
    const { trial } = state.get;
    const wish = trials.isPossible() ? askedOf(of, state.get) : null;
    const isWorking = Boolean(trial?.working);
    ask.hidden = !wish;
    if (choice) choice.hidden = trial?.of !== of;
    button.setAttribute('aria-disabled', String(isWorking));
    stop.hidden = !(isWorking && trial?.of === of);
    // what is shown belongs to what is on screen
    const words = !wish || trial?.of !== of || trial.name !== nameOf(wish) ? [] : trial.tried ? triedWords(trial.tried, of) : [trial.text];
    said.hidden = !words.length;
    const now = [...said.children].map(({ textContent }) => textContent);
    if (String(now) !== String(words)) said.replaceChildren(...words.map((each) => create('p', { text: each })));
  }

  const undo = [
    listen(button, {
      click: () => {
        const wish = askedOf(of, state.get);
        if (wish) trials.ask(of, wish);
      },
    }),
    listen(stop, {
      click: () => {
        trials.stop();
        button.focus();
      },
    }),
    state.on(['trial', 'info', 'selection', 'region', 'marking', 'how', 'silence'], show),
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
    of: 'place', text: 'Try without it', title: 'read the prompt and the answer again without this place: how probable the answer is then, beside other places',
  });
}

/**
 * The head on screen, where it is one.
 * @param {import('../state/fields.js').ViewerState} state
 * @param {import('../state/trials.js').Trials} trials
 */
function createHeadTrial(state, trials) {
  const choice = create('select', { 'aria-label': 'What a silenced head gives instead', title: 'what a silenced head gives instead of its output: nothing, or the mean of its outputs' }, SILENCES.map((value) => create('option', { value, text: GIVES[value] })));
  const undo = [
    listen(choice, { change: () => state.set({ silence: /** @type {import('../state/trials.js').Silence} */ (choice.value) }) }),
    state.on(['silence'], () => { choice.value = state.get.silence; }),
  ];
  const view = createTrialView(state, trials, {
    of: 'head', text: 'Silence this head', title: 'read the prompt and the answer again without what this head adds: how probable the answer is then, beside other heads',
    choice,
  });
  return { ...view, dispose: () => { undo.forEach((end) => end()); view.dispose(); } };
}
