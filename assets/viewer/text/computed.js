// @ts-check
/** How far something is that is computed over many rows. Knows no document. */

/** @param {{done: number, total: number}} computing */
export const computedWords = ({ done, total }) => `${done.toLocaleString('en')} of ${total.toLocaleString('en')} rows computed`;
