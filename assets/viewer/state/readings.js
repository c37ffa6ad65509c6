// @ts-check
/**
 * Readings of a finished run, asked for: a forecast, a lens, ... One of each kind at a time; the server makes it as a job, tells how far it
 * is and what it has found so far, and finds what is there already. Knows no document, and no kind.
 *
 * @typedef {object} MadeReading  what the server says of a finished one; fields of its kind beside these
 * @property {string} name
 * @property {string} kind
 * @property {{tokens: number[], against: number | null} | null} target
 * @property {string[]} towers
 * @property {number} [value]  of a forecast: the log-probability that it is of, or the difference of two logits
 * @property {string} [other]  likewise: the text of the token that the one is set against
 * @property {string} created
 * @property {number} bytes
 * @property {import('../text/direct.js').Budget} [budget]  of direct logit attribution
 * @property {string} [prompt]  of relative attention: the general question
 * @property {number[]} [layers]  of a lens: those after which it has words
 * @property {number} [floor]   likewise: below it weights count as it
 * @property {number[] | null} [rows]  of a map over cells: from which alone they were hidden
 * @property {import('../numbers/cell_map.js').CellMap['measured']} [measured]  likewise: how many blocks were, in which way
 * @property {Record<string, MadeReading>} [members]  of a comparison: one of each run
 *
 * @typedef {object} AskedReading
 * @property {number} number  tells an answer to this question from one to an earlier one
 * @property {string} name    of what was asked: the same text for the same question
 * @property {boolean} working
 * @property {string} text    how far it is, or why there is nothing
 * @property {any} partial    all that was found so far, where the kind tells it
 * @property {MadeReading | null} made
 *
 * @typedef {Record<string, AskedReading>} AskedReadings  the last that was asked for, by kind
 * @typedef {{number: number, reading: string, text?: string, partial?: any, made?: MadeReading, why?: string}} ToldOfReading  by the server
 */
const ASKED = 'Waiting for its turn';
const STOPPED = 'Stopped.';

/** The same text for the same question. @param {object} fields */
export const readingName = (fields) => JSON.stringify(fields);

/**
 * @param {{get: {manifest: {ticket: string} | null, readings: AskedReadings}, set(changes: {readings: AskedReadings}): void}} state
 * @param {(name: string, data: object) => void} send  to the server
 */
export function createReadings(state, send) {
  let number = 0;

  /** @param {string} kind @param {Partial<AskedReading>} changes */
  function change(kind, changes) {
    state.set({ readings: { ...state.get.readings, [kind]: { ...state.get.readings[kind], ...changes } } });
  }

  return {
    /** Ask for one, unless one of its kind is on its way. @param {string} kind @param {object} [fields]  of the kind */
    ask(kind, fields = {}) {
      const { manifest, readings } = state.get;
      if (!manifest || readings[kind]?.working) return;
      number += 1;
      change(kind, { number, name: readingName(fields), working: true, text: ASKED, partial: null, made: null });
      send('apply', { ticket: manifest.ticket, number, reading: kind, ...fields });
    },

    /** @param {string} kind */
    stop(kind) {
      const asked = state.get.readings[kind];
      if (!asked?.working) return;
      send('stop', { number: asked.number, reading: kind });
      number += 1; // what is still on its way is of no question any more
      change(kind, { number, working: false, text: STOPPED });
    },

    /** Stop all that is on its way, as where another run comes on screen. */
    stopAll() {
      for (const kind of Object.keys(state.get.readings)) this.stop(kind);
    },

    /** What the server tells of one; what is told of a trial is not heard. @param {{number: number, reading?: string}} told */
    hear(told) {
      const { number: of, reading: kind, text = '', partial, made, why = '' } = /** @type {ToldOfReading} */ (told);
      const asked = kind === undefined ? undefined : state.get.readings[kind];
      if (!asked?.working || asked.number !== of) return;
      change(kind, { working: !made && !why, text: why || text, made: made ?? null, ...(partial !== undefined && { partial }) });
    },
  };
}

/** @typedef {ReturnType<typeof createReadings>} Readings */
