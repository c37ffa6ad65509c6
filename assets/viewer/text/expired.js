// @ts-check
/** What is said of a run, or a comparison, that the server does not have any more: of a run as the server says it. Knows no document. */

/** The server does not know of what kind it was. @param {'run' | 'comparison'} kind */
export function expiredWords(kind) {
  return `This ${kind} is not here any more: it has expired, or its ticket is wrong. Run it again.`;
}
