// @ts-check
/**
 * The routes of scores: a table of models and items, and the pictures of items. Knows no document.
 *
 * @typedef {{mean: number | null, low: number | null, high: number | null, n: number, p?: number | null}} Estimate
 * @typedef {'region_share' | 'region_peak' | 'region_touch'} MeasureName
 * @typedef {object} ScoredModel
 * @property {string} member
 * @property {string} name
 * @property {{id: string} | null} adapter
 * @property {number} scored
 * @property {number} bad
 * @property {string} [model_id]
 * @property {string} [tower]
 * @property {{heads: {layer: number, head: number}[], measures: Record<MeasureName, Estimate>, elsewhere: Record<MeasureName, Estimate>, random: number | null} | null} [found]
 * @property {string | null} [why_not]
 * @property {{uniform: number | null, central: number | null}} [chance]
 * @property {{hit: number, miss: number, nothing: number, uncertain: number, rate: Estimate} | null} [answers]
 * @property {{layer: number, head: number, score: Estimate, above_chance: boolean | null}[]} [heads]
 *
 * @typedef {object} ScoredPair
 * @property {string} left
 * @property {string} right
 * @property {number} n
 * @property {string | null} why_not
 * @property {string} [by]
 * @property {Estimate | null} [found_head]
 * @property {Estimate} [mean_of_heads]
 * @property {string | null} [too_few]
 * @property {number} [moved]
 * @property {number} [heads]
 * @property {(Estimate & {layer: number, head: number, measure: string})[]} [top]
 *
 * @typedef {object} ItemOfModel  an item as one model read it; with `error` nothing else is there
 * @property {string} [error]
 * @property {string | null} [outcome]
 * @property {string | null} [answer]
 * @property {boolean} [forced]
 * @property {string | null} [run]   null where it was not kept
 * @property {number | null} [layer] of the head that was found without this item's picture
 * @property {number | null} [head]
 * @property {number | null} [share]
 * @property {number | null} [peak]
 * @property {number | null} [touch]
 * @property {number | null} [change] of the share from the base, at the base's head
 *
 * @typedef {{name: string, image: string | null, picture: string | null, prompt: string | null, place: number[] | null, models: ItemOfModel[]}} ScoredItem
 * @typedef {{by: MeasureName, settings: {mode: string}, created: string, models: ScoredModel[], pairs: ScoredPair[], items: ScoredItem[]}} ScoreTable
 */

/**
 * @param {string} base  the address of the routes
 * @param {typeof globalThis.fetch} [fetch]
 */
export function createScoresSource(base, fetch = globalThis.fetch.bind(globalThis)) {
  return {
    /** The scores of a folder; throws a sentence. @param {number} number @returns {Promise<ScoreTable>} */
    async table(number) {
      const response = await fetch(`${base}scores/${number}`, { credentials: 'same-origin' }).catch(() => null);
      if (!response) throw new Error('The server cannot be reached.');
      const body = await response.json().catch(() => ({}));
      if (!response.ok) throw new Error(body.error ?? `The server answered with status ${response.status}.`);
      return body;
    },

    /** The address of an item's small picture, another one where the picture is another. @param {number} number @param {number} item @param {string | null} picture */
    picture: (number, item, picture) => `${base}scores/${number}/picture/${item}?of=${encodeURIComponent((picture ?? '').slice(0, 16))}`,
  };
}

/** Found heads of a model as the text of a file of them, as `python -m attention heads` writes it. @param {ScoreTable} table @param {ScoredModel} model */
export function headsFile({ by }, { model_id, adapter, tower, heads }) {
  return JSON.stringify({ format: 1, kind: 'heads', model: { id: model_id }, adapter, tower, by, heads: heads?.filter(({ score }) => score.mean !== null) ?? [] });
}
