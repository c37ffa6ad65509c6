// @ts-check
/** What is said of an answer that a file does not hold: what it would be, and what the file does hold. Knows no document. */

/** @type {Record<string, (asked: URLSearchParams) => string>} */
const WHAT = {
  row: (asked) => `${many(asked, 'query', 'The row of position', 'The mean of the rows of positions')}${where(asked)}`,
  column: (asked) => `${many(asked, 'key', 'Who reads position', 'Who reads positions')}${where(asked)}`,
  received: (asked) => `What every patch receives${where(asked)}`,
  atlas: (asked) => `${asked.has('key') ? many(asked, 'key', 'The small maps of who reads position', 'The small maps of who reads positions')
    : many(asked, 'query', 'The small maps of position', 'The small maps of positions')}${where(asked)}`,
  masses: (asked) => `${many(asked, 'query', 'How much the row of position', 'How much the mean row of positions')} reads of each part`,
  scores: (asked) => `The score ${word(asked, 'name')}${asked.has('query') ? many(asked, 'query', ' of the row of position', ' of the rows of positions') : ''}${where(asked)}`,
  region: (asked) => `${many(asked, 'query', 'What is measured of this place in the row of position', 'What is measured of this place in the rows of positions')}`,
  change: (asked) => `The change by ${word(asked, 'measure')}${asked.has('query') ? ` in the row of position ${asked.get('query')}` : ''}`,
};

/**
 * @param {string} key     the address of the answer
 * @param {string} holds   a sentence: what the file has
 */
export function leftOutWords(key, holds) {
  const [path, query = ''] = key.split('?');
  const asked = new URLSearchParams(query);
  const name = path.split('/').at(-1) ?? '';
  const what = asked.has('reading') ? effectsOf(asked) : Object.hasOwn(WHAT, name) ? WHAT[name](asked) : 'This';
  const tower = asked.get('tower');
  const of = tower && tower !== 'language' ? `, in the ${tower} tower,` : '';
  return `${what}${of} is not in this file. ${holds}`;
}

/** @param {URLSearchParams} asked */
function effectsOf(asked) {
  const of = asked.has('key') ? many(asked, 'key', 'of reading position', 'of reading positions') : asked.has('query') ? many(asked, 'query', 'of the row of position', 'of the rows of positions') : 'of all rows';
  return `The forecast ${of}${where(asked)}`;
}

/** @param {URLSearchParams} asked @param {string} name @param {string} one @param {string} several */
function many(asked, name, one, several) {
  return asked.has('until') ? `${several} ${asked.get(name)} to ${asked.get('until')}` : `${one} ${asked.get(name)}`;
}

/** @param {URLSearchParams} asked */
function where(asked) {
  const [layer, head] = [asked.get('layer'), asked.get('head')];
  const part = (/** @type {string} */ name, /** @type {string | null} */ chosen) =>
    chosen === null ? [] : [/^\d+$/.test(chosen) ? `${name} ${chosen}` : `${chosen} over ${name}s`];
  const parts = [...part('layer', layer), ...part('head', head)];
  return parts.length ? ` (${parts.join(', ')})` : '';
}

/** @param {URLSearchParams} asked @param {string} name */
function word(asked, name) {
  return (asked.get(name) ?? '').replaceAll('_', ' ');
}
