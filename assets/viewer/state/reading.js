// @ts-check
/**
 * What is shown of a run: what was read, or a forecast of what that does. One that was made before is found, another is asked for, where
 * there is somebody to ask. Knows no document.
 *
 * @typedef {object} Reading  a forecast that is shown
 * @property {'forecast' | 'relative'} kind
 * @property {string} name
 * @property {string} [prompt]  of relative attention: the general question
 * @property {number} [floor]   likewise: below it weights count as it
 * @property {number[]} tokens   whose log-probability it is of
 * @property {boolean} isWhole   they are the whole answer
 * @property {string[]} towers   that it has
 * @property {number} value      that log-probability
 * @property {number} [against]  the token that the one is set against, an id of the vocabulary: then `value` is a difference of two logits
 * @property {string} [other]    and its text
 * @property {MemberReading[]} [members]  of a comparison, by member
 *
 * @typedef {{value: number, why: string}} MemberReading  the log-probability by a member, and why it has no such reading
 *
 * @typedef {import('./readings.js').MadeReading} MadeReading
 * @typedef {import('../data/run_info.js').RunInfo} RunInfo
 */
import { answerTokens, gridsOf, layersOf, promptLength, queriesAreTokens } from '../data/run_info.js';
import { directionsOf } from '../data/selection.js';
import { readingName } from './readings.js';

const KIND = 'forecast';
const RELATIVE = 'relative';
const LENS = 'lens';
export const NOT_HELD = { forecast: 'This page does not hold that forecast.', relative: 'This page does not hold relative attention.' };
const NO_RELATIVE = 'The address shows relative attention that has not been made of this run: choose Relative to make it.';
const NOT_MADE = 'The address shows a forecast that has not been made of this run';

/** What is said where it was asked for in one tower, and another is shown by now. @param {string[]} towers  that it is of @param {string} tower */
export const notOfTower = (towers, tower) => `What was asked for is there, and not of the ${tower} tower: go back to ${towers.join(' or ')}, and choose it again.`;

/** Why there can be no forecast of a run, '' where there can. @param {RunInfo} info */
export function whyNoForecast(info) {
  return promptLength(info) < info.tokens.length ? '' : 'This run has no answer whose probability could change.';
}

/** Whether this is the forecast of some tokens' log-probability, or of one against another, with a tower. @param {MadeReading} made @param {number[]} tokens @param {string} tower @param {number | null} [against] */
export function isForecastOf({ kind, target, towers }, tokens, tower, against = null) {
  return kind === KIND && isTarget(target, { tokens, against }) && towers.includes(tower);
}

/**
 * The forecast of some tokens' log-probability, with a tower.
 * @param {MadeReading[]} made
 * @param {number[]} tokens
 * @param {string} tower
 * @param {boolean} [isWhole]  these are the whole answer
 * @param {number | null} [against]  an id of the vocabulary
 * @returns {Reading | null}
 */
export function findForecast(made, tokens, tower, isWhole = false, against = null) {
  const found = made.find((each) => isForecastOf(each, tokens, tower, against));
  const other = against === null ? {} : { against, other: found?.other ?? `token ${against}` };
  return found ? { kind: KIND, name: found.name, tokens, isWhole, towers: found.towers, value: found.value ?? NaN, ...other } : null;
}

/** Relative attention that was made, with a tower. @param {MadeReading[]} made @param {string} tower @returns {Reading | null} */
export function findRelative(made, tower) {
  const found = made.find(({ kind, towers }) => kind === RELATIVE && towers.includes(tower));
  return found ? { kind: RELATIVE, name: found.name, tokens: [], isWhole: true, towers: found.towers, value: NaN, prompt: found.prompt, floor: found.floor } : null;
}

/** Why there is no relative attention in a tower, '' where there can be. @param {RunInfo} info @param {string} tower */
export function whyNoRelative(info, tower) {
  return gridsOf(info, tower).length && queriesAreTokens(info, tower) ? '' : 'Relative attention is of rows in which text reads a picture: there are none in this tower.';
}

/** @typedef {{tokens: number[], against: number | null}} Target  tokens of the answer, or one set against another, an id of the vocabulary */

