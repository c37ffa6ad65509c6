// @ts-check
/**
 * What is shown of a comparison: what was read, or a reading that every member has of the same question. One that was made before is found;
 * members that lack it are asked one after the other, where there is somebody to ask. Who refuses is named, and the others are shown. Knows
 * no document.
 *
 * @typedef {import('./reading.js').Reading} Reading
 * @typedef {import('./reading.js').MemberReading} MemberReading
 * @typedef {import('./readings.js').MadeReading} MadeReading
 * @typedef {import('../data/selection.js').Selection} Selection
 *
 * @typedef {object} Question  that is put to every member
 * @property {'forecast' | 'relative'} kind
 * @property {number[]} tokens   of a forecast: whose log-probability
 * @property {boolean} isWhole   they are the whole answer of each
 *
 * @typedef {{made: MadeReading | null, why: string}} Answer  of a member
 * @typedef {Pick<import('./fields.js').ComparisonFields, 'comparison' | 'wholeInfos'>} Compared
 */
import { commonAnswer, isSideBySide, memberName } from '../data/comparison_info.js';
import { directionsOf } from '../data/selection.js';
import { forecastCost } from './forecast_cost.js';
import { isForecastOf, NOT_HELD, notOfTower, towersAsked, whyNoRelative } from './reading.js';
import { readingName } from './readings.js';

const FORECAST = 'forecast';
const RELATIVE = 'relative';
const NOT_MADE = { forecast: 'it has not been made yet, choose Forecast to make it.', relative: 'it has not been made yet, choose Relative to make it.' };
const NOTHING_SHARED = 'The members share no word of an answer, so there is none whose probability all could be asked about.';
const OPPOSED = 'The address shows a forecast of one token rather than another: a comparison shows those of tokens by themselves.';
const NO_ANSWER = 'These runs have no answer whose probability could change.';

/**
 * @param {import('./fields.js').ComparisonState} state
 * @param {object} page
 * @param {import('./readings.js').Readings | null} page.asking  null where there is nobody to ask
 * @param {(selection: Selection) => void} page.select
 * @param {() => void} page.announce  a person chose something
 */