/** What anything is asked about: the target of the forecast on screen, else the whole answer. @param {Pick<import('./fields.js').Fields, 'info' | 'reading'>} fields @returns {Target} */
export function targetOf({ info, reading }) {
  if (reading?.kind === KIND) return { tokens: reading.tokens, against: reading.against ?? null };
  return { tokens: info ? answerTokens(info) : [], against: null };
}

/** The same as fields of a question: none for the whole answer. @param {Pick<import('./fields.js').Fields, 'reading'>} fields @returns {Partial<Target>} */
export function targetAsked({ reading }) {
  if (reading?.kind !== KIND || reading.isWhole) return {};
  return { tokens: reading.tokens, ...(reading.against !== undefined && { against: reading.against }) };
}

/** @param {Target | null | undefined} one @param {Target} other */
export const isTarget = (one, { tokens, against }) => String(one?.tokens) === String(tokens) && (one?.against ?? null) === against;

/** The towers that a forecast is asked for: those in which text reads, and the one on screen. @param {RunInfo} info @param {string} tower */
export function towersAsked(info, tower) {
  return Object.keys(info.towers).filter((name) => layersOf(info, name).length && (name === tower || queriesAreTokens(info, name)));
}

/**
 * @param {import('./fields.js').ViewerState} state
 * @param {object} page
 * @param {import('./readings.js').Readings | null} page.asking  null where there is nobody to ask
 * @param {(selection: import('../data/selection.js').Selection) => void} page.select
 * @param {() => void} page.announce  a person chose something
 */
export function createReadingChoice(state, { asking, select, announce }) {
  let wished = ''; // the question whose answer is to be shown
  let choices = 0; // a later choice stands, whatever an earlier one is still waiting for
  /** @type {'forecast' | 'relative'} */
  let kindWished = KIND;

  /** @param {Reading | null} reading */
  function put(reading) {
    const { info, selection, reading: before } = state.get;
    wished = '';
    if (!info || !selection) return;
    if (reading && !reading.towers.includes(selection.tower)) return state.set({ notice: notOfTower(reading.towers, selection.tower) });
    // Nobody reads it: the question that a forecast answers best. Of attention there is no such map of tokens.
    const isOffered = directionsOf(info, selection.tower, reading?.kind).includes(selection.direction);
    const direction = reading?.kind === KIND && before?.kind !== KIND ? 'received' : isOffered ? selection.direction : 'reads';
    state.set({ reading, notice: '' });
    select({ ...selection, direction });
    announce();
  }

  /** What was made of the run, asked for when it is wanted. @param {import('../data/source.js').Source} source */
  async function look(source) {
    const found = await source.readings().catch((error) => {
      if (error.isExpired) throw error;
      return /** @type {MadeReading[]} */ ([]); // a file may hold none; an older server has no such list
    });
    const [forecasts, relatives] = [KIND, RELATIVE].map((wanted) => (found ?? []).filter(({ kind }) => kind === wanted));
    if (state.get.source === source) state.set({ forecasts, relatives });
    return found ?? [];
  }

  /** The answer to what was asked has come, or a reason against it. */
  function hear() {
    const asked = state.get.readings[kindWished];
    const { info, selection } = state.get;
    if (!wished || !asked || asked.name !== wished || asked.working || !info || !selection) return;
    wished = '';
    if (!asked.made) return state.set({ notice: asked.text });
    const [tower] = asked.made.towers; // of what is made the one to show, whatever is on screen: `put` looks
    if (kindWished === RELATIVE) return put(findRelative([asked.made], tower));
    const forecasts = [asked.made, ...state.get.forecasts.filter(({ name }) => name !== asked.made?.name)];
    state.set({ forecasts });
    const { tokens, against } = asked.made.target ?? { tokens: [], against: null };
    put(findForecast([asked.made], tokens, tower, against === null && String(tokens) === String(answerTokens(info)), against));
  }

  const choice = {
    /** What is asked about where no words are named. */
    whole: () => ({ tokens: state.get.info ? answerTokens(state.get.info) : [], name: 'of the answer' }),

    /** Why there can be no forecast, '' where there can. */
    why: () => (state.get.info ? whyNoForecast(state.get.info) : ''),

    /** What is chosen is seen: a map that was measured is put away. */
    uncover() {
      if (state.get.cellsShown) state.set({ cellsShown: false });
    },

    /** What was read. */
    read() {
      choice.uncover();
      choice.stop();
      if (state.get.reading) put(null);
    },

    /**
     * The forecast for some tokens of the answer, by default for all.
     * @param {number[] | null} [tokens]
     * @param {number | string | null} [against]  for one of them rather than another: its id in the vocabulary, or its text
     */
    async forecast(tokens = null, against = null) {
      const { info, source, selection } = state.get;
      if (!info || !source || !selection || whyNoForecast(info)) return;
      choice.uncover();
      const wanted = tokens ?? answerTokens(info);
      const find = (/** @type {MadeReading[]} */ made) => (typeof against === 'string' ? null : findForecast(made, wanted, selection.tower, tokens === null, against));
      const mine = (choices += 1);
      const known = find(state.get.forecasts) ?? find(await look(source)); // which token a text is says the server
      if (state.get.source !== source || mine !== choices) return;
      if (known) return put(known);
      if (!asking) return state.set({ notice: NOT_HELD.forecast });
      asking.stop(RELATIVE);
      kindWished = KIND;
      const fields = { ...(tokens && { tokens }), ...(against !== null && { against }), towers: towersAsked(info, selection.tower) };
      wished = '';
      if (state.get.readings[KIND]?.name !== readingName(fields)) asking.stop(KIND); // of others, which are not waited for any more
      wished = readingName(fields);
      asking.ask(KIND, fields);
    },

    /** This question over a general one. */
    async relative() {
      const { info, source, selection } = state.get;
      if (!info || !source || !selection || whyNoRelative(info, selection.tower)) return;
      choice.uncover();
      const mine = (choices += 1);
      const known = findRelative(await look(source), selection.tower);
      if (state.get.source !== source || mine !== choices) return;
      if (known) return put(known);
      if (!asking) return state.set({ notice: NOT_HELD.relative });
      asking.stop(KIND);
      kindWished = RELATIVE;
      wished = readingName({});
      asking.ask(RELATIVE);
    },

    /** A token may be set against another one here. */
    opposes: asking !== null,

    /** Texts that could stand in a token's place: the likeliest ones of a lens that was made, and those that it was set against. @param {number} token @returns {Promise<string[]>} */
    async others(token) {
      const { info, source, forecasts } = state.get;
      if (!info || !source) return [];
      const set = forecasts.flatMap(({ target, other }) => (other && String(target?.tokens) === String(token) ? [other] : []));
      const lens = /** @type {any} */ ((await source.readings().catch(() => null))?.find(({ kind }) => kind === LENS));
      const words = lens && (await source.words(lens.name, lens.layers[lens.layers.length - 1], 'others').catch(() => null));
      const likely = (words?.words[token - 1] ?? []).filter((/** @type {number} */ place) => !words.unspelled.includes(place)).map((/** @type {number} */ place) => words.texts[place]);
      return [...new Set([...set, ...likely])].filter((text) => text !== info.tokens[token].text);
    },

    /** From one to the other. */
    toggle: () => (state.get.reading ? choice.read() : void choice.forecast()),

    /** What an address says is shown, if it was made: it is not asked for again. @param {RunInfo} info @param {number[] | null} tokens @param {string} tower @param {string} [kind] @param {number | null} [against] */
    async restore(info, tokens, tower, kind = KIND, against = null) {
      const { source } = state.get;
      if (kind === RELATIVE) {
        const made = source && findRelative(await look(source), tower);
        return { reading: made ?? null, notice: made ? '' : NO_RELATIVE };
      }
      const found = source && findForecast(await look(source), tokens ?? answerTokens(info), tower, tokens === null, against);
      return { reading: found ?? null, notice: found ? '' : `${NOT_MADE}${asking ? ': choose Forecast to make it' : ''}.` };
    },

    /** Learn what there is. */
    async look() {
      const { source } = state.get;
      if (source) await look(source).catch(() => []);
    },

    /** Nothing is waited for any more. */
    stop() {
      choices += 1;
      wished = '';
      for (const kind of [KIND, RELATIVE]) asking?.stop(kind);
    },
    dispose: state.on(['readings'], hear),
  };
  return choice;
}

/** @typedef {ReturnType<typeof createReadingChoice>} ReadingChoice */