export function createComparisonReading(state, { asking, select, announce }) {
  /** What is on its way: the question, what each member has said, and whose turn it is. @type {{question: Question, answers: Answer[], fields: object, turn: number, name: string} | null} */
  let going = null;
  let choices = 0; // a later choice stands, whatever an earlier one is still waiting for
  /** What members were found to have. @type {{sources: object, lists: MadeReading[][]}} */
  let known = { sources: [], lists: [] };

  /** What is asked about where no words are named: what all have read of the answer. */
  function whole({ comparison, wholeInfos } = /** @type {Compared} */ (state.get)) {
    const { tokens, isWhole } = comparison && wholeInfos.length ? commonAnswer(comparison, wholeInfos) : { tokens: [], isWhole: true };
    return { tokens, isWhole, name: isWhole ? 'of the answer' : 'of the words in common' };
  }

  /** What members have of a question: of the readings that answer it the one that most have. @param {Question} question @param {string} tower @param {MadeReading[][]} lists @returns {{best: MadeReading | null, answers: Answer[]}} */
  function answersIn({ kind, tokens }, tower, lists) {
    const fitting = lists.map((list) => list.filter((made) => (kind === FORECAST ? isForecastOf(made, tokens, tower) : made.kind === RELATIVE && made.towers.includes(tower))));
    const count = (/** @type {string} */ name) => fitting.filter((list) => list.some((made) => made.name === name)).length;
    const best = fitting.flat().reduce((/** @type {MadeReading | null} */ most, made) => (most && count(most.name) >= count(made.name) ? most : made), null);
    return { best, answers: fitting.map((list) => ({ made: list.find(({ name }) => name === best?.name) ?? null, why: '' })) };
  }

  /** The same of what members have by now. @param {Question} question @param {string} tower */
  async function found(question, tower, common = whole().tokens) {
    const { sources } = state.get;
    const lists = await Promise.all(sources.map((source) => source.readings().catch((error) => {
      if (error.isExpired) throw error;
      return /** @type {MadeReading[]} */ ([]); // a file may hold none; an older server has no such list
    })));
    if (state.get.sources !== sources) return null;
    const all = lists.map((list) => list ?? []);
    known = { sources, lists: all };
    state.set({ forecasts: all.flat().filter((made) => made.kind === FORECAST && made.target?.tokens.every((token) => common.includes(token))) });
    return answersIn(question, tower, all);
  }

  /** @param {Question} question @param {Answer[]} answers @param {boolean} isOwn @returns {Reading | null} null where fewer than two have it */
  function readingOf({ kind, tokens, isWhole }, answers, isOwn) {
    const first = answers.find(({ made }) => made)?.made;
    if (!first || answers.filter(({ made }) => made).length < 2 || (isOwn && !answers[0].made)) return null;
    const members = answers.map(({ made, why }) => ({ value: made?.value ?? NaN, why: made ? '' : why }));
    return { kind, name: first.name, tokens, isWhole, towers: first.towers, value: NaN, prompt: first.prompt, floor: first.floor, members };
  }

  /** Two that have it: those on screen, where they do. @param {MemberReading[]} members @param {{left: number, right: number}} now @param {boolean} isOwn  the first of two is always the base */
  function twoOf(members, { left, right }, isOwn) {
    const has = members.flatMap(({ why }, i) => (why ? [] : [i]));
    if (has.includes(left) && has.includes(right)) return { left, right };
    const other = has.find((i) => i !== right);
    if (has.includes(right) && other !== undefined && (!isOwn || other === 0)) return { left: other, right };
    const after = has.find((i) => i > 0 && i !== left);
    return has.includes(left) && after !== undefined ? { left, right: after } : { left: has[0], right: has[1] };
  }

  /** @param {Question} question @param {Answer[]} answers */
  function put(question, answers) {
    const { info, selection, comparison, reading: before, left, right } = state.get;
    if (!info || !selection || !comparison) return;
    const names = answers.map((_, member) => memberName(comparison.members, member));
    const refused = refusalsOf(question.kind, names, answers);
    const reading = readingOf(question, answers, isSideBySide(comparison));
    if (reading && !reading.towers.includes(selection.tower)) return state.set({ notice: notOfTower(reading.towers, selection.tower) });
    if (!reading) return state.set({ notice: `${refused} There are no two to set against each other, so what was read is shown.` });
    // Nobody reads it: the question that a forecast answers best. Of attention there is no such map of tokens.
    const isOffered = directionsOf(info, selection.tower, reading.kind).includes(selection.direction);
    const direction = reading.kind === FORECAST && before?.kind !== FORECAST ? 'received' : isOffered ? selection.direction : 'reads';
    state.set({ reading, steps: null, ...twoOf(reading.members ?? [], { left, right }, isSideBySide(comparison)), notice: refused });
    select({ ...selection, direction });
    announce();
  }

  /** Ask the next that lacks it; after the last show what there is. */
  function goOn() {
    if (!going || !asking) return;
    const { question, answers, fields } = going;
    const { comparison } = state.get;
    const turn = answers.findIndex(({ made, why }) => !made && !why);
    if (turn < 0 || !comparison) {
      going = null;
      return put(question, answers);
    }
    const asked = { ...fields, member: comparison.members[turn].folder };
    going = { ...going, turn, name: readingName(asked) };
    asking.ask(question.kind, asked);
  }

  /** The answer to what was asked has come, or a reason against it. */
  function hear() {
    if (!going) return;
    const { question: { kind }, name, turn, answers } = going;
    const asked = state.get.readings[kind];
    if (!asked || asked.name !== name || asked.working) return;
    going = { ...going, answers: answers.map((old, i) => (i === turn ? { made: asked.made, why: asked.made ? '' : asked.text } : old)) };
    if (asked.made) known = { ...known, lists: known.lists.map((list, i) => (i === turn && asked.made ? [...list, asked.made] : list)) };
    goOn();
  }

  /** @param {Question} question */
  async function show(question) {
    const { info, selection } = state.get;
    if (!info || !selection) return;
    choice.stop();
    const mine = choices;
    const made = await found(question, selection.tower);
    if (!made || mine !== choices) return;
    const { best, answers } = made;
    if (!asking && answers.some(({ made }) => !made)) return put(question, answers.map((each) => (each.made ? each : { ...each, why: NOT_HELD[question.kind] })));
    const towers = best?.towers ?? towersAsked(info, selection.tower);
    const named = question.isWhole ? {} : { tokens: question.tokens };
    going = { question, answers, fields: question.kind === FORECAST ? { ...named, towers } : best?.prompt ? { prompt: best.prompt } : {}, turn: -1, name: '' };
    goOn();
  }

  const choice = {
    whole,
    /** There is no map that was measured here. */
    uncover() {},

    /** Why there can be none, '' where there can. */
    why() {
      const { wholeInfos } = state.get;
      const { tokens } = whole();
      if (tokens.length || !wholeInfos.length) return '';
      return state.get.comparison?.words === 'own' ? NOTHING_SHARED : NO_ANSWER;
    },

    /** What it costs, said before it is asked for: of those that were not found to have it. */
    cost() {
      const { wholeInfos, tower, reading, sources } = state.get;
      if (!asking || !wholeInfos.length || reading || choice.why()) return null;
      const isKnown = known.sources === sources;
      const { best, answers } = answersIn({ kind: FORECAST, ...whole() }, tower, isKnown ? known.lists : []);
      const lacking = wholeInfos.filter((_, i) => !answers[i]?.made);
      return lacking.length ? forecastCost(lacking, best?.towers ?? towersAsked(wholeInfos[0], tower), { members: wholeInfos.length, isKnown }) : null;
    },

    /** Who is asked now, of several. */
    whose() {
      const { comparison } = state.get;
      if (!going || !comparison || going.turn < 0) return '';
      const lacking = going.answers.filter(({ made }) => !made).length;
      return `${memberName(comparison.members, going.turn)}${lacking > 1 ? `, ${lacking} to go` : ''}: `;
    },

    read() {
      choice.stop();
      const { info, selection } = state.get;
      if (!state.get.reading || !info || !selection) return;
      const isOffered = directionsOf(info, selection.tower).includes(selection.direction);
      state.set({ reading: null, steps: null, notice: '' });
      select({ ...selection, direction: isOffered ? selection.direction : 'reads' });
      announce();
    },

    /** The forecast for some tokens, by default for all that the members have in common. @param {number[] | null} [tokens] */
    async forecast(tokens = null) {
      const all = whole();
      if (!choice.why()) await show({ kind: FORECAST, tokens: tokens ?? all.tokens, isWhole: tokens === null && all.isWhole });
    },

    /** This question over a general one. */
    async relative() {
      const { info, selection } = state.get;
      if (info && selection && !whyNoRelative(info, selection.tower)) await show({ kind: RELATIVE, tokens: [], isWhole: true });
    },

    /** From one to the other. */
    toggle: () => (state.get.reading ? choice.read() : void choice.forecast()),

    /** What an address says is shown, where two have it: it is not asked for again. @param {import('./address.js').Shows} shows @param {string} tower @param {Compared} of  that is opened */
    async restore({ tokens, against, kind = FORECAST }, tower, of) {
      if (against !== undefined) return { reading: null, notice: OPPOSED, two: (/** @type {{left: number, right: number}} */ now) => now };
      const all = whole(of);
      const isRelative = kind === RELATIVE;
      const question = /** @type {Question} */ ({ kind: isRelative ? RELATIVE : FORECAST, tokens: isRelative ? [] : tokens ?? all.tokens, isWhole: isRelative || (tokens === null && all.isWhole) });
      const made = await found(question, tower, all.tokens);
      const answers = made?.answers.map((each) => (each.made ? each : { ...each, why: NOT_MADE[question.kind] })) ?? [];
      const [members, isOwn] = [of.comparison?.members ?? [], isSideBySide(of.comparison)];
      const reading = readingOf(question, answers, isOwn);
      return {
        reading, notice: refusalsOf(question.kind, members.map((_, i) => memberName(members, i)), answers),
        /** Who is set against whom, of those that were. @param {{left: number, right: number}} now */
        two: (now) => (reading ? twoOf(reading.members ?? [], now, isOwn) : now),
      };
    },

    /** Learn what there is. */
    async look() {
      const { selection } = state.get;
      if (selection) await found({ kind: FORECAST, tokens: whole().tokens, isWhole: true }, selection.tower).catch(() => null);
    },

    /** Nothing is waited for any more. */
    stop() {
      choices += 1;
      going = null;
      for (const kind of [FORECAST, RELATIVE]) asking?.stop(kind);
    },
    dispose: state.on(['readings'], hear),
  };
  return choice;
}

/**
 * Who of them has none, and why; those with one reason together.
 * @param {'forecast' | 'relative'} kind
 * @param {string[]} names
 * @param {{made?: object | null, why: string}[]} answers
 */
function refusalsOf(kind, names, answers) {
  const what = kind === 'forecast' ? 'No forecast' : 'No relative attention';
  const whys = [...new Set(answers.map(({ why }) => why).filter(Boolean))];
  return whys.map((why) => `${what} of ${names.filter((_, i) => answers[i].why === why).join(', ')}: ${why}`).join(' ');
}
